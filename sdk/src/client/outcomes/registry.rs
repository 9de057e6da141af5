//! All counters that may still be written.

use std::sync::Arc;

use parking_lot::Mutex;
use ripcord_proto::outcome::OutcomeCount;

use super::counters::OutcomeCounters;
use super::reader::CounterReader;
use crate::client::changes::Recompile;
use crate::engine::Compiled;

/// The readers of all counters that may still be written.
#[derive(Debug, Default)]
pub(crate) struct CounterRegistry(Mutex<Vec<CounterReader>>);

impl CounterRegistry {
    /// The counters for `compiled`: those in use, if its numbering continues theirs and they have room, else new ones.
    pub(crate) fn counters_for(&self, compiled: &Compiled, recompile: &Recompile, in_use: Option<&Arc<OutcomeCounters>>) -> Arc<OutcomeCounters> {
        let mut readers = self.0.lock();
        let continued = in_use.filter(|counters| matches!(recompile, Recompile::Only(_)) && counters.has_room_for(compiled));
        let reader = continued.and_then(|counters| readers.iter_mut().find(|reader| Arc::ptr_eq(&reader.counters, counters)));
        if let Some(reader) = reader {
            reader.learn(compiled, recompile);
            return Arc::clone(&reader.counters);
        }
        let counters = Arc::new(OutcomeCounters::new(compiled));
        let mut reader = CounterReader::new(Arc::clone(&counters));
        reader.learn(compiled, &Recompile::Everything);
        readers.push(reader);
        counters
    }

    /// What was counted since the last call. Counters that can no longer be written are dropped.
    pub(crate) fn collect(&self) -> Vec<OutcomeCount> {
        let mut counts = Vec::new();
        self.0.lock().retain_mut(|reader| {
            // Checked before they are read: if nothing else holds the counters now, this collection is complete.
            let in_use = Arc::strong_count(&reader.counters) > 1;
            counts.extend(reader.collect());
            in_use
        });
        counts
    }
}
