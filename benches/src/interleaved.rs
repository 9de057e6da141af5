//! Times several things in turn, over and over, so that what else the machine does falls on all of them alike.

use std::hint::{black_box, spin_loop};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Instant;

/// What is timed: so many calls in a row, of which it says how many answered `true`.
pub type Batch<'b> = Box<dyn Fn() -> u64 + 'b>;

/// A batch of `calls` calls of `call`, each with its number.
pub fn batch<'b>(calls: usize, call: impl Fn(usize) -> bool + 'b) -> Batch<'b> {
    Box::new(move || (0..calls).map(|number| u64::from(call(black_box(number)))).sum())
}

/// The nanoseconds of one call of each batch of `calls` calls: the fastest of `rounds` rounds, which is the one that was not
/// interrupted.
pub fn fastest(rounds: usize, calls: usize, batches: &[Batch<'_>]) -> Vec<f64> {
    let mut best = vec![f64::MAX; batches.len()];
    for _ in 0..rounds {
        for (best, batch) in best.iter_mut().zip(batches) {
            let start = Instant::now();
            black_box(batch());
            #[expect(clippy::cast_precision_loss, reason = "batches are small")]
            let each = start.elapsed().as_secs_f64() * 1e9 / calls as f64;
            *best = best.min(each);
        }
    }
    best
}

/// The same for batches that several threads run.
pub type SharedBatch<'b> = Box<dyn Fn() -> u64 + Sync + 'b>;

/// A batch of `calls` calls of `call`, each with its number, for several threads.
pub fn shared_batch<'b>(calls: usize, call: impl Fn(usize) -> bool + Sync + 'b) -> SharedBatch<'b> {
    Box::new(move || (0..calls).map(|number| u64::from(call(black_box(number)))).sum())
}

/// The nanoseconds of one call as [`fastest`] tells them, seen from all of `threads` together, which run each batch at once: with
/// two threads that do not disturb each other it is half of what it is with one.
pub fn fastest_together(threads: usize, rounds: usize, calls: usize, batches: &[SharedBatch<'_>]) -> Vec<f64> {
    let ready = AtomicUsize::new(0);
    let slowest: Vec<Vec<AtomicUsize>> = batches.iter().map(|_| (0..rounds).map(|_| AtomicUsize::new(0)).collect()).collect();
    std::thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
                let mut turn = 0;
                for round in 0..rounds {
                    for (batch, slowest) in batches.iter().zip(&slowest) {
                        turn += threads;
                        ready.fetch_add(1, Ordering::SeqCst);
                        while ready.load(Ordering::SeqCst) < turn {
                            spin_loop();
                        }
                        let start = Instant::now();
                        black_box(batch());
                        let took = usize::try_from(start.elapsed().as_nanos()).unwrap_or(usize::MAX);
                        slowest[round].fetch_max(took, Ordering::SeqCst);
                    }
                }
            });
        }
    });
    let fastest = |times: &Vec<AtomicUsize>| times.iter().map(|time| time.load(Ordering::SeqCst)).min().unwrap_or_default();
    #[expect(clippy::cast_precision_loss, reason = "batches are small")]
    let each = |nanos: usize| nanos as f64 / (calls * threads) as f64;
    slowest.iter().map(|times| each(fastest(times))).collect()
}
