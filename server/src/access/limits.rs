//! Rate limits per key, and per address for wrong keys. Kills, restores and streams are not limited: a runaway pipeline must not block the
//! kill that stops it.

use std::net::IpAddr;
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
    /// Sustained remote evaluations per second, of one flag or of all.
    pub evaluations: NonZeroU32,
    /// Sustained requests with a wrong key per second, from one address.
    pub wrong_keys: NonZeroU32,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            reads: NonZeroU32::MIN.saturating_add(4_999),
            writes: NonZeroU32::MIN.saturating_add(499),
            evaluations: NonZeroU32::MIN.saturating_add(49_999),
            wrong_keys: NonZeroU32::MIN.saturating_add(19),
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
    evaluations: Keyed,
    wrong_keys: RateLimiter<u16, DashMapStateStore<u16>, DefaultClock>,
    clock: DefaultClock,
}

impl RateLimits {
    /// With full quotas for every key.
    pub fn new(config: Config) -> Self {
        let quota = |rate: NonZeroU32| Quota::per_second(rate).allow_burst(rate.saturating_mul(NonZeroU32::MIN.saturating_add(BURST - 1)));
        let keyed = |rate: NonZeroU32| RateLimiter::dashmap(quota(rate));
        Self {
            reads: keyed(config.reads),
            writes: keyed(config.writes),
            evaluations: keyed(config.evaluations),
            wrong_keys: RateLimiter::dashmap(quota(config.wrong_keys)),
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
            | Action::Kill
            | Action::Restore
            | Action::Rollback
            | Action::PassOneWay
            | Action::StopRollout
            | Action::AnswerTrigger => return Ok(()),
            Action::Read => (&self.reads, "reads"),
            Action::Evaluate => (&self.evaluations, "evaluations"),
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

impl RateLimits {
    /// Counts a request with a wrong key. A valid key is never refused for what others send from its address.
    ///
    /// # Errors
    /// Too many came from this address.
    pub(crate) fn wrong_key(&self, address: Option<IpAddr>) -> Result<(), AccessError> {
        self.wrong_keys.check_key(&place_of(address)).map_err(|until| {
            metrics::counter!(names::RATE_LIMITED, "limit" => "wrong_keys").increment(1);
            let seconds = until.wait_time_from(self.clock.now()).as_secs() + 1;
            let detail = format!("Too many requests with a wrong key came from this address. Try again in {seconds} s, with a valid key at once.");
            AccessError::limited(Problem::new(Code::RateLimited, detail), seconds)
        })
    }
}

/// Addresses share a fixed number of places, so that their number takes no memory. A network of IPv6 is one address.
fn place_of(address: Option<IpAddr>) -> u16 {
    const PLACES: u64 = 16_384;
    let network = match address.map(|address| address.to_canonical()) {
        Some(IpAddr::V4(address)) => u64::from(address.to_bits()),
        Some(IpAddr::V6(address)) => u64::try_from(address.to_bits() >> 64).unwrap_or_default(),
        None => 0,
    };
    // Any mixing of the bits will do.
    u16::try_from((network.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 32) % PLACES).unwrap_or_default()
}

impl Default for RateLimits {
    fn default() -> Self {
        Self::new(Config::default())
    }
}
