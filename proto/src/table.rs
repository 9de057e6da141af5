//! Entries of a snapshot by key, sorted, each with its JSON and digest.
//!
//! A table is copied on every commit that changes it, so it is one `Vec` of shared entries: copying ten thousand of them is a run
//! of reference counts, and the digest over all entries needs no second look at their contents. The JSON of an entry is kept as
//! it was encoded, once; frames, stored states and digests are made of those same bytes.

use std::borrow::Borrow;
use std::sync::Arc;

use serde_json::value::RawValue;

use crate::digest::Digest;
use crate::revision::Position;
use crate::validation::ValidationErrors;

/// Something that a [`Table`] can hold.
pub trait Entity: Sized + serde::Serialize {
    /// The type of its key.
    type Key: Clone + Ord + Borrow<str> + std::fmt::Debug;
    /// Its kind, which separates the digests of equal texts of different kinds.
    const KIND: &'static str;
    /// Parses the JSON of one value and reports every problem.
    fn parse(json: &str) -> Result<Self, ValidationErrors>;
}

/// One entry, immutable and shared between the snapshots that hold it.
#[derive(Debug)]
pub struct Entry<M: Entity> {
    changed: Position,
    /// Shared with the entries that put it back later: a rollback copies no definition.
    content: Arc<Content<M>>,
}

#[derive(Debug)]
struct Content<M: Entity> {
    key: M::Key,
    json: Box<RawValue>,
    digest: Digest,
    value: Result<M, ValidationErrors>,
}

impl<M: Entity> Entry<M> {
    /// An entry for a value that is valid. `changed` is the position of its last change, which is also its ETag.
    pub fn new(key: M::Key, value: M, changed: Position) -> Result<Self, serde_json::Error> {
        let json = serde_json::value::to_raw_value(&value)?;
        Ok(Self::of(key, json, Ok(value), changed))
    }

    /// An entry as it came from a store or over the wire. What cannot be parsed (made by a newer version, say) is kept with
    /// its faults: one bad entry degrades itself, not the snapshot.
    pub fn from_raw(key: M::Key, json: Box<RawValue>, changed: Position) -> Self {
        let value = M::parse(json.get());
        Self::of(key, json, value, changed)
    }

    fn of(key: M::Key, json: Box<RawValue>, value: Result<M, ValidationErrors>, changed: Position) -> Self {
        let digest = {
            let key: &str = key.borrow();
            Digest::of([M::KIND.as_bytes(), &[0], key.as_bytes(), &[0], json.get().as_bytes()])
        };
        let content = Content { key, json, digest, value };
        Self {
            changed,
            content: Arc::new(content),
        }
    }

    /// The same, byte for byte, as a change at `changed` puts it back.
    #[must_use]
    pub fn put_back(&self, changed: Position) -> Self {
        Self {
            changed,
            content: Arc::clone(&self.content),
        }
    }

    /// The key of the entry.
    pub fn key(&self) -> &M::Key {
        &self.content.key
    }

    /// Its value, or why it has none.
    pub fn value(&self) -> Result<&M, &ValidationErrors> {
        self.content.value.as_ref()
    }

    /// Its JSON as it was encoded.
    pub fn json(&self) -> &RawValue {
        &self.content.json
    }

    /// SHA-256 over `kind 0x00 key 0x00 json`.
    pub fn digest(&self) -> &Digest {
        &self.content.digest
    }

    /// The position of its last change.
    pub fn changed(&self) -> Position {
        self.changed
    }

    fn bytes(&self) -> usize {
        let key: &str = self.content.key.borrow();
        key.len() + self.content.json.get().len()
    }
}

/// Entries sorted by key.
#[derive(Debug)]
pub struct Table<M: Entity> {
    /// Shared until one of its copies changes: a snapshot that is handed on costs one reference count for each table.
    entries: Arc<Vec<Arc<Entry<M>>>>,
    bytes: usize,
}

impl<M: Entity> Clone for Table<M> {
    fn clone(&self) -> Self {
        Self {
            entries: Arc::clone(&self.entries),
            bytes: self.bytes,
        }
    }
}

impl<M: Entity> Default for Table<M> {
    fn default() -> Self {
        Self {
            entries: Arc::default(),
            bytes: 0,
        }
    }
}

impl<M: Entity> Table<M> {
    fn place(&self, key: &str) -> Result<usize, usize> {
        self.entries.binary_search_by(|entry| {
            let own: &str = entry.key().borrow();
            own.cmp(key)
        })
    }

    /// The entry of `key`.
    pub fn get(&self, key: &str) -> Option<&Arc<Entry<M>>> {
        self.place(key).ok().and_then(|place| self.entries.get(place))
    }

    /// The value of `key`, where it is there and can be read.
    pub fn value(&self, key: &str) -> Option<&M> {
        self.get(key).and_then(|entry| entry.value().ok())
    }

    /// Puts an entry in its place; answers the one that it replaces.
    pub fn insert(&mut self, entry: Arc<Entry<M>>) -> Option<Arc<Entry<M>>> {
        self.bytes += entry.bytes();
        match self.place(entry.key().borrow()) {
            Ok(place) => {
                let replaced = Arc::make_mut(&mut self.entries).get_mut(place).map(|slot| std::mem::replace(slot, entry))?;
                self.bytes -= replaced.bytes();
                Some(replaced)
            }
            Err(place) => {
                Arc::make_mut(&mut self.entries).insert(place, entry);
                None
            }
        }
    }

    /// Takes an entry out.
    pub fn remove(&mut self, key: &str) -> Option<Arc<Entry<M>>> {
        let place = self.place(key).ok()?;
        let removed = Arc::make_mut(&mut self.entries).remove(place);
        self.bytes -= removed.bytes();
        Some(removed)
    }

    /// Bytes of all keys and their JSON, which is about what the table takes in a frame.
    pub fn bytes(&self) -> usize {
        self.bytes
    }

    /// All entries, by key.
    pub fn iter(&self) -> std::slice::Iter<'_, Arc<Entry<M>>> {
        self.entries.iter()
    }

    /// The values of all entries, by key. Entries that this version cannot read are passed over.
    pub fn values(&self) -> impl DoubleEndedIterator<Item = &M> {
        self.entries.iter().filter_map(|entry| entry.value().ok())
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }
}

impl<'a, M: Entity> IntoIterator for &'a Table<M> {
    type Item = &'a Arc<Entry<M>>;
    type IntoIter = std::slice::Iter<'a, Arc<Entry<M>>>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

impl<M: Entity> FromIterator<Arc<Entry<M>>> for Table<M> {
    /// Sorts; of two entries with one key the later stays.
    fn from_iter<I: IntoIterator<Item = Arc<Entry<M>>>>(entries: I) -> Self {
        let mut entries: Vec<_> = entries.into_iter().collect();
        entries.reverse();
        entries.sort_by(|a, b| a.key().cmp(b.key()));
        entries.dedup_by(|later, kept| later.key() == kept.key());
        let bytes = entries.iter().map(|entry| entry.bytes()).sum();
        Self {
            entries: Arc::new(entries),
            bytes,
        }
    }
}

/// Writes the entries as one JSON object, each with the bytes that it already has.
impl<M: Entity> serde::Serialize for Table<M>
where
    M::Key: serde::Serialize,
{
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.entries.iter().map(|entry| (entry.key(), entry.json())))
    }
}
