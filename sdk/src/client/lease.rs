//! How long the client has been unheard, and which leases that exhausts (DESIGN 2, promise 7).
//!
//! Counted from the last heartbeat marked fresh: on the monotonic clock while the process runs, on the wall clock across a
//! restart. A wall clock that went back tells nothing, so it counts as run out.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use jiff::Timestamp;
use ripcord_proto::{FlagKey, Snapshot};

use super::moment::Moment;

/// Longer than any lease.
const FOREVER: Duration = Duration::from_secs(u32::MAX as u64);
/// The times between which a fresh heartbeat is written down again, so that a restart knows of it.
const NOTED_EVERY: (Duration, Duration) = (Duration::from_secs(2), Duration::from_mins(1));

/// The clock that leases are counted on.
#[derive(Debug)]
pub(crate) struct LeaseClock {
    since: Instant,
    before: Duration,
    last_fresh: Option<Timestamp>,
    leases: BTreeMap<FlagKey, u32>,
}

impl LeaseClock {
    /// Starts to count now: a process that has only just begun has not been unheard yet.
    pub(crate) fn start(now: Moment) -> Self {
        Self {
            since: now.instant,
            before: Duration::ZERO,
            last_fresh: None,
            leases: BTreeMap::new(),
        }
    }

    /// Goes on from what an earlier process wrote down: `last_fresh` by the wall clock, `None` = it never was.
    pub(crate) fn resume(&mut self, last_fresh: Option<Timestamp>, now: Moment) {
        self.since = now.instant;
        self.last_fresh = last_fresh;
        let elapsed = last_fresh.map(|then| now.wall.duration_since(then));
        // A negative span, a clock that went back, is no Duration: it counts as run out.
        self.before = elapsed.and_then(|span| Duration::try_from(span).ok()).unwrap_or(FOREVER);
    }

    /// A heartbeat marked fresh came.
    pub(crate) fn heard(&mut self, now: Moment) {
        self.since = now.instant;
        self.before = Duration::ZERO;
        self.last_fresh = Some(now.wall);
    }

    /// When the last heartbeat marked fresh came, by the wall clock.
    pub(crate) fn last_fresh(&self) -> Option<Timestamp> {
        self.last_fresh
    }

    /// How long no fresh heartbeat has come.
    pub(crate) fn unheard(&self, now: Moment) -> Duration {
        self.before.saturating_add(now.since(self.since))
    }

    /// Seconds unheard once they exhaust a lease, else 0: what evaluations are told.
    pub(crate) fn exhausted(&self, now: Moment) -> u32 {
        let seconds = u32::try_from(self.unheard(now).as_secs()).unwrap_or(u32::MAX);
        if self.leases.values().any(|lease| *lease <= seconds) { seconds } else { 0 }
    }

    /// When the next lease runs out.
    pub(crate) fn deadline(&self, now: Moment) -> Option<Instant> {
        let unheard = self.unheard(now);
        let leases = self.leases.values().map(|seconds| Duration::from_secs(u64::from(*seconds)));
        leases
            .filter(|lease| *lease > unheard)
            .min()
            .map(|lease| self.since + lease.saturating_sub(self.before))
    }

    /// How often a fresh heartbeat must be written down; `None` where no flag has a lease.
    pub(crate) fn noted_every(&self) -> Option<Duration> {
        let shortest = self.leases.values().min()?;
        Some(Duration::from_secs(u64::from(*shortest) / 4).clamp(NOTED_EVERY.0, NOTED_EVERY.1))
    }

    /// Learns the leases of a snapshot as a whole.
    pub(crate) fn learn_all(&mut self, snapshot: &Snapshot) {
        let leases = snapshot.flags.iter().filter_map(|entry| {
            let lease = entry.value().ok()?.lease?;
            Some((entry.key().clone(), lease.seconds))
        });
        self.leases = leases.collect();
    }

    /// Learns the leases of the flags that changed.
    pub(crate) fn learn<'a>(&mut self, snapshot: &Snapshot, changed: impl IntoIterator<Item = &'a FlagKey>) {
        for key in changed {
            match snapshot.flags.value(key.as_str()).and_then(|flag| flag.lease) {
                Some(lease) => {
                    self.leases.insert(key.clone(), lease.seconds);
                }
                None => {
                    self.leases.remove(key);
                }
            }
        }
    }
}
