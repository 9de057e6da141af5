//! The roll of one environment: who is connected, and what each has confirmed.
//!
//! A confirmation moves one member forward and touches one tally, however many revisions it passed over. Who has confirmed
//! revision n is worked out when it is asked: a member counts for n if it was connected at its commit or came back in time,
//! and has confirmed it if what it acknowledged last is n or later.

mod kills;
mod reading;
mod tending;

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;
use std::time::{Duration, Instant};

use ripcord_proto::confirmation::Instance;
use ripcord_proto::{EnvironmentKey, Epoch, KillId, Position};

use self::kills::KillTallies;
use super::connections::{Rung, Transport};
use super::report::Report;
use super::tally::{Departed, Passage, Rungs, Tally};
use super::{Joining, Settings};
use crate::clock::{Clock as _, SystemClock};
use crate::snapshot::publication::{Publication, PublishedChange};
use crate::telemetry::names;

/// A member's place on the roll. A reconnected instance keeps its place and gets a new turn.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct MemberId {
    place: usize,
    turn: u64,
}

#[derive(Debug)]
struct Member {
    instance: Arc<Instance>,
    transport: Transport,
    rung: Rung,
    turn: u64,
    since: jiff::Timestamp,
    joined: Instant,
    /// Whether it came with a state: then it counts for what was committed shortly before.
    returning: bool,
    state: State,
    /// The first revision that it counts for.
    counts_from: u64,
    confirmed: Option<Position>,
}

impl Member {
    /// Whether it fetches answers and is still here: it listens for changes, or was here a moment ago.
    fn is_fetching(&self) -> bool {
        match self.state {
            State::Polling(_) => true,
            State::Connected => self.rung == Rung::Fetched,
            State::Lost(..) => false,
        }
    }
}

#[derive(Debug, Clone, Copy)]
enum State {
    Connected,
    /// Since when, and the last revision that it counts for.
    Lost(Instant, u64),
    /// It comes and goes; when it was last here.
    Polling(Instant),
}

/// Passages that are kept, at most; of older ones the times are lost, not the counts.
const PASSAGES: usize = 65_536;

#[derive(Debug)]
pub(super) struct Roll {
    node: Arc<str>,
    grace: Duration,
    gone: Duration,
    revisions: usize,
    figures_kept: usize,
    epoch: Epoch,
    /// The revision of the first tally; the others follow densely, the last is the newest.
    first: u64,
    tallies: VecDeque<Tally>,
    /// The differences that the next tally starts with.
    departed: Rungs<Departed>,
    passages: VecDeque<Passage>,
    kills: KillTallies,
    /// Reports of revisions that are no longer kept by name, newest last.
    figures: VecDeque<(Position, Report)>,
    members: Vec<Option<Member>>,
    free: Vec<usize>,
    by_instance: HashMap<String, usize>,
    turns: u64,
    confirmations: [metrics::Counter; 3],
}

impl Roll {
    pub(super) fn new(environment: &EnvironmentKey, settings: &Settings) -> Self {
        let counter = |level: &'static str| metrics::counter!(names::CONFIRMATIONS, "env" => environment.as_str().to_owned(), "level" => level);
        Self {
            node: settings.node.as_str().into(),
            grace: settings.grace,
            gone: settings.gone,
            revisions: settings.revisions,
            figures_kept: settings.figures,
            epoch: Epoch(0),
            first: 0,
            tallies: VecDeque::new(),
            departed: Rungs::default(),
            passages: VecDeque::new(),
            kills: KillTallies::default(),
            figures: VecDeque::new(),
            members: Vec::new(),
            free: Vec::new(),
            by_instance: HashMap::new(),
            turns: 0,
            confirmations: [counter("applied"), counter("fetched"), counter("sent")],
        }
    }

    /// The newest revision.
    fn head(&self) -> u64 {
        (self.first + self.tallies.len() as u64).saturating_sub(1)
    }

    fn tally_mut(&mut self, revision: u64) -> Option<&mut Tally> {
        let place = usize::try_from(revision.checked_sub(self.first)?).ok()?;
        self.tallies.get_mut(place)
    }

