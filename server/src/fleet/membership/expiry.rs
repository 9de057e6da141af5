//! Expiry: members lost for too long, and revisions too old to be kept by name.

use std::time::Instant;

use ripcord_proto::Position;

use super::{MemberState, Members};
use crate::fleet::connections::ConfirmationLevel;
use crate::fleet::counters::{DepartedCounts, Departure};

impl Members {
    /// A member that counted for `from..=last` leaves; what it confirmed stays counted.
    pub(super) fn depart(&mut self, level: ConfirmationLevel, from: u64, last: u64, confirmed: Option<Position>, gone: Departure) {
        let from = from.max(self.first);
        let confirmed = confirmed
            .filter(|confirmed| confirmed.epoch == self.epoch)
            .map(|confirmed| confirmed.revision.0.min(last));
        let open = confirmed.map_or(from, |confirmed| from.max(confirmed + 1));
        self.add_between(level, from, open, |departed, change| departed.confirmed += change);
        if gone == Departure::Counted {
            self.add_between(level, open, last + 1, |departed, change| departed.gone += change);
        }
    }

    /// Adds one to the revisions `from..to`, as a difference at each end.
    fn add_between(&mut self, level: ConfirmationLevel, from: u64, to: u64, add: impl Fn(&mut DepartedCounts, i64)) {
        if from < to {
            for (at, change) in [(from, 1), (to, -1)] {
                match self.counts_mut(at) {
                    Some(tally) => add(tally.departed.of_mut(level), change),
                    None => add(self.departed.of_mut(level), change),
                }
            }
        }
    }

    /// Marks members lost for too long as gone and reduces old revisions to figures.
    pub(in crate::fleet) fn expire(&mut self, now: Instant) {
        let head = self.head();
        for slot in 0..self.slots.len() {
            let Some(Some(member)) = self.slots.get_mut(slot) else {
                continue;
            };
            let kept = match member.level {
                ConfirmationLevel::Applied => self.lost_kept,
                ConfirmationLevel::Fetched | ConfirmationLevel::Sent => self.gone,
            };
            match member.state {
                MemberState::Polling(last) if now.saturating_duration_since(last) > self.gone => member.state = MemberState::Lost(last, head),
                MemberState::Lost(since, _) if now.saturating_duration_since(since) > kept => self.go(slot),
                MemberState::Connected | MemberState::Polling(_) | MemberState::Lost(..) => {}
            }
        }
        while self.counts_by_revision.len() > self.revisions {
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
        let Some(oldest) = self.counts_by_revision.pop_front() else {
            return;
        };
        self.first += 1;
        let first = self.first;
        // The differences of the revisions that follow are taken against the one that goes.
        if let Some(next) = self.counts_by_revision.front_mut() {
            for level in ConfirmationLevel::ALL {
                let (into, from) = (next.departed.of_mut(level), oldest.departed.of(level));
                into.confirmed += from.confirmed;
                into.gone += from.gone;
            }
        }
        while self.catch_ups.front().is_some_and(|catch_up| catch_up.to < first) {
            self.catch_ups.pop_front();
        }
    }
}
