//! The compiled flags of a snapshot, by key, in shards that the next snapshot shares.
//!
//! A look-up touches the list of shards, one shard and the flag: as many dependent reads as in one flat hash table. A change copies
//! the list of shards and one shard, so that it costs the same among a hundred flags and among fifty thousand.

use std::hash::Hasher as _;
use std::sync::Arc;

use ripcord_proto::kill::Kill;
use ripcord_proto::table::Entry;
use rustc_hash::FxHasher;

use super::flag::CompiledFlag;
use super::short_str::same;

/// Flags in a shard, on average, when a table is made.
const FLAGS_PER_SHARD: usize = 32;
/// Flags in a shard, on average, above which all flags are divided again.
const CROWDED: usize = 4 * FLAGS_PER_SHARD;

/// A flag and the kill that covers it, if any.
#[derive(Debug, Clone)]
pub(super) struct Slot {
    pub(super) flag: Arc<CompiledFlag>,
    pub(super) kill: Option<Arc<Entry<Kill>>>,
}

/// A place in a shard. A flag is in the first free bucket from the one that its hash names.
#[derive(Debug, Clone, Default)]
struct Bucket {
    hash: u64,
    slot: Option<Slot>,
}

/// Flags by key. Cloning it copies reference counts.
#[derive(Debug, Clone)]
pub(super) struct FlagTable {
    /// A power of two of them, each with a power of two of buckets, of which at least one is empty.
    shards: Vec<Arc<[Bucket]>>,
    len: usize,
}

#[inline]
fn hash_of(key: &str) -> u64 {
    let mut hasher = FxHasher::default();
    hasher.write(key.as_bytes());
    hasher.finish()
}

/// The shard of a hash among so many. Its bits are not those that choose the bucket.
#[inline]
const fn shard_of(hash: u64, shards: usize) -> usize {
    (hash >> 40) as usize & shards.wrapping_sub(1)
}

/// The bucket of `key`, or the empty one where it would be put.
#[inline]
#[expect(clippy::cast_possible_truncation, reason = "the number of buckets masks it")]
fn find<'a>(buckets: &'a [Bucket], hash: u64, key: &str) -> Option<(usize, &'a Bucket)> {
    let mask = buckets.len().wrapping_sub(1);
    let mut place = hash as usize & mask;
    loop {
        let bucket = buckets.get(place)?;
        match &bucket.slot {
            Some(slot) if bucket.hash == hash && same(slot.flag.key().as_str().as_bytes(), key.as_bytes()) => return Some((place, bucket)),
            Some(_) => place = (place + 1) & mask,
            None => return Some((place, bucket)),
        }
    }
}

/// A shard with these slots and room for as many again.
fn shard(slots: impl IntoIterator<Item = (u64, Slot)>) -> Arc<[Bucket]> {
    let slots: Vec<_> = slots.into_iter().collect();
    let mut buckets = vec![Bucket::default(); (slots.len() * 2).next_power_of_two().max(4)];
    for (hash, slot) in slots {
        let place = find(&buckets, hash, slot.flag.key().as_str()).map(|(place, _)| place);
        if let Some(bucket) = place.and_then(|place| buckets.get_mut(place)) {
            *bucket = Bucket { hash, slot: Some(slot) };
        }
    }
    buckets.into()
}

impl FlagTable {
    /// An empty table that is divided for so many flags.
    pub(super) fn with_capacity(flags: usize) -> Self {
        let shards = flags.div_ceil(FLAGS_PER_SHARD).next_power_of_two();
        Self {
            shards: vec![shard([]); shards],
            len: 0,
        }
    }

    /// The flag with this key.
    #[inline]
    pub(super) fn get(&self, key: &str) -> Option<&Slot> {
        let hash = hash_of(key);
        let buckets = self.shards.get(shard_of(hash, self.shards.len()))?;
        find(buckets, hash, key).and_then(|(_, bucket)| bucket.slot.as_ref())
    }

    /// The flag with this key, to change it.
    pub(super) fn get_mut(&mut self, key: &str) -> Option<&mut Slot> {
        let hash = hash_of(key);
        let at = shard_of(hash, self.shards.len());
        let buckets = self.shards.get_mut(at)?;
        let (place, _) = find(buckets, hash, key).filter(|(_, bucket)| bucket.slot.is_some())?;
        Arc::make_mut(buckets).get_mut(place)?.slot.as_mut()
    }

    /// Adds or replaces a flag.
    pub(super) fn insert(&mut self, slot: Slot) {
        let hash = hash_of(slot.flag.key().as_str());
        let at = shard_of(hash, self.shards.len());
        let Some(buckets) = self.shards.get_mut(at) else { return };
        let Some((place, bucket)) = find(buckets, hash, slot.flag.key().as_str()) else {
            return;
        };
        if bucket.slot.is_none() {
            self.len += 1;
            let used = buckets.iter().filter(|bucket| bucket.slot.is_some()).count();
            if (used + 1) * 2 > buckets.len() {
                *buckets = shard(slots(buckets).chain([(hash, slot)]));
                return self.divide_if_crowded();
            }
        }
        if let Some(bucket) = Arc::make_mut(buckets).get_mut(place) {
            *bucket = Bucket { hash, slot: Some(slot) };
        }
    }

    /// Removes a flag. Returns it.
    pub(super) fn remove(&mut self, key: &str) -> Option<Slot> {
        let removed = self.get(key)?.clone();
        let at = shard_of(hash_of(key), self.shards.len());
        let buckets = self.shards.get_mut(at)?;
        *buckets = shard(slots(buckets).filter(|(_, slot)| !Arc::ptr_eq(&slot.flag, &removed.flag)));
        self.len -= 1;
        Some(removed)
    }

    fn divide_if_crowded(&mut self) {
        if self.len > self.shards.len() * CROWDED {
            let mut divided = Self::with_capacity(self.len * 2);
            for slot in self.iter() {
                divided.insert(slot.clone());
            }
            *self = divided;
        }
    }

    /// Number of flags.
    pub(super) const fn len(&self) -> usize {
        self.len
    }

    /// All flags, in no particular order.
    pub(super) fn iter(&self) -> impl Iterator<Item = &Slot> {
        self.shards.iter().flat_map(|buckets| buckets.iter()).filter_map(|bucket| bucket.slot.as_ref())
    }

    /// All flags, to change them. Copies every shard that is shared.
    pub(super) fn iter_mut(&mut self) -> impl Iterator<Item = &mut Slot> {
        self.shards
            .iter_mut()
            .flat_map(|buckets| Arc::make_mut(buckets).iter_mut())
            .filter_map(|bucket| bucket.slot.as_mut())
    }
}

fn slots(buckets: &[Bucket]) -> impl Iterator<Item = (u64, Slot)> {
    buckets.iter().filter_map(|bucket| Some((bucket.hash, bucket.slot.clone()?)))
}

#[cfg(test)]
mod tests;
