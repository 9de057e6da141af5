//! `ripcord schema`: the JSON Schema of flags files, for editors.

use std::path::PathBuf;

use clap::Args;
use ripcord_proto::flags_file::schema::schema;

use super::exit::{Exit, Failure};
use super::output::{note, print_data};

/// Print the JSON Schema of flags files, for editors
///
/// A server publishes the same at /schema/flags.json, without a key. A YAML file names its schema in its first line:
/// `# yaml-language-server: $schema=http://127.0.0.1:8016/schema/flags.json`
#[derive(Debug, Args)]
#[command(
    name = "schema",
    after_help = "\
Examples:
  ripcord schema -o flags.schema.json"
)]
pub(crate) struct SchemaCommand {
    /// Write to this file instead of the standard output
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,
}

/// Does it. Needs no server.
pub(crate) fn run(command: &SchemaCommand) -> Result<Exit, Failure> {
    let text = format!("{:#}", schema());
    match &command.output {
        None => print_data(&text),
        Some(path) => {
            let failed = |error: std::io::Error| Failure::Local(format!("{} cannot be written: {error}.", path.display()));
            std::fs::write(path, format!("{text}\n")).map_err(failed)?;
            note(&format!("Wrote the schema to {}.", path.display()));
        }
    }
    Ok(Exit::Done)
}
