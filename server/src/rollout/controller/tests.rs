//! Rollouts on a node whose clock and reports are in the test's hands.

mod bound;
mod gates;
mod people;
mod steps;

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use futures_util::future::BoxFuture;
use ripcord_proto::gate::Arm;
use ripcord_proto::policy::{Policy, SingletonKey};
use ripcord_proto::problem::Code;
use ripcord_proto::role::Role;
use ripcord_proto::rollout::{Attribution, Rollout, RolloutPlan, RolloutState};
use ripcord_proto::rule::Serve;
use ripcord_proto::{EnvironmentKey, Flag, FlagKey, RolloutId};
use serde_json::{Value, json};

use crate::check::Checks;
use crate::clock::Clock as _;
use crate::clock::fixture::TokioClock;
use crate::commit::{Applied, Author, CommitError, Draft, Expected, MissingItem, Operation, StateConflict};
use crate::environment::Environments;
use crate::environment::fixture::{EnvironmentsBuilder, author_as, production};
use crate::kill::Kills;
use crate::leader::fixture::SingleNode;
use crate::leader::{LeaderLease, LiveNodes};
use crate::outcome::reports::{NodeSums, Reports, SeriesQuery, SeriesSums};
use crate::peer::Peers;
use crate::rollout::Rollouts;
use crate::rollout::actions::{self, RolloutAction};
use crate::store::fault_injection::{Fault, FaultyStore};
use crate::store::journal::Journal;
use crate::store::memory::MemoryStore;

/// What applications report: so many evaluations a second of each variant, and so many errors among a hundred.
#[derive(Debug)]
struct Traffic {
    since: tokio::time::Instant,
    /// By variant: evaluations a second, errors of a hundred.
    rates: Mutex<Vec<(&'static str, u64, u64)>>,
}

impl Reports for Traffic {
    fn sums<'a>(&'a self, _: &'a EnvironmentKey, series: &'a [SeriesQuery]) -> BoxFuture<'a, Vec<NodeSums>> {
        let millis = u64::try_from(self.since.elapsed().as_millis()).unwrap();
        let rates = self.rates.lock().unwrap().clone();
        let sum = |series: &SeriesQuery| {
            let rate = rates.iter().find(|(variant, ..)| *variant == series.variant.as_str());
            rate.map_or_else(SeriesSums::default, |(_, a_second, errors)| {
                let served = a_second * millis / 1_000;
                SeriesSums {
                    real: Arm::new(served, served * errors / 100),
                    synthetic: Arm::new(7, 7),
                }
            })
        };
        let sums: Vec<SeriesSums> = series.iter().map(sum).collect();
        let node = NodeSums {
            node: "a".to_owned(),
            before: sums.clone(),
            sums,
        };
        Box::pin(std::future::ready(vec![node]))
    }
}

/// The code that a caller is refused with.
fn code(refused: &CommitError) -> Code {
    refused.problem().code
}

/// A person with a key of their own.
fn author(name: &str, role: Role) -> Author {
    let mut author = author_as(name, role);
    author.actor.key = Some(format!("key_{name}"));
    author
}

struct RolloutWorld {
    environments: Environments,
    store: Arc<FaultyStore<MemoryStore>>,
    clock: Arc<TokioClock>,
    traffic: Arc<Traffic>,
    kills: Kills,
    ids: std::sync::atomic::AtomicU64,
}

impl RolloutWorld {
    /// A node that leads, with the flag `checkout`, which serves `off` to all.
    async fn new() -> Self {
        let world = Self::without_controller().await;
        world.run_controller("a", Arc::new(SingleNode));
        world
    }

    async fn without_controller() -> Self {
        let (since, clock) = (tokio::time::Instant::now(), Arc::new(TokioClock::start()));
        let store = FaultyStore::new(MemoryStore::new());
        let builder = EnvironmentsBuilder::new().store(Arc::clone(&store) as _).clock(Arc::clone(&clock) as _);
        let environments = builder.start().await;
        let world = Self {
            kills: Kills::start(environments.clone(), Journal::in_memory(), Peers::new(Vec::new(), None, None), "a".to_owned()),
            environments,
            store,
            traffic: Arc::new(Traffic {
                since,
                rates: Mutex::default(),
            }),
            clock,
            ids: std::sync::atomic::AtomicU64::new(1),
        };
        world.put("checkout", &json!([])).await;
        world
    }

    fn run_controller(&self, id: &str, live_nodes: Arc<dyn LiveNodes>) -> Rollouts {
        let lease = LeaderLease::new(self.environments.clone(), live_nodes, id, id);
        let checks = Checks::new(Arc::clone(&self.clock) as _);
        Rollouts::start(self.environments.clone(), lease, self.kills.clone(), checks, Arc::clone(&self.traffic) as _)
    }

