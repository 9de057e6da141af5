//! The members of one environment: the connected applications and what each has confirmed.
//!
//! A confirmation moves one member forward and touches one tally, however many revisions it skipped. Who has confirmed
//! revision n is computed on demand: a member counts for n if it was connected at its commit or reconnected in time, and has
//! confirmed it if its last acknowledgement is n or later.

mod counts;
mod expiry;
mod kills;
mod lease;
mod lost;

use std::collections::{BTreeSet, HashMap, VecDeque};
use std::sync::Arc;
use std::time::{Duration, Instant};

use ripcord_proto::confirmation::Instance;
use ripcord_proto::{EnvironmentKey, Epoch, KillId, Position, limits};

use self::kills::KillCountsById;
use super::connections::{ConfirmationLevel, MemberIdentity, NewMember, Transport};
use super::counters::{CatchUp, DepartedCounts, Departure, PerLevel, RevisionCounts};
use super::report::ConfirmationReport;
use super::settings::FleetSettings;
use crate::clock::{Clock as _, SystemClock};
use crate::snapshot::publication::{Publication, PublishedChange};
use crate::telemetry::names;

/// Identifies a member. An instance that reconnects keeps its slot and gets a new generation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct MemberId {
    slot: usize,
    generation: u64,
}

#[derive(Debug)]
struct FleetMember {
    instance: Arc<Instance>,
    /// Its key, and its id among those of that key.
    identity: Arc<MemberIdentity>,
    transport: Transport,
    level: ConfirmationLevel,
    generation: u64,
    since: jiff::Timestamp,
    joined: Instant,
    /// When the process whose place it takes joined, or else it itself.
    stands_since: Instant,
    /// Whether it already had a state when it connected: then it counts for what was committed shortly before.
    returning: bool,
    state: MemberState,
    /// The first revision that it counts for.
    counts_from: u64,
    confirmed: Option<Position>,
}

impl FleetMember {
    /// Whether it fetches answers and is still connected: it listens for changes, or has polled recently.
    fn is_fetching(&self) -> bool {
        match self.state {
            MemberState::Polling(_) => true,
            MemberState::Connected => self.level == ConfirmationLevel::Fetched,
            MemberState::Lost(..) => false,
        }
    }
}

#[derive(Debug, Clone, Copy)]
enum MemberState {
    Connected,
    /// Since when, and the last revision that it counts for.
    Lost(Instant, u64),
    /// It polls; when it last did.
    Polling(Instant),
}

/// Largest number of catch-ups kept. Older ones lose their times, not their counts.
const CATCH_UPS: usize = 65_536;

#[derive(Debug)]
pub(super) struct Members {
    node: Arc<str>,
    grace: Duration,
    missing: Duration,
    lost_kept: Duration,
    gone: Duration,
    revisions: usize,
    figures_kept: usize,
    epoch: Epoch,
    /// The revision of the first tally; the others follow densely, the last is the newest.
    first: u64,
    counts_by_revision: VecDeque<RevisionCounts>,
    /// The differences that the next tally starts with.
    departed: PerLevel<DepartedCounts>,
    catch_ups: VecDeque<CatchUp>,
    kills: KillCountsById,
    /// Reports of revisions that are no longer kept by name, newest last.
    figures: VecDeque<(Position, ConfirmationReport)>,
    slots: Vec<Option<FleetMember>>,
    free: Vec<usize>,
    by_identity: HashMap<Arc<MemberIdentity>, usize>,
    /// How many members fetch answers.
    fetching: usize,
    /// The slots of lost applications.
    lost: BTreeSet<usize>,
    generations: u64,
    confirmations: [metrics::Counter; 3],
}

impl Members {
    pub(super) fn new(environment: &EnvironmentKey, settings: &FleetSettings) -> Self {
        let counter = |level: &'static str| metrics::counter!(names::CONFIRMATIONS, "env" => environment.as_str().to_owned(), "level" => level);
        Self {
            node: settings.node.as_str().into(),
            grace: settings.grace,
            missing: settings.missing,
            lost_kept: settings.lost,
            gone: settings.gone,
            revisions: settings.revisions,
            figures_kept: settings.figures,
            epoch: Epoch(0),
            first: 0,
            counts_by_revision: VecDeque::new(),
            departed: PerLevel::default(),
            catch_ups: VecDeque::new(),
            kills: KillCountsById::default(),
            figures: VecDeque::new(),
            slots: Vec::new(),
            free: Vec::new(),
            by_identity: HashMap::new(),
            fetching: 0,
            lost: BTreeSet::new(),
            generations: 0,
            confirmations: [counter("applied"), counter("fetched"), counter("sent")],
        }
    }

    /// The newest revision.
    fn head(&self) -> u64 {
        (self.first + self.counts_by_revision.len() as u64).saturating_sub(1)
    }

