//! The registry: the members of each environment, and the handle of one connected application.

use std::fmt;
use std::sync::Arc;
use std::time::{Duration, Instant};

use dashmap::DashMap;
use jiff::{SignedDuration, Timestamp};
use parking_lot::Mutex;
use ripcord_proto::confirmation::Confirmation;
use ripcord_proto::flagd;
use ripcord_proto::{EnvironmentKey, KillId, Position};

use super::connections::{Connected, MemberIdentity, NewMember};
use super::membership::{MemberId, Members};
use super::peers::PeerConfirmations;
use super::report::{ConfirmationReport, PeerAnswer, merge};
use super::settings::FleetSettings;
use super::target::ConfirmationTarget;
use crate::clock::{Clock as _, SystemClock};
use crate::snapshot::board::{Board, Listener};
use crate::snapshot::publication::Publication;

/// The applications of all environments on this node. Cheap to clone.
#[derive(Clone)]
pub struct Fleet(Arc<FleetState>);

struct FleetState {
    settings: FleetSettings,
    peers: Arc<dyn PeerConfirmations>,
    /// Every connection holds the members of its environment, so this map is only read when one opens and when someone asks.
    by_environment: DashMap<EnvironmentKey, Arc<Mutex<Members>>>,
    /// When lost members were last expired.
    last_expiry: Mutex<Instant>,
    /// Bytes of environments whose last message to flagd's clients was larger than they take.
    too_large: DashMap<EnvironmentKey, usize>,
}

impl fmt::Debug for Fleet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Fleet").field("settings", &self.0.settings).finish_non_exhaustive()
    }
}

/// How often lost members and old revisions are expired.
const EXPIRY_INTERVAL: Duration = Duration::from_secs(1);

impl Fleet {
    /// A fleet that counts confirmations of what `board` serves now and from now on.
    pub fn new(board: &Board, settings: FleetSettings, peers: Arc<dyn PeerConfirmations>) -> Self {
        let fleet = Self(Arc::new(FleetState {
            settings,
            peers,
            by_environment: DashMap::new(),
            last_expiry: Mutex::new(Instant::now()),
            too_large: DashMap::new(),
        }));
        board.listen(Arc::new(fleet.clone()));
        fleet
    }

    fn members(&self, environment: &EnvironmentKey) -> Arc<Mutex<Members>> {
        if let Some(members) = self.0.by_environment.get(environment) {
            return Arc::clone(&members);
        }
        let created = || Arc::new(Mutex::new(Members::new(environment, &self.0.settings)));
        Arc::clone(&self.0.by_environment.entry(environment.clone()).or_insert_with(created))
    }

    fn with_members<T>(&self, environment: &EnvironmentKey, act: impl FnOnce(&mut Members) -> T) -> T {
        act(&mut self.members(environment).lock())
    }

    /// An application connects. It counts until [`Membership::left`]; dropping the membership marks it as lost.
    pub fn join(&self, environment: &EnvironmentKey, member: NewMember) -> Membership {
        let members = self.members(environment);
        let acknowledges = member.acknowledges;
        let member = members.lock().join(member, Instant::now());
        Membership {
            members,
            member,
            acknowledges,
            on_drop: OnDrop::Lost,
        }
    }

    /// A client that fetches (OFREP) opens a change stream. It is connected while it listens, counts as `fetched`, and already
    /// has `position`.
    pub fn listens(&self, environment: &EnvironmentKey, member: NewMember, position: Option<Position>) -> Membership {
        let members = self.members(environment);
        let member = members.lock().listens(NewMember { position, ..member }, Instant::now());
        Membership {
            members,
            member,
            acknowledges: true,
            on_drop: OnDrop::Lost,
        }
    }

    /// An acknowledgement from outside the application's own connection: a reader of the event stream acknowledges by its instance
    /// id, with the key that opened the stream. Returns whether the instance is known.
    pub fn acknowledged(&self, environment: &EnvironmentKey, who: &MemberIdentity, at: Position, kills: &[KillId], now: Instant) -> bool {
        self.with_members(environment, |members| match members.member_of(who) {
            Some(member) => {
                members.acknowledged(member, at, kills, now);
                true
            }
            None => false,
        })
    }

    /// A client that polls (OFREP) was answered at `at`. It is known by `member.id`, counts as connected while it keeps polling, and
    /// counted as `fetched`.
    pub fn fetched(&self, environment: &EnvironmentKey, member: NewMember, at: Position) {
        self.with_members(environment, |members| members.fetched(member, at, Instant::now()));
    }

    /// A client of flagd gets an environment as one message of this size.
    pub fn sent_message(&self, environment: &EnvironmentKey, bytes: usize) {
        if bytes > flagd::MESSAGE_BYTES {
            self.0.too_large.insert(environment.clone(), bytes);
        } else if self.0.too_large.contains_key(environment) {
            self.0.too_large.remove(environment);
        }
    }

    /// The size of the last message, if it was larger than clients of flagd take: those that were cut off are in no list.
    pub fn too_large_for_flagd(&self, environment: &EnvironmentKey) -> Option<usize> {
        self.0.too_large.get(environment).map(|bytes| *bytes)
    }

