//! An environment whole at one revision, as the server sends it, and as a flags file.

use ripcord_proto::frame::{Overlay, ServerFrame};
use ripcord_proto::{EnvironmentKey, FlagsFile, Snapshot};

use super::answer::Answer;
use super::client::{Call, Client};
use super::exit::Failure;

/// The whole environment at one revision.
pub(crate) async fn snapshot(client: &Client, environment: &EnvironmentKey) -> Result<Snapshot, Failure> {
    Ok(with_overlay(client, environment).await?.0)
}

/// The same with the provisional kills over it.
pub(crate) async fn with_overlay(client: &Client, environment: &EnvironmentKey) -> Result<(Snapshot, Overlay), Failure> {
    let get = Call::get(["v1", "snapshot"]).query("environment", Some(environment));
    let answer: Answer<serde::de::IgnoredAny> = client.call(get).await?;
    match ServerFrame::parse(&answer.text) {
        Ok(ServerFrame::Snapshot(snapshot, _, overlay)) => Ok((*snapshot, overlay)),
        Ok(_) => Err(Failure::Local("The server sent no snapshot.".to_owned())),
        Err(faults) => Err(Failure::Local(format!("The server's snapshot cannot be read: {faults}."))),
    }
}

/// A snapshot as a flags file. A flag that this version cannot read ends the export; it would be lost silently.
pub(crate) fn flags_file(snapshot: &Snapshot) -> Result<FlagsFile, Failure> {
    let unreadable = |kind: &str, key: &str, faults: &ripcord_proto::ValidationErrors| {
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
