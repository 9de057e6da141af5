//! A simulation of nodes, their Redis, their peers and their disks in virtual time, with a fault at every step. Every decision about
//! kills and freshness is the product's own: the rules of the overlay, the exchange of peers, the standing of a node, the journal,
//! the admission of drafts, the comparison of logs. Only what carries messages is simulated.
//!
//! The rules that it checks are in [`rules`]: no flag that is covered by an answered kill is served live by a node that calls
//! itself fresh, and an answered kill never ends except by its restore.
//!
//! `RIPCORD_SIMULATIONS=1000000 cargo test -p ripcord-server simulation` runs more schedules; `RIPCORD_SIMULATION_SEED` repeats one.

mod faults;
mod node;
mod people;
mod redis;
mod rules;
mod schedule;
mod world;

use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use self::node::Sabotage;
use self::world::SimulatedWorld;

/// Schedules of an ordinary run.
const SCHEDULES: u64 = 2_000;

/// Random numbers that a seed repeats (`SplitMix64`).
#[derive(Debug, Clone)]
struct Dice(u64);

impl Dice {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    fn below(&mut self, limit: usize) -> usize {
        usize::try_from(self.next() % limit.max(1) as u64).unwrap_or_default()
    }

    /// True so often in a hundred.
    fn percent(&mut self, percent: u64) -> bool {
        self.next() % 100 < percent
    }
}

fn setting(name: &str) -> Option<u64> {
    std::env::var(name).ok()?.parse().ok()
}

#[test]
fn no_fault_lifts_an_answered_kill_or_hides_it_behind_a_fresh_heartbeat() {
    if let Some(seed) = setting("RIPCORD_SIMULATION_SEED") {
        let mut world = SimulatedWorld::new(seed);
        let outcome = world.run();
        eprintln!("{}", world.trace.join("\n"));
        outcome.unwrap_or_else(|broken| panic!("seed {seed}: {broken}"));
        return;
    }
    let schedules = setting("RIPCORD_SIMULATIONS").unwrap_or(SCHEDULES);
    let (begun, next) = (Instant::now(), AtomicU64::new(0));
    let totals = Mutex::new((0, 0, 0));
    let broken = Mutex::new(None);
    let work = || {
        loop {
            let seed = next.fetch_add(1, Ordering::Relaxed);
            if seed >= schedules || broken.lock().unwrap().is_some() {
                return;
            }
            let mut world = SimulatedWorld::new(seed);
            if let Err(rule) = world.run() {
                broken.lock().unwrap().get_or_insert((seed, rule, world.trace.join("\n")));
                return;
            }
            let mut totals = totals.lock().unwrap();
            let kills = world.answered.len();
            let lost = world.answered.values().filter(|answered| answered.is_lost).count();
            *totals = (totals.0 + kills, totals.1 + lost, totals.2 + world.faults);
        }
    };
    std::thread::scope(|threads| {
        for _ in 0..std::thread::available_parallelism().map_or(2, usize::from) {
            threads.spawn(work);
        }
    });
    if let Some((seed, rule, trace)) = broken.into_inner().unwrap() {
        panic!("{trace}\nseed {seed}: {rule}");
    }
    let (kills, lost, faults) = totals.into_inner().unwrap();
    eprintln!(
        "{schedules} schedules with {kills} kills and {faults} faults in {:.1} s; {lost} kills were known to nobody any more",
        begun.elapsed().as_secs_f64()
    );
    assert!(kills > 0 && lost * 20 < kills, "{lost} of {kills} kills were exempted");
}

/// A simulation that notices nothing would pass as well.
#[test]
fn the_rules_notice_a_decision_that_is_wrong() {
    for sabotage in [
        Sabotage::AlwaysFresh,
        Sabotage::AnchoredFromTheStart,
        Sabotage::DropOrphans,
        Sabotage::DeafToCommittedKills,
    ] {
        let broken = (0..SCHEDULES).find_map(|seed| SimulatedWorld::sabotaged(seed, sabotage).run().err().map(|rule| (seed, rule)));
        let (seed, rule) = broken.unwrap_or_else(|| panic!("{sabotage:?} breaks no rule in {SCHEDULES} schedules"));
        eprintln!("{sabotage:?}: seed {seed}: {rule}");
    }
}
