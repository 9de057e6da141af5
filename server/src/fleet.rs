//! The fleet: the applications that are connected to this node, what each has confirmed, and how fast.
//!
//! ```text
//! Board::publish -> Members::published              the denominator: who is connected now
//! stream: hello -> Membership, ack -> Members      one member moved forward; the cost does not depend on how many revisions it skipped
//! api: confirmation(n), wait(n)  -> report      of this node, merged with those of the peers that can be reached
//! ```
//!
//! Everything is in memory: by name for the last 1,000 revisions, figures after that. What is asked of other nodes goes
//! through [`PeerConfirmations`].

mod connections;
mod counters;
mod membership;
mod peers;
mod report;
mod wait;

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;
use std::time::{Duration, Instant};

use arc_swap::ArcSwap;
use parking_lot::Mutex;
use ripcord_proto::confirmation::Confirmation;
use ripcord_proto::{EnvironmentKey, KillId, Position};

pub use self::connections::{ConfirmationLevel, Connected, Transport};
use self::membership::{MemberId, Members};
pub use self::peers::{ConfirmationQuestion, NoPeers, PeerAnswer, PeerConfirmations};
pub use self::report::{ConfirmationReport, merge};
use crate::snapshot::board::{Board, Listener};
use crate::snapshot::publication::Publication;

/// How the fleet is counted.
#[derive(Debug, Clone)]
pub struct FleetSettings {
    /// This node's name, as confirmations show it.
    pub node: String,
    /// Who reconnects within this time after a commit counts as connected at it.
    pub grace: Duration,
    /// Who is lost for longer than this is gone: no longer missing.
    pub gone: Duration,
    /// Revisions kept by name.
    pub revisions: usize,
    /// Older revisions of which the figures are kept.
    pub figures: usize,
}

impl FleetSettings {
    /// The usual ones, for a node of this name.
    pub fn new(node: impl Into<String>) -> Self {
        Self {
            node: node.into(),
            grace: Duration::from_secs(30),
            gone: Duration::from_mins(1),
            revisions: 1_000,
            figures: 20_000,
        }
    }
}

/// What is asked to be confirmed.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ConfirmationTarget {
    /// A revision.
    Revision(Position),
    /// A provisional kill.
    Kill(KillId),
}

/// Who joins.
#[derive(Debug, Clone)]
pub struct NewMember {
    /// The instance's name.
    pub name: String,
    /// Random, new for each process.
    pub id: String,
    /// Name and version of its SDK.
    pub sdk: String,
    /// What it has already.
    pub position: Option<Position>,
    /// Whether it will acknowledge (`applied`), or can only be sent to (`sent`).
    pub acknowledges: bool,
    /// What it is connected by.
    pub transport: Transport,
}

/// The applications of all environments on this node. Cheap to clone.
#[derive(Clone)]
pub struct Fleet(Arc<FleetState>);

struct FleetState {
    settings: FleetSettings,
    peers: Arc<dyn PeerConfirmations>,
    by_environment: ArcSwap<BTreeMap<EnvironmentKey, Arc<Mutex<Members>>>>,
    writing: Mutex<()>,
    /// When lost members were last looked through.
    last_expiry: Mutex<Instant>,
}

impl fmt::Debug for Fleet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Fleet").field("settings", &self.0.settings).finish_non_exhaustive()
    }
}

/// How often lost members and old revisions are looked through.
const EXPIRY_INTERVAL: Duration = Duration::from_secs(1);

impl Fleet {
    /// A fleet that counts what `board` serves now and from now on.
    pub fn new(board: &Board, settings: FleetSettings, peers: Arc<dyn PeerConfirmations>) -> Self {
        let fleet = Self(Arc::new(FleetState {
            settings,
            peers,
            by_environment: ArcSwap::default(),
            writing: Mutex::default(),
            last_expiry: Mutex::new(Instant::now()),
        }));
        board.listen(Arc::new(fleet.clone()));
        fleet
    }

