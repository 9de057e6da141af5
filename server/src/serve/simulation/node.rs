//! A node of a simulation: the product's state, overlay, journal and standing, and a mirror that lags.

use std::collections::BTreeMap;
use std::time::Instant;

use ripcord_proto::actor::{Actor, Origin};
use ripcord_proto::commit::{Commit, Sealed};
use ripcord_proto::digest::Digest;
use ripcord_proto::frame::{KillEnd, Overlay};
use ripcord_proto::{EnvironmentKey, KillId};

use super::redis::head_of;
use crate::commit::state::EnvironmentState;
use crate::commit::traits::LogState as _;
use crate::commit::{Author, CommitError, Draft};
use crate::environment::NodeHeads;
use crate::kill::exchange::{PeerNews, TakeCommitted};
use crate::kill::overlay_from;
use crate::peer::{PeerLog, PeerSync, Standing, StoreStanding, Verdict};
use crate::snapshot::overlay;
use crate::store::journal::{Journal, JournalRecord, PendingKill};
use crate::store::redis::Lag;
use crate::store::{Head, LogName, StoreHealth, StoreState};

pub(super) fn production() -> EnvironmentKey {
    EnvironmentKey::new("production").unwrap()
}

/// The first entry of the system log, which all nodes share.
pub(super) fn history() -> Digest {
    Digest::of([b"system".as_slice()])
}

/// A decision that is replaced by a wrong one, to show that the rules notice.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Sabotage {
    /// Nodes always call themselves fresh.
    AlwaysFresh,
    /// Nodes count peers that have not met the store since they started.
    AnchoredFromTheStart,
    /// The kills that a replaced log lacks are dropped.
    DropOrphans,
    /// Nodes take only provisional kills from their peers.
    DeafToCommittedKills,
}

#[derive(Debug)]
pub(super) struct SimulatedNode {
    pub(super) name: String,
    pub(super) sabotage: Option<Sabotage>,
    pub(super) is_alive: bool,
    pub(super) state: EnvironmentState,
    pub(super) entries: Vec<Sealed>,
    pub(super) overlay: Overlay,
    pub(super) journal: Journal,
    pub(super) is_disk_full: bool,
    pub(super) mirror: Vec<Sealed>,
    /// How much of the mirror survives `kill -9`.
    pub(super) flushed: usize,
    pub(super) standing: Standing,
    pub(super) store: StoreState,
    pub(super) is_behind: bool,
    pub(super) lag: Option<Lag>,
    /// When it was last started, in milliseconds.
    pub(super) started: u64,
    /// Since when it has each kill in force.
    pub(super) in_force: BTreeMap<KillId, u64>,
}

/// The state after these entries.
pub(super) fn state_of(entries: &[Sealed]) -> EnvironmentState {
    entries
        .iter()
        .fold(EnvironmentState::empty(production()), crate::commit::traits::LogState::after)
}

impl SimulatedNode {
    pub(super) fn new(name: &str, peers: &[String]) -> Self {
        Self {
            name: name.to_owned(),
            sabotage: None,
            is_alive: true,
            state: EnvironmentState::empty(production()),
            entries: Vec::new(),
            overlay: Overlay::default(),
            journal: Journal::in_memory(),
            is_disk_full: false,
            mirror: Vec::new(),
            flushed: 0,
            standing: Standing::new(peers),
            store: StoreState::Unreachable,
            is_behind: false,
            lag: None,
            started: 0,
            in_force: BTreeMap::new(),
        }
    }

    pub(super) fn has_in_force(&self, id: &KillId) -> bool {
        self.state.snapshot.kills.get(id.as_str()).is_some() || self.overlay.kills.contains_key(id)
    }

    pub(super) fn heads(&self) -> NodeHeads {
        NodeHeads {
            history: Some(history()),
            heads: [(LogName::Environment(production()), self.state.head)].into(),
        }
    }

    pub(super) fn store_standing(&self) -> StoreStanding {
        StoreStanding::of(&StoreHealth {
            state: self.store,
            behind: self.is_behind,
            ..StoreHealth::available(jiff::Timestamp::UNIX_EPOCH)
        })
    }

    pub(super) fn verdict(&self, now: Instant) -> Verdict {
        let mut verdict = self.standing.judge(self.store_standing(), &self.heads(), now);
        verdict.fresh |= self.is(Sabotage::AlwaysFresh);
        verdict
    }

    fn is(&self, sabotage: Sabotage) -> bool {
        self.sabotage == Some(sabotage)
    }

    /// Follows entries of the log.
    pub(super) fn advance(&mut self, entries: &[Sealed]) {
        for entry in entries {
            self.state = self.state.clone().after(entry);
            self.entries.push(entry.clone());
        }
        overlay::settle(&mut self.overlay, &self.state);
    }

    /// The log was replaced.
    pub(super) fn replace(&mut self, entries: &[Sealed]) {
        let after = state_of(entries);
        if self.is(Sabotage::DropOrphans) {
            overlay::settle(&mut self.overlay, &after);
        } else {
            self.overlay = overlay::replaced(&self.overlay, &self.state.snapshot, &after);
        }
        self.state = after;
        self.entries = entries.to_vec();
    }

