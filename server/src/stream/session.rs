//! One reader's stream, without its socket: what was written to it, and so what is next.
//!
//! There is no queue. A session knows the position that was last handed to its connection; asked for the next frame, it
//! answers with the one that leads from there to the newest head, whatever happened in between. A slow reader thereby
//! collapses to one delta or snapshot, the newest is never dropped, and an urgent revision has nothing old before it.
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

/// Where a session stands.
#[derive(Debug)]
enum SessionState {
    /// The client has not said hello.
    Greeting,
    /// It waits for its first payload.
    Waiting,
    /// It gets whatever is new.
    Live,
    /// It is about to be told goodbye.
    Ending(Frame),
    /// Nothing more is written.
    Ended,
}

/// One reader's stream.
#[derive(Debug)]
pub(super) struct Session {
    state: SessionState,
    /// Where the reader is once it has read what was handed to its connection.
    position: Option<Position>,
    /// The number of the overlay that it was handed.
    overlay: Option<u64>,
    /// A heartbeat is due.
    heartbeat: Option<Frame>,
    /// The position at which its hash was found to differ; it is healed there once, not again and again.
    healed: Option<Position>,
    /// Whether it was handed a payload before.
    fed: bool,
    collapses: u32,
}

/// What a hello calls for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Greeted {
    /// The client has everything.
    UpToDate,
    /// It must be let in to get its first payload.
    Behind(Precedence),
}

/// What a client's frame calls for.
#[derive(Debug, PartialEq)]
pub(super) enum Reaction {
    /// The client introduced itself.
    Greeted(Hello, Greeted),
    /// It confirms what it has.
    Confirmed(Ack),
    /// Nothing but what the session now has to write.
    Noted,
    /// It ends.
    Left,
    /// It must be cut off, for this reason.
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
            fed: false,
            collapses: 0,
        }
    }

    /// Takes the client's hello in.
    pub(super) fn greet(&mut self, hello: &Hello, head: &FrameSet) -> Greeted {
        self.position = hello.position().filter(|position| !diverged(*position, hello.hash.as_ref(), head));
        if self.position.is_some_and(|position| position >= head.position()) {
            self.state = SessionState::Live;
            return Greeted::UpToDate;
        }
        self.state = SessionState::Waiting;
        Greeted::Behind(self.precedence(head))
    }

    /// How soon it must be let in: a client that has nothing yet serves its own defaults, one that a kill has passed by serves
    /// what was killed.
    pub(super) fn precedence(&self, head: &FrameSet) -> Precedence {
        if self.position.is_some_and(|position| position < head.served.urgent) {
            Precedence::Urgent
        } else {
            Precedence::Ordinary
        }
    }

    /// Lets a waiting client have its first payload.
    pub(super) fn admit(&mut self) {
        if matches!(self.state, SessionState::Waiting) {
            self.state = SessionState::Live;
        }
    }

    /// Takes a frame of the client in.
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

    /// An acknowledgement whose hash is not the server's confirms nothing: the client gets a snapshot, once for a position.
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

    /// A heartbeat is due. One that could not be written before is replaced. Who waits gets none: it would renew the leases of
    /// a client that may not have heard of a kill.
    pub(super) fn beat(&mut self, heartbeat: Frame) {
        if matches!(self.state, SessionState::Live) {
            self.heartbeat = Some(heartbeat);
        }
    }

    /// The stream ends with this goodbye; what is not written yet never will be. Says whether it was not ending already.
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

    /// Where the reader is once it has read everything that was handed out.
    pub(super) fn position(&self) -> Option<Position> {
        self.position
    }

    /// How often since the last call a frame spanned revisions that the reader was too slow to get one by one.
    pub(super) fn take_collapses(&mut self) -> u32 {
        std::mem::take(&mut self.collapses)
    }

    /// The next frame to write, if there is one: what is new before signs of life. The frame counts as handed out.
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

/// Whether a client that is at the head's position has other contents there.
fn diverged(at: Position, hash: Option<&ContentHash>, head: &FrameSet) -> bool {
    at == head.position() && hash.is_some_and(|hash| *hash != head.served.hash)
}

#[cfg(test)]
mod tests;
