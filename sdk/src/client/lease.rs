//! The time since the last contact with the server, and which leases it exceeds.
//!
//! It is counted from the last heartbeat marked fresh: on the monotonic clock while the process runs, on the wall clock across a restart.
//! After a restart, a wall clock that went back proves nothing, so every lease counts as expired.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use jiff::Timestamp;
use ripcord_proto::{FlagKey, Snapshot};

use super::time_point::TimePoint;

/// Longer than any lease.
const FOREVER: Duration = Duration::from_secs(u32::MAX as u64);
/// The bounds of the time after which a fresh heartbeat is written to the disk cache again.
const PERSIST_EVERY: (Duration, Duration) = (Duration::from_secs(2), Duration::from_secs(60));

/// The clock that leases are measured with.
#[derive(Debug)]
pub(crate) struct LeaseClock {
    since: Instant,
    /// What had already passed at `since`.
    before: Duration,
    last_fresh: Option<Timestamp>,
    leases: BTreeMap<FlagKey, u32>,
}

impl LeaseClock {
    /// Starts now: a new process counts from its own start.
    pub(crate) fn start(now: TimePoint) -> Self {
        Self {
            since: now.instant,
            before: Duration::ZERO,
            last_fresh: None,
            leases: BTreeMap::new(),
        }
    }

    /// Continues from an earlier process: `last_fresh` by the wall clock, `None` if it never received a fresh heartbeat.
    pub(crate) fn resume(&mut self, last_fresh: Option<Timestamp>, now: TimePoint) {
        self.since = now.instant;
        self.last_fresh = last_fresh;
        let elapsed = last_fresh.map(|then| now.wall.duration_since(then));
        // A negative span, from a clock that went back, is not a Duration: every lease counts as expired.
        self.before = elapsed.and_then(|span| Duration::try_from(span).ok()).unwrap_or(FOREVER);
    }

    /// A heartbeat marked fresh arrived.
    pub(crate) fn renew(&mut self, now: TimePoint) {
        self.since = now.instant;
        self.before = Duration::ZERO;
        self.last_fresh = Some(now.wall);
    }

    /// When the last heartbeat marked fresh arrived, by the wall clock.
    pub(crate) fn last_fresh(&self) -> Option<Timestamp> {
        self.last_fresh
    }

    /// Time since the last fresh heartbeat.
    pub(crate) fn since_contact(&self, now: TimePoint) -> Duration {
        self.before.saturating_add(now.since(self.since))
    }

    /// Seconds since the last contact if a lease has expired, else 0. This is what evaluations see.
    pub(crate) fn expired_after(&self, now: TimePoint) -> u32 {
        let seconds = u32::try_from(self.since_contact(now).as_secs()).unwrap_or(u32::MAX);
        if self.leases.values().any(|lease| *lease <= seconds) { seconds } else { 0 }
    }

    /// When the next lease expires.
    pub(crate) fn deadline(&self, now: TimePoint) -> Option<Instant> {
        let since_contact = self.since_contact(now);
        let leases = self.leases.values().map(|seconds| Duration::from_secs(u64::from(*seconds)));
        leases
            .filter(|lease| *lease > since_contact)
            .min()
            .map(|lease| self.since + lease.saturating_sub(self.before))
    }

    /// How often a fresh heartbeat must be written to the disk cache; `None` if no flag has a lease.
    pub(crate) fn persist_every(&self) -> Option<Duration> {
        let shortest = self.leases.values().min()?;
        Some(Duration::from_secs(u64::from(*shortest) / 4).clamp(PERSIST_EVERY.0, PERSIST_EVERY.1))
    }

    /// Reads the leases of a whole snapshot.
    pub(crate) fn set_all(&mut self, snapshot: &Snapshot) {
        let leases = snapshot.flags.iter().filter_map(|entry| {
            let lease = entry.value().ok()?.lease?;
            Some((entry.key().clone(), lease.seconds))
        });
        self.leases = leases.collect();
    }

    /// Reads the leases of the flags that changed.
    pub(crate) fn set<'a>(&mut self, snapshot: &Snapshot, changed: impl IntoIterator<Item = &'a FlagKey>) {
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
