//! The wait before the next attempt: full jitter below an exponential ceiling, so that the clients of a server that restarts do not
//! reconnect all at once.

use std::time::Duration;

use rand::rngs::StdRng;
use rand::{RngExt as _, SeedableRng as _};

/// The ceiling of the first waits. A server that restarts is back within seconds, and then its clients should be too.
const FIRST: Duration = Duration::from_secs(1);
/// How many waits have the first ceiling.
const QUICK: u32 = 8;
/// The highest ceiling.
const LAST: Duration = Duration::from_secs(10);
/// The wait if a retry cannot succeed until a person acts, for example after a refused key.
const SLOW: Duration = Duration::from_secs(60);

/// Counts failures and draws waits at random.
#[derive(Debug)]
pub(crate) struct Backoff {
    failures: u32,
    random: StdRng,
}

impl Backoff {
    /// With the jitter of `seed`.
    pub(crate) fn new(seed: u64) -> Self {
        Self {
            failures: 0,
            random: StdRng::seed_from_u64(seed),
        }
    }

    /// The attempt succeeded: the next wait is short again.
    pub(crate) fn succeeded(&mut self) {
        self.failures = 0;
    }

    /// The wait after another failure: up to a second at first, then up to a ceiling that doubles to 10 seconds.
    pub(crate) fn failed(&mut self) -> Duration {
        self.failures = self.failures.saturating_add(1);
        let slower = self.failures.saturating_sub(QUICK).min(8);
        let ceiling = FIRST.saturating_mul(1 << slower).min(LAST);
        self.up_to(ceiling)
    }

    /// The wait if the server named one: that time, and up to as much again.
    pub(crate) fn at_least(&mut self, wait: Duration) -> Duration {
        wait.saturating_add(self.up_to(wait))
    }

    /// The wait after a refusal: 30 to 60 seconds.
    pub(crate) fn refused(&mut self) -> Duration {
        SLOW / 2 + self.up_to(SLOW / 2)
    }

    /// Between half of `period` and one and a half times `period`, for what recurs.
    pub(crate) fn around(&mut self, period: Duration) -> Duration {
        period / 2 + self.up_to(period)
    }

    /// Between nothing and `ceiling`.
    pub(crate) fn up_to(&mut self, ceiling: Duration) -> Duration {
        ceiling.mul_f64(self.random.random_range(0.0..=1.0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_stay_under_a_second_at_first_and_then_under_a_ceiling_that_doubles_to_ten() {
        let mut backoff = Backoff::new(7);
        for ceiling in [1, 1, 1, 1, 1, 1, 1, 1, 2, 4, 8, 10, 10, 10] {
            assert!(backoff.failed() <= Duration::from_secs(ceiling));
        }
        backoff.succeeded();
        assert!(backoff.failed() <= FIRST);
    }

    #[test]
    fn jitter_spreads_the_clients_of_one_server_over_the_whole_wait() {
        let waits: Vec<Duration> = (0..1_000).map(|seed| Backoff::new(seed).failed()).collect();
        let early = waits.iter().filter(|wait| **wait < FIRST / 2).count();
        assert!((400..600).contains(&early), "{early} of 1,000 in the first half");
    }

    #[test]
    fn a_wait_that_the_server_names_is_never_cut_short() {
        let mut backoff = Backoff::new(7);
        for _ in 0..100 {
            let wait = backoff.at_least(Duration::from_secs(5));
            assert!((Duration::from_secs(5)..=Duration::from_secs(10)).contains(&wait));
        }
    }
}
