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

use std::fmt::Write as _;
use std::io::{Read, Write};

use ripcord_proto::Sequence;
use ripcord_proto::actor::Actor;
use ripcord_proto::change::{Change, EpochCause};
use ripcord_proto::commit::Sealed;
use ripcord_proto::digest::Digest;

pub use self::error::BackupError;
use super::epoch::{self, EpochStart};
use super::state::StoredState;
use super::{Contents, Head, LogName, Store};

/// Entries that a first start writes to the system log, at most: an environment and a key.
const FIRST_START: u64 = 2;
/// Letters of a state's token.
const TOKEN: usize = 12;

/// What a restore would do to what a store holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RestoreDecision {
    /// The store holds nothing that is not in the backup.
    Restore,
    /// This backup was restored into the store before.
    Restored,
    /// The store holds commits that are not in the backup.
    Loses(Vec<LogName>),
}

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

    /// What restoring it into `store` would do. A store that only a first start has written to counts as empty.
    pub async fn decide(&self, store: &dyn Store) -> Result<RestoreDecision, BackupError> {
        if self.was_restored(store).await? {
            return Ok(RestoreDecision::Restored);
        }
        let mut lost = Vec::new();
        for log in store.logs().await? {
            let head = store.load(&log).await?.head;
            if !self.holds(&log, head) && !is_first_start(store, &log, head).await? {
                lost.push(log);
            }
        }
        Ok(if lost.is_empty() {
            RestoreDecision::Restore
        } else {
            RestoreDecision::Loses(lost)
        })
    }

    /// The log itself says so: the backup's last entry is followed by the one that begins the epoch of a restore.
    async fn was_restored(&self, store: &dyn Store) -> Result<bool, BackupError> {
        let Some(witness) = self.logs.last() else { return Ok(false) };
        let head = witness.head();
        let Some(before) = head.sequence.0.checked_sub(1) else { return Ok(false) };
        let found = store.read(&witness.log, Sequence(before), 2).await?;
        let is_restore = |change: &Change| matches!(change, Change::NewEpoch(EpochCause::BackupRestored));
        let restored = |entry: &Sealed| entry.commit.changes.iter().any(is_restore);
        Ok(matches!(found.as_slice(), [last, next] if last.digest == head.chain && restored(next)))
    }

    fn holds(&self, log: &LogName, head: Head) -> bool {
        let Some(index) = head.sequence.0.checked_sub(1).and_then(|index| usize::try_from(index).ok()) else {
            return true;
        };
        let contents = self.logs.iter().find(|contents| contents.log == *log);
        contents
            .and_then(|contents| contents.entries.get(index))
            .is_some_and(|entry| entry.digest == head.chain)
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

/// Whether only the server itself has written to the log, when it was first started.
async fn is_first_start(store: &dyn Store, log: &LogName, head: Head) -> Result<bool, BackupError> {
    if *log != LogName::System || head.sequence.0 > FIRST_START {
        return Ok(false);
    }
    let entries = store.read(log, Sequence(0), usize::MAX).await?;
    Ok(entries.iter().all(|entry| entry.commit.actor == Actor::server(&entry.commit.origin.node)))
}

/// A short digest of where every log of a store ends: it names what would be overwritten.
pub async fn state_token(store: &dyn Store) -> Result<String, BackupError> {
    let mut logs = store.logs().await?;
    logs.sort();
    let mut text = String::new();
    for log in logs {
        let head = store.load(&log).await?.head;
        // Writing to a String cannot fail.
        let _ = writeln!(text, "{log} {} {} {}", head.position(), head.sequence, head.chain);
    }
    let mut token = Digest::of([text.as_bytes()]).to_string();
    token.truncate(TOKEN);
    Ok(token)
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
