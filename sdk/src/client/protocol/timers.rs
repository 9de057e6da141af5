//! What happens with time: the next attempt to connect, silence, heartbeats, delayed acknowledgements, leases, and the comparison beside
//! the stream.

use std::time::{Duration, Instant};

use ripcord_proto::delta::Urgency;
use ripcord_proto::frame::{ClientFrame, Heartbeat};
use ripcord_proto::{Epoch, Revision};

use super::effect::Effect;
use super::machine::{Link, Protocol};
use crate::client::status::ConnectionError;
use crate::client::time_point::TimePoint;

/// Ordinary revisions that follow one another within this time are acknowledged together.
const BURST: Duration = Duration::from_millis(100);

impl Protocol {
    /// Acknowledges a new state at once. In a burst of ordinary states it waits for a short random time, so that not all clients
    /// answer in the same millisecond.
    pub(super) fn acknowledge_soon(&mut self, urgency: Urgency, now: TimePoint) {
        let in_burst = self.acks.last.is_some_and(|last| now.since(last) < BURST);
        match urgency {
            Urgency::Ordinary if in_burst => {
                let wait = self.backoff.up_to(BURST);
                self.acks.due.get_or_insert(now.instant + wait);
            }
            Urgency::Ordinary | Urgency::Urgent => self.acknowledge(now),
        }
    }

    /// When [`Self::due`] must be called next.
    pub(crate) fn deadline(&self, now: TimePoint) -> Option<Instant> {
        let link = match self.link {
            Link::Down { retry } => Some(retry),
            Link::Up { heard, beat } => Some(beat.min(heard + self.config.silence_timeout)),
            Link::Opening => None,
            Link::Closed => return None,
        };
        let others = [self.resync_state.deadline(), self.acks.due, self.leases.deadline(now), self.reconcile];
        others.into_iter().chain([link]).flatten().min()
    }

    /// Does what is due.
    pub(crate) fn due(&mut self, now: TimePoint) {
        match self.link {
            Link::Down { retry } if retry <= now.instant => {
                self.link = Link::Opening;
                self.effects.push(Effect::Connect(Box::new(self.hello())));
            }
            Link::Up { heard, .. } if now.since(heard) >= self.config.silence_timeout => {
                self.effects.push(Effect::Disconnect);
                let wait = self.backoff.failed();
                self.fall_back(ConnectionError::Silent(self.config.silence_timeout), wait, now);
            }
            Link::Up { heard, beat } if beat <= now.instant => {
                self.link = Link::Up {
                    heard,
                    beat: now.instant + self.config.heartbeat,
                };
                self.send_heartbeat(now);
            }
            Link::Down { .. } | Link::Opening | Link::Up { .. } => {}
            Link::Closed => return,
        }
        self.resync_if_due(now);
        if self.acks.due.is_some_and(|due| due <= now.instant) {
            self.acknowledge(now);
        }
        self.tell_since_contact(now);
        if let (Some(at), Some(period)) = (self.reconcile, self.config.reconcile)
            && at <= now.instant
        {
            self.reconcile = Some(now.instant + self.backoff.around(period));
            self.effects.push(Effect::Fetch(self.tag()));
        }
    }

    fn send_heartbeat(&mut self, now: TimePoint) {
        let position = self.position();
        self.send(ClientFrame::Heartbeat(Heartbeat {
            epoch: position.map_or(Epoch(0), |position| position.epoch),
            revision: position.map_or(Revision(0), |position| position.revision),
            time: now.wall,
            fresh: false,
        }));
    }
}
