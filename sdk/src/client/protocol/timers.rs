//! What becomes due: the next try, silence, a sign of life, an acknowledgement held back, a lease, the comparison beside the
//! stream.

use std::time::{Duration, Instant};

use ripcord_proto::delta::Urgency;
use ripcord_proto::frame::{ClientFrame, Heartbeat};
use ripcord_proto::{Epoch, Revision};

use super::{Effect, Link, Protocol, Trouble};
use crate::client::moment::Moment;

/// Ordinary revisions that follow one another closer than this are acknowledged together.
const BURST: Duration = Duration::from_millis(100);

/// When acknowledgements were and will be sent. They are cumulative, so one covers all before it.
#[derive(Debug, Default)]
pub(crate) struct Acks {
    last: Option<Instant>,
    due: Option<Instant>,
}

impl Acks {
    /// One was sent: nothing is left to say.
    pub(super) fn sent(&mut self, now: Moment) {
        *self = Self {
            last: Some(now.instant),
            due: None,
        };
    }
}

impl Protocol {
    /// A new state is in force. It is acknowledged at once; only where ordinary ones come in a burst one waits a little, by
    /// chance, so that not all clients answer in the same millisecond.
    pub(super) fn acknowledge_soon(&mut self, urgency: Urgency, now: Moment) {
        let in_burst = self.acks.last.is_some_and(|last| now.since(last) < BURST);
        match urgency {
            Urgency::Ordinary if in_burst => {
                let wait = self.backoff.up_to(BURST);
                self.acks.due.get_or_insert(now.instant + wait);
            }
            Urgency::Ordinary | Urgency::Urgent => self.acknowledge(now),
        }
    }

    /// When [`Self::due`] must be called at the latest.
    pub(crate) fn deadline(&self, now: Moment) -> Option<Instant> {
        let link = match self.link {
            Link::Down { retry } => Some(retry),
            Link::Up { heard, beat } => Some(beat.min(heard + self.rules.silence)),
            Link::Opening => None,
            Link::Closed => return None,
        };
        let others = [self.healing.deadline(), self.acks.due, self.leases.deadline(now), self.reconcile];
        others.into_iter().chain([link]).flatten().min()
    }

    /// Does what has become due.
    pub(crate) fn due(&mut self, now: Moment) {
        match self.link {
            Link::Down { retry } if retry <= now.instant => {
                self.link = Link::Opening;
                self.effects.push(Effect::Connect(Box::new(self.hello())));
            }
            Link::Up { heard, .. } if now.since(heard) >= self.rules.silence => {
                self.effects.push(Effect::Disconnect);
                let wait = self.backoff.failed();
                self.fall_back(Trouble::Silent(self.rules.silence), wait, now);
            }
            Link::Up { heard, beat } if beat <= now.instant => {
                self.link = Link::Up {
                    heard,
                    beat: now.instant + self.rules.heartbeat,
                };
                self.sign_of_life(now);
            }
            Link::Down { .. } | Link::Opening | Link::Up { .. } => {}
            Link::Closed => return,
        }
        self.heal(now);
        if self.acks.due.is_some_and(|due| due <= now.instant) {
            self.acknowledge(now);
        }
        self.tell_unheard(now);
        if let (Some(at), Some(period)) = (self.reconcile, self.rules.reconcile)
            && at <= now.instant
        {
            self.reconcile = Some(now.instant + self.backoff.around(period));
            self.effects.push(Effect::Fetch(self.tag()));
        }
    }

    fn sign_of_life(&mut self, now: Moment) {
        let position = self.position();
        self.send(ClientFrame::Heartbeat(Heartbeat {
            epoch: position.map_or(Epoch(0), |position| position.epoch),
            revision: position.map_or(Revision(0), |position| position.revision),
            time: now.wall,
            fresh: false,
        }));
    }
}
