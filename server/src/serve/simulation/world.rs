//! The world of a simulation: time, messages, and what people ask of the nodes.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use ripcord_proto::change::EpochCause;
use ripcord_proto::commit::Sealed;
use ripcord_proto::{FlagKey, KillId};

use super::Dice;
use super::node::{Sabotage, SimulatedNode, held, production};
use super::redis::{SimulatedRedis, contains, head_of};
use crate::commit::{Draft, Operation};
use crate::kill::merge::merge_draft;
use crate::peer::PeerSync;
use crate::snapshot::fixture::flag;
use crate::snapshot::overlay;
use crate::store::epoch::{self, EpochStart};
use crate::store::journal::JournalRecord;
use crate::store::redis::{Lag, LogStatus, ReseedStep, rank};
use crate::store::{LogName, StoreState, orphans};

/// Milliseconds between two moments.
pub(super) const TICK: u64 = 250;
pub(super) const FLAGS: [&str; 3] = ["f0", "f1", "f2"];

/// A kill that was answered.
#[derive(Debug, Clone)]
pub(super) struct AnsweredKill {
    pub(super) at: u64,
    /// Someone restored it, or tried to and never learned the result.
    pub(super) may_have_ended: bool,
    /// Its restore was answered.
    pub(super) is_restored: bool,
    /// No memory, disk or store has it any more.
    pub(super) is_lost: bool,
}

/// Why a draft was not committed.
pub(super) enum Failure {
    Away,
    Unknown,
    Refused,
}

#[derive(Debug)]
pub(super) struct SimulatedWorld {
    pub(super) now: u64,
    begun: Instant,
    pub(super) dice: Dice,
    pub(super) nodes: Vec<SimulatedNode>,
    pub(super) redis: SimulatedRedis,
    pub(super) redis_links: Vec<bool>,
    /// Since when two nodes reach each other; `None` if they do not.
    pub(super) links: Vec<Vec<Option<u64>>>,
    pub(super) answered: BTreeMap<KillId, AnsweredKill>,
    /// Since when the log in Redis has each kill in force.
    pub(super) logged: BTreeMap<KillId, u64>,
    /// Whether Redis has lost anything.
    pub(super) has_lost_data: bool,
    pub(super) faults: usize,
    pub(super) made: u64,
    pub(super) trace: Vec<String>,
}

impl SimulatedWorld {
    pub(super) fn new(seed: u64) -> Self {
        let mut dice = Dice(seed);
        let count = 2 + dice.below(2);
        let names: Vec<String> = (0..count).map(|index| format!("node-{index}")).collect();
        let peers = |index: usize| {
            names
                .iter()
                .enumerate()
                .filter(|(other, _)| *other != index)
                .map(|(_, name)| name.clone())
                .collect::<Vec<_>>()
        };
        let mut world = Self {
            now: 0,
            begun: Instant::now(),
            dice,
            nodes: (0..count).map(|index| SimulatedNode::new(&names[index], &peers(index))).collect(),
            redis: SimulatedRedis::started(),
            redis_links: vec![true; count],
            links: vec![vec![Some(0); count]; count],
            answered: BTreeMap::new(),
            logged: BTreeMap::new(),
            has_lost_data: false,
            faults: 0,
            made: 0,
            trace: Vec::new(),
        };
        let put = |key: &&str| Operation::PutFlag(FlagKey::new(key).unwrap(), Box::new(flag(true)));
        world.tick_all();
        let _ = world.commit(0, FLAGS.iter().map(put).collect());
        world
    }

    /// The same, with a decision that is wrong on every node.
    pub(super) fn sabotaged(seed: u64, sabotage: Sabotage) -> Self {
        let mut world = Self::new(seed);
        for node in &mut world.nodes {
            node.sabotage = Some(sabotage);
        }
        world
    }

    pub(super) fn instant(&self) -> Instant {
        self.begun + Duration::from_millis(self.now)
    }

    #[expect(clippy::needless_pass_by_value, reason = "callers format the text for it")]
    pub(super) fn say(&mut self, what: String) {
        self.trace.push(format!("{:>7} {what}", self.now));
    }