    fn counts_mut(&mut self, revision: u64) -> Option<&mut RevisionCounts> {
        let slot = usize::try_from(revision.checked_sub(self.first)?).ok()?;
        self.counts_by_revision.get_mut(slot)
    }

    /// A revision, an overlay or a new epoch is served from now on.
    pub(super) fn published(&mut self, publication: &Publication) {
        let position = publication.served.snapshot.position;
        let revision = position.revision.0;
        match &publication.change {
            PublishedChange::Overlay => {}
            PublishedChange::Delta(delta) if self.epoch == position.epoch && !self.counts_by_revision.is_empty() => {
                let lease = lease::lease_of(delta, &publication.served.snapshot);
                while self.head() < revision {
                    let departed = std::mem::take(&mut self.departed);
                    self.counts_by_revision.push_back(RevisionCounts::new(publication.at, lease, departed));
                }
            }
            PublishedChange::Delta(_) | PublishedChange::Replaced => self.start_epoch(position, publication.at),
        }
        self.kills.published(&publication.served, publication.at);
    }

    /// Counting restarts: every connected application has to confirm the epoch's first state.
    fn start_epoch(&mut self, position: Position, at: Instant) {
        self.epoch = position.epoch;
        self.first = position.revision.0;
        self.counts_by_revision = VecDeque::from([RevisionCounts::new(at, None, PerLevel::default())]);
        self.departed = PerLevel::default();
        self.catch_ups.clear();
        let (first, slots) = (self.first, 0..self.slots.len());
        for slot in slots {
            let Some(Some(member)) = self.slots.get_mut(slot) else { continue };
            match &mut member.state {
                MemberState::Lost(..) if member.level != ConfirmationLevel::Applied => self.forget(slot),
                MemberState::Lost(_, last) => {
                    *last = first.saturating_sub(1);
                    member.counts_from = first;
                }
                MemberState::Connected | MemberState::Polling(_) => member.counts_from = first,
            }
        }
    }

    fn forget(&mut self, slot: usize) {
        if let Some(member) = self.slots.get_mut(slot).and_then(Option::take) {
            self.by_identity.remove(&member.identity);
            self.fetching -= usize::from(member.level == ConfirmationLevel::Fetched);
            self.lost.remove(&slot);
            self.free.push(slot);
        }
    }

    /// The member of this identity.
    pub(super) fn member_of(&self, identity: &MemberIdentity) -> Option<MemberId> {
        let slot = *self.by_identity.get(identity)?;
        let generation = self.slots.get(slot)?.as_ref()?.generation;
        Some(MemberId { slot, generation })
    }

    fn member(&self, id: MemberId) -> Option<&FleetMember> {
        self.slots.get(id.slot)?.as_ref().filter(|member| member.generation == id.generation)
    }

    /// An application connects or reconnects.
    pub(super) fn join(&mut self, member: NewMember, now: Instant) -> MemberId {
        let level = if member.acknowledges {
            ConfirmationLevel::Applied
        } else {
            ConfirmationLevel::Sent
        };
        self.enter(member, level, MemberState::Connected, now)
    }

    /// A client that fetches answers listens for changes.
    pub(super) fn listens(&mut self, member: NewMember, now: Instant) -> MemberId {
        self.enter(member, ConfirmationLevel::Fetched, MemberState::Connected, now)
    }

    fn enter(&mut self, member: NewMember, level: ConfirmationLevel, state: MemberState, now: Instant) -> MemberId {
        self.generations += 1;
        let generation = self.generations;
        let position = member
            .position
            .filter(|position| position.epoch == self.epoch && position.revision.0 <= self.head());
        let recent = self.first_within_grace(now);
        let identity = Arc::new(member.identity());
        let before = self.by_identity.get(&identity).copied();
        let predecessor = before.is_none().then(|| self.replace_lost(&member, level, recent)).flatten();
        let counts_from = if let Some(known) = before.and_then(|slot| self.slots.get(slot)?.as_ref()) {
            match self.counts_until(known) {
                // It counts for commits that were made while it was away, if they are recent.
                Some(last) if last + 1 < recent => {
                    let (level, from, confirmed) = (known.level, known.counts_from, known.confirmed);
                    self.depart(level, from, last, confirmed, Departure::Counted);
                    recent
                }
                Some(_) | None => known.counts_from,
            }
        } else {
            let own = match (member.position, position) {
                (Some(_), Some(position)) => recent.max(position.revision.0 + 1),
                (Some(_), None) => recent,
                (None, _) => self.head() + 1,
            };
            predecessor.and_then(|lost| lost.unconfirmed_from).map_or(own, |from| from.min(own))
        };
        let confirmed = before.and_then(|slot| self.slots.get(slot)?.as_ref()).and_then(|known| known.confirmed);
        let member = FleetMember {
            instance: Arc::new(Instance {
                name: member.name,
                id: member.id,
                sdk: member.sdk,
                node: self.node.to_string(),
            }),
            identity,
            transport: member.transport,
            level,
            generation,
            since: SystemClock.now(),
            joined: now,
            stands_since: predecessor.map_or(now, |lost| lost.stood_since),
            returning: member.position.is_some(),
            state,
            counts_from,
            confirmed,
        };
        let id = MemberId {
            slot: self.seat(before, member),
            generation,
        };
        if let Some(position) = position {
            // A hello says what is in force, as an acknowledgement does.
            self.move_forward(id, position, now);
        }
        id
    }

