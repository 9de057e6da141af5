//! Many entries of a table at once.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::{Entity, Entry, Table};

/// If more than one in so many entries is asked for, one pass over the table costs less than looking each of them up.
const DENSE: usize = 16;

impl<M: Entity> Table<M> {
    /// The entries with these keys, by key. Keys that the table does not have are skipped.
    pub fn among<'a>(&'a self, keys: &'a BTreeSet<M::Key>) -> Box<dyn Iterator<Item = &'a Arc<Entry<M>>> + 'a> {
        if keys.len() < self.len() / DENSE {
            return Box::new(keys.iter().filter_map(|key| self.get(std::borrow::Borrow::borrow(key))));
        }
        let mut wanted = keys.iter().peekable();
        Box::new(self.iter().filter(move |entry| {
            while wanted.next_if(|key| *key < entry.key()).is_some() {}
            wanted.peek() == Some(&entry.key())
        }))
    }
}
