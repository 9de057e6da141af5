//! Tables: the entries of a snapshot sorted by key, each with its JSON and digest.
//!
//! A table changes on every commit, so it lies in chunks that snapshots share: a change costs one chunk and the list of chunks, also
//! among fifty thousand entries. The JSON of an entry is kept as it was first encoded; frames, stored states and digests use the
//! same bytes.

use std::borrow::Borrow;
use std::sync::{Arc, OnceLock};

use crate::digest::Digest;

pub use self::entry::{Entity, Entry};

/// Entries sorted by key.
///
/// They lie in chunks, so that a change copies one chunk and the list of chunks, and everything else is shared between snapshots. Where
/// a chunk begins depends on the keys alone: tables with equal entries have equal chunks, however they were made, which makes the
/// chunks' digests comparable.
#[derive(Debug)]
pub struct Table<M: Entity> {
    chunks: Arc<Vec<Arc<Chunk<M>>>>,
    len: usize,
    bytes: usize,
}

/// Neighbours in a table. Every chunk but the first begins with an entry that [`begins_chunk`], and no chunk contains another one.
#[derive(Debug)]
struct Chunk<M: Entity> {
    entries: Vec<Arc<Entry<M>>>,
    /// SHA-256 over the entries' digests, once it was asked for.
    digest: OnceLock<Digest>,
}

/// Whether an entry with this key begins a chunk, as one key in 64 does: if the six highest bits of its hash are zero. The hash is FNV-1a
/// (32 bits), whose bits are then mixed by the last step of murmur3 (`fmix32`), since similar keys have similar FNV hashes.
///
/// Sources: <https://datatracker.ietf.org/doc/html/draft-eastlake-fnv>, <https://github.com/aappleby/smhasher/wiki/MurmurHash3>.
fn begins_chunk(key: &str) -> bool {
    let fnv = key
        .bytes()
        .fold(0x811c_9dc5_u32, |hash, byte| (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193));
    let mixed = (fnv ^ (fnv >> 16)).wrapping_mul(0x85eb_ca6b);
    let mixed = (mixed ^ (mixed >> 13)).wrapping_mul(0xc2b2_ae35);
    (mixed ^ (mixed >> 16)) >> 26 == 0
}

impl<M: Entity> Chunk<M> {
    fn new(entries: Vec<Arc<Entry<M>>>) -> Self {
        Self {
            entries,
            digest: OnceLock::new(),
        }
    }

    /// The key of its first entry. No chunk is empty.
    fn first(&self) -> &str {
        self.entries.first().map_or("", |entry| entry.key().borrow())
    }

    fn place(&self, key: &str) -> Result<usize, usize> {
        self.entries.binary_search_by(|entry| {
            let own: &str = entry.key().borrow();
            own.cmp(key)
        })
    }

    fn digest(&self) -> &Digest {
        self.digest
            .get_or_init(|| Digest::of(self.entries.iter().map(|entry| entry.digest().bytes().as_slice())))
    }
}

/// A copy to change: its digest is unknown.
impl<M: Entity> Clone for Chunk<M> {
    fn clone(&self) -> Self {
        Self::new(self.entries.clone())
    }
}

/// Divides sorted entries into chunks.
fn chunked<M: Entity>(entries: impl IntoIterator<Item = Arc<Entry<M>>>) -> Vec<Arc<Chunk<M>>> {
    let mut chunks: Vec<Arc<Chunk<M>>> = Vec::new();
    let mut own = Vec::new();
    for entry in entries {
        if begins_chunk(entry.key().borrow()) && !own.is_empty() {
            chunks.push(Arc::new(Chunk::new(std::mem::take(&mut own))));
        }
        own.push(entry);
    }
    if !own.is_empty() {
        chunks.push(Arc::new(Chunk::new(own)));
    }
    chunks
}

impl<M: Entity> Clone for Table<M> {
    fn clone(&self) -> Self {
        Self {
            chunks: Arc::clone(&self.chunks),
            len: self.len,
            bytes: self.bytes,
        }
    }
}

impl<M: Entity> Default for Table<M> {
    fn default() -> Self {
        Self {
            chunks: Arc::default(),
            len: 0,
            bytes: 0,
        }
    }
}

impl<M: Entity> Table<M> {
    /// The chunk that contains `key` if any does.
    fn chunk_of(&self, key: &str) -> usize {
        self.chunks.partition_point(|chunk| chunk.first() <= key).saturating_sub(1)
    }