    /// Writes what it knows to its own disk.
    pub(super) fn mirror_all(&mut self) -> bool {
        if self.is_disk_full {
            return false;
        }
        let end = |entries: &[Sealed]| entries.last().map(|entry| entry.digest);
        if end(&self.mirror) != end(&self.entries) {
            self.mirror.clone_from(&self.entries);
        }
        true
    }

    /// What it could fill a log with.
    pub(super) fn claimable(&mut self) -> Head {
        let is_unwritable = self.is_disk_full && self.mirror.len() < self.entries.len();
        if is_unwritable {
            return Head::START;
        }
        self.mirror_all();
        head_of(&self.mirror)
    }

    pub(super) fn message(&mut self, theirs: Option<&PeerSync>) -> PeerSync {
        let last = theirs.and_then(|theirs| theirs.log(&production()));
        self.standing.note_store(self.store_standing());
        PeerSync {
            node: self.name.clone(),
            history: Some(history()),
            store_current: self.store_standing() == StoreStanding::Current,
            anchored: self.standing.is_anchored(),
            system: Some(Head::START),
            revoked: Vec::new(),
            environments: vec![PeerLog::of(production(), &self.state, &self.overlay, last)],
        }
    }

    pub(super) fn take_in(&mut self, theirs: &PeerSync, now: Instant) {
        let own = self.heads();
        self.standing.heard(theirs, &own, now);
        let verdict = self.verdict(now);
        let is_cut_off = self.store_standing() == StoreStanding::Away || verdict.behind.is_some();
        for log in &theirs.environments {
            let mut take = TakeCommitted::decide(theirs, log.head, own.history, self.state.head, is_cut_off);
            if self.is(Sabotage::DeafToCommittedKills) {
                take = TakeCommitted::No;
            }
            let news = PeerNews::of(log, &self.state, &self.overlay, take);
            for kill in news.put.iter().chain(&news.withdrawn) {
                self.journal.hold(&held(&theirs.node, kill));
            }
            news.apply(&mut self.overlay);
            let _ = self.journal.write_rest();
            let ended = news.ended.iter().filter(|(_, how)| *how != KillEnd::Merged).map(|(id, _)| id);
            for id in ended.chain(news.withdrawn.iter().map(|kill| &kill.id)) {
                let _ = self.journal.append(&withdrawn(id));
            }
        }
    }

    /// The process ends without warning.
    pub(super) fn crash(&mut self) {
        self.is_alive = false;
        self.journal = self.journal.crashed();
        self.mirror.truncate(self.flushed);
        self.in_force.clear();
    }

    /// It starts from its disk.
    pub(super) fn start(&mut self, peers: &[String]) {
        self.journal.fill_disk(self.is_disk_full);
        self.entries.clone_from(&self.mirror);
        self.state = state_of(&self.entries);
        self.overlay = overlay_from(&self.journal, &production());
        overlay::settle(&mut self.overlay, &self.state);
        self.standing = Standing::new(peers);
        if self.is(Sabotage::AnchoredFromTheStart) {
            self.standing.note_store(StoreStanding::Current);
        }
        (self.store, self.is_behind, self.lag) = (StoreState::Unreachable, false, None);
        self.is_alive = true;
    }

    pub(super) fn set_disk(&mut self, is_full: bool) {
        self.is_disk_full = is_full;
        self.journal.fill_disk(is_full);
    }

    /// The entry that a draft leads to, and the state after it; `None` if nothing has to change.
    pub(super) fn sealed(&self, draft: &Draft) -> Result<Option<(Sealed, EnvironmentState, Option<KillId>)>, CommitError> {
        let admitted = self.state.admit(draft, jiff::Timestamp::UNIX_EPOCH)?;
        let existing = admitted.applied.kill.as_ref().map(|(kill, _)| kill.id.clone());
        if admitted.applied.changes.is_empty() {
            return Ok(None);
        }
        let commit = Commit {
            sequence: self.state.head.sequence.next(),
            epoch: self.state.head.epoch,
            revision: None,
            at: jiff::Timestamp::UNIX_EPOCH,
            actor: draft.author.actor.clone(),
            origin: draft.author.origin.clone(),
            reason: None,
            release: None,
            approved: None,
            urgent: admitted.urgent,
            changes: admitted.applied.changes,
            hash: None,
            idempotency: None,
        };
        let (sealed, state) = self.state.seal(admitted.candidate, commit).unwrap();
        Ok(Some((sealed, state, existing)))
    }

    pub(super) fn author(&self) -> Author {
        Author {
            actor: Actor::server(&self.name),
            origin: Origin {
                node: self.name.clone(),
                address: None,
                request: None,
            },
        }
    }
}

pub(super) fn held(node: &str, kill: &ripcord_proto::Kill) -> PendingKill {
    PendingKill {
        environment: production(),
        kill: kill.clone(),
        node: node.to_owned(),
        withdrawn: false,
        answered: None,
    }
}

pub(super) fn withdrawn(id: &KillId) -> JournalRecord {
    JournalRecord::Withdrawn {
        environment: production(),
        id: id.clone(),
    }
}
