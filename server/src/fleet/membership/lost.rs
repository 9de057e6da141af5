//! Lost applications: those whose connection ended without a goodbye. They may still serve what they last had.

use std::sync::Arc;
use std::time::Instant;

use jiff::SignedDuration;
use ripcord_proto::confirmation::LostApplication;
use ripcord_proto::{Revision, limits};

use super::{FleetMember, MemberId, MemberState, Members};
use crate::clock::{Clock as _, SystemClock};
use crate::fleet::connections::{ConfirmationLevel, NewMember};
use crate::fleet::counters::Departure;
use crate::fleet::report::{Arrival, ConfirmationReport, Count, LostMember};

/// A lost application whose place is taken by a new process.
#[derive(Debug, Clone, Copy)]
pub(super) struct Predecessor {
    /// The first revision that it counted for and did not confirm.
    pub(super) unconfirmed_from: Option<u64>,
    pub(super) stood_since: Instant,
}

/// Most arrivals that a report names.
const ARRIVALS: usize = 500;

impl Members {
    /// A member's connection is lost.
    pub(in crate::fleet) fn lost(&mut self, id: MemberId, now: Instant) {
        let head = self.head();
        if let Some(member) = self
            .slots
            .get_mut(id.slot)
            .and_then(Option::as_mut)
            .filter(|member| member.generation == id.generation)
        {
            member.state = MemberState::Lost(now, head);
            if member.level == ConfirmationLevel::Applied {
                self.lost.insert(id.slot);
                self.bound_lost();
            }
        }
    }

    /// Keeps the number of lost applications within its limit: the one that was lost first counts as gone.
    fn bound_lost(&mut self) {
        if self.lost.len() <= limits::LOST_APPLICATIONS {
            return;
        }
        let since = |slot: &usize| match self.slots.get(*slot)?.as_ref()?.state {
            MemberState::Lost(since, _) => Some(since),
            MemberState::Connected | MemberState::Polling(_) => None,
        };
        if let Some(first) = self.lost.iter().copied().min_by_key(since) {
            self.go(first);
        }
    }

    /// A lost member is counted as gone.
    pub(super) fn go(&mut self, slot: usize) {
        let Some(member) = self.slots.get(slot).and_then(Option::as_ref) else {
            return;
        };
        let Some(last) = self.counts_until(member) else {
            return;
        };
        let (level, from, confirmed, identity) = (member.level, member.counts_from, member.confirmed, Arc::clone(&member.identity));
        self.kills.gone(&identity);
        self.depart(level, from, last, confirmed, Departure::Counted);
        self.forget(slot);
    }

    /// A member said goodbye.
    pub(in crate::fleet) fn left(&mut self, id: MemberId) {
        let Some(member) = self.member(id) else {
            return;
        };
        let (level, from, confirmed, identity) = (member.level, member.counts_from, member.confirmed, Arc::clone(&member.identity));
        self.kills.left(&identity);
        self.depart(level, from, self.head(), confirmed, Departure::Forgotten);
        self.forget(id.slot);
    }

    /// The last revision that a lost member counts for; `None` if it is connected. An application counts for what is committed
    /// shortly after it was lost, too.
    pub(super) fn counts_until(&self, member: &FleetMember) -> Option<u64> {
        let MemberState::Lost(since, last) = member.state else { return None };
        if member.level != ConfirmationLevel::Applied {
            return Some(last);
        }
        let soon = self
            .counts_by_revision
            .partition_point(|tally| tally.at.saturating_duration_since(since) < self.missing);
        Some(last.max((self.first + soon as u64).saturating_sub(1)))
    }

    /// Whether a member counts for what happened at this moment, as far as its connection decides it.
    pub(super) fn is_there_at(&self, member: &FleetMember, at: Instant) -> bool {
        match member.state {
            MemberState::Connected | MemberState::Polling(_) => true,
            MemberState::Lost(since, _) => at.saturating_duration_since(since) < self.missing,
        }
    }

    /// Removes one lost application of the same key and name: a new process takes its place.
    pub(super) fn replace_lost(&mut self, new: &NewMember, level: ConfirmationLevel, recent: u64) -> Option<Predecessor> {
        if level != ConfirmationLevel::Applied {
            return None;
        }
        let same = |member: &FleetMember| member.instance.name == new.name && member.identity.key == new.key;
        let slot = *self
            .lost
            .iter()
            .find(|slot| self.slots.get(**slot).and_then(Option::as_ref).is_some_and(same))?;
        let member = self.slots.get(slot)?.as_ref()?;
        let last = self.counts_until(member)?;
        let (from, confirmed, stood_since, identity) = (member.counts_from, member.confirmed, member.stands_since, Arc::clone(&member.identity));
        let confirmed_to = confirmed
            .filter(|confirmed| confirmed.epoch == self.epoch)
            .map(|confirmed| confirmed.revision.0 + 1);
        let unconfirmed_from = from.max(confirmed_to.unwrap_or(0));
        self.kills.left(&identity);
        self.depart(level, from, last, confirmed, Departure::Forgotten);
        self.forget(slot);
        Some(Predecessor {
            unconfirmed_from: (unconfirmed_from <= last && recent <= last + 1).then_some(unconfirmed_from),
            stood_since,
        })
    }

    /// Names the lost applications that have not confirmed. `counts` says whether one counts as connected.
    pub(super) fn name_lost(
        &self,
        report: &mut ConfirmationReport,
        lease: Option<u32>,
        now: Instant,
        (counts, has_confirmed): (impl Fn(&FleetMember) -> bool, impl Fn(&FleetMember) -> bool),
    ) {
        let clock = SystemClock.now();
        for member in self.lost.iter().filter_map(|slot| self.slots.get(*slot)?.as_ref()) {
            let MemberState::Lost(since, _) = member.state else { continue };
            if has_confirmed(member) {
                continue;
            }
            report.lost_total += 1;
            if report.lost.len() < Count::NAMED {
                let ago = SignedDuration::try_from(now.saturating_duration_since(since)).unwrap_or_default();
                report.lost.push(LostMember {
                    key: member.identity.key.clone(),
                    application: LostApplication {
                        instance: (*member.instance).clone(),
                        at: clock.saturating_sub(ago).unwrap_or(clock),
                        revision: member.confirmed.filter(|at| at.epoch == self.epoch).map(|at| Revision(at.revision.0)),
                        missing: counts(member),
                        lease_seconds: lease,
                    },
                });
            }
        }
    }

    /// The newest applications that connected to this node recently: they may be lost on another node.
    pub(in crate::fleet) fn arrivals(&self, now: Instant) -> Vec<Arrival> {
        let is_recent = |member: &&FleetMember| {
            member.level == ConfirmationLevel::Applied
                && matches!(member.state, MemberState::Connected)
                && now.saturating_duration_since(member.joined) < self.lost_kept
        };
        let mut recent: Vec<&FleetMember> = self.slots.iter().flatten().filter(is_recent).collect();
        let skipped = recent.len().saturating_sub(ARRIVALS);
        if skipped > 0 {
            recent.select_nth_unstable_by_key(skipped, |member| member.joined);
        }
        let arrival = |member: &&FleetMember| Arrival {
            id: member.instance.id.clone(),
            key: member.identity.key.clone(),
            name: member.instance.name.clone(),
        };
        recent.iter().skip(skipped).map(arrival).collect()
    }
}
