//! Following the write-ahead log at the start: its entries must continue the logs of the database.

use ripcord_proto::commit::Sealed;

use super::directory::LOG;
use super::logs::Logs;
use super::read::WAY_OUT;
use super::recent::{RecentEntries, RecentEntry};
use super::schema::StoredEntry;
use super::write_ahead::LoggedEntry;
use crate::store::StoreError;

/// Verifies that the entries follow, and moves the ends of the logs behind them.
pub(super) fn follow(logs: &mut Logs, logged: Vec<LoggedEntry>) -> Result<RecentEntries, StoreError> {
    let mut recent = RecentEntries::default();
    for LoggedEntry { log, sequence, stored } in logged {
        let mut known = logs.known_or_new(&log);
        let record = StoredEntry::parse(&stored).filter(|_| sequence == known.head.sequence.next());
        let entry = record.and_then(|record| Sealed::open(sequence, record.body, record.digest, &known.head.chain).ok());
        let Some(entry) = entry else {
            return Err(StoreError::Corrupt(format!(
                "entry {sequence} of the log {log} in {LOG} does not follow what ripcord.redb holds: one of them is damaged or an older copy; nothing \
                 was started. {WAY_OUT}"
            )));
        };
        known.head = known.head.after(&entry);
        logs.set(&log, known);
        recent.push(RecentEntry {
            id: known.id,
            log,
            sequence,
            bytes: stored.into(),
        });
    }
    Ok(recent)
}
