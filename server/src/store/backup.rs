//! A backup: all logs of a store, whole, in one file of JSON lines.
//!
//! ```text
//! {"ripcord_backup":1,"at":"2026-11-24T12:00:00Z"}
//! {"log":"production"}
//! {"entry":{"digest":"…","body":"…"}}          one for each entry, in order
//! {"state":{…}}                                the state at the log's end, so that a start need not replay it
//! {"log":"system"}
//! {"entry":{"digest":"…","body":"…"}}
//! {"end":"…"}                                  SHA-256 of every byte before this line
//! ```
//!
//! A file that is cut short or altered is refused as a whole. Restoring begins a new epoch in every log, later than any that the
//! store or the backup has seen, so that readers of the old state take a snapshot instead of a wrong delta.

mod error;
mod file;
#[cfg(test)]
mod tests;

use std::io::{Read, Write};

use ripcord_proto::Sequence;
use ripcord_proto::change::EpochCause;

pub use self::error::BackupError;
use super::epoch::{self, EpochStart};
use super::state::StoredState;
use super::{Contents, LogName, Store};

/// The contents of a store at one moment.
#[derive(Debug, Clone)]
pub struct Backup {
    /// When it was taken.
    pub at: jiff::Timestamp,
    pub logs: Vec<Contents>,
}

impl Backup {
    /// Takes a backup. The system log is read last, so that the log of every environment it names is in the backup.
    pub async fn take(store: &dyn Store, at: jiff::Timestamp) -> Result<Self, BackupError> {
        let mut names = store.logs().await?;
        names.sort_by_key(|log| *log == LogName::System);
        let mut logs = Vec::with_capacity(names.len());
        for log in names {
            logs.push(contents(store, log).await?);
        }
        Ok(Self { at, logs })
    }

    /// Writes it.
    pub fn write(&self, out: &mut impl Write) -> Result<(), BackupError> {
        file::write(self.at, &self.logs, out)
    }

    /// Reads one: verifies its digest and the chain of each log.
    pub fn read(from: impl Read) -> Result<Self, BackupError> {
        let (at, logs) = file::read(from)?;
        Ok(Self { at, logs })
    }

    /// Replaces everything that `store` holds, in a new epoch that `node` begins at `at`.
    pub async fn restore(self, store: &dyn Store, node: &str, at: jiff::Timestamp) -> Result<(), BackupError> {
        let reason = format!("restored from the backup of {}", self.at);
        let beginning = EpochStart {
            at,
            node,
            cause: EpochCause::BackupRestored,
            reason: &reason,
        };
        let mut present = store.logs().await?;
        let mut logs = self.logs;
        for contents in &mut logs {
            let (own, theirs) = (contents.head(), store.load(&contents.log).await?.head);
            let entry = epoch::begin(own, own.epoch.max(theirs.epoch).next(), beginning)?;
            contents.entries.push(entry);
            present.retain(|log| *log != contents.log);
        }
        store.install(logs).await?;
        for log in present {
            store.drop_log(&log).await?;
        }
        Ok(())
    }
}

async fn contents(store: &dyn Store, log: LogName) -> Result<Contents, BackupError> {
    let loaded = store.load(&log).await?;
    let end = loaded.head.sequence;
    let mut entries = store.read(&log, Sequence(0), usize::MAX).await?;
    // What was appended since then would not be in the state.
    entries.retain(|entry| entry.commit.sequence <= end);
    let state = match &log {
        LogName::System => None,
        LogName::Environment(environment) => {
            let mut state = loaded.state.unwrap_or_else(|| StoredState::empty(environment.clone()));
            loaded.tail.iter().for_each(|entry| state.apply(entry));
            Some(state)
        }
    };
    Ok(Contents { log, entries, state })
}
