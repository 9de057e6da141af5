//! When a reader of a sync stream is sent the newest state. Time is handed in.
//!
//! Some readers keep only a few messages while they parse, and then drop the newest: after a burst they would be left with an old state
//! for good. So changes that follow each other are joined, and after a burst the state is sent once more when it is quiet. Kills and
//! rollbacks never wait.

use std::collections::VecDeque;
use std::time::Duration;

use tokio::time::Instant;

/// Changes that follow a message within this time are joined into the next one.
const JOIN: Duration = Duration::from_millis(250);
/// How long a stream must be quiet before the state is repeated.
const QUIET: Duration = Duration::from_secs(1);
/// A burst is more than one message within this time.
const BURST: Duration = Duration::from_secs(10);
/// Readers keep this many messages. If more went out, the first repetition may have been dropped too, so there is a second.
const KEPT: usize = 5;
/// When the second repetition goes out.
const LONG_QUIET: Duration = Duration::from_secs(6);

/// What is due on a stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Due {
    /// A change.
    Change,
    /// The state that was sent last.
    Repetition,
}

/// The pace of one stream.
#[derive(Debug, Default)]
pub(super) struct Pace {
    /// When changes were sent, within the time of a burst.
    sent: VecDeque<Instant>,
    /// When the change that waits goes out.
    change: Option<Instant>,
    /// When the repetitions go out.
    repetitions: VecDeque<Instant>,
}

impl Pace {
    /// Something changed.
    pub(super) fn changed(&mut self, urgent: bool, now: Instant) {
        let joined = self.sent.back().map(|last| *last + JOIN).filter(|at| !urgent && *at > now);
        let at = joined.unwrap_or(now);
        self.change = Some(self.change.map_or(at, |before| before.min(at)));
    }

    /// What goes out next, and when.
    pub(super) fn due(&self) -> Option<(Due, Instant)> {
        let change = self.change.map(|at| (Due::Change, at));
        change.or_else(|| self.repetitions.front().map(|at| (Due::Repetition, *at)))
    }

    /// The change that waited was sent.
    pub(super) fn sent(&mut self, now: Instant) {
        self.change = None;
        while self.sent.front().is_some_and(|at| now.duration_since(*at) > BURST) {
            self.sent.pop_front();
        }
        self.sent.push_back(now);
        self.repetitions.clear();
        if self.sent.len() > 1 {
            self.repetitions.push_back(now + QUIET);
        }
        if self.sent.len() > KEPT {
            self.repetitions.push_back(now + LONG_QUIET);
        }
    }

    /// The change that waited makes no difference to this reader.
    pub(super) fn skipped(&mut self) {
        self.change = None;
    }

    /// The state was repeated.
    pub(super) fn repeated(&mut self) {
        self.repetitions.pop_front();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(start: Instant, ms: u64) -> Instant {
        start + Duration::from_millis(ms)
    }

    #[test]
    fn the_first_change_goes_at_once_and_those_that_follow_are_joined() {
        let (start, mut pace) = (Instant::now(), Pace::default());
        pace.changed(false, start);
        assert_eq!(pace.due(), Some((Due::Change, start)));
        pace.sent(start);
        assert_eq!(pace.due(), None, "one message is no burst");
        pace.changed(false, at(start, 20_000));
        assert_eq!(pace.due(), Some((Due::Change, at(start, 20_000))));
        pace.sent(at(start, 20_000));
        for ms in [10, 100, 200] {
            pace.changed(false, at(start, 20_000 + ms));
        }
        assert_eq!(pace.due(), Some((Due::Change, at(start, 20_250))));
    }

    #[test]
    fn what_is_urgent_never_waits() {
        let (start, mut pace) = (Instant::now(), Pace::default());
        pace.changed(false, start);
        pace.sent(start);
        pace.changed(false, at(start, 50));
        pace.changed(true, at(start, 60));
        assert_eq!(pace.due(), Some((Due::Change, at(start, 60))));
        pace.changed(false, at(start, 61));
        assert_eq!(pace.due(), Some((Due::Change, at(start, 60))), "what comes later does not hold it up");
    }

    #[test]
    fn after_a_burst_the_state_is_repeated_once_it_is_quiet() {
        let (start, mut pace) = (Instant::now(), Pace::default());
        for ms in [0, 300] {
            pace.changed(true, at(start, ms));
            pace.sent(at(start, ms));
        }
        assert_eq!(pace.due(), Some((Due::Repetition, at(start, 1_300))));
        pace.changed(false, at(start, 1_000));
        pace.sent(at(start, 1_000));
        assert_eq!(pace.due(), Some((Due::Repetition, at(start, 2_000))), "it was not quiet");
        pace.repeated();
        assert_eq!(pace.due(), None);
    }

    #[test]
    fn a_burst_that_may_have_filled_a_reader_is_repeated_twice() {
        let (start, mut pace) = (Instant::now(), Pace::default());
        for ms in 0..=5 {
            pace.changed(true, at(start, ms));
            pace.sent(at(start, ms));
        }
        pace.repeated();
        assert_eq!(pace.due(), Some((Due::Repetition, at(start, 6_005))));
        pace.skipped();
        pace.repeated();
        assert_eq!(pace.due(), None);
    }
}
