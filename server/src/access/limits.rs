//! How many requests a key may send. Kills, restores, streams and evaluations are outside of it: a pipeline that has run away must not
//! stand in the way of the kill that stops it.

use std::num::NonZeroU32;
use std::sync::Arc;

use governor::clock::{Clock as _, DefaultClock};
use governor::state::keyed::HashMapStateStore;
use governor::{Quota, RateLimiter};
use ripcord_proto::problem::Code;
use ripcord_proto::role::Action;

use crate::http::ApiError;
use crate::telemetry::names;

type Keyed = RateLimiter<Arc<str>, HashMapStateStore<Arc<str>>, DefaultClock>;

/// Settings, for each key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Config {
    /// Reads a second, over time.
    pub reads: NonZeroU32,
    /// Writes a second, over time.
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

/// Ten seconds' worth may come at once.
const BURST: u32 = 10;

/// The limits of all keys.
#[derive(Debug)]
pub struct RateLimits {
    reads: Keyed,
    writes: Keyed,
    clock: DefaultClock,
}

impl RateLimits {
    /// Nobody has sent anything yet.
    pub fn new(config: Config) -> Self {
        let keyed =
            |rate: NonZeroU32| RateLimiter::hashmap(Quota::per_second(rate).allow_burst(rate.saturating_mul(NonZeroU32::MIN.saturating_add(BURST - 1))));
        Self {
            reads: keyed(config.reads),
            writes: keyed(config.writes),
            clock: DefaultClock::default(),
        }
    }

    /// Counts a request of the key `id`, or refuses it.
    pub(super) fn check(&self, id: &Arc<str>, action: Action) -> Result<(), ApiError> {
        let (limiter, name) = match action {
            Action::Stream
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
            let detail = format!("This key sends too many {name}; go on in {seconds} s. Kills, restores and rollbacks are not limited.");
            ApiError::new(Code::RateLimited, detail).retry_after(seconds)
        })
    }
}

impl Default for RateLimits {
    fn default() -> Self {
        Self::new(Config::default())
    }
}
