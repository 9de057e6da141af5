//! Where each log ends as far as this node knows, and which of its own appends are under way. Its appends and the feed meet here,
//! so that every entry is taken exactly once.

use std::collections::BTreeMap;

use parking_lot::{Mutex, MutexGuard};
use ripcord_proto::Sequence;
use ripcord_proto::change::Change;
use ripcord_proto::commit::{ChainError, Sealed};
use ripcord_proto::digest::Digest;

use crate::store::{Append, Head, LogName};

/// An entry as the feed delivers it.
#[derive(Debug, Clone)]
pub(super) struct RawEntry {
    pub(super) sequence: Sequence,
    pub(super) digest: Digest,
    pub(super) body: String,
}

/// The result of taking entries from the feed.
#[derive(Debug, Default)]
pub(super) struct Ingested {
    /// Entries that are new to this node, in order.
    pub(super) foreign: Vec<Sealed>,
    /// All entries that move the head, including this node's own.
    pub(super) all: Vec<Sealed>,
    /// Logs of the environments that they delete.
    pub(super) ended: Vec<EndedLog>,
}

/// The log of a deleted environment, and where it ended as far as this node knows.
#[derive(Debug)]
pub(super) struct EndedLog {
    pub(super) log: LogName,
    pub(super) head: Head,
}

/// The feed's entries do not continue the log that this node knows.
#[derive(Debug, thiserror::Error)]
pub(super) enum FeedMismatch {
    /// Redis has a different entry at this sequence.
    #[error("entry {0} differs from the one that this node knows")]
    Conflicting(Sequence),
    #[error("entry {0} is missing")]
    Missing(Sequence),
    #[error(transparent)]
    Chain(#[from] ChainError),
}

#[derive(Debug)]
struct TrackedLog {
    head: Head,
    pending: Vec<PendingAppend>,
}

#[derive(Debug)]
struct PendingAppend {
    expected: Head,
    entries: Vec<Sealed>,
    /// The feed has delivered its last entry.
    is_seen: bool,
}

impl PendingAppend {
    fn last(&self) -> Option<Digest> {
        self.entries.last().map(|entry| entry.digest)
    }
}

/// The head of every log, and this node's appends under way.
#[derive(Debug, Default)]
pub(super) struct LogHeads {
    logs: Mutex<BTreeMap<LogName, TrackedLog>>,
}

impl LogHeads {
    fn logs(&self) -> MutexGuard<'_, BTreeMap<LogName, TrackedLog>> {
        self.logs.lock()
    }

    /// Where each known log ends.
    pub(super) fn heads(&self) -> BTreeMap<LogName, Head> {
        self.logs().iter().map(|(log, tracked)| (log.clone(), tracked.head)).collect()
    }

    /// Where a log ends.
    pub(super) fn head(&self, log: &LogName) -> Head {
        self.logs().get(log).map_or(Head::START, |tracked| tracked.head)
    }

    /// Whether a log is known.
    pub(super) fn tracks(&self, log: &LogName) -> bool {
        self.logs().contains_key(log)
    }

    /// Tracks a log; a new one from its start.
    pub(super) fn track(&self, log: &LogName) {
        self.logs().entry(log.clone()).or_insert_with(TrackedLog::new);
    }

    /// Sets where a log ends.
    pub(super) fn set(&self, log: &LogName, head: Head) {
        self.track(log);
        if let Some(tracked) = self.logs().get_mut(log) {
            tracked.head = head;
        }
    }

    /// Forgets a log; returns where it ended as far as this node knows.
    pub(super) fn forget(&self, log: &LogName) -> Option<EndedLog> {
        let tracked = self.logs().remove(log)?;
        Some(EndedLog {
            log: log.clone(),
            head: tracked.head,
        })
    }

    /// Notes that an append of this node is about to be sent.
    pub(super) fn begin(&self, append: &Append) {
        self.track(&append.log);
        if let Some(tracked) = self.logs().get_mut(&append.log) {
            tracked.pending.push(PendingAppend {
                expected: append.expected,
                entries: append.entries.clone(),
                is_seen: false,
            });
        }
    }

