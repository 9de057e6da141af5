//! Tables from entries, and as JSON.

use std::sync::Arc;

use super::{Entity, Entry, Iter, Table, chunked};

impl<'a, M: Entity> IntoIterator for &'a Table<M> {
    type Item = &'a Arc<Entry<M>>;
    type IntoIter = Iter<'a, M>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

impl<M: Entity> FromIterator<Arc<Entry<M>>> for Table<M> {
    /// Sorts entries. If two have the same key, the later one is kept.
    fn from_iter<I: IntoIterator<Item = Arc<Entry<M>>>>(entries: I) -> Self {
        let mut entries: Vec<_> = entries.into_iter().collect();
        entries.reverse();
        entries.sort_by(|a, b| a.key().cmp(b.key()));
        entries.dedup_by(|later, kept| later.key() == kept.key());
        Self {
            len: entries.len(),
            bytes: entries.iter().map(|entry| entry.bytes()).sum(),
            chunks: Arc::new(chunked(entries)),
        }
    }
}

/// Writes the entries as one JSON object, using the JSON that each of them has.
impl<M: Entity> serde::Serialize for Table<M>
where
    M::Key: serde::Serialize,
{
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.iter().map(|entry| (entry.key(), entry.json())))
    }
}
