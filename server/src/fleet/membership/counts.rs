//! Reads the counts: who is connected, and the report of a revision or a kill.

use std::sync::Arc;
use std::time::{Duration, Instant};

use ripcord_proto::confirmation::MissingInstance;
use ripcord_proto::{Position, Revision};

use super::{FleetMember, MemberState, Members};
use crate::fleet::connections::{ConfirmationLevel, Connected};
use crate::fleet::counters::ConfirmationTimes;
use crate::fleet::report::{ConfirmationReport, Count};
use crate::fleet::target::ConfirmationTarget;

impl Members {
    /// All members.
    pub(in crate::fleet) fn connections(&self) -> Vec<Connected> {
        let shown = |member: &FleetMember| Connected {
            instance: (*member.instance).clone(),
            transport: member.transport,
            level: member.level,
            confirmed: member.confirmed,
            since: member.since,
            lost: matches!(member.state, MemberState::Lost(..)),
        };
        self.slots.iter().flatten().map(shown).collect()
    }

    /// The report of a revision or a kill; `None` if it was never published here.
    pub(in crate::fleet) fn report(&self, target: &ConfirmationTarget, now: Instant) -> Option<ConfirmationReport> {
        match target {
            ConfirmationTarget::Revision(position) => self.report_of(*position, now),
            ConfirmationTarget::Kill(id) => {
                let tally = self.kills.get(id)?;
                let mut report = ConfirmationReport::new(
                    &self.node,
                    self.position(),
                    [&tally.times, &ConfirmationTimes::default(), &ConfirmationTimes::default()],
                );
                let count = report.count_mut(ConfirmationLevel::Applied);
                count.connected += tally.departed;
                count.confirmed += tally.departed;
                count.gone = tally.gone;
                let (at, merged) = (tally.at, tally.merged);
                let counts = |member: &FleetMember| {
                    let back = member.returning && member.joined.saturating_duration_since(at) <= self.grace;
                    member.level == ConfirmationLevel::Applied && (member.stands_since <= at || back) && self.is_there_at(member, at)
                };
                let has_confirmed =
                    |member: &FleetMember| tally.confirmed.contains(&member.identity) || merged.is_some_and(|merged| self.has_confirmed(member, merged));
                self.count(&mut report, |member| counts(member).then(|| has_confirmed(member)));
                self.name_lost(&mut report, tally.lease, now, (counts, has_confirmed));
                Some(report)
            }
        }
    }

    fn position(&self) -> Position {
        Position::new(self.epoch.0, self.head())
    }

    pub(super) fn report_of(&self, position: Position, now: Instant) -> Option<ConfirmationReport> {
        let revision = position.revision.0;
        if position.epoch != self.epoch || revision < self.first {
            let kept = self.figures.iter().rev().find(|(at, _)| *at == position);
            return kept.map(|(_, report)| report.clone());
        }
        if revision > self.head() {
            return None;
        }
        let slot = usize::try_from(revision - self.first).ok()?;
        let tally = self.counts_by_revision.get(slot)?;
        let times = ConfirmationLevel::ALL.map(|level| self.times_of(revision, level, tally.at, tally.times.of(level).clone()));
        let mut report = ConfirmationReport::new(&self.node, self.position(), times.each_ref());
        for level in ConfirmationLevel::ALL {
            let departed = || self.counts_by_revision.iter().take(slot + 1).map(|tally| tally.departed.of(level));
            let confirmed = u64::try_from(departed().map(|departed| departed.confirmed).sum::<i64>()).unwrap_or(0);
            let count = report.count_mut(level);
            count.connected += confirmed;
            count.confirmed += confirmed;
            count.gone = u64::try_from(departed().map(|departed| departed.gone).sum::<i64>()).unwrap_or(0);
        }
        let counts = |member: &FleetMember| member.counts_from <= revision && self.counts_until(member).is_none_or(|last| revision <= last);
        let has_confirmed = |member: &FleetMember| self.has_confirmed(member, revision);
        self.count(&mut report, |member| counts(member).then(|| has_confirmed(member)));
        self.name_lost(&mut report, tally.lease, now, (counts, has_confirmed));
        Some(report)
    }

    /// How long ago the last application confirmed a revision; `None` if one is missing, or if names are not kept any more.
    pub(in crate::fleet) fn confirmed_ago(&self, position: Position, now: Instant) -> Option<Duration> {
        let report = self.report_of(position, now)?;
        let slot = usize::try_from(position.revision.0.checked_sub(self.first)?).ok()?;
        let tally = self.counts_by_revision.get(slot).filter(|_| report.is_settled())?;
        let level = ConfirmationLevel::Applied;
        let times = self.times_of(position.revision.0, level, tally.at, tally.times.of(level).clone());
        let took = times.slowest().map_or(Duration::ZERO, |(took, _)| *took);
        Some(now.saturating_duration_since(tally.at).saturating_sub(took))
    }

    fn has_confirmed(&self, member: &FleetMember, revision: u64) -> bool {
        member
            .confirmed
            .is_some_and(|confirmed| confirmed.epoch == self.epoch && confirmed.revision.0 >= revision)
    }

    fn times_of(&self, revision: u64, level: ConfirmationLevel, at: Instant, mut times: ConfirmationTimes) -> ConfirmationTimes {
        let passed = |catch_up: &&super::CatchUp| catch_up.level == level && catch_up.after < revision && revision <= catch_up.to;
        for catch_up in self.catch_ups.iter().filter(passed) {
            times.add(catch_up.at.saturating_duration_since(at), &catch_up.who);
        }
        times
    }

    /// Counts every member for which `confirmed` returns something.
    fn count(&self, report: &mut ConfirmationReport, confirmed: impl Fn(&FleetMember) -> Option<bool>) {
        for member in self.slots.iter().flatten() {
            let Some(confirmed) = confirmed(member) else {
                continue;
            };
            let count = report.count_mut(member.level);
            count.connected += 1;
            let is_awaited = !confirmed && member.level != ConfirmationLevel::Applied && matches!(member.state, MemberState::Connected);
            if confirmed {
                count.confirmed += 1;
            } else if count.missing.len() < Count::NAMED {
                count.missing.push(MissingInstance {
                    instance: (*Arc::clone(&member.instance)).clone(),
                    revision: member
                        .confirmed
                        .filter(|confirmed| confirmed.epoch == self.epoch)
                        .map(|confirmed| Revision(confirmed.revision.0)),
                    lost: matches!(member.state, MemberState::Lost(..)),
                });
            }
            report.awaited += u64::from(is_awaited);
        }
    }
}
