//! Times several things in turn, over and over, so that what else the machine does falls on all of them alike.

use std::time::Instant;

/// What is timed: so many calls in a row, of which it says how many answered `true`.
pub type Batch<'b> = Box<dyn Fn() -> u64 + 'b>;

/// A batch of `calls` calls of `call`, each with its number.
pub fn batch<'b>(calls: usize, call: impl Fn(usize) -> bool + 'b) -> Batch<'b> {
    Box::new(move || (0..calls).map(|number| u64::from(call(std::hint::black_box(number)))).sum())
}

/// The nanoseconds of one call of each batch of `calls` calls: the fastest of `rounds` rounds, which is the one that was not
/// interrupted.
pub fn fastest(rounds: usize, calls: usize, batches: &[Batch<'_>]) -> Vec<f64> {
    let mut best = vec![f64::MAX; batches.len()];
    for _ in 0..rounds {
        for (best, batch) in best.iter_mut().zip(batches) {
            let start = Instant::now();
            std::hint::black_box(batch());
            #[expect(clippy::cast_precision_loss, reason = "batches are small")]
            let each = start.elapsed().as_secs_f64() * 1e9 / calls as f64;
            *best = best.min(each);
        }
    }
    best
}
