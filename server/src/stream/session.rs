//! One reader's stream without its socket: what was written to it, and therefore what comes next.
//!
//! There is no queue. A session knows the position of the last frame that was written; the next frame leads from there to the newest
//! head, whatever happened in between. A slow reader therefore gets one delta or snapshot, the newest state is never dropped, and nothing
//! old precedes an urgent revision.
//!
//! ```text
//! Greeting --hello--> Waiting --admitted--> Live --end--> Ending --goodbye written--> Ended
//!              \-------- nothing new --------^
//! ```

use ripcord_proto::Position;
use ripcord_proto::frame::{Ack, ClientFrame, FrameKind, Hello};
use ripcord_proto::snapshot::ContentHash;

use super::admission::Precedence;
use crate::snapshot::frames::{Frame, FrameSet};

/// The state of a session.
#[derive(Debug)]
enum SessionState {
    /// The client has not said hello.
    Greeting,
    /// It waits for its first payload.
    Waiting,
    /// It gets whatever is new.
    Live,
    /// The goodbye has to be written.
    Ending(Frame),
    /// Nothing more is written.
    Ended,
}

/// One reader's stream.
#[derive(Debug)]
pub(super) struct Session {
    state: SessionState,
    /// The position of the reader once it has read everything written.
    position: Option<Position>,
    /// The number of the last overlay written.
    overlay: Option<u64>,
    /// A heartbeat is due.
    heartbeat: Option<Frame>,
    /// The position at which the client's hash differed. It gets a snapshot there once, not repeatedly.
    healed: Option<Position>,
    /// Whether the client is to get a snapshot although it is ahead.
    superseded: bool,
    /// Whether it has got a payload.
    fed: bool,
    collapses: u32,
}

/// What a hello leads to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Greeted {
    /// The client is up to date.
    UpToDate,
    /// The client must be admitted to get its first payload.
    Behind(Precedence),
}

/// What a client's frame leads to.
#[derive(Debug, PartialEq)]
pub(super) enum Reaction {
    /// The client introduced itself.
    Greeted(Hello, Greeted),
    /// It confirms what it has.
    Confirmed(Ack),
    /// Nothing for the connection to do.
    Noted,
    /// It ends.
    Left,
    /// The client must be disconnected, for this reason.
    Refused(&'static str),
}

impl Session {
    /// A session whose client has yet to say hello.
    pub(super) fn greeting() -> Self {
        Self {
            state: SessionState::Greeting,
            position: None,
            overlay: None,
            heartbeat: None,
            healed: None,
            superseded: false,
            fed: false,
            collapses: 0,
        }
    }

    /// Handles the client's hello.
    pub(super) fn greet(&mut self, hello: &Hello, head: &FrameSet) -> Greeted {
        self.position = hello.position().filter(|position| !diverged(*position, hello.hash.as_ref(), head));
        if self.position.is_some_and(|position| position >= head.position()) {
            self.state = SessionState::Live;
            return Greeted::UpToDate;
        }
        self.state = SessionState::Waiting;
        Greeted::Behind(self.precedence(head))
    }

    /// The queue for its first payload: a client without state serves its own defaults, but one that lacks a kill serves what was killed.
    pub(super) fn precedence(&self, head: &FrameSet) -> Precedence {
        if self.position.is_some_and(|position| position < head.served.urgent) {
            Precedence::Urgent
        } else {
            Precedence::Ordinary
        }
    }

    /// Admits a waiting client to its first payload.
    pub(super) fn admit(&mut self) {
        if matches!(self.state, SessionState::Waiting) {
            self.state = SessionState::Live;
        }
    }

    /// Handles a frame of the client.
    pub(super) fn hear(&mut self, frame: ClientFrame, head: &FrameSet) -> Reaction {
        match (frame, &self.state) {
            (ClientFrame::Hello(hello), SessionState::Greeting) => {
                let greeted = self.greet(&hello, head);
                Reaction::Greeted(hello, greeted)
            }
            (ClientFrame::Hello(_), _) => Reaction::Refused("hello comes once, as the first frame"),
            (ClientFrame::Goodbye(_), _) => Reaction::Left,
            (ClientFrame::Ack(_) | ClientFrame::Resync(_) | ClientFrame::Heartbeat(_), SessionState::Greeting) => {
                Reaction::Refused("the first frame must be hello")
            }
            (ClientFrame::Ack(ack), _) => self.acknowledged(ack, head),
            (ClientFrame::Resync(_), _) => {
                self.position = None;
                Reaction::Noted
            }
            (ClientFrame::Heartbeat(_), _) => Reaction::Noted,
        }
    }

