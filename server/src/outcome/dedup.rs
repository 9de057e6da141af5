//! Which batches have been counted, so that one that is sent again after a lost answer is counted once.

use std::collections::{HashMap, VecDeque};

/// Processes that are remembered. One that is forgotten could have one batch counted twice.
const REMEMBERED: usize = 100_000;

#[derive(Debug, Default)]
pub(super) struct BatchDedup {
    last: HashMap<String, u64>,
    by_age: VecDeque<String>,
}

impl BatchDedup {
    /// Whether the process has not sent this batch, or a later one, before. It is remembered.
    pub(super) fn is_new(&mut self, instance_id: &str, batch: u64) -> bool {
        match self.last.get_mut(instance_id) {
            Some(last) if batch <= *last => false,
            Some(last) => {
                *last = batch;
                true
            }
            None => {
                if self.by_age.len() >= REMEMBERED
                    && let Some(oldest) = self.by_age.pop_front()
                {
                    self.last.remove(&oldest);
                }
                self.by_age.push_back(instance_id.to_owned());
                self.last.insert(instance_id.to_owned(), batch);
                true
            }
        }
    }
}
