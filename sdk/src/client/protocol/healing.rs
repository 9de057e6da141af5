//! How the client gets back to a state that fits, within bounds: it asks for a snapshot at once, a few times; where the answers
//! go on disagreeing with their own hashes it stays on the last good state, says so, and asks ever more rarely.

use std::time::{Duration, Instant};

use ripcord_proto::Position;
use ripcord_proto::frame::{ClientFrame, Resync};

use super::{Protocol, State, Trouble};
use crate::client::moment::Moment;

/// How long an answer to a resync may take.
const ANSWER: Duration = Duration::from_secs(10);
/// Disagreements in a row that are answered by asking again at once.
const AT_ONCE: u32 = 3;
/// The wait after one more, and the longest wait.
const LATER: (Duration, Duration) = (Duration::from_secs(30), Duration::from_mins(10));

/// What is waited for.
#[derive(Debug, Clone, Copy)]
enum Awaited {
    /// The answer to a resync, until then.
    Answer(Instant),
    /// The time to ask again.
    Asking(Instant),
}

/// What is wrong, and when to ask next.
#[derive(Debug, Default)]
pub(crate) struct Healing {
    disagreements: u32,
    awaited: Option<Awaited>,
    ahead: Option<(Position, Position)>,
    behind: Option<Position>,
}

impl Healing {
    /// A state that fits is in force.
    pub(super) fn succeeded(&mut self) {
        *self = Self::default();
    }

    /// The stream is gone: what was asked on it will not be answered, what disagreed still counts.
    pub(super) fn disconnected(&mut self) {
        self.awaited = None;
        self.ahead = None;
    }

    /// A heartbeat names `theirs` while `own` is in force. True the second time that nothing came in between: the first may
    /// have overtaken a delta.
    pub(super) fn seen_ahead(&mut self, theirs: Position, own: Position) -> bool {
        let before = self.ahead.replace((theirs, own));
        before.is_some_and(|(_, at)| at == own)
    }

    /// A heartbeat names an older position. True from the second time on: the first may have been under way already.
    pub(super) fn seen_behind(&mut self, theirs: Position) -> bool {
        self.behind.replace(theirs).is_some()
    }

    /// The node is where this client is, or ahead.
    pub(super) fn not_behind(&mut self) {
        self.behind = None;
    }

    /// When to look again.
    pub(super) fn deadline(&self) -> Option<Instant> {
        self.awaited.map(|(Awaited::Answer(at) | Awaited::Asking(at))| at)
    }
}

impl Protocol {
    /// Something came that does not fit: asks for a snapshot, unless one was asked for already.
    pub(super) fn ask_resync(&mut self, why: String, now: Moment) {
        if self.healing.awaited.is_none() && self.is_up() {
            self.resync(why, now);
        }
    }

    /// A state came that differs from its own hash.
    pub(super) fn disagree(&mut self, why: String, now: Moment) {
        if !self.is_up() {
            // It came beside the stream while there is none; the next stream begins with a state of its own.
            return;
        }
        self.healing.disagreements = self.healing.disagreements.saturating_add(1);
        let excess = self.healing.disagreements.saturating_sub(AT_ONCE);
        if excess == 0 {
            self.resync(why, now);
            return;
        }
        let (first, last) = LATER;
        let wait = first.saturating_mul(1 << (excess - 1).min(8)).min(last);
        self.healing.awaited = Some(Awaited::Asking(now.instant + self.backoff.around(wait)));
        let state = if self.held.is_some() { State::Stale } else { State::Connecting };
        self.enter(state, Some(Trouble::Unfit(why)), now);
    }

    /// Asks where it is time to; an answer that did not come is as good as a wrong one.
    pub(super) fn heal(&mut self, now: Moment) {
        match self.healing.awaited {
            Some(Awaited::Answer(at)) if at <= now.instant => self.disagree("no snapshot came".to_owned(), now),
            Some(Awaited::Asking(at)) if at <= now.instant => self.resync("the last snapshots did not fit".to_owned(), now),
            None | Some(_) => {}
        }
    }

    fn resync(&mut self, why: String, now: Moment) {
        self.healing.awaited = Some(Awaited::Answer(now.instant + ANSWER));
        let state = if self.held.is_some() { State::Resyncing } else { State::Connecting };
        self.enter(state, Some(Trouble::Unfit(why.clone())), now);
        self.send(ClientFrame::Resync(Resync { why }));
    }
}