    fn members(&self, environment: &EnvironmentKey) -> Arc<Mutex<Members>> {
        if let Some(members) = self.0.by_environment.load().get(environment.as_str()) {
            return Arc::clone(members);
        }
        let _writing = self.0.writing.lock();
        let mut by_environment = BTreeMap::clone(&self.0.by_environment.load());
        let members = Arc::clone(
            by_environment
                .entry(environment.clone())
                .or_insert_with(|| Arc::new(Mutex::new(Members::new(environment, &self.0.settings)))),
        );
        self.0.by_environment.store(Arc::new(by_environment));
        members
    }

    fn with_members<T>(&self, environment: &EnvironmentKey, act: impl FnOnce(&mut Members) -> T) -> T {
        act(&mut self.members(environment).lock())
    }

    /// An application connects. It counts until the membership says that it left; one that is dropped is lost.
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

    /// A client that fetches answers (OFREP) listens for changes: it is connected while it does, and counted as `fetched`. It has
    /// what is served at `position`.
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

    /// An application without a connection of its own acknowledges: a reader of the event stream, by its instance id. Says
    /// whether it is known.
    pub fn acknowledged(&self, environment: &EnvironmentKey, instance_id: &str, at: Position, kills: &[KillId], now: Instant) -> bool {
        self.with_members(environment, |members| match members.member_of(instance_id) {
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

    /// Who is connected to this node, by name.
    pub fn connections(&self, environment: &EnvironmentKey) -> Vec<Connected> {
        self.with_members(environment, |members| members.connections())
    }

    /// What this node knows of a revision or a provisional kill; `None` where it was never published here.
    pub fn report(&self, environment: &EnvironmentKey, target: &ConfirmationTarget) -> Option<ConfirmationReport> {
        self.with_members(environment, |members| members.report(target, Instant::now()))
    }

    /// The confirmation of a revision or a provisional kill over all nodes that can be reached within `patience`.
    pub async fn confirmation(&self, environment: &EnvironmentKey, target: &ConfirmationTarget, patience: Duration) -> Option<Confirmation> {
        let answers = self.0.peers.ask(environment, target, patience).await;
        self.merged(environment, target, answers)
    }

    fn merged(&self, environment: &EnvironmentKey, target: &ConfirmationTarget, answers: Vec<PeerAnswer>) -> Option<Confirmation> {
        let own = self.report(environment, target)?;
        Some(merge(target, own, answers))
    }

    /// Marks those who are lost for too long as gone, and lets old revisions go to figures. Called often; works once a second.
    pub fn expire(&self, now: Instant) {
        let Some(mut last_expiry) = self.0.last_expiry.try_lock() else {
            return;
        };
        if now.saturating_duration_since(*last_expiry) < EXPIRY_INTERVAL {
            return;
        }
        *last_expiry = now;
        for members in self.0.by_environment.load().values() {
            members.lock().expire(now);
        }
    }
}

impl Listener for Fleet {
    fn published(&self, environment: &EnvironmentKey, publication: &Publication) {
        self.with_members(environment, |members| members.published(publication));
    }

    fn removed(&self, environment: &EnvironmentKey) {
        let _writing = self.0.writing.lock();
        let mut by_environment = BTreeMap::clone(&self.0.by_environment.load());
        by_environment.remove(environment.as_str());
        self.0.by_environment.store(Arc::new(by_environment));
    }
}

/// A connected application's place in the fleet.
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

    /// It now evaluates at `at`, and at every revision before; these provisional kills are in force there.
    pub fn acknowledged(&self, at: Position, kills: &[KillId], now: Instant) {
        self.with(|members, member| members.acknowledged(member, at, kills, now));
    }

    /// It was sent `at`. Counts for clients that cannot acknowledge; nothing is done for the others.
    pub fn sent(&self, at: Position) {
        if self.acknowledges {
            return;
        }
        self.with(|members, member| members.sent(member, at, Instant::now()));
    }

    /// It said goodbye: it leaves the denominator of what it has not confirmed.
    pub fn left(mut self) {
        self.on_drop = OnDrop::Left;
    }

    /// This node sent it away. It counts as lost until it is back, here or elsewhere.
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
