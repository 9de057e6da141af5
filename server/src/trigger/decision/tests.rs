use std::collections::BTreeMap;
use std::sync::Arc;

use proptest::prelude::*;
use ripcord_proto::Position;
use ripcord_proto::actor::Actor;
use ripcord_proto::digest::Digest;
use ripcord_proto::policy::{Policy, SingletonKey};
use ripcord_proto::rest::Request as _;
use ripcord_proto::rest::triggers::TriggerRequest;
use ripcord_proto::table::Entry;
use ripcord_proto::trigger::{FiringEffects, FiringState};
use serde_json::{Value, json};

use super::*;
use crate::trigger::crud;

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(1_764_000_000 + second).unwrap()
}

fn trigger(more: &Value) -> Trigger {
    let mut request = json!({"name": "t", "source": "alertmanager", "action": {"kill": {"flags": ["checkout"]}}, "cooldown": "1m", "max_per_hour": 3});
    request.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    crud::new_trigger(&TriggerRequest::from_value(&request).unwrap(), Actor::server("a"), at(0)).trigger
}

fn records(mode: TriggerMode) -> Records {
    let mut records = Records::default();
    let policy = Policy {
        triggers: Some(mode),
        ..Policy::default()
    };
    records.put(&Arc::new(Entry::new(SingletonKey, policy, Position::START).unwrap()).into());
    records
}

fn signal(phase: SignalPhase, group: &str, second: i64) -> Signal {
    Signal {
        group: group.to_owned(),
        phase,
        at: at(second),
        labels: BTreeMap::new(),
        summary: "HighErrorRate".to_owned(),
        flag: None,
    }
}

/// What the room does with a fate, on the records alone.
fn take(records: &mut Records, trigger: &Trigger, signal: &Signal, now: i64) -> SignalDecision {
    let decision = of(records, trigger, signal, at(now));
    let mut put = |firing: Firing| records.put(&Arc::new(Entry::new(firing.id.clone(), firing, Position::START).unwrap()).into());
    let fresh = |state| Firing {
        id: FiringId::from_parts(
            u64::try_from(signal.at.as_millisecond()).unwrap(),
            u128::from(signal.group.bytes().map(u64::from).sum::<u64>()),
        ),
        trigger: trigger.name.clone(),
        group: signal.group.clone(),
        summary: signal.summary.clone(),
        labels: BTreeMap::new(),
        started: signal.at,
        at: at(now),
        node: "a".to_owned(),
        action: trigger.action.clone(),
        state,
        message: String::new(),
        effects: FiringEffects::default(),
        answer_by: None,
        answered: None,
        repeats: 0,
        resolved: None,
        delivery: Digest::ZERO,
    };
    match &decision {
        SignalDecision::Act => put(fresh(FiringState::Acted)),
        SignalDecision::Restrain(_) => put(fresh(FiringState::Suppressed)),
        SignalDecision::Resolve(id) => {
            let open = records.firings.value(id.as_str()).unwrap().clone();
            let ended = Firing {
                resolved: Some(signal.at),
                ..open
            };
            records.put(&Arc::new(Entry::new(ended.id.clone(), ended, Position::START).unwrap()).into());
        }
        SignalDecision::ResolveUnknown => put(Firing {
            resolved: Some(signal.at),
            ..fresh(FiringState::Resolved)
        }),
        SignalDecision::Repeat(_) | SignalDecision::Ignore(_) => {}
    }
    decision
}

#[test]
fn one_incident_is_one_action_and_a_resolve_ends_it() {
    let (trigger, mut records) = (trigger(&json!({"cooldown": "0s"})), records(TriggerMode::Automatic));
    assert_eq!(take(&mut records, &trigger, &signal(SignalPhase::Firing, "g", 10), 11), SignalDecision::Act);
    for now in 12..20 {
        assert!(matches!(
            take(&mut records, &trigger, &signal(SignalPhase::Firing, "g", 10), now),
            SignalDecision::Repeat(_)
        ));
    }
    assert!(matches!(
        take(&mut records, &trigger, &signal(SignalPhase::Resolved, "g", 30), 31),
        SignalDecision::Resolve(_)
    ));
    assert_eq!(take(&mut records, &trigger, &signal(SignalPhase::Firing, "g", 40), 41), SignalDecision::Act);
    assert_eq!(
        take(&mut records, &trigger, &signal(SignalPhase::Firing, "h", 10), 41),
        SignalDecision::Act,
        "another group is another incident"
    );
}

#[test]
fn a_resolve_that_is_older_than_what_fires_does_not_end_it() {
    let (trigger, mut records) = (trigger(&json!({})), records(TriggerMode::Automatic));
    take(&mut records, &trigger, &signal(SignalPhase::Firing, "g", 100), 101);
    let late = take(&mut records, &trigger, &signal(SignalPhase::Resolved, "g", 90), 102);
    assert!(
        matches!(&late, SignalDecision::Ignore(why) if why.contains("before the alert that is now firing began")),
        "{late:?}"
    );
    assert!(matches!(
        take(&mut records, &trigger, &signal(SignalPhase::Firing, "g", 100), 103),
        SignalDecision::Repeat(_)
    ));
}