    /// A revision, an overlay or a new epoch is served from now on.
    pub(super) fn published(&mut self, publication: &Publication) {
        let position = publication.served.snapshot.position;
        let revision = position.revision.0;
        match &publication.change {
            PublishedChange::Overlay => {}
            PublishedChange::Delta(_) if self.epoch == position.epoch && !self.tallies.is_empty() => {
                while self.head() < revision {
                    let departed = std::mem::take(&mut self.departed);
                    self.tallies.push_back(Tally::new(publication.at, departed));
                }
            }
            PublishedChange::Delta(_) | PublishedChange::Replaced => self.start_epoch(position, publication.at),
        }
        let served = &publication.served;
        self.kills.published(&served.overlay, revision, publication.at);
    }

    /// Counting starts anew: everybody who is connected is to confirm the epoch's first state.
    fn start_epoch(&mut self, position: Position, at: Instant) {
        self.epoch = position.epoch;
        self.first = position.revision.0;
        self.tallies = VecDeque::from([Tally::new(at, Rungs::default())]);
        self.departed = Rungs::default();
        self.passages.clear();
        let (first, places) = (self.first, 0..self.members.len());
        for place in places {
            match self.members.get_mut(place) {
                Some(Some(member)) if !matches!(member.state, State::Lost(..)) => member.counts_from = first,
                Some(slot) if slot.is_some() => self.forget(place),
                _ => {}
            }
        }
    }

    fn forget(&mut self, place: usize) {
        if let Some(member) = self.members.get_mut(place).and_then(Option::take) {
            self.by_instance.remove(&member.instance.id);
            self.free.push(place);
        }
    }

    /// The member with this instance id.
    pub(super) fn member_of(&self, instance_id: &str) -> Option<MemberId> {
        let place = *self.by_instance.get(instance_id)?;
        let turn = self.members.get(place)?.as_ref()?.turn;
        Some(MemberId { place, turn })
    }

    fn member(&self, id: MemberId) -> Option<&Member> {
        self.members.get(id.place)?.as_ref().filter(|member| member.turn == id.turn)
    }

    /// An application connects, or is back.
    pub(super) fn join(&mut self, joining: Joining, now: Instant) -> MemberId {
        let rung = if joining.acknowledges { Rung::Applied } else { Rung::Sent };
        self.enter(joining, rung, State::Connected, now)
    }

    /// A client that fetches answers listens for changes.
    pub(super) fn listens(&mut self, joining: Joining, now: Instant) -> MemberId {
        self.enter(joining, Rung::Fetched, State::Connected, now)
    }

    fn enter(&mut self, joining: Joining, rung: Rung, state: State, now: Instant) -> MemberId {
        self.turns += 1;
        let turn = self.turns;
        let position = joining
            .position
            .filter(|position| position.epoch == self.epoch && position.revision.0 <= self.head());
        let recent = self.first_within_grace(now);
        let before = self.by_instance.get(&joining.id).copied();
        let counts_from = match before.and_then(|place| self.members.get(place)?.as_ref()) {
            Some(known) => match known.state {
                // What was committed while it was away counts if that was shortly before.
                State::Lost(_, last) if last + 1 < recent => {
                    let (rung, from, confirmed) = (known.rung, known.counts_from, known.confirmed);
                    self.depart(rung, from, last, confirmed, Gone::Counted);
                    recent
                }
                State::Lost(..) | State::Connected | State::Polling(_) => known.counts_from,
            },
            None => match (joining.position, position) {
                (Some(_), Some(position)) => recent.max(position.revision.0 + 1),
                (Some(_), None) => recent,
                (None, _) => self.head() + 1,
            },
        };
        let confirmed = before.and_then(|place| self.members.get(place)?.as_ref()).and_then(|known| known.confirmed);
        let member = Member {
            instance: Arc::new(Instance {
                name: joining.name,
                id: joining.id,
                sdk: joining.sdk,
                node: self.node.to_string(),
            }),
            transport: joining.transport,
            rung,
            turn,
            since: SystemClock.now(),
            joined: now,
            returning: joining.position.is_some(),
            state,
            counts_from,
            confirmed,
        };
        let id = MemberId {
            place: self.seat(before, member),
            turn,
        };
        if let Some(position) = position {
            // A hello says what is in force, as an acknowledgement does.
            self.move_forward(id, position, now);
        }
        id
    }

