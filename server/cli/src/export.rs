//! `ripcord export`: an environment as a flags file, whole at one revision.

mod folder;

use std::path::{Path, PathBuf};

use clap::{Args, ValueEnum};
use ripcord_proto::frame::Overlay;
use ripcord_proto::rest::sets::SetView;
use ripcord_proto::{FlagsFile, SetName, Snapshot, flagd};

use super::answer::Answer;
use super::context::Context;
use super::exit::{Exit, Failure};
use super::files::unwritable;
use super::output::{Format, count, note, print_data};
use super::snapshot;

/// Where flagd's clients find what a file of flags may hold.
const FLAGD_SCHEMA: &str = "https://flagd.dev/schema/v0/flags.json";

/// Write the environment, or a file set of it, as flags files
///
/// The output is what `ripcord apply` reads, all at one revision. Into a folder, each flag is written to the file that has it; new
/// flags go to flags.yaml, and files without changes are not touched. `--format flagd` writes a file for flagd and its clients:
/// every user gets the same variant from it; flags that flagd cannot express are left out and named.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  ripcord export > flags.yaml
  ripcord export --env staging -o staging.yaml
  ripcord export --set payments -o flags/      back into a folder
  ripcord export --json                        the same as JSON
  ripcord export --format flagd -o flagd.json   for flagd and its clients")]
pub(crate) struct Export {
    /// Write to this file, or back into this folder, instead of the standard output
    #[arg(short, long, value_name = "PATH")]
    output: Option<PathBuf>,
    /// Only what this file set owns
    #[arg(long, value_name = "NAME")]
    set: Option<SetName>,
    /// Leave `environment` out, so that the file can be applied anywhere
    #[arg(long)]
    portable: bool,
    /// What kind of file
    #[arg(long, value_enum, default_value_t = ExportFormat::Ripcord, value_name = "KIND")]
    format: ExportFormat,
}

/// Kinds of files.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum ExportFormat {
    /// A flags file of Ripcord
    Ripcord,
    /// flagd's flags, JSON
    Flagd,
}

/// A file that was written.
struct Written {
    text: String,
    what: String,
    notes: Vec<String>,
}

pub(crate) async fn run(call: &Context, command: Export) -> Result<Exit, Failure> {
    let (snapshot, overlay) = snapshot::with_overlay(&call.client, call.environment()).await?;
    let mut file = snapshot::flags_file(&snapshot)?;
    if command.portable {
        file.environment = None;
    }
    if let Some(set) = &command.set {
        narrow(call, &mut file, set).await?;
    }
    let written = match (command.format, &command.output) {
        (ExportFormat::Ripcord, Some(folder)) if is_folder(folder) => {
            folder::write(folder, &file)?;
            return Ok(Exit::Done);
        }
        (ExportFormat::Ripcord, _) => as_ripcord(&file, call.output.format())?,
        (ExportFormat::Flagd, _) => as_flagd(&snapshot, &overlay, &file)?,
    };
    for line in &written.notes {
        note(line);
    }
    let Some(path) = command.output else {
        print_data(&written.text);
        return Ok(Exit::Done);
    };
    std::fs::write(&path, format!("{}\n", written.text.trim_end())).map_err(|error| unwritable(format!("{}: {error}", path.display())))?;
    note(&format!(
        "Wrote {} at revision {} to {}.",
        written.what,
        snapshot.position.revision,
        path.display()
    ));
    Ok(Exit::Done)
}

/// Whether a path names a folder: an existing one, or one written with a trailing slash.
fn is_folder(path: &Path) -> bool {
    path.is_dir() || path.to_string_lossy().ends_with(std::path::MAIN_SEPARATOR)
}

/// Leaves what the set owns.
async fn narrow(call: &Context, file: &mut FlagsFile, set: &SetName) -> Result<(), Failure> {
    let sets: Answer<Vec<SetView>> = call.client.list(&call.path(&["sets"]), usize::MAX).await?;
    let Some(view) = sets.value.iter().find(|view| view.set == *set) else {
        let names: Vec<_> = sets.value.iter().map(|view| view.set.as_str()).collect();
        let there_are = if names.is_empty() {
            "no set was ever applied".to_owned()
        } else {
            format!("it has {}", names.join(", "))
        };
        return Err(Failure::Local(format!("{} has no file set {set}; {there_are}.", call.environment())));
    };
    file.set = Some(set.clone());
    file.flags.retain(|key, _| view.flags.contains(key));
    file.segments.retain(|key, _| view.segments.contains(key));
    Ok(())
}

fn as_ripcord(file: &FlagsFile, format: Format) -> Result<Written, Failure> {
    let flags = count(file.flags.len(), "flag", "flags");
    let segments = count(file.segments.len(), "segment", "segments");
    Ok(Written {
        text: match format {
            Format::Json => serde_json::to_string_pretty(file).map_err(unwritable)?,
            Format::Text => file.to_yaml().map_err(unwritable)?,
        },
        what: format!("{flags} and {segments}"),
        notes: Vec::new(),
    })
}

/// The flags of `file`. Kills are written into the definitions, since flagd has no kills.
fn as_flagd(snapshot: &Snapshot, overlay: &Overlay, file: &FlagsFile) -> Result<Written, Failure> {
    let mut export = flagd::export(snapshot, overlay.kills.values());
    export.flags.retain(|key, _| file.flags.contains_key(key.as_str()));
    export.left_out.retain(|out| file.flags.contains_key(&out.flag));
    let document = serde_json::json!({"$schema": FLAGD_SCHEMA, "flags": export.flags});
    Ok(Written {
        text: serde_json::to_string_pretty(&document).map_err(unwritable)?,
        what: count(export.flags.len(), "flag", "flags"),
        notes: export.left_out.iter().map(|out| format!("Left out {}: {}.", out.flag, out.why)).collect(),
    })
}
