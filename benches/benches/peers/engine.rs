//! An engine under comparison.

use ripcord_benches::interleaved::Batch;

/// One engine: its name and a batch for each of the three flags, in the order plain, rollout, five rules.
pub struct Engine<'b> {
    pub name: &'static str,
    pub batches: [Batch<'b>; 3],
}