#[test]
fn a_firing_that_is_older_than_its_resolve_is_not_acted_on() {
    let (trigger, mut records) = (trigger(&json!({})), records(TriggerMode::Automatic));
    assert_eq!(
        take(&mut records, &trigger, &signal(SignalPhase::Resolved, "g", 50), 60),
        SignalDecision::ResolveUnknown
    );
    let late = take(&mut records, &trigger, &signal(SignalPhase::Firing, "g", 40), 61);
    assert!(matches!(&late, SignalDecision::Ignore(why) if why.contains("already ended")), "{late:?}");
    assert_eq!(take(&mut records, &trigger, &signal(SignalPhase::Firing, "g", 55), 62), SignalDecision::Act);
}

#[test]
fn a_level_that_is_well_ends_nothing_when_nothing_is_open() {
    let source = json!({"source": {"json": {"pointer": "/bad", "equals": true}}});
    let (trigger, mut records) = (trigger(&source), records(TriggerMode::Automatic));
    assert!(matches!(
        take(&mut records, &trigger, &signal(SignalPhase::Resolved, "all", 1), 1),
        SignalDecision::Ignore(_)
    ));
    assert_eq!(records.firings.len(), 0);
}

#[test]
fn the_cooldown_and_the_hours_limit_hold_it_back() {
    let (trigger, mut records) = (trigger(&json!({})), records(TriggerMode::Automatic));
    for (number, now) in [(0, 0), (1, 60), (2, 120)] {
        assert_eq!(
            take(&mut records, &trigger, &signal(SignalPhase::Firing, &format!("g{number}"), now), now),
            SignalDecision::Act
        );
        let soon = of(&records, &trigger, &signal(SignalPhase::Firing, "other", now + 59), at(now + 59));
        assert!(
            matches!(&soon, SignalDecision::Restrain(Restraint::Suppress(why)) if why.contains("less than 1m ago")),
            "{soon:?}"
        );
    }
    let fourth = of(&records, &trigger, &signal(SignalPhase::Firing, "g3", 3_599), at(3_599));
    assert!(
        matches!(&fourth, SignalDecision::Restrain(Restraint::Suppress(why)) if why.contains("3 times within an hour")),
        "{fourth:?}"
    );
    assert_eq!(
        of(&records, &trigger, &signal(SignalPhase::Firing, "g3", 3_600), at(3_600)),
        SignalDecision::Act
    );
}

#[test]
fn mode_and_state_decide_what_firing_means() {
    let fires = |state: &str, mode| of(&records(mode), &trigger(&json!({"state": state})), &signal(SignalPhase::Firing, "g", 1), at(1));
    assert_eq!(fires("armed", TriggerMode::Automatic), SignalDecision::Act);
    assert_eq!(fires("armed", TriggerMode::Ask), SignalDecision::Restrain(Restraint::AskFirst));
    assert_eq!(fires("armed", TriggerMode::Off), SignalDecision::Restrain(Restraint::RecordOnly));
    assert_eq!(fires("dry_run", TriggerMode::Automatic), SignalDecision::Restrain(Restraint::DryRun));
    let during = trigger(&json!({"conditions": {"during": "open_release"}}));
    let decision = of(&records(TriggerMode::Automatic), &during, &signal(SignalPhase::Firing, "g", 1), at(1));
    assert_eq!(decision, SignalDecision::Ignore("no release is open".to_owned()));
}

#[derive(Debug, Clone, Copy)]
struct AlertDelivery {
    activation: i64,
    phase: SignalPhase,
}

proptest! {
    /// Alerts of one group begin at 100, 300, … and end at 200, 400, …; they arrive in any order, any number of times.
    #[test]
    fn in_any_order_no_incident_is_acted_on_twice(alerts in proptest::collection::vec((0_i64..4, any::<bool>()), 0..40)) {
        let (trigger, mut records) = (trigger(&json!({"cooldown": "0s", "max_per_hour": 1_000})), records(TriggerMode::Automatic));
        let mut acted: BTreeMap<i64, u32> = BTreeMap::new();
        for (place, (activation, begins)) in alerts.into_iter().enumerate() {
            let alert = AlertDelivery { activation, phase: if begins { SignalPhase::Firing } else { SignalPhase::Resolved } };
            let second = alert.activation * 200 + if begins { 100 } else { 200 };
            let now = 10_000 + i64::try_from(place).unwrap();
            if take(&mut records, &trigger, &signal(alert.phase, "g", second), now) == SignalDecision::Act {
                *acted.entry(alert.activation).or_default() += 1;
            }
        }
        prop_assert!(acted.values().all(|times| *times == 1), "{acted:?}");
        let open = records.firings.iter().filter(|entry| entry.value().is_ok_and(Firing::is_open)).count();
        prop_assert!(open <= 1);
    }
}
