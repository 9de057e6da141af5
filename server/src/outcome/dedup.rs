//! Which batches were counted already: a batch that is sent again because its answer was lost is counted once.

use std::collections::VecDeque;

use dashmap::{DashMap, Entry};
use parking_lot::Mutex;

/// Largest number of processes remembered. One batch of a forgotten process could be counted twice.
const REMEMBERED: usize = 100_000;

/// The last batch of each process. Every worker thread looks here with every report, almost always for a process that is known.
#[derive(Debug, Default)]
pub(super) struct BatchDedup {
    last: DashMap<String, u64>,
    by_age: Mutex<VecDeque<String>>,
}

impl BatchDedup {
    /// Whether the process has sent neither this batch nor a later one before. The batch is remembered.
    pub(super) fn is_new(&self, instance_id: &str, batch: u64) -> bool {
        if let Some(mut last) = self.last.get_mut(instance_id) {
            return advance(&mut last, batch);
        }
        match self.last.entry(instance_id.to_owned()) {
            // Another thread was faster.
            Entry::Occupied(mut known) => return advance(known.get_mut(), batch),
            Entry::Vacant(new) => drop(new.insert(batch)),
        }
        // No entry is held here: this lock is taken before one of the map, never after.
        let mut by_age = self.by_age.lock();
        by_age.push_back(instance_id.to_owned());
        if by_age.len() > REMEMBERED
            && let Some(oldest) = by_age.pop_front()
        {
            self.last.remove(&oldest);
        }
        true
    }
}

fn advance(last: &mut u64, batch: u64) -> bool {
    let is_new = batch > *last;
    if is_new {
        *last = batch;
    }
    is_new
}