    fn seat(&mut self, before: Option<usize>, member: Member) -> usize {
        let place = before.or_else(|| self.free.pop()).unwrap_or(self.members.len());
        self.by_instance.insert(member.instance.id.clone(), place);
        match self.members.get_mut(place) {
            Some(seat) => *seat = Some(member),
            None => self.members.push(Some(member)),
        }
        place
    }

    /// The first revision that was committed within the grace time, or the one to come.
    fn first_within_grace(&self, now: Instant) -> u64 {
        let old = self.tallies.partition_point(|tally| now.saturating_duration_since(tally.at) > self.grace);
        self.first + old as u64
    }

    /// A member acknowledges.
    pub(super) fn acknowledged(&mut self, id: MemberId, at: Position, kills: &[KillId], now: Instant) {
        if !kills.is_empty()
            && let Some(instance) = self.member(id).map(|member| Arc::clone(&member.instance))
        {
            self.kills.confirmed(&instance, kills, now);
        }
        self.move_forward(id, at, now);
    }

    /// A member was sent a revision; counts where that is all that can be known.
    pub(super) fn sent(&mut self, id: MemberId, at: Position, now: Instant) {
        if self.member(id).is_some_and(|member| member.rung == Rung::Sent) {
            self.move_forward(id, at, now);
        }
    }

    /// A client that polls was answered.
    pub(super) fn fetched(&mut self, joining: Joining, at: Position, now: Instant) {
        let known = self.member_of(&joining.id);
        let id = match known {
            Some(id) if self.member(id).is_some_and(Member::is_fetching) => id,
            Some(_) | None => self.enter(joining, Rung::Fetched, State::Polling(now), now),
        };
        if let Some(Some(member)) = self.members.get_mut(id.place)
            && let State::Polling(last) = &mut member.state
        {
            *last = now;
        }
        self.move_forward(id, at, now);
    }

    /// The hot path: one member, one tally or one passage.
    fn move_forward(&mut self, id: MemberId, at: Position, now: Instant) {
        let (epoch, head) = (self.epoch, self.head());
        let Some(member) = self.members.get_mut(id.place).and_then(Option::as_mut).filter(|member| member.turn == id.turn) else {
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
        let (rung, who) = (member.rung, Arc::clone(&member.instance));
        if let Some(counter) = self.confirmations.get(rung as usize) {
            counter.increment(1);
        }
        if after + 1 < to {
            if self.passages.len() >= PASSAGES {
                self.passages.pop_front();
            }
            self.passages.push_back(Passage { rung, after, to, at: now, who });
        } else if let Some(tally) = self.tally_mut(to) {
            let took = now.saturating_duration_since(tally.at);
            tally.times.of_mut(rung).add(took, &who);
        }
    }

    /// A member's connection is lost.
    pub(super) fn lost(&mut self, id: MemberId, now: Instant) {
        let head = self.head();
        if let Some(member) = self.members.get_mut(id.place).and_then(Option::as_mut).filter(|member| member.turn == id.turn) {
            member.state = State::Lost(now, head);
        }
    }

    /// A member said goodbye.
    pub(super) fn left(&mut self, id: MemberId) {
        let Some(member) = self.member(id) else {
            return;
        };
        let (rung, from, confirmed, instance) = (member.rung, member.counts_from, member.confirmed, Arc::clone(&member.instance));
        self.kills.left(&instance);
        self.depart(rung, from, self.head(), confirmed, Gone::Forgotten);
        self.forget(id.place);
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Gone {
    /// It was lost: what it has not confirmed is counted as gone.
    Counted,
    /// It said goodbye: it leaves the denominator.
    Forgotten,
}

#[cfg(test)]
mod tests;