    /// The entry of `key`.
    pub fn get(&self, key: &str) -> Option<&Arc<Entry<M>>> {
        let chunk = self.chunks.get(self.chunk_of(key))?;
        chunk.place(key).ok().and_then(|place| chunk.entries.get(place))
    }

    /// The value of `key`, if it exists and can be read.
    pub fn value(&self, key: &str) -> Option<&M> {
        self.get(key).and_then(|entry| entry.value().ok())
    }

    /// Adds or replaces an entry. Returns the replaced one.
    pub fn insert(&mut self, entry: Arc<Entry<M>>) -> Option<Arc<Entry<M>>> {
        self.bytes += entry.bytes();
        let key: &str = entry.key().borrow();
        let at = self.chunk_of(key);
        let place = self.chunks.get(at).map_or(Err(0), |chunk| chunk.place(key));
        if let Ok(place) = place {
            let chunk = Arc::make_mut(Arc::make_mut(&mut self.chunks).get_mut(at)?);
            chunk.digest.take();
            let replaced = std::mem::replace(chunk.entries.get_mut(place)?, entry);
            self.bytes -= replaced.bytes();
            return Some(replaced);
        }
        self.len += 1;
        match place {
            Err(place) if place > 0 && !begins_chunk(key) => {
                let chunk = Arc::make_mut(Arc::make_mut(&mut self.chunks).get_mut(at)?);
                chunk.digest.take();
                chunk.entries.insert(place, entry);
            }
            _ => self.rearrange(at, |entries| {
                let place = entries.partition_point(|other| other.key() < entry.key());
                entries.insert(place, entry);
            }),
        }
        None
    }

    /// Removes an entry.
    pub fn remove(&mut self, key: &str) -> Option<Arc<Entry<M>>> {
        let at = self.chunk_of(key);
        let place = self.chunks.get(at)?.place(key).ok()?;
        let removed;
        if place > 0 {
            let chunk = Arc::make_mut(Arc::make_mut(&mut self.chunks).get_mut(at)?);
            chunk.digest.take();
            removed = chunk.entries.remove(place);
        } else {
            removed = Arc::clone(self.chunks.get(at)?.entries.first()?);
            // What follows the first entry of a chunk belongs to the chunk before if that entry goes.
            self.rearrange(at.saturating_sub(1), |entries| entries.retain(|entry| !Arc::ptr_eq(entry, &removed)));
        }
        self.bytes -= removed.bytes();
        self.len -= 1;
        Some(removed)
    }

    /// Changes the entries of the chunk `at` and the one after it, and divides them into chunks again.
    fn rearrange(&mut self, at: usize, alter: impl FnOnce(&mut Vec<Arc<Entry<M>>>)) {
        let chunks = Arc::make_mut(&mut self.chunks);
        let end = chunks.len().min(at + 2);
        let mut entries: Vec<_> = chunks.iter().take(end).skip(at).flat_map(|chunk| chunk.entries.iter().cloned()).collect();
        alter(&mut entries);
        chunks.splice(at.min(end)..end, chunked(entries));
    }

    /// SHA-256 over the digests of its chunks; the digest of a chunk is SHA-256 over the digests of its entries.
    ///
    /// A chunk begins with the first entry of the table and with every entry for whose key the six highest bits of `fmix32(FNV-1a)` are
    /// zero. What did not change since the digest was last asked for is not read again.
    pub fn digest(&self) -> Digest {
        Digest::of(self.chunks.iter().map(|chunk| chunk.digest().bytes().as_slice()))
    }

    /// Bytes of all keys and their JSON, which is about the size of the table in a frame.
    pub fn bytes(&self) -> usize {
        self.bytes
    }

