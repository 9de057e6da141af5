//! Which batches were counted already: a batch that is sent again because its answer was lost is counted once.
//!
//! A process is known by its environment, its key and its id, so that no key can spoil what another one reports. Each key has a place of its
//! own, of bounded size: one that reports for ever new processes forgets only its own.

use std::collections::{HashMap, VecDeque};

use dashmap::DashMap;
use parking_lot::Mutex;
use ripcord_proto::digest::Digest;
use ripcord_proto::{EnvironmentKey, limits};

/// The last batch of each process.
#[derive(Debug, Default)]
pub(super) struct BatchDedup {
    by_key: DashMap<String, Mutex<KeyBatches>>,
}

/// The last batch of each process of one key. One batch of a forgotten process could be counted twice.
#[derive(Debug, Default)]
struct KeyBatches {
    last: HashMap<Digest, u64>,
    by_age: VecDeque<Digest>,
}

impl BatchDedup {
    /// Whether the process has sent neither this batch nor a later one before. The batch is remembered.
    pub(super) fn is_new(&self, environment: &EnvironmentKey, key: &str, instance_id: &str, batch: u64) -> bool {
        // A digest takes the same room for an id of any length.
        let process = Digest::of([environment.as_str().as_bytes(), &[0], instance_id.as_bytes()]);
        if let Some(batches) = self.by_key.get(key) {
            return batches.lock().is_new(process, batch);
        }
        self.by_key.entry(key.to_owned()).or_default().lock().is_new(process, batch)
    }
}

impl KeyBatches {
    fn is_new(&mut self, process: Digest, batch: u64) -> bool {
        if let Some(last) = self.last.get_mut(&process) {
            let is_new = batch > *last;
            *last = batch.max(*last);
            return is_new;
        }
        self.last.insert(process, batch);
        self.by_age.push_back(process);
        if self.by_age.len() > limits::REPORTERS
            && let Some(oldest) = self.by_age.pop_front()
        {
            self.last.remove(&oldest);
        }
        true
    }
}