    fn reaches_redis(&self, node: usize) -> bool {
        self.redis.is_up && self.redis_links[node] && self.nodes[node].is_alive
    }

    pub(super) fn peers_of(&self, node: usize) -> Vec<String> {
        let others = self.nodes.iter().enumerate().filter(|(other, _)| *other != node);
        others.map(|(_, other)| other.name.clone()).collect()
    }

    /// What every node does on its own.
    pub(super) fn tick_all(&mut self) {
        let first = self.dice.below(self.nodes.len());
        for offset in 0..self.nodes.len() {
            let node = (first + offset) % self.nodes.len();
            if !self.nodes[node].is_alive {
                continue;
            }
            self.tick_store(node);
            if self.now.is_multiple_of(4 * TICK) {
                self.ask_peers(node);
            }
            if self.now.is_multiple_of(2 * TICK) {
                self.merge(node);
                let _ = self.nodes[node].journal.write_rest();
            }
            if self.nodes[node].mirror_all() && self.now.is_multiple_of(2 * TICK) {
                self.nodes[node].flushed = self.nodes[node].mirror.len();
            }
        }
    }

    /// The health watch and the feed.
    pub(super) fn tick_store(&mut self, node: usize) {
        if !self.reaches_redis(node) {
            let node = &mut self.nodes[node];
            (node.store, node.lag) = (StoreState::Unreachable, None);
            return;
        }
        let (known, now) = (self.nodes[node].state.head, self.instant());
        let head = self.redis.head();
        let Some(status) = LogStatus::of(known, &head, Some(contains(&self.redis.entries, known))) else {
            return;
        };
        let log = LogName::Environment(production());
        let statuses = BTreeMap::from([(log, status.clone())]);
        let this = &mut self.nodes[node];
        let lag = this.lag.get_or_insert_with(|| Lag::begin(&statuses, now));
        this.is_behind = lag.is_behind(&statuses, |_| Some(known), now);
        this.standing.note_store(this.store_standing());
        match status.step(known) {
            ReseedStep::Nothing => {
                this.store = StoreState::Available;
                if self.dice.percent(80) {
                    self.feed(node);
                }
            }
            ReseedStep::Claim { seen } => self.claim(node, &seen),
            ReseedStep::Adopt => _ = self.adopt(node),
            ReseedStep::AdoptAndBeginEpoch => {
                if self.adopt(node) {
                    let end = head_of(&self.redis.entries);
                    let entry = self.epoch_entry(node, end);
                    self.redis.append(end, entry);
                }
            }
        }
    }

    fn feed(&mut self, node: usize) {
        let known = self.nodes[node].state.head;
        if contains(&self.redis.entries, known) {
            let from = usize::try_from(known.sequence.0).unwrap_or(usize::MAX);
            let news: Vec<_> = self.redis.entries.iter().skip(from).cloned().collect();
            self.nodes[node].advance(&news);
        }
    }

    fn claim(&mut self, node: usize, seen: &str) {
        let this = &mut self.nodes[node];
        this.store = StoreState::Reseeding;
        let held = this.claimable();
        let claim = if held.sequence.0 == 0 {
            String::new()
        } else {
            format!("{} {}", rank(held), this.name)
        };
        if self.redis.claim(node, &claim, seen, self.now) {
            let mut entries = self.nodes[node].mirror.clone();
            self.keep_orphans(node, &self.redis.entries.clone(), &entries);
            entries.push(self.epoch_entry(node, head_of(&entries)));
            self.say(format!("{} fills Redis with {} entries", self.nodes[node].name, entries.len()));
            self.redis.switch(entries);
        }
    }

    fn epoch_entry(&self, node: usize, head: crate::store::Head) -> Sealed {
        let beginning = EpochStart {
            at: jiff::Timestamp::UNIX_EPOCH,
            node: &self.nodes[node].name,
            cause: EpochCause::Reseeded,
            reason: "",
        };
        epoch::begin(head, head.epoch.next(), beginning).unwrap()
    }

