//! Orphans: entries that a node had but a re-seeded log lacks. Their kills are merged; all others are saved and reported, never
//! dropped silently and never applied automatically.

use std::collections::BTreeSet;
use std::io::Write;
use std::path::PathBuf;
use std::sync::Arc;

use parking_lot::Mutex;
use ripcord_proto::change::Change;
use ripcord_proto::commit::Sealed;
use ripcord_proto::{EnvironmentKey, Kill, KillId};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use super::Environments;
use crate::commit::{Author, Draft, Operation};
use crate::snapshot::publisher::Orphaned;

/// An entry that is no longer part of its log.
#[derive(Debug, Clone, serde::Serialize)]
pub struct Orphan {
    /// The environment of the log.
    pub environment: EnvironmentKey,
    /// The entry's commit, as it was.
    pub commit: Arc<ripcord_proto::commit::Commit>,
}

/// The orphans that this node knows of. Cheap to clone.
#[derive(Debug, Clone, Default)]
pub struct Orphans {
    file: Option<PathBuf>,
    known: Arc<Mutex<Vec<Orphan>>>,
}

impl Orphans {
    /// Orphans that are also appended to `file`, a JSON object a line.
    pub fn kept_in(file: PathBuf) -> Self {
        Self {
            file: Some(file),
            known: Arc::default(),
        }
    }

    /// The orphans found since the start.
    pub fn all(&self) -> Vec<Orphan> {
        self.known.lock().clone()
    }

    /// Takes orphans until `stop`.
    pub(super) async fn take(self, environments: Environments, mut orphaned: mpsc::UnboundedReceiver<Orphaned>, stop: CancellationToken) {
        loop {
            let found = tokio::select! {
                found = orphaned.recv() => found,
                () = stop.cancelled() => return,
            };
            let Some(Orphaned { environment, entries }) = found else { return };
            self.write_down(&environment, &entries);
            let restored: BTreeSet<&KillId> = entries.iter().flat_map(|entry| &entry.commit.changes).filter_map(Change::restored).collect();
            for entry in &entries {
                for kill in entry.commit.changes.iter().filter_map(Change::kill).filter(|kill| !restored.contains(&kill.id)) {
                    merge(&environments, &environment, kill, entry).await;
                }
            }
        }
    }

    fn write_down(&self, environment: &EnvironmentKey, entries: &[Sealed]) {
        tracing::warn!(env = %environment, entries = entries.len(), "the log was re-seeded without these entries; they are listed as orphaned");
        let orphans = entries.iter().map(|entry| Orphan {
            environment: environment.clone(),
            commit: Arc::clone(&entry.commit),
        });
        let orphans: Vec<Orphan> = orphans.collect();
        if let Some(file) = &self.file {
            let lines = orphans
                .iter()
                .filter_map(|orphan| serde_json::to_string(orphan).ok())
                .fold(String::new(), |lines, line| lines + &line + "\n");
            let appended = std::fs::OpenOptions::new()
                .create(true)
                .append(true)
                .open(file)
                .and_then(|mut file| file.write_all(lines.as_bytes()));
            if let Err(error) = appended {
                tracing::error!(%error, file = %file.display(), "orphaned entries could not be saved");
            }
        }
        self.known.lock().extend(orphans);
    }
}

async fn merge(environments: &Environments, environment: &EnvironmentKey, kill: &Kill, entry: &Sealed) {
    if let Err(error) = environments.commit(merge_draft(environment, kill, entry)).await {
        tracing::error!(env = %environment, kill = %kill.id, %error, "a kill from an orphaned entry could not be merged into the log");
    }
}

fn merge_draft(environment: &EnvironmentKey, kill: &Kill, entry: &Sealed) -> Draft {
    Draft {
        reason: Some("a kill that was missing from the re-seeded log".to_owned()),
        ..Draft::new(
            environment.clone(),
            Author {
                actor: entry.commit.actor.clone(),
                origin: entry.commit.origin.clone(),
            },
            vec![Operation::Merge(Box::new(kill.clone()))],
        )
    }
}
