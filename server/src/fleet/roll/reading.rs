//! What a roll tells when it is asked.

use std::sync::Arc;
use std::time::Instant;

use ripcord_proto::confirmation::MissingInstance;
use ripcord_proto::{Position, Revision};

use super::{Member, Roll, State};
use crate::fleet::Target;
use crate::fleet::connections::{Connected, Rung};
use crate::fleet::report::{Count, Report};
use crate::fleet::tally::Times;

impl Roll {
    /// Everybody on the roll.
    pub(in crate::fleet) fn connections(&self) -> Vec<Connected> {
        let shown = |member: &Member| Connected {
            instance: (*member.instance).clone(),
            transport: member.transport,
            level: member.rung,
            confirmed: member.confirmed,
            since: member.since,
            lost: matches!(member.state, State::Lost(..)),
        };
        self.members.iter().flatten().map(shown).collect()
    }

    /// What is known of a revision or a kill; `None` where it was never published here.
    pub(in crate::fleet) fn report(&self, target: &Target, now: Instant) -> Option<Report> {
        match target {
            Target::Revision(position) => self.report_of(*position, now),
            Target::Kill(id) => {
                let tally = self.kills.get(id)?;
                let mut report = Report::new(&self.node, self.position(), [&tally.times, &Times::default(), &Times::default()]);
                let count = report.count_mut(Rung::Applied);
                count.connected += tally.departed;
                count.confirmed += tally.departed;
                count.gone = tally.gone;
                let (at, merged) = (tally.at, tally.merged);
                self.count(&mut report, |member| {
                    let back = member.returning && member.joined.saturating_duration_since(at) <= self.grace;
                    (member.rung == Rung::Applied && (member.joined <= at || back))
                        .then(|| tally.confirmed.contains(&member.instance.id) || merged.is_some_and(|merged| self.has_confirmed(member, merged)))
                });
                Some(report)
            }
        }
    }

    fn position(&self) -> Position {
        Position::new(self.epoch.0, self.head())
    }

    pub(super) fn report_of(&self, position: Position, _now: Instant) -> Option<Report> {
        let revision = position.revision.0;
        if position.epoch != self.epoch || revision < self.first {
            let kept = self.figures.iter().rev().find(|(at, _)| *at == position);
            return kept.map(|(_, report)| report.clone());
        }
        if revision > self.head() {
            return None;
        }
        let place = usize::try_from(revision - self.first).ok()?;
        let tally = self.tallies.get(place)?;
        let times = Rung::ALL.map(|rung| self.times_of(revision, rung, tally.at, tally.times.of(rung).clone()));
        let mut report = Report::new(&self.node, self.position(), times.each_ref());
        for rung in Rung::ALL {
            let departed = || self.tallies.iter().take(place + 1).map(|tally| tally.departed.of(rung));
            let confirmed = u64::try_from(departed().map(|departed| departed.confirmed).sum::<i64>()).unwrap_or(0);
            let count = report.count_mut(rung);
            count.connected += confirmed;
            count.confirmed += confirmed;
            count.gone = u64::try_from(departed().map(|departed| departed.gone).sum::<i64>()).unwrap_or(0);
        }
        self.count(&mut report, |member| {
            let last = match member.state {
                State::Lost(_, last) => last,
                State::Connected | State::Polling(_) => u64::MAX,
            };
            (member.counts_from <= revision && revision <= last).then(|| self.has_confirmed(member, revision))
        });
        Some(report)
    }

    fn has_confirmed(&self, member: &Member, revision: u64) -> bool {
        member
            .confirmed
            .is_some_and(|confirmed| confirmed.epoch == self.epoch && confirmed.revision.0 >= revision)
    }

    fn times_of(&self, revision: u64, rung: Rung, at: Instant, mut times: Times) -> Times {
        let passed = |passage: &&super::Passage| passage.rung == rung && passage.after < revision && revision <= passage.to;
        for passage in self.passages.iter().filter(passed) {
            times.add(passage.at.saturating_duration_since(at), &passage.who);
        }
        times
    }

    /// Counts every member for which `confirmed` has an answer.
    fn count(&self, report: &mut Report, confirmed: impl Fn(&Member) -> Option<bool>) {
        for member in self.members.iter().flatten() {
            let Some(confirmed) = confirmed(member) else {
                continue;
            };
            let count = report.count_mut(member.rung);
            count.connected += 1;
            if confirmed {
                count.confirmed += 1;
            } else if count.missing.len() < Count::NAMED {
                count.missing.push(MissingInstance {
                    instance: (*Arc::clone(&member.instance)).clone(),
                    revision: member
                        .confirmed
                        .filter(|confirmed| confirmed.epoch == self.epoch)
                        .map(|confirmed| Revision(confirmed.revision.0)),
                    lost: matches!(member.state, State::Lost(..)),
                });
            }
        }
    }
}
