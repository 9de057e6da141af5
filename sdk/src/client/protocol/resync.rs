//! How the client gets back to a state that fits. It asks for a snapshot at once, a few times. If the answers keep failing their own
//! hashes, it stays on the last good state, reports that, and asks less and less often.

use std::time::Duration;

use ripcord_proto::frame::{ClientFrame, Resync};

use super::machine::Protocol;
use super::resync_state::Awaited;
use crate::client::status::{ConnectionError, State};
use crate::client::time_point::TimePoint;

/// How long the answer to a resync may take.
const ANSWER: Duration = Duration::from_secs(10);
/// After this many mismatches in a row the client no longer asks again at once.
const AT_ONCE: u32 = 3;
/// The first and the longest wait after that.
const LATER: (Duration, Duration) = (Duration::from_secs(30), Duration::from_secs(600));

impl Protocol {
    /// An update does not fit: asks for a snapshot, unless one was requested already.
    pub(super) fn ask_resync(&mut self, why: String, now: TimePoint) {
        if self.resync_state.awaited.is_none() && self.is_up() {
            self.resync(why, now);
        }
    }

    /// A state does not match its own hash.
    pub(super) fn mismatch(&mut self, why: String, now: TimePoint) {
        if !self.is_up() {
            // There is no stream now, and the next one begins with a whole state.
            return;
        }
        self.resync_state.mismatches = self.resync_state.mismatches.saturating_add(1);
        let excess = self.resync_state.mismatches.saturating_sub(AT_ONCE);
        if excess == 0 {
            self.resync(why, now);
            return;
        }
        let (first, longest) = LATER;
        let wait = first.saturating_mul(1 << (excess - 1).min(8)).min(longest);
        self.resync_state.awaited = Some(Awaited::Retry(now.instant + self.backoff.around(wait)));
        let state = if self.held.is_some() { State::Stale } else { State::Connecting };
        self.enter(state, Some(ConnectionError::Inconsistent(why)), now);
    }

    /// Asks again if that is due. A snapshot that did not arrive counts as a mismatch.
    pub(super) fn resync_if_due(&mut self, now: TimePoint) {
        match self.resync_state.awaited {
            Some(Awaited::Snapshot(at)) if at <= now.instant => self.mismatch("no snapshot arrived".to_owned(), now),
            Some(Awaited::Retry(at)) if at <= now.instant => self.resync("the last snapshots did not fit".to_owned(), now),
            None | Some(_) => {}
        }
    }

    fn resync(&mut self, why: String, now: TimePoint) {
        self.resync_state.awaited = Some(Awaited::Snapshot(now.instant + ANSWER));
        let state = if self.held.is_some() { State::Resyncing } else { State::Connecting };
        self.enter(state, Some(ConnectionError::Inconsistent(why.clone())), now);
        self.send(ClientFrame::Resync(Resync { why }));
    }
}
