//! Tables: the entries of a snapshot sorted by key, each with its JSON and digest.
//!
//! A table is copied on every commit that changes it, so it is one `Vec` of shared entries: copying ten thousand of them means
//! incrementing reference counts, and the digest over all entries does not read their contents. The JSON of an entry is kept as
//! it was first encoded; frames, stored states and digests use the same bytes.

use std::borrow::Borrow;
use std::sync::Arc;

use serde_json::value::RawValue;

use crate::digest::Digest;
use crate::revision::Position;
use crate::validation::ValidationErrors;

/// A type that a [`Table`] can contain.
pub trait Entity: Sized + serde::Serialize {
    /// The type of its key.
    type Key: Clone + Ord + Borrow<str> + std::fmt::Debug;
    /// The kind, which keeps the digests of equal texts of different kinds apart.
    const KIND: &'static str;
    /// Parses the JSON of one value and reports every problem.
    fn parse(json: &str) -> Result<Self, ValidationErrors>;
}

/// An immutable entry, shared between the snapshots that contain it.
#[derive(Debug)]
pub struct Entry<M: Entity> {
    changed: Position,
    /// Shared with later entries that restore it, so that a rollback copies no definition.
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
    /// Creates an entry for a valid value. `changed` is the position of its last change, which is also its ETag.
    pub fn new(key: M::Key, value: M, changed: Position) -> Result<Self, serde_json::Error> {
        let json = serde_json::value::to_raw_value(&value)?;
        Ok(Self::of(key, json, Ok(value), changed))
    }

    /// Creates an entry from a store or from the wire. A value that cannot be parsed, for example one of a newer version, is kept
    /// with its errors, so that a bad entry does not make the snapshot unusable.
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

    /// The same entry, restored by a change at `changed`.
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

    /// The value, or why it could not be parsed.
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
    /// Copy-on-write: cloning a snapshot increments one reference count per table.
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

    /// The value of `key`, if it exists and can be read.
    pub fn value(&self, key: &str) -> Option<&M> {
        self.get(key).and_then(|entry| entry.value().ok())
    }

    /// Adds or replaces an entry. Returns the replaced one.
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

    /// Removes an entry.
    pub fn remove(&mut self, key: &str) -> Option<Arc<Entry<M>>> {
        let place = self.place(key).ok()?;
        let removed = Arc::make_mut(&mut self.entries).remove(place);
        self.bytes -= removed.bytes();
        Some(removed)
    }

    /// Bytes of all keys and their JSON, which is about the size of the table in a frame.
    pub fn bytes(&self) -> usize {
        self.bytes
    }

    /// All entries, by key.
    pub fn iter(&self) -> std::slice::Iter<'_, Arc<Entry<M>>> {
        self.entries.iter()
    }

    /// The values of all entries, by key. Entries that this version cannot read are skipped.
    pub fn values(&self) -> impl DoubleEndedIterator<Item = &M> {
        self.entries.iter().filter_map(|entry| entry.value().ok())
    }

    /// Number of entries.
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether the table is empty.
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
    /// Sorts entries. If two have the same key, the later one is kept.
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

/// Writes the entries as one JSON object, using the JSON that each of them has.
impl<M: Entity> serde::Serialize for Table<M>
where
    M::Key: serde::Serialize,
{
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.entries.iter().map(|entry| (entry.key(), entry.json())))
    }
}

mod among;
