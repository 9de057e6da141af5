//! Rollbacks on a node whose applications and clock are in the test's hands.

mod confirming;
mod earlier_states;
mod faults;
mod stepping;
mod taking_over;

use ripcord_proto::digest::Digest;
use ripcord_proto::policy::{Policy, SingletonKey};
use ripcord_proto::rollback::{Rollback, RollbackScope, RollbackState, RollbackTarget, Stages};
use ripcord_proto::table::Entity as _;
use ripcord_proto::{Flag, FlagKey, Position, RollbackId};
use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use super::controller::{self, RollbackDeps};
use crate::check::Checks;
use crate::clock::Clock;
use crate::clock::fixture::TokioClock;
use crate::commit::reversal::{Reversal, ReversalScope};
use crate::commit::{Applied, Author, CommitError, Draft, Expected, Operation};
use crate::environment::Environments;
use crate::environment::fixture::{self, EnvironmentsBuilder, production};
use crate::fleet::{Fleet, FleetSettings, Membership, NewMember, NoPeers, Transport};
use crate::leader::fixture::SingleNode;
use crate::leader::{LeaderLease, LiveNodes};
use crate::outcome::{NoPeerOutcomes, Outcomes};
use crate::store::fault_injection::FaultyStore;
use crate::store::memory::MemoryStore;

/// A node, and what it knows.
pub(super) struct RollbackWorld {
    pub(super) environments: Environments,
    pub(super) fleet: Fleet,
    pub(super) outcomes: Outcomes,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) store: Arc<FaultyStore<MemoryStore>>,
    ids: std::sync::atomic::AtomicU64,
}

fn author() -> Author {
    fixture::author("ana")
}

impl RollbackWorld {
    /// An environment with the flag `checkout`, off for everyone.
    pub(super) async fn new() -> Self {
        let clock: Arc<dyn Clock> = Arc::new(TokioClock::start());
        let store = FaultyStore::new(MemoryStore::new());
        let environments = EnvironmentsBuilder::new()
            .clock(Arc::clone(&clock))
            .store(Arc::clone(&store) as _)
            .start()
            .await;
        let world = Self {
            fleet: Fleet::new(environments.board(), FleetSettings::new("a"), Arc::new(NoPeers)),
            environments,
            outcomes: Outcomes::default(),
            clock,
            store,
            ids: std::sync::atomic::AtomicU64::new(1),
        };
        world.put("checkout", 0, &[]).await;
        world
    }

    /// Starts the controller of rollbacks, as the node of this id.
    pub(super) fn run_controller(&self, id: &str, live_nodes: Arc<dyn LiveNodes>) -> LeaderLease {
        let lease = LeaderLease::new(self.environments.clone(), live_nodes, id, id);
        let deps = RollbackDeps {
            environments: self.environments.clone(),
            fleet: self.fleet.clone(),
            outcomes: self.outcomes.clone(),
            elsewhere: Arc::new(NoPeerOutcomes),
            checks: Checks::new(Arc::clone(&self.clock)),
            lease: lease.clone(),
        };
        controller::start(deps);
        lease
    }

    pub(super) fn run_single_controller(&self) {
        self.run_controller("a", Arc::new(SingleNode));
    }

    pub(super) async fn submit(&self, operations: Vec<Operation>) -> Result<Applied, CommitError> {
        let draft = Draft {
            reason: Some("a test".to_owned()),
            ..Draft::new(production(), author(), operations)
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
        let put = Operation::put_record(SingletonKey, policy, Expected::Anything).unwrap();
        self.submit(vec![put]).await.unwrap();
    }

    /// Rolls these flags back to `to`, step by step where there are any.
    pub(super) async fn roll_back(&self, flags: &[&str], to: Position, steps: &[f64]) -> RollbackId {
        let now = self.clock.now();
        let number = self.ids.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        let id = RollbackId::from_parts(number, 1);
        let state = self.environments.state(&production()).unwrap();
        let target = self.environments.state_at(&production(), to).await.unwrap().unwrap();
        let flags: BTreeSet<FlagKey> = flags.iter().map(|key| FlagKey::new(key).unwrap()).collect();
        let stages = (!steps.is_empty()).then(|| Stages {
            steps: steps.to_vec(),
            every_seconds: 120,
            done: 1,
            next_at: Some(now + jiff::SignedDuration::from_secs(120)),
            whole: BTreeSet::new(),
        });
        let to = RollbackTarget {
            epoch: to.epoch,
            revision: to.revision,
            hash: target.hash,
            checkpoint: None,
        };
        let scope = RollbackScope::Flags(flags.clone());
        let record = Rollback {
            plan: Digest::of([b"plan".as_slice()]),
            epoch: state.head.epoch,
            ladder: stages,
            ..Rollback::begun(id.clone(), scope, to, state.head.position(), author().actor, now, 72 * 60 * 60)
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
            key: "key".to_owned(),
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