    /// The applications connected to this node.
    pub fn connections(&self, environment: &EnvironmentKey) -> Vec<Connected> {
        self.with_members(environment, |members| members.connections())
    }

    /// This node's report; `None` if the target was never published here.
    pub fn report(&self, environment: &EnvironmentKey, target: &ConfirmationTarget) -> Option<ConfirmationReport> {
        self.with_members(environment, |members| members.report(target, Instant::now()))
    }

    /// When the applications of this node had all confirmed a revision; `None` if they have not, or if that is not known any more.
    pub fn confirmed_at(&self, environment: &EnvironmentKey, position: Position) -> Option<Timestamp> {
        let ago = self.with_members(environment, |members| members.confirmed_ago(position, Instant::now()))?;
        SystemClock.now().checked_sub(SignedDuration::try_from(ago).ok()?).ok()
    }

    /// The confirmation over all nodes that can be reached within `patience`; `None` if the target was never published here.
    pub async fn confirmation(&self, environment: &EnvironmentKey, target: &ConfirmationTarget, patience: Duration) -> Option<Confirmation> {
        let answers = self.0.peers.ask(environment, target, patience).await;
        self.merged(environment, target, answers)
    }

    pub(super) fn peers(&self) -> &dyn PeerConfirmations {
        &*self.0.peers
    }

    fn merged(&self, environment: &EnvironmentKey, target: &ConfirmationTarget, answers: Vec<PeerAnswer>) -> Option<Confirmation> {
        let own = self.report(environment, target)?;
        Some(merge(target, self.beside(environment, own, &answers), answers))
    }

    /// This node's report, to be merged with those of other nodes.
    pub(super) fn beside(&self, environment: &EnvironmentKey, own: ConfirmationReport, others: &[PeerAnswer]) -> ConfirmationReport {
        let is_alone = others.iter().all(|answer| matches!(answer, PeerAnswer::NotReached(_)));
        if is_alone { own } else { self.with_arrivals(environment, own) }
    }

    /// Names the applications that connected recently, so that other nodes do not report them as lost.
    pub(super) fn with_arrivals(&self, environment: &EnvironmentKey, mut report: ConfirmationReport) -> ConfirmationReport {
        report.arrivals = self.with_members(environment, |members| members.arrivals(Instant::now()));
        report
    }

    /// Marks members lost for too long as gone and reduces old revisions to figures. Called often; works once a second.
    pub fn expire(&self, now: Instant) {
        let Some(mut last_expiry) = self.0.last_expiry.try_lock() else {
            return;
        };
        if now.saturating_duration_since(*last_expiry) < EXPIRY_INTERVAL {
            return;
        }
        *last_expiry = now;
        // Copied, so that no shard of the map is held while a member list is locked.
        let all: Vec<_> = self.0.by_environment.iter().map(|entry| Arc::clone(entry.value())).collect();
        for members in all {
            members.lock().expire(now);
        }
    }
}

impl Listener for Fleet {
    fn published(&self, environment: &EnvironmentKey, publication: &Publication) {
        self.with_members(environment, |members| members.published(publication));
    }

    fn removed(&self, environment: &EnvironmentKey) {
        self.0.by_environment.remove(environment);
    }
}

/// The handle of one connected application.
pub struct Membership {
    members: Arc<Mutex<Members>>,
    member: MemberId,
    acknowledges: bool,
    on_drop: OnDrop,
}

#[derive(Clone, Copy)]
enum OnDrop {
    Lost,
    Left,
}

impl Membership {
    fn with<T>(&self, act: impl FnOnce(&mut Members, MemberId) -> T) -> T {
        act(&mut self.members.lock(), self.member)
    }

    /// The application now evaluates at `at` (cumulative), with these provisional kills in force.
    pub fn acknowledged(&self, at: Position, kills: &[KillId], now: Instant) {
        self.with(|members, member| members.acknowledged(member, at, kills, now));
    }

    /// `at` was sent to the application. Ignored for clients that acknowledge.
    pub fn sent(&self, at: Position) {
        if self.acknowledges {
            return;
        }
        self.with(|members, member| members.sent(member, at, Instant::now()));
    }

    /// Nothing that the application sees has changed between these two: if it has confirmed the first, it has confirmed the second.
    pub fn unaffected(&self, before: Position, after: Position) {
        self.with(|members, member| members.unaffected(member, before, after, Instant::now()));
    }

    /// The application said goodbye: it leaves the denominator of what it has not confirmed.
    pub fn left(mut self) {
        self.on_drop = OnDrop::Left;
    }

    /// This node closed the connection. The application counts as lost until it reconnects.
    pub fn sent_away(self) {
        drop(self);
    }
}

impl fmt::Debug for Membership {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Membership").field("member", &self.member).finish_non_exhaustive()
    }
}

impl Drop for Membership {
    fn drop(&mut self) {
        let now = Instant::now();
        self.with(|members, member| match self.on_drop {
            OnDrop::Lost => members.lost(member, now),
            OnDrop::Left => members.left(member),
        });
    }
}

#[cfg(test)]
mod tests;
