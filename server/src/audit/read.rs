//! Reading a log: pages of it, newest first, and the entry that made a position.

use ripcord_proto::commit::Sealed;
use ripcord_proto::digest::Digest;
use ripcord_proto::{Position, Revision, Sequence};

use crate::store::{LogName, Store, StoreError};

/// Most entries that are read at once.
pub(super) const PAGE: usize = 512;
/// Entries that are read first when the newest are wanted: they are often near the end.
const FIRST: usize = 16;

/// A page of a log, newest first.
#[derive(Debug)]
pub struct LogPage {
    pub entries: Vec<Sealed>,
    /// Before which entry the next page begins; `None` = the log's first entry has been looked at.
    pub next: Option<Sequence>,
}

/// Up to `limit` entries before `before` that `takes` takes, newest first.
pub async fn newest_first(store: &dyn Store, log: &LogName, before: Sequence, limit: usize, takes: impl Fn(&Sealed) -> bool) -> Result<LogPage, StoreError> {
    let mut entries = Vec::new();
    let (mut before, mut page) = (before, limit.saturating_add(1).clamp(FIRST, PAGE));
    while before.0 > 1 {
        let after = Sequence(before.0.saturating_sub(1).saturating_sub(page as u64));
        let wanted = usize::try_from(before.0 - 1 - after.0).unwrap_or(PAGE);
        let read = store.read(log, after, wanted).await?;
        page = (2 * page).min(PAGE);
        for entry in read.into_iter().rev().filter(|entry| entry.commit.sequence < before) {
            if entries.len() == limit {
                return Ok(LogPage {
                    entries,
                    next: Some(entry.commit.sequence.next()),
                });
            }
            if takes(&entry) {
                entries.push(entry);
            }
        }
        before = after.next();
    }
    Ok(LogPage { entries, next: None })
}

/// The commit that made `position`, and the digest of the entry before it. `head` is the log's last entry.
pub async fn at(store: &dyn Store, log: &LogName, head: Sequence, position: Position) -> Result<Option<(Digest, Sealed)>, StoreError> {
    match first_not(store, log, head, |found| found < position).await? {
        Some((found, entry)) if found == position => {
            let before = Sequence(entry.commit.sequence.0.saturating_sub(1));
            Ok(Some((digest_of(store, log, before).await?, entry)))
        }
        Some(_) | None => Ok(None),
    }
}

/// The position of a revision, in whichever epoch it was made. `head` is the log's last entry.
pub async fn position_of(store: &dyn Store, log: &LogName, head: Sequence, revision: Revision) -> Result<Option<Position>, StoreError> {
    let found = first_not(store, log, head, |found| found.revision < revision).await?;
    Ok(found.map(|(position, _)| position).filter(|position| position.revision == revision))
}

/// The first commit whose position is not an `earlier` one. Epochs and revisions both grow with sequences, so that a binary search finds it.
async fn first_not(store: &dyn Store, log: &LogName, head: Sequence, earlier: impl Fn(Position) -> bool) -> Result<Option<(Position, Sealed)>, StoreError> {
    let (mut low, mut high) = (0, head.0);
    while low < high {
        let middle = low + (high - low) / 2;
        match first_revision(store, log, Sequence(middle)).await? {
            Some((found, _)) if earlier(found) => low = middle + 1,
            Some(_) | None => high = middle,
        }
    }
    first_revision(store, log, Sequence(low)).await
}

/// The first entry after `after` that made a revision.
async fn first_revision(store: &dyn Store, log: &LogName, after: Sequence) -> Result<Option<(Position, Sealed)>, StoreError> {
    let mut after = after;
    loop {
        let entries = store.read(log, after, 8).await?;
        let Some(end) = entries.last().map(|entry| entry.commit.sequence) else {
            return Ok(None);
        };
        let found = entries.into_iter().find_map(|entry| Some((entry.commit.position()?, entry)));
        if found.is_some() {
            return Ok(found);
        }
        after = end;
    }
}

/// The digest of an entry; that which the first entry follows, for 0.
async fn digest_of(store: &dyn Store, log: &LogName, sequence: Sequence) -> Result<Digest, StoreError> {
    let Some(before) = sequence.0.checked_sub(1) else {
        return Ok(Digest::ZERO);
    };
    let entries = store.read(log, Sequence(before), 1).await?;
    let missing = || StoreError::Corrupt(format!("entry {sequence} of the log {log} is missing"));
    entries.first().map(|entry| entry.digest).ok_or_else(missing)
}