    /// An acknowledgement with a different hash confirms nothing: the client gets a snapshot, once per position.
    fn acknowledged(&mut self, ack: Ack, head: &FrameSet) -> Reaction {
        let at = Position {
            epoch: ack.epoch,
            revision: ack.revision,
        };
        if !diverged(at, Some(&ack.hash), head) {
            return Reaction::Confirmed(ack);
        }
        if self.healed != Some(at) {
            self.healed = Some(at);
            self.position = None;
        }
        Reaction::Noted
    }

    /// Queues a heartbeat; it replaces one that could not be written. Waiting clients get none: it would renew the leases of a client that
    /// may have missed a kill.
    pub(super) fn beat(&mut self, heartbeat: Frame) {
        if matches!(self.state, SessionState::Live) {
            self.heartbeat = Some(heartbeat);
        }
    }

    /// Ends the stream with this goodbye; nothing else is written. Returns whether it was not ending already.
    pub(super) fn end(&mut self, goodbye: Frame) -> bool {
        let open = !matches!(self.state, SessionState::Ending(_) | SessionState::Ended);
        if open {
            self.state = SessionState::Ending(goodbye);
        }
        open
    }

    /// Whether nothing more will be written.
    pub(super) fn has_ended(&self) -> bool {
        matches!(self.state, SessionState::Ended)
    }

    /// Whether the client has yet to say hello.
    pub(super) fn is_greeting(&self) -> bool {
        matches!(self.state, SessionState::Greeting)
    }

    /// Whether the client has a later position than this node.
    pub(super) fn is_ahead(&self, head: &FrameSet) -> bool {
        matches!(self.state, SessionState::Live) && self.position.is_some_and(|position| position > head.position())
    }

    /// Gives a client that is ahead a snapshot: no node knows its position.
    pub(super) fn supersede(&mut self) {
        self.superseded = true;
    }

    /// The position of the reader once it has read everything written.
    pub(super) fn position(&self) -> Option<Position> {
        self.position
    }

    /// Number of frames since the last call that combined several revisions for a slow reader.
    pub(super) fn take_collapses(&mut self) -> u32 {
        std::mem::take(&mut self.collapses)
    }

    /// The next frame to write, if any: new state before heartbeats. The frame counts as written.
    pub(super) fn next(&mut self, head: &FrameSet) -> Option<Frame> {
        match &self.state {
            SessionState::Greeting | SessionState::Ended => None,
            // A provisional kill is laid over whatever revision the client has; it does not wait.
            SessionState::Waiting => {
                self.position?;
                self.overlay_news(head)
            }
            SessionState::Ending(_) => match std::mem::replace(&mut self.state, SessionState::Ended) {
                SessionState::Ending(goodbye) => Some(goodbye),
                SessionState::Greeting | SessionState::Waiting | SessionState::Live | SessionState::Ended => None,
            },
            SessionState::Live => self.news(head).or_else(|| self.heartbeat.take()),
        }
    }

    fn news(&mut self, head: &FrameSet) -> Option<Frame> {
        let to = head.position();
        if std::mem::take(&mut self.superseded)
            && let Some(position) = self.position.filter(|position| *position > to)
        {
            let frame = head.superseding(position)?;
            self.position = Some(to);
            self.overlay = Some(head.overlay_number);
            return Some(frame);
        }
        if self.position.is_none_or(|position| position < to) {
            let Some(frame) = head.frame_from(self.position) else {
                self.state = SessionState::Ended;
                return None;
            };
            let behind = self.position.is_some_and(|position| Some(position.revision) != head.previous());
            self.collapses += u32::from(self.fed && behind);
            self.fed = true;
            self.position = Some(to);
            if frame.kind() == FrameKind::Snapshot {
                self.overlay = Some(head.overlay_number);
            }
            return Some(frame);
        }
        self.overlay_news(head)
    }

    fn overlay_news(&mut self, head: &FrameSet) -> Option<Frame> {
        let stale = match self.overlay {
            Some(number) => number != head.overlay_number,
            None => head.has_overlay(),
        };
        self.overlay = Some(head.overlay_number);
        if stale { head.overlay() } else { None }
    }
}

/// Whether a client at the head's position has different content.
fn diverged(at: Position, hash: Option<&ContentHash>, head: &FrameSet) -> bool {
    at == head.position() && hash.is_some_and(|hash| *hash != head.served.hash)
}

#[cfg(test)]
mod tests;