    /// All entries, by key.
    pub fn iter(&self) -> Iter<'_, M> {
        Iter {
            chunks: self.chunks.iter(),
            front: [].iter(),
            back: [].iter(),
            left: self.len,
        }
    }

    /// The values of all entries, by key. Entries that this version cannot read are skipped.
    pub fn values(&self) -> impl DoubleEndedIterator<Item = &M> {
        self.iter().filter_map(|entry| entry.value().ok())
    }

    /// Number of entries.
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether the table is empty.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Puts every entry of `other`.
    pub fn merge(&mut self, other: &Self) {
        // One by one, unless dividing everything again costs less.
        if other.len < self.len / 4 {
            for entry in other {
                self.insert(Arc::clone(entry));
            }
        } else {
            *self = self.iter().chain(other.iter()).cloned().collect();
        }
    }

    /// The entries to put and the keys to remove to get from this table to `to`. Chunks and entries that both tables share are recognized by
    /// their address.
    pub fn difference(&self, to: &Self) -> (Self, Vec<M::Key>) {
        let (mut changed, mut removed) = (Vec::new(), Vec::new());
        let (mut old, mut new) = (Cursor::new(self), Cursor::new(to));
        loop {
            if let (Some(was), Some(is)) = (old.whole_chunk(), new.whole_chunk())
                && Arc::ptr_eq(was, is)
            {
                old.skip_chunk();
                new.skip_chunk();
                continue;
            }
            match (old.entry(), new.entry()) {
                (Some(was), Some(is)) if was.key() == is.key() => {
                    if !Arc::ptr_eq(was, is) && was.digest() != is.digest() {
                        changed.push(Arc::clone(is));
                    }
                    old.skip_entry();
                    new.skip_entry();
                }
                (Some(was), is) if is.is_none_or(|is| was.key() < is.key()) => {
                    removed.push(was.key().clone());
                    old.skip_entry();
                }
                (_, Some(is)) => {
                    changed.push(Arc::clone(is));
                    new.skip_entry();
                }
                (_, None) => break,
            }
        }
        (changed.into_iter().collect(), removed)
    }
}

/// A place in a table.
struct Cursor<'a, M: Entity> {
    chunks: &'a [Arc<Chunk<M>>],
    /// The place in the first of `chunks`.
    place: usize,
}

impl<'a, M: Entity> Cursor<'a, M> {
    fn new(table: &'a Table<M>) -> Self {
        Self {
            chunks: &table.chunks,
            place: 0,
        }
    }

    /// The chunk at whose beginning it is.
    fn whole_chunk(&self) -> Option<&'a Arc<Chunk<M>>> {
        self.chunks.first().filter(|_| self.place == 0)
    }

    fn entry(&self) -> Option<&'a Arc<Entry<M>>> {
        self.chunks.first()?.entries.get(self.place)
    }

    fn skip_chunk(&mut self) {
        self.chunks = self.chunks.get(1..).unwrap_or_default();
        self.place = 0;
    }

    fn skip_entry(&mut self) {
        self.place += 1;
        if self.entry().is_none() {
            self.skip_chunk();
        }
    }
}

/// The entries of a [`Table`], by key.
#[derive(Debug)]
pub struct Iter<'a, M: Entity> {
    chunks: std::slice::Iter<'a, Arc<Chunk<M>>>,
    front: std::slice::Iter<'a, Arc<Entry<M>>>,
    back: std::slice::Iter<'a, Arc<Entry<M>>>,
    left: usize,
}

impl<M: Entity> Clone for Iter<'_, M> {
    fn clone(&self) -> Self {
        Self {
            chunks: self.chunks.clone(),
            front: self.front.clone(),
            back: self.back.clone(),
            left: self.left,
        }
    }
}

impl<'a, M: Entity> Iterator for Iter<'a, M> {
    type Item = &'a Arc<Entry<M>>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            if let Some(entry) = self.front.next() {
                self.left -= 1;
                return Some(entry);
            }
            let Some(chunk) = self.chunks.next() else { break };
            self.front = chunk.entries.iter();
        }
        let entry = self.back.next()?;
        self.left -= 1;
        Some(entry)
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        (self.left, Some(self.left))
    }
}

impl<M: Entity> DoubleEndedIterator for Iter<'_, M> {
    fn next_back(&mut self) -> Option<Self::Item> {
        loop {
            if let Some(entry) = self.back.next_back() {
                self.left -= 1;
                return Some(entry);
            }
            let Some(chunk) = self.chunks.next_back() else { break };
            self.back = chunk.entries.iter();
        }
        let entry = self.front.next_back()?;
        self.left -= 1;
        Some(entry)
    }
}

impl<M: Entity> ExactSizeIterator for Iter<'_, M> {}

impl<M: Entity> std::iter::FusedIterator for Iter<'_, M> {}

mod among;
mod convert;
mod entry;
#[cfg(test)]
mod tests;