    /// Journals what `lost` has and `kept` lacks; returns how many entries they share.
    fn keep_orphans(&self, node: usize, lost: &[Sealed], kept: &[Sealed]) -> usize {
        let this = &self.nodes[node];
        let common = lost.iter().zip(kept).take_while(|(lost, kept)| lost.digest == kept.digest).count();
        for record in orphans::to_journal(&LogName::Environment(production()), &lost[common..], kept, &this.name) {
            let _ = this.journal.append(&record);
        }
        common
    }

    fn adopt(&mut self, node: usize) -> bool {
        let entries = self.redis.entries.clone();
        let this = &mut self.nodes[node];
        this.store = StoreState::Reseeding;
        this.mirror_all();
        let known = this.mirror.clone();
        let common = self.keep_orphans(node, &known, &entries);
        let this = &mut self.nodes[node];
        if this.is_disk_full {
            return false;
        }
        this.mirror.clone_from(&entries);
        this.flushed = this.flushed.min(common);
        this.replace(&entries);
        let name = this.name.clone();
        self.say(format!("{name} adopts the log in Redis"));
        true
    }

    /// One append, as the writer makes it.
    pub(super) fn append(&mut self, node: usize, draft: &Draft) -> Result<Option<KillId>, Failure> {
        for _ in 0..2 {
            let sealed = self.nodes[node].sealed(draft).map_err(|_| Failure::Refused)?;
            let Some((entry, state, killed)) = sealed else { return Ok(None) };
            if !self.reaches_redis(node) {
                return Err(Failure::Away);
            }
            if self.redis.append(self.nodes[node].state.head, entry.clone()) {
                if self.dice.percent(4) {
                    self.say(format!("{} gets no answer for its append", self.nodes[node].name));
                    return Err(Failure::Unknown);
                }
                let this = &mut self.nodes[node];
                this.state = state;
                this.entries.push(entry);
                overlay::settle(&mut this.overlay, &this.state);
                return Ok(killed);
            }
            self.feed(node);
        }
        Err(Failure::Away)
    }

    pub(super) fn commit(&mut self, node: usize, operations: Vec<Operation>) -> Result<Option<KillId>, Failure> {
        let draft = Draft {
            reason: Some("a simulation".to_owned()),
            ..Draft::new(production(), self.nodes[node].author(), operations)
        };
        self.append(node, &draft)
    }

    /// Writes provisional kills to the log.
    fn merge(&mut self, node: usize) {
        if self.nodes[node].store != StoreState::Available {
            return;
        }
        let this = &self.nodes[node];
        for kill in this.overlay.kills.values().filter(|kill| this.journal.taker(&kill.id).is_none()) {
            this.journal.hold(&held(&this.name, kill));
        }
        for pending in self.nodes[node].journal.pending() {
            if self.append(node, &merge_draft(&pending)).is_ok() {
                let _ = self.nodes[node].journal.append(&JournalRecord::Merged { ids: vec![pending.kill.id] });
            }
        }
    }

    pub(super) fn ask_peers(&mut self, node: usize) {
        for other in 0..self.nodes.len() {
            if other == node {
                continue;
            }
            let (url, now) = (self.nodes[other].name.clone(), self.instant());
            let answer = self.call(node, other, &url);
            self.nodes[node].standing.answered(&url, answer, now);
        }
    }

    fn call(&mut self, from: usize, to: usize, url: &str) -> Option<Arc<PeerSync>> {
        if self.links[from][to].is_none() || !self.nodes[to].is_alive {
            return None;
        }
        let (now, last) = (self.instant(), self.nodes[from].standing.last(url));
        let question = self.nodes[from].message(last.as_deref());
        self.nodes[to].take_in(&question, now);
        let answer = self.nodes[to].message(Some(&question));
        // The answer may be lost on its way.
        if self.dice.percent(3) {
            return None;
        }
        self.nodes[from].take_in(&answer, now);
        Some(Arc::new(answer))
    }
}
