//! One entry of a table: a value with its JSON, its digest and the position of its last change.

use std::borrow::Borrow;
use std::sync::Arc;

use serde_json::value::RawValue;

use crate::digest::Digest;
use crate::revision::Position;
use crate::validation::ValidationErrors;

/// A type that a [`Table`](super::Table) can contain.
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

    /// The bytes of its key and its JSON.
    pub(super) fn bytes(&self) -> usize {
        let key: &str = self.content.key.borrow();
        key.len() + self.content.json.get().len()
    }
}