    /// Notes that an append of this node is written. Returns the logs of the environments that it deletes.
    pub(super) fn written(&self, append: &Append) -> Vec<EndedLog> {
        let (mut logs, head) = (self.logs(), append.head());
        let Some(tracked) = logs.get_mut(&append.log) else { return Vec::new() };
        let before = tracked.head.sequence;
        tracked.pending.retain(|pending| pending.last() != Some(head.chain));
        // The feed may have delivered some of it already, or all.
        if !(append.expected.sequence..head.sequence).contains(&before) {
            return Vec::new();
        }
        tracked.head = head;
        let new = append.entries.iter().filter(|entry| entry.commit.sequence > before);
        follow_environments(&mut logs, &append.log, new)
    }

    /// Notes that an append of this node was refused, or that its answer never came. Returns whether the feed has delivered it.
    pub(super) fn ended(&self, append: &Append) -> bool {
        let (mut logs, head) = (self.logs(), append.head());
        let Some(tracked) = logs.get_mut(&append.log) else { return false };
        let own = |pending: &PendingAppend| pending.last() == Some(head.chain) && pending.expected == append.expected;
        let is_seen = tracked.pending.iter().any(|pending| own(pending) && pending.is_seen);
        tracked.pending.retain(|pending| !own(pending));
        is_seen
    }

    /// Takes entries from the feed, in order, each verified to follow the one before.
    pub(super) fn take(&self, log: &LogName, raw: Vec<RawEntry>) -> Result<Ingested, FeedMismatch> {
        let mut logs = self.logs();
        let mut ingested = Ingested::default();
        // The log may have been forgotten in the meantime.
        let Some(tracked) = logs.get_mut(log) else { return Ok(ingested) };
        for raw in raw {
            tracked.take(&raw, &mut ingested)?;
        }
        ingested.ended = follow_environments(&mut logs, log, &ingested.all);
        Ok(ingested)
    }
}

/// Tracks the environments that entries of the system log create and forgets those that they delete, under the same lock as the
/// entries themselves: a comparison in between would take a deletion for a loss.
fn follow_environments<'a>(logs: &mut BTreeMap<LogName, TrackedLog>, log: &LogName, entries: impl IntoIterator<Item = &'a Sealed>) -> Vec<EndedLog> {
    let mut ended = Vec::new();
    if *log != LogName::System {
        return ended;
    }
    for change in entries.into_iter().flat_map(|entry| &entry.commit.changes) {
        if let Change::PutEnvironment(record) = change {
            logs.entry(LogName::Environment(record.key.clone())).or_insert_with(TrackedLog::new);
        } else if let Change::DeleteEnvironment(key) = change {
            let log = LogName::Environment(key.clone());
            if let Some(tracked) = logs.remove(&log) {
                ended.push(EndedLog { log, head: tracked.head });
            }
        }
    }
    ended
}

impl TrackedLog {
    const fn new() -> Self {
        Self {
            head: Head::START,
            pending: Vec::new(),
        }
    }

    fn take(&mut self, raw: &RawEntry, ingested: &mut Ingested) -> Result<(), FeedMismatch> {
        if raw.sequence <= self.head.sequence {
            let differs = raw.sequence == self.head.sequence && raw.digest != self.head.chain;
            return if differs { Err(FeedMismatch::Conflicting(raw.sequence)) } else { Ok(()) };
        }
        let next = self.head.sequence.next();
        if raw.sequence != next {
            return Err(FeedMismatch::Missing(next));
        }
        let entry = if let Some(own) = self.own(raw) {
            own
        } else {
            let entry = Sealed::open(raw.sequence, &raw.body, raw.digest, &self.head.chain)?;
            ingested.foreign.push(entry.clone());
            entry
        };
        self.head = self.head.after(&entry);
        ingested.all.push(entry);
        Ok(())
    }

    fn own(&mut self, raw: &RawEntry) -> Option<Sealed> {
        self.pending.iter_mut().find_map(|pending| {
            let entry = pending.entries.iter().find(|entry| entry.digest == raw.digest)?;
            pending.is_seen |= pending.entries.last().map(|entry| entry.digest) == Some(raw.digest);
            Some(entry.clone())
        })
    }
}
