//! Rate limits per key. Kills, restores, streams and evaluations are not limited: a runaway pipeline must not block the kill that
//! stops it.

use std::num::NonZeroU32;
use std::sync::Arc;

use governor::clock::{Clock as _, DefaultClock};
use governor::state::keyed::DashMapStateStore;
use governor::{Quota, RateLimiter};
use ripcord_proto::problem::{Code, Problem};
use ripcord_proto::role::Action;

use super::AccessError;
use crate::telemetry::names;

type Keyed = RateLimiter<Arc<str>, DashMapStateStore<Arc<str>>, DefaultClock>;

/// Quotas of each key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Config {
    /// Sustained reads per second.
    pub reads: NonZeroU32,
    /// Sustained writes per second.
    pub writes: NonZeroU32,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            reads: NonZeroU32::MIN.saturating_add(4_999),
            writes: NonZeroU32::MIN.saturating_add(499),
        }
    }
}

/// Seconds of the sustained rate that may come as one burst.
const BURST: u32 = 10;

/// The limits of all keys.
#[derive(Debug)]
pub struct RateLimits {
    reads: Keyed,
    writes: Keyed,
    clock: DefaultClock,
}

impl RateLimits {
    /// With full quotas for every key.
    pub fn new(config: Config) -> Self {
        let keyed =
            |rate: NonZeroU32| RateLimiter::dashmap(Quota::per_second(rate).allow_burst(rate.saturating_mul(NonZeroU32::MIN.saturating_add(BURST - 1))));
        Self {
            reads: keyed(config.reads),
            writes: keyed(config.writes),
            clock: DefaultClock::default(),
        }
    }

    /// Counts a request of the key `id`.
    ///
    /// # Errors
    /// The key has used up its quota.
    pub(crate) fn check(&self, id: &Arc<str>, action: Action) -> Result<(), AccessError> {
        let (limiter, name) = match action {
            Action::Stream
            | Action::Report
            | Action::Evaluate
            | Action::Kill
            | Action::Restore
            | Action::Rollback
            | Action::PassOneWay
            | Action::StopRollout
            | Action::AnswerTrigger => return Ok(()),
            Action::Read => (&self.reads, "reads"),
            Action::Edit
            | Action::Checkpoint
            | Action::Vouch
            | Action::Release
            | Action::Rollout
            | Action::ApproveRollout
            | Action::Trigger
            | Action::Decide
            | Action::Withdraw
            | Action::Ping
            | Action::Drill
            | Action::SetPolicy
            | Action::Administer => (&self.writes, "writes"),
        };
        limiter.check_key(id).map_err(|until| {
            metrics::counter!(names::RATE_LIMITED, "limit" => name).increment(1);
            let seconds = until.wait_time_from(self.clock.now()).as_secs() + 1;
            let detail = format!("This key sends too many {name}. Try again in {seconds} s. Kills, restores and rollbacks are not limited.");
            AccessError::limited(Problem::new(Code::RateLimited, detail), seconds)
        })
    }
}

impl Default for RateLimits {
    fn default() -> Self {
        Self::new(Config::default())
    }
}
