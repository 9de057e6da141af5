//! Triggers that fire while the store cannot take what they do.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use ripcord_proto::actor::Actor;
use ripcord_proto::digest::Digest;
use ripcord_proto::policy::{Policy, SingletonKey};
use ripcord_proto::rest::Request as _;
use ripcord_proto::rest::triggers::{HookOutcome, HookResponse, TriggerRequest};
use ripcord_proto::rollout::{Attribution, RolloutPlan, RolloutState};
use ripcord_proto::table::Entry;
use ripcord_proto::trigger::{Firing, FiringState, HookName, Trigger, TriggerMode};
use ripcord_proto::{EnvironmentKey, Position, RolloutId};
use serde_json::{Value, json};
use tokio::sync::broadcast;

use super::signal::{Signal, SignalPhase};
use super::signature::SignatureHeaders;
use super::{DeliveryError, Triggers, crud};
use crate::check::Checks;
use crate::clock::SystemClock;
use crate::commit::state::EnvironmentState;
use crate::commit::{CommitError, Expected, Operation, StoreFailure};
use crate::environment::fixture::{TestNode, percent, production, staging_that_does_not_load};
use crate::kill::Kills;
use crate::peer::Peers;
use crate::rollout::{GateFired, actions};
use crate::store::fault_injection::{Fault, FaultyStore};
use crate::store::journal::Journal;
use crate::store::memory::MemoryStore;

/// Every way in which the store does not take a write.
const FAULTS: [Fault; 4] = [Fault::Away, Fault::Reseeding, Fault::UnknownLost, Fault::UnknownWritten];

/// A node whose policy lets triggers act, with the flag `checkout` at 10% and then at 50%.
struct TriggerWorld {
    node: TestNode,
    store: Arc<FaultyStore<MemoryStore>>,
    triggers: Triggers,
    /// Where the flag was at 10%.
    good: Position,
    _gates: broadcast::Sender<GateFired>,
}

impl TriggerWorld {
    async fn new() -> Self {
        let store = FaultyStore::new(MemoryStore::new());
        let node = TestNode::over(Arc::clone(&store) as _).await;
        let policy = Policy {
            triggers: Some(TriggerMode::Automatic),
            ..Policy::default()
        };
        let policy = Entry::new(SingletonKey, policy, Position::START).unwrap();
        node.submit(vec![Operation::PutRecord(Arc::new(policy).into(), Expected::Anything)])
            .await
            .unwrap();
        let good = node.submit(vec![percent("checkout", 10)]).await.unwrap().position;
        node.submit(vec![percent("checkout", 50)]).await.unwrap();
        let environments = node.environments.clone();
        let kills = Kills::start(environments.clone(), Journal::in_memory(), Peers::new(Vec::new(), None, None), "a".to_owned());
        let (gates, receiver) = broadcast::channel(1);
        let triggers = Triggers::start(environments, kills, Checks::new(Arc::new(SystemClock)), receiver, "a");
        Self {
            node,
            store,
            triggers,
            good,
            _gates: gates,
        }
    }

    fn state(&self) -> Arc<EnvironmentState> {
        self.node.environments.state(&production()).unwrap()
    }

    async fn fire(&self, environment: EnvironmentKey, action: &Value) -> Result<HookResponse, DeliveryError> {
        let trigger = trigger(action);
        let hook = HookName {
            environment,
            trigger: trigger.name.clone(),
        };
        let signal = Signal {
            group: "g".to_owned(),
            phase: SignalPhase::Firing,
            at: jiff::Timestamp::now(),
            labels: BTreeMap::new(),
            summary: "HighErrorRate".to_owned(),
            flag: None,
        };
        self.triggers.handle_signal(&hook, Arc::new(trigger), signal, Digest::ZERO).await
    }

    fn is_killed(&self) -> bool {
        let served = self.node.environments.board().served("production").unwrap();
        let mut provisional = served.overlay.kills.values();
        provisional.any(|kill| kill.covers("checkout")) || served.snapshot.kills_of("checkout").next().is_some()
    }

    /// The only firing, once it is in the log.
    async fn firing(&self) -> Firing {
        let mut states = self.node.environments.watch(&production()).unwrap();
        let found = states.wait_for(|state| !state.records.firings.is_empty());
        drop(tokio::time::timeout(Duration::from_mins(1), found).await.unwrap().unwrap());
        let state = self.state();
        assert_eq!(state.records.firings.len(), 1);
        state.records.firings.iter().next().unwrap().value().unwrap().clone()
    }

