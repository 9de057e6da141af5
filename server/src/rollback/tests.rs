//! Rollbacks on a node whose applications and clock are in the test's hands.

mod confirming;
mod faults;
mod stepping;
mod taking_over;

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::BoxFuture;
use jiff::Timestamp;
use ripcord_proto::actor::{Actor, Origin};
use ripcord_proto::change::EnvironmentRecord;
use ripcord_proto::digest::Digest;
use ripcord_proto::frame::Overlay;
use ripcord_proto::policy::{Policy, SingletonKey};
use ripcord_proto::rollback::{BadExposure, PhaseTimes, Review, Rollback, RollbackOptions, RollbackScope, RollbackState, RollbackTarget, Stages};
use ripcord_proto::table::{Entity as _, Entry};
use ripcord_proto::{EnvironmentKey, Flag, FlagKey, Position, RollbackId};

use super::controller::{self, RollbackDeps};
use crate::check::Checks;
use crate::clock::{Clock, SystemClock};
use crate::commit::reversal::{Reversal, ReversalScope};
use crate::commit::{Applied, Author, CommitError, Draft, Expected, Operation, Renderer};
use crate::environment::{EnvironmentDeps, Environments, Orphans};
use crate::fleet::{Fleet, FleetSettings, Membership, NewMember, NoPeers, Transport};
use crate::leader::{LeaderLease, LiveNodes, SingleNode};
use crate::outcome::{NoPeerOutcomes, Outcomes};
use crate::snapshot::board::Board;
use crate::store::fault_injection::FaultyStore;
use crate::store::memory::MemoryStore;
use crate::system::{SystemDraft, SystemOperation};
use crate::tasks::TaskSet;

pub(super) fn production() -> EnvironmentKey {
    EnvironmentKey::new("production").unwrap()
}

/// A clock that goes with tokio's, so that paused time is paused for it too.
#[derive(Debug)]
struct TestClock {
    began: Timestamp,
    since: tokio::time::Instant,
}

impl Clock for TestClock {
    fn now(&self) -> Timestamp {
        self.began + jiff::SignedDuration::try_from(self.since.elapsed()).unwrap()
    }
}

/// A node, and what it knows.
pub(super) struct World {
    pub(super) environments: Environments,
    pub(super) fleet: Fleet,
    pub(super) outcomes: Outcomes,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) store: Arc<FaultyStore<MemoryStore>>,
    ids: std::sync::atomic::AtomicU64,
}

fn author() -> Author {
    Author {
        actor: Actor::server("a"),
        origin: Origin {
            node: "a".to_owned(),
            address: None,
            request: None,
        },
    }
}

impl World {
    /// An environment with the flag `checkout`, off for everyone.
    pub(super) async fn new() -> Self {
        let clock: Arc<dyn Clock> = Arc::new(TestClock {
            began: SystemClock.now(),
            since: tokio::time::Instant::now(),
        });
        let board = Arc::new(Board::default());
        let store = FaultyStore::new(MemoryStore::new());
        let rooms = EnvironmentDeps {
            store: Arc::clone(&store) as _,
            board: Arc::clone(&board),
            clock: Arc::clone(&clock),
            tasks: TaskSet::default(),
            orphans: Orphans::default(),
        };
        let environments = Environments::start(rooms, Arc::new(|_| Overlay::default())).await.unwrap();
        let record = EnvironmentRecord {
            key: production(),
            description: None,
            created: clock.now(),
        };
        let draft = SystemDraft {
            author: author(),
            reason: None,
            operations: vec![SystemOperation::CreateEnvironment(record)],
            call: None,
            renderer: Renderer::default(),
        };
        environments.submit_system(draft).await.unwrap();
        let world = Self {
            fleet: Fleet::new(&board, FleetSettings::new("a"), Arc::new(NoPeers)),
            environments,
            outcomes: Outcomes::default(),
            clock,
            store,
            ids: std::sync::atomic::AtomicU64::new(1),
        };
        world.put("checkout", 0, &[]).await;
        world
    }

    /// Begins to see rollbacks through, as the node of this id.
    pub(super) fn drive(&self, id: &str, presence: Arc<dyn LiveNodes>) -> LeaderLease {
        let drivers = LeaderLease::new(self.environments.clone(), presence, id, id);
        let deps = RollbackDeps {
            environments: self.environments.clone(),
            fleet: self.fleet.clone(),
            outcomes: self.outcomes.clone(),
            elsewhere: Arc::new(NoPeerOutcomes),
            checks: Checks::new(Arc::clone(&self.clock)),
            drivers: drivers.clone(),
        };
        controller::start(deps);
        drivers
    }

    pub(super) fn drive_alone(&self) {
        self.drive("a", Arc::new(SingleNode));
    }

    pub(super) async fn submit(&self, asks: Vec<Operation>) -> Result<Applied, CommitError> {
        let draft = Draft {
            reason: Some("a test".to_owned()),
            ..Draft::new(production(), author(), asks)
        };
        self.environments.commit(draft).await
    }

    /// The flag, on for so many percent; its checks are asked at these addresses.
    pub(super) async fn put(&self, key: &str, percent: u32, checks: &[&str]) -> Position {
        let checks: Vec<_> = checks
            .iter()
            .map(|url| serde_json::json!({"name": "health", "url": url, "when": ["after", "step"]}))
            .collect();
        let flag = serde_json::json!({
            "variants": {"on": true, "off": false}, "safe": "off", "default": "off", "checks": checks,
            "rules": [{"serve": {"split": [{"variant": "on", "weight": percent}, {"variant": "off", "weight": 100 - percent}]}}],
        });
        let flag = Flag::parse(&flag.to_string()).unwrap();
        let key = FlagKey::new(key).unwrap();
        self.submit(vec![Operation::PutFlag(key, Box::new(flag))]).await.unwrap().position
    }

