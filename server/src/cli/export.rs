//! `ripcord export`: an environment as a flags file, whole at one revision.

use std::path::PathBuf;

use clap::{Args, ValueEnum};
use ripcord_proto::frame::{Overlay, ServerFrame};
use ripcord_proto::{EnvironmentKey, FlagsFile, Snapshot, flagd};

use super::client::{Answer, Call, Client};
use super::exit::{Exit, Failure};
use super::invocation::Invocation;
use super::output::{Format, count, note, print};

/// Where flagd's clients find what a file of flags may hold.
const FLAGD_SCHEMA: &str = "https://flagd.dev/schema/v0/flags.json";

/// Print the environment as a flags file
///
/// It is what `ripcord apply` takes, whole at one revision. With `--format flagd` it is what flagd and its clients take: every flag gives everybody the same variant there; one that flagd cannot express is left out, and named.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  ripcord export > flags.yaml
  ripcord export --env staging -o staging.yaml
  ripcord export --json                        the same as JSON
  ripcord export --format flagd -o flagd.json  for flagd")]
pub(crate) struct Export {
    /// Write to this file instead of the standard output
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,
    /// Leave `environment` out, so that the file can be applied anywhere
    #[arg(long)]
    portable: bool,
    /// What kind of file
    #[arg(long, value_enum, default_value_t = Kind::Ripcord, value_name = "KIND")]
    format: Kind,
}

/// Kinds of files.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Kind {
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

/// Does it.
pub(crate) async fn run(call: &Invocation, command: Export) -> Result<Exit, Failure> {
    let (snapshot, overlay) = whole(&call.client, call.environment()).await?;
    let written = match command.format {
        Kind::Ripcord => as_ripcord(&snapshot, call.output.format(), command.portable)?,
        Kind::Flagd => as_flagd(&snapshot, &overlay)?,
    };
    for line in &written.notes {
        note(line);
    }
    let Some(path) = command.output else {
        print(&written.text);
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

fn unwritable(why: impl std::fmt::Display) -> Failure {
    Failure::Local(format!("The flags file cannot be written: {why}."))
}

fn as_ripcord(snapshot: &Snapshot, format: Format, portable: bool) -> Result<Written, Failure> {
    let mut file = flags_file(snapshot)?;
    if portable {
        file.environment = None;
    }
    let flags = count(file.flags.len(), "flag", "flags");
    let segments = count(file.segments.len(), "segment", "segments");
    Ok(Written {
        text: match format {
            Format::Json => serde_json::to_string_pretty(&file).map_err(unwritable)?,
            Format::Text => file.to_yaml().map_err(unwritable)?,
        },
        what: format!("{flags} and {segments}"),
        notes: Vec::new(),
    })
}

/// Kills stand in the definitions: flagd has no others.
fn as_flagd(snapshot: &Snapshot, overlay: &Overlay) -> Result<Written, Failure> {
    let export = flagd::export(snapshot, overlay.kills.values());
    let document = serde_json::json!({"$schema": FLAGD_SCHEMA, "flags": export.flags});
    Ok(Written {
        text: serde_json::to_string_pretty(&document).map_err(unwritable)?,
        what: count(export.flags.len(), "flag", "flags"),
        notes: export.left_out.iter().map(|out| format!("Left out {}: {}.", out.flag, out.why)).collect(),
    })
}

/// The environment, whole at one revision.
pub(crate) async fn snapshot(call: &Invocation) -> Result<Snapshot, Failure> {
    snapshot_of(&call.client, call.environment()).await
}

/// The same of any server.
pub(crate) async fn snapshot_of(client: &Client, environment: &EnvironmentKey) -> Result<Snapshot, Failure> {
    Ok(whole(client, environment).await?.0)
}

/// The same with the provisional kills over it.
async fn whole(client: &Client, environment: &EnvironmentKey) -> Result<(Snapshot, Overlay), Failure> {
    let get = Call::get(["v1", "snapshot"]).query("environment", Some(environment));
    let answer: Answer<serde::de::IgnoredAny> = client.call(get).await?;
    match ServerFrame::parse(&answer.text) {
        Ok(ServerFrame::Snapshot(snapshot, _, overlay)) => Ok((*snapshot, overlay)),
        Ok(_) => Err(Failure::Local("The server sent no snapshot.".to_owned())),
        Err(faults) => Err(Failure::Local(format!("The server's snapshot cannot be read: {faults}."))),
    }
}

/// A flag that this version cannot read would be lost in silence: it ends the export.
pub(crate) fn flags_file(snapshot: &Snapshot) -> Result<FlagsFile, Failure> {
    let unreadable = |kind: &str, key: &str, faults: &ripcord_proto::Faults| {
        Failure::Local(format!(
            "{kind} {key} cannot be read by this version, and would be lost: {faults}. Use the server's own version."
        ))
    };
    let mut file = FlagsFile {
        environment: Some(snapshot.environment.clone()),
        ..FlagsFile::default()
    };
    for entry in &snapshot.segments {
        let segment = entry.value().map_err(|faults| unreadable("Segment", entry.key().as_str(), faults))?;
        file.segments.insert(entry.key().clone(), segment.clone());
    }
    for entry in &snapshot.flags {
        let flag = entry.value().map_err(|faults| unreadable("Flag", entry.key().as_str(), faults))?;
        file.flags.insert(entry.key().clone(), flag.clone());
    }
    Ok(file)
}
