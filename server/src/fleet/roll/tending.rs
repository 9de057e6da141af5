//! Who and what leaves a roll: members that are gone, revisions that are old.

use std::sync::Arc;
use std::time::Instant;

use ripcord_proto::Position;

use super::{Gone, Roll, State};
use crate::fleet::connections::Rung;
use crate::fleet::tally::Departed;

impl Roll {
    /// A member that counted for `from..=last` leaves the roll: what it confirmed stays counted.
    pub(super) fn depart(&mut self, rung: Rung, from: u64, last: u64, confirmed: Option<Position>, gone: Gone) {
        let from = from.max(self.first);
        let confirmed = confirmed
            .filter(|confirmed| confirmed.epoch == self.epoch)
            .map(|confirmed| confirmed.revision.0.min(last));
        let open = confirmed.map_or(from, |confirmed| from.max(confirmed + 1));
        self.add_between(rung, from, open, |departed, change| departed.confirmed += change);
        if gone == Gone::Counted {
            self.add_between(rung, open, last + 1, |departed, change| departed.gone += change);
        }
    }

    /// Adds one to the revisions `from..to`, as a difference at each end.
    fn add_between(&mut self, rung: Rung, from: u64, to: u64, add: impl Fn(&mut Departed, i64)) {
        if from < to {
            for (at, change) in [(from, 1), (to, -1)] {
                match self.tally_mut(at) {
                    Some(tally) => add(tally.departed.of_mut(rung), change),
                    None => add(self.departed.of_mut(rung), change),
                }
            }
        }
    }

    /// Marks the long lost as gone and lets old revisions go to figures.
    pub(in crate::fleet) fn tend(&mut self, now: Instant) {
        let head = self.head();
        for place in 0..self.members.len() {
            let Some(Some(member)) = self.members.get_mut(place) else {
                continue;
            };
            match member.state {
                State::Polling(last) if now.saturating_duration_since(last) > self.gone => member.state = State::Lost(last, head),
                State::Lost(since, last) if now.saturating_duration_since(since) > self.gone => {
                    let (rung, from, confirmed, instance) = (member.rung, member.counts_from, member.confirmed, Arc::clone(&member.instance));
                    self.kills.gone(&instance);
                    self.depart(rung, from, last, confirmed, Gone::Counted);
                    self.forget(place);
                }
                State::Connected | State::Polling(_) | State::Lost(..) => {}
            }
        }
        while self.tallies.len() > self.revisions {
            self.retire_oldest(now);
        }
    }

    fn retire_oldest(&mut self, now: Instant) {
        let position = Position::new(self.epoch.0, self.first);
        if let Some(report) = self.report_of(position, now) {
            if self.figures.len() >= self.figures_kept {
                self.figures.pop_front();
            }
            self.figures.push_back((position, report.without_names()));
        }
        let Some(oldest) = self.tallies.pop_front() else {
            return;
        };
        self.first += 1;
        let first = self.first;
        // The differences of the revisions that follow are taken against the one that goes.
        if let Some(next) = self.tallies.front_mut() {
            for rung in Rung::ALL {
                let (into, from) = (next.departed.of_mut(rung), oldest.departed.of(rung));
                into.confirmed += from.confirmed;
                into.gone += from.gone;
            }
        }
        while self.passages.front().is_some_and(|passage| passage.to < first) {
            self.passages.pop_front();
        }
    }
}