    pub(super) async fn policy(&self, policy: Policy) {
        let entry = Entry::new(SingletonKey, policy, Position::START).unwrap();
        let put = Operation::PutRecord(Arc::new(entry).into(), Expected::Anything);
        self.submit(vec![put]).await.unwrap();
    }

    /// Rolls these flags back to `to`, step by step where there are any.
    #[expect(clippy::too_many_lines, reason = "a record is written out whole")]
    pub(super) async fn roll_back(&self, flags: &[&str], to: Position, steps: &[f64]) -> RollbackId {
        let now = self.clock.now();
        let number = self.ids.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        let id = RollbackId::from_parts(number, 1);
        let state = self.environments.state(&production()).unwrap();
        let target = self.environments.state_at(&production(), to).await.unwrap().unwrap();
        let flags: BTreeSet<FlagKey> = flags.iter().map(|key| FlagKey::new(key).unwrap()).collect();
        let ladder = (!steps.is_empty()).then(|| Stages {
            steps: steps.to_vec(),
            every_seconds: 120,
            done: 1,
            next_at: Some(now + jiff::SignedDuration::from_secs(120)),
            whole: BTreeSet::new(),
        });
        let record = Rollback {
            id: id.clone(),
            scope: RollbackScope::Flags(flags.clone()),
            segment: None,
            target: RollbackTarget {
                epoch: to.epoch,
                revision: to.revision,
                hash: target.hash,
                checkpoint: None,
            },
            plan: Digest::of([b"plan".as_slice()]),
            state: RollbackState::Committed,
            message: String::new(),
            by: author().actor,
            reason: None,
            before: state.head.position(),
            revision: ripcord_proto::Revision::default(),
            epoch: state.head.epoch,
            flags: BTreeSet::new(),
            segments: BTreeSet::new(),
            skipped: BTreeSet::new(),
            acknowledged: BTreeSet::new(),
            latitude: RollbackOptions::default(),
            ladder,
            phases: PhaseTimes {
                decided: Some(now),
                ..PhaseTimes::default()
            },
            confirmation: None,
            probes: Vec::new(),
            checks: Vec::new(),
            bad_exposure: BadExposure::default(),
            undone_by: None,
            review: Review {
                due: now + jiff::SignedDuration::from_hours(72),
                done: None,
            },
        };
        let reversal = Reversal {
            reach: ReversalScope::Flags(flags),
            segment: None,
            target: Arc::new(target.snapshot),
            cap: steps.first().copied(),
            record,
        };
        self.submit(vec![Operation::Rollback(Box::new(reversal))]).await.unwrap();
        id
    }

    pub(super) fn rollback(&self, id: &RollbackId) -> Rollback {
        let state = self.environments.state(&production()).unwrap();
        state.records.rollbacks.value(id.as_str()).unwrap().clone()
    }

    /// The rollback once it is in this state.
    pub(super) async fn until(&self, id: &RollbackId, state: RollbackState) -> Rollback {
        self.until_it(id, |rollback| rollback.state == state).await
    }

    /// The rollback once it is so. With paused time, ten minutes are nothing.
    pub(super) async fn until_it(&self, id: &RollbackId, is_so: impl Fn(&Rollback) -> bool) -> Rollback {
        let mut states = self.environments.watch(&production()).unwrap();
        let found = states.wait_for(|state| state.records.rollbacks.value(id.as_str()).is_some_and(&is_so));
        let waited = tokio::time::timeout(Duration::from_mins(10), found).await.map(drop);
        assert!(waited.is_ok(), "{:#?}", self.rollback(id));
        self.rollback(id)
    }

    /// An application that connects with what it has.
    pub(super) fn app(&self, name: &str) -> Membership {
        let position = self.environments.state(&production()).unwrap().head.position();
        let joining = NewMember {
            name: name.to_owned(),
            id: format!("id of {name}"),
            sdk: "test/1".to_owned(),
            position: Some(position),
            acknowledges: true,
            transport: Transport::WebSocket,
        };
        self.fleet.join(&production(), joining)
    }

    pub(super) fn acknowledge(&self, app: &Membership) {
        let position = self.environments.state(&production()).unwrap().head.position();
        app.acknowledged(position, &[], std::time::Instant::now());
    }

    /// How many percent are served `on` by the flag as it is.
    pub(super) fn percent(&self, key: &str) -> u64 {
        let state = self.environments.state(&production()).unwrap();
        let ripcord_proto::rule::Serve::Split(split) = &state.snapshot.flags.value(key).unwrap().rules[0].serve else {
            panic!("no split")
        };
        let weights: Vec<u64> = split.shares().iter().map(|share| u64::from(share.weight.units())).collect();
        weights[0] * 100 / (weights[0] + weights[1])
    }
}

/// The nodes that are said to be alive.
#[derive(Debug, Default)]
pub(super) struct Said(std::sync::Mutex<BTreeSet<String>>);

impl Said {
    pub(super) fn alive(&self, ids: &[&str]) {
        *self.0.lock().unwrap() = ids.iter().map(ToString::to_string).collect();
    }
}

impl LiveNodes for Said {
    fn others(&self) -> BoxFuture<'_, Option<BTreeSet<String>>> {
        let said = self.0.lock().unwrap().clone();
        Box::pin(std::future::ready(Some(said)))
    }
}