    /// Waits until the log holds what `holds` looks for.
    async fn until(&self, holds: impl Fn(&EnvironmentState) -> bool) {
        let mut states = self.node.environments.watch(&production()).unwrap();
        let found = states.wait_for(|state| holds(state));
        drop(tokio::time::timeout(Duration::from_mins(1), found).await.unwrap().unwrap());
    }
}

fn trigger(action: &Value) -> Trigger {
    let request = json!({"name": "error-rate", "source": "alertmanager", "action": action, "mode": "automatic", "cooldown": "0s"});
    crud::new_trigger(&TriggerRequest::from_value(&request).unwrap(), Actor::server("a"), jiff::Timestamp::now()).trigger
}

fn rollback_to(position: Position) -> Value {
    json!({"rollback": {"scope": {"flags": ["checkout"]}, "to": position.to_string()}})
}

#[tokio::test(start_paused = true)]
async fn a_rollback_by_a_trigger_that_the_store_cannot_take_kills_its_flags_instead() {
    for fault in FAULTS {
        let world = TriggerWorld::new().await;
        world.store.set_unnoticed(fault);
        let answer = world.fire(production(), &rollback_to(world.good)).await.unwrap();
        assert_eq!((answer.outcome, answer.provisional), (HookOutcome::Fired, true), "{fault:?}");
        assert_eq!((answer.rollback, answer.kills.len()), (None, 1), "{fault:?}");
        assert!(world.is_killed(), "{fault:?}");
        world.store.set(Fault::None);
        let kill = answer.kills.first().unwrap();
        world.until(|state| state.snapshot.kills.get(kill.as_str()).is_some()).await;
        world
            .until(|state| state.records.firings.iter().any(|firing| firing.value().unwrap().effects.kills.contains(kill)))
            .await;
        let (firing, state) = (world.firing().await, world.state());
        // What was in doubt and turns out to be written counts: the flag is rolled back and killed, and the record tells both.
        let written = usize::from(fault == Fault::UnknownWritten);
        assert_eq!(state.records.rollbacks.len(), written, "{fault:?}");
        assert_eq!(firing.effects.rollback.is_some(), written == 1, "{fault:?}");
        let expected = if written == 1 { FiringState::Acted } else { FiringState::Killed };
        assert_eq!(firing.state, expected, "{fault:?}: {}", firing.message);
    }
}

#[tokio::test(start_paused = true)]
async fn a_hold_by_a_trigger_that_the_store_cannot_take_is_done_once_when_it_is_back() {
    for fault in FAULTS {
        let world = TriggerWorld::new().await;
        let id = RolloutId::from_parts(1, 1);
        let plan = json!({"flag": "checkout", "variant": "on", "steps": [{"to": "60%", "hold": "1h"}], "no_gates": true});
        let word = Attribution {
            by: Actor::server("a"),
            at: jiff::Timestamp::now(),
            reason: None,
        };
        let rollout = actions::begun(RolloutPlan::from_value(&plan).unwrap(), id.clone(), word).unwrap();
        world.node.submit(vec![actions::start(rollout)]).await.unwrap();
        world.store.set_unnoticed(fault);
        let answer = world.fire(production(), &json!({"hold": {}})).await.unwrap();
        assert_eq!((answer.outcome, answer.provisional), (HookOutcome::Fired, true), "{fault:?}");
        assert!(!world.is_killed(), "{fault:?}: a hold kills nothing");
        world.store.set(Fault::None);
        let firing = world.firing().await;
        assert_eq!(
            (firing.state, firing.effects.held.as_slice()),
            (FiringState::Acted, std::slice::from_ref(&id)),
            "{fault:?}"
        );
        let state = world.state();
        assert_eq!(state.records.rollouts.value(id.as_str()).unwrap().state, RolloutState::Paused, "{fault:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn an_alert_for_an_environment_that_is_not_loaded_yet_has_to_be_sent_again() {
    let world = TriggerWorld::new().await;
    let staging = staging_that_does_not_load(&world.node.environments, &world.store).await;
    let is_not_ready = |error: &DeliveryError| matches!(error, DeliveryError::Commit(CommitError::Store(StoreFailure::NotReady(_))));
    let refused = world.fire(staging, &json!({"hold": {}})).await.unwrap_err();
    assert!(is_not_ready(&refused), "{refused}");
    let proof = SignatureHeaders::default();
    let refused = world.triggers.deliver("staging.error-rate", &proof, Bytes::new()).await.unwrap_err();
    assert!(is_not_ready(&refused), "{refused}");
    let unknown = world.triggers.deliver("nowhere.error-rate", &proof, Bytes::new()).await.unwrap_err();
    assert!(matches!(unknown, DeliveryError::Signature(_)), "{unknown}");
}