    fn serves(&self, rates: &[(&'static str, u64, u64)]) {
        *self.traffic.rates.lock().unwrap() = rates.to_vec();
    }

    async fn submit(&self, who: Author, operations: Vec<Operation>) -> Result<Applied, CommitError> {
        let draft = Draft {
            reason: Some("a test".to_owned()),
            ..Draft::new(production(), who, operations)
        };
        self.environments.commit(draft).await
    }

    async fn put(&self, key: &str, rules: &Value) {
        let flag = json!({"variants": {"on": true, "off": false}, "safe": "off", "default": "off", "rules": rules});
        let flag = Flag::from_value(&flag).unwrap();
        let key = FlagKey::new(key).unwrap();
        self.submit(author("anna", Role::Editor), vec![Operation::PutFlag(key, Box::new(flag))])
            .await
            .unwrap();
    }

    async fn policy(&self, policy: Policy) {
        let put = Operation::put_record(SingletonKey, policy, Expected::Anything).unwrap();
        self.submit(author("anna", Role::Editor), vec![put]).await.unwrap();
    }

    fn word(&self, who: &Author) -> Attribution {
        Attribution {
            by: who.actor.clone(),
            at: self.clock.now(),
            reason: None,
        }
    }

    /// Starts a rollout of `checkout` with these steps (`10% for 10s`) and whatever more the plan says.
    async fn start(&self, steps: &[&str], more: &Value) -> RolloutId {
        self.try_start(steps, more).await.unwrap()
    }

    async fn try_start(&self, steps: &[&str], more: &Value) -> Result<RolloutId, CommitError> {
        let step = |step: &&str| {
            let (to, rest) = step.split_once(" for ").unwrap();
            match rest.split_once(" by ") {
                Some((hold, role)) => json!({"to": to, "hold": hold, "approve": role}),
                None => json!({"to": to, "hold": rest}),
            }
        };
        let mut plan = json!({"flag": "checkout", "variant": "on", "steps": steps.iter().map(step).collect::<Vec<_>>(), "no_gates": true});
        plan.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        let plan = RolloutPlan::from_value(&plan).unwrap();
        let number = self.ids.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        let id = RolloutId::from_parts(number, 1);
        let pipeline = author("pipeline", Role::Pipeline);
        let rollout = actions::begun(plan, id.clone(), self.word(&pipeline)).unwrap();
        self.submit(pipeline, vec![actions::start(rollout)]).await.map(|_| id)
    }

    async fn act(&self, id: &RolloutId, act: RolloutAction, who: Author) -> Result<Applied, CommitError> {
        let word = self.word(&who);
        self.submit(who, vec![actions::operation(id.clone(), act, word)]).await
    }

    fn rollout(&self, id: &RolloutId) -> Rollout {
        let state = self.environments.state(&production()).unwrap();
        state.records.rollouts.value(id.as_str()).unwrap().clone()
    }

    async fn until(&self, id: &RolloutId, state: RolloutState) -> Rollout {
        self.until_it(id, |rollout| rollout.state == state).await
    }

    async fn until_step(&self, id: &RolloutId, step: u32) -> Rollout {
        self.until_it(id, |rollout| rollout.step == step).await
    }

    /// The rollout once it is so. With paused time, hours are nothing.
    async fn until_it(&self, id: &RolloutId, is_so: impl Fn(&Rollout) -> bool) -> Rollout {
        let mut states = self.environments.watch(&production()).unwrap();
        let found = states.wait_for(|state| state.records.rollouts.value(id.as_str()).is_some_and(&is_so));
        let waited = tokio::time::timeout(Duration::from_hours(30), found).await.map(drop);
        assert!(waited.is_ok(), "{:#?}", self.rollout(id));
        self.rollout(id)
    }

    fn flag(&self, key: &str) -> Flag {
        let state = self.environments.state(&production()).unwrap();
        state.snapshot.flags.value(key).unwrap().clone()
    }

    /// How many percent are served `on` by the last rule of a flag.
    fn percent(&self, key: &str) -> u64 {
        let flag = self.flag(key);
        let Some(Serve::Split(split)) = flag.rules.last().map(|rule| &rule.serve) else {
            return 0;
        };
        let on = split.shares().iter().find(|share| share.variant.as_str() == "on").unwrap();
        u64::from(on.weight.units()) * 100 / u64::from(split.total())
    }

    /// Whole seconds since the test began.
    fn second(&self) -> u64 {
        self.traffic.since.elapsed().as_secs()
    }
}
