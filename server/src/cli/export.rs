//! `ripcord export`: an environment as a flags file, whole at one revision.

use std::path::PathBuf;

use clap::Args;
use ripcord_proto::frame::ServerFrame;
use ripcord_proto::{EnvironmentKey, FlagsFile, Snapshot};

use super::client::{Answer, Call, Client};
use super::exit::{Exit, Failure};
use super::invocation::Invocation;
use super::output::{Format, count, note, print};

/// Print the environment as a flags file
///
/// It is what `ripcord apply` takes, whole at one revision.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  ripcord export > flags.yaml
  ripcord export --env staging -o staging.yaml
  ripcord export --json                        the same as JSON")]
pub(crate) struct Export {
    /// Write to this file instead of the standard output
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,
    /// Leave `environment` out, so that the file can be applied anywhere
    #[arg(long)]
    portable: bool,
}

/// Does it.
pub(crate) async fn run(call: &Invocation, command: Export) -> Result<Exit, Failure> {
    let snapshot = snapshot(call).await?;
    let mut file = flags_file(&snapshot)?;
    if command.portable {
        file.environment = None;
    }
    let unwritable = |why: String| Failure::Local(format!("The flags file cannot be written: {why}."));
    let text = match call.output.format() {
        Format::Json => serde_json::to_string_pretty(&file).map_err(|error| unwritable(error.to_string()))?,
        Format::Text => file.to_yaml().map_err(|error| unwritable(error.to_string()))?,
    };
    let Some(path) = command.output else {
        print(&text);
        return Ok(Exit::Done);
    };
    std::fs::write(&path, format!("{}\n", text.trim_end())).map_err(|error| unwritable(format!("{}: {error}", path.display())))?;
    let flags = count(file.flags.len(), "flag", "flags");
    let segments = count(file.segments.len(), "segment", "segments");
    note(&format!(
        "Wrote {flags} and {segments} at revision {} to {}.",
        snapshot.position.revision,
        path.display()
    ));
    Ok(Exit::Done)
}

/// The environment, whole at one revision.
pub(crate) async fn snapshot(call: &Invocation) -> Result<Snapshot, Failure> {
    snapshot_of(&call.client, call.environment()).await
}

/// The same of any server.
pub(crate) async fn snapshot_of(client: &Client, environment: &EnvironmentKey) -> Result<Snapshot, Failure> {
    let get = Call::get(["v1", "snapshot"]).query("environment", Some(environment));
    let answer: Answer<serde::de::IgnoredAny> = client.call(get).await?;
    match ServerFrame::parse(&answer.text) {
        Ok(ServerFrame::Snapshot(snapshot, ..)) => Ok(*snapshot),
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
