//! Orphans: entries that a node had but a re-seeded log lacks. Their kills and revocations are merged ([`crate::kill`]); all of them
//! are saved and reported, never dropped silently and never applied automatically.

use std::io::Write;
use std::path::PathBuf;
use std::sync::Arc;

use parking_lot::Mutex;
use ripcord_proto::commit::Sealed;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use crate::snapshot::publisher::Orphaned;
use crate::store::LogName;

/// An entry that is no longer part of its log.
#[derive(Debug, Clone, serde::Serialize)]
pub struct Orphan {
    /// The log: an environment, or `system`.
    pub log: String,
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
    pub(super) async fn take(self, mut orphaned: mpsc::UnboundedReceiver<Orphaned>, stop: CancellationToken) {
        while let Some(Some(Orphaned { log, entries })) = stop.run_until_cancelled(orphaned.recv()).await {
            self.write_down(&log, &entries);
        }
    }

    fn write_down(&self, log: &LogName, entries: &[Sealed]) {
        tracing::warn!(%log, entries = entries.len(), "the log was re-seeded without these entries; they are listed as orphaned");
        let orphans = entries.iter().map(|entry| Orphan {
            log: log.to_string(),
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