    fn seat(&mut self, before: Option<usize>, member: FleetMember) -> usize {
        let slot = before.or_else(|| self.free.pop()).unwrap_or(self.slots.len());
        self.by_identity.insert(Arc::clone(&member.identity), slot);
        self.lost.remove(&slot);
        self.fetching += usize::from(member.level == ConfirmationLevel::Fetched);
        let replaced = if let Some(seat) = self.slots.get_mut(slot) {
            seat.replace(member)
        } else {
            self.slots.push(Some(member));
            None
        };
        self.fetching -= usize::from(replaced.is_some_and(|replaced| replaced.level == ConfirmationLevel::Fetched));
        slot
    }

    /// The first revision that was committed within the grace time, or the one to come.
    fn first_within_grace(&self, now: Instant) -> u64 {
        let old = self
            .counts_by_revision
            .partition_point(|tally| now.saturating_duration_since(tally.at) > self.grace);
        self.first + old as u64
    }

    /// A member acknowledges.
    pub(super) fn acknowledged(&mut self, id: MemberId, at: Position, kills: &[KillId], now: Instant) {
        if !kills.is_empty()
            && let Some(member) = self.member(id)
        {
            let (identity, instance) = (Arc::clone(&member.identity), Arc::clone(&member.instance));
            self.kills.confirmed(&identity, &instance, kills, now);
        }
        self.move_forward(id, at, now);
    }

    /// A member was sent a revision; counts if the member cannot acknowledge.
    pub(super) fn sent(&mut self, id: MemberId, at: Position, now: Instant) {
        if self.member(id).is_some_and(|member| member.level == ConfirmationLevel::Sent) {
            self.move_forward(id, at, now);
        }
    }

    /// What a member holds of `before` is the same at `after`.
    pub(super) fn unaffected(&mut self, id: MemberId, before: Position, after: Position, now: Instant) {
        if self.member(id).is_some_and(|member| member.confirmed >= Some(before)) {
            self.move_forward(id, after, now);
        }
    }

    /// A client that polls was answered.
    pub(super) fn fetched(&mut self, member: NewMember, at: Position, now: Instant) {
        let known = self.member_of(&member.identity());
        let id = match known {
            Some(id) if self.member(id).is_some_and(FleetMember::is_fetching) => id,
            None if self.fetching >= limits::POLLING_CLIENTS => return,
            Some(_) | None => self.enter(member, ConfirmationLevel::Fetched, MemberState::Polling(now), now),
        };
        if let Some(Some(member)) = self.slots.get_mut(id.slot)
            && let MemberState::Polling(last) = &mut member.state
        {
            *last = now;
        }
        self.move_forward(id, at, now);
    }

    /// The hot path: touches one member and one revision's counts, or adds one catch-up.
    fn move_forward(&mut self, id: MemberId, at: Position, now: Instant) {
        let (epoch, head) = (self.epoch, self.head());
        let Some(member) = self
            .slots
            .get_mut(id.slot)
            .and_then(Option::as_mut)
            .filter(|member| member.generation == id.generation)
        else {
            return;
        };
        let to = at.revision.0;
        if at.epoch != epoch || to > head || member.confirmed.is_some_and(|confirmed| confirmed >= at) {
            return;
        }
        let before = member
            .confirmed
            .filter(|confirmed| confirmed.epoch == epoch)
            .map(|confirmed| confirmed.revision.0);
        member.confirmed = Some(at);
        let counted_before = member.counts_from.checked_sub(1);
        let Some(after) = before.max(counted_before).or(to.checked_sub(1)) else {
            return;
        };
        if after >= to {
            return;
        }
        let (level, who) = (member.level, Arc::clone(&member.instance));
        if let Some(counter) = self.confirmations.get(level as usize) {
            counter.increment(1);
        }
        if after + 1 < to {
            if self.catch_ups.len() >= CATCH_UPS {
                self.catch_ups.pop_front();
            }
            self.catch_ups.push_back(CatchUp {
                level,
                after,
                to,
                at: now,
                who,
            });
        } else if let Some(tally) = self.counts_mut(to) {
            let took = now.saturating_duration_since(tally.at);
            tally.times.of_mut(level).add(took, &who);
        }
    }
}

#[cfg(test)]
mod tests;
