//! `ripcord import`: the flags of another system, in one atomic commit.

use std::path::PathBuf;

use clap::{Args, Subcommand};
use ripcord_proto::FlagsFile;
use ripcord_proto::file_set::Takeover;
use ripcord_proto::flagd::{self, SafeChoice, SafeVariants};

use super::context::Context;
use super::exit::{Exit, Failure};
use super::input;
use super::output::{count, note};
use super::source::{self, FlagsSource};
use super::write::WriteArgs;

const EXAMPLES: &str = "\
Examples:
  ripcord import flagd -f flags.json
  ripcord import flagd -f flags.json --safe off               if a flag has it
  ripcord import flagd -f flags.json --safe checkout=legacy   of one flag
  ripcord import flagd -f flags.json --safe checkout=         the caller's default";

/// Import the flags of another system, in one atomic commit
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Import {
    #[command(subcommand)]
    system: System,
}

#[derive(Debug, Subcommand)]
enum System {
    Flagd(Flagd),
}

/// Import flagd's flags, JSON or YAML
///
/// All or nothing: one flag that cannot be imported rejects the file. What changes is shown first. flagd has no safe variants: the
/// default variant is used, unless --safe names another. For a flag without a default variant, both are the caller's own default.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
struct Flagd {
    /// flagd's file; `-` reads the standard input
    #[arg(short, long, value_name = "FILE")]
    file: PathBuf,
    /// The safe variant: VARIANT of every flag that has it, or FLAG=VARIANT. Repeat for several
    #[arg(long, value_name = "VARIANT")]
    safe: Vec<SafeChoice>,
    /// Also overwrite what a file set owns and what was edited by hand
    #[arg(long)]
    adopt: bool,
    #[command(flatten)]
    write: WriteArgs,
}

pub(crate) async fn run(call: &Context, command: Import) -> Result<Exit, Failure> {
    let System::Flagd(Flagd { file, safe, adopt, mut write }) = command.system;
    let name = input::name(&file);
    let text = input::text(&file)?;
    let safe: SafeVariants = safe.into_iter().collect();
    let imported = flagd::parse(&text, &safe).map_err(|faults| Failure::File { file: name.clone(), faults })?;
    for warning in &imported.warnings {
        note(&format!("Warning: {warning}."));
    }
    let what = format!("import of {} from flagd", count(imported.flags.len(), "flag", "flags"));
    write.reason = Some(write.reason.map_or_else(|| what.clone(), |reason| format!("{what}: {reason}")));
    let flags = FlagsFile {
        flags: imported.flags,
        ..FlagsFile::default()
    };
    let takeover = if adopt { Takeover::Adopt } else { Takeover::Refuse };
    let source = FlagsSource::of(name, call.environment().clone(), flags, takeover);
    source::apply(call, source, None, write).await
}
