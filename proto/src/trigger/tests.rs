use serde_json::{Value, json};

use super::*;
use crate::rest::Request as _;
use crate::rest::triggers::{TriggerPatch, TriggerRequest};

fn asked(more: &Value) -> Result<TriggerRequest, ValidationErrors> {
    let mut request = json!({"name": "error-rate", "source": "alertmanager", "action": {"kill": {"flags": ["checkout"]}}});
    request.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    TriggerRequest::from_value(&request)
}

fn paths(more: &Value) -> Vec<String> {
    let faults = asked(more).unwrap_err();
    faults.all().iter().map(|fault| fault.path.clone()).collect()
}

#[test]
fn what_is_asked_for_is_read_in_its_short_and_its_long_form() {
    for (source, read) in [
        (json!("pagerduty"), SignalSource::Pagerduty),
        (json!("gate"), SignalSource::Gate(GateFilter::default())),
    ] {
        let action = json!({"rollback": {"scope": "open_release"}});
        assert_eq!(asked(&json!({"source": source, "action": action})).unwrap().source, read);
    }
    let conditions = asked(&json!({"conditions": {"labels": {"severity": "page", "team": ["a", "b"]}, "during": "open_release", "about": "real_traffic"}}));
    let conditions = conditions.unwrap().conditions;
    assert_eq!(conditions.labels["team"].len(), 2);
    assert_eq!((conditions.during, conditions.about), (ActivePeriod::OpenRelease, TrafficFilter::RealTraffic));
    for action in [
        json!({"hold": {}}),
        json!({"rollback": {"scope": {"flags": ["a"]}, "to": 41}}),
        json!({"rollback": {"scope": {"release": "web-12"}}}),
        json!({"kill": {"flags": ["a", "b"]}}),
    ] {
        let read = asked(&json!({"action": action})).unwrap().action;
        assert_eq!(serde_json::to_value(&read).unwrap(), action);
        assert_eq!(serde_json::from_value::<TriggerAction>(action).unwrap(), read);
    }
}

#[test]
fn every_problem_is_named_by_its_field() {
    assert_eq!(paths(&json!({"source": "smoke", "action": "explode"})), ["source", "action"]);
    assert_eq!(
        paths(&json!({"name": "Error Rate", "cooldown": "2d", "max_per_hour": 0, "answer_within": "1s", "secret": "short"})),
        ["name", "secret", "cooldown", "max_per_hour", "answer_within"]
    );
    assert_eq!(paths(&json!({"source": "gate", "credential": "hmac"})), ["credential"]);
    assert_eq!(paths(&json!({"action": {"kill": {}}})), ["action.kill.flags"]);
    assert_eq!(paths(&json!({"source": {"json": {"pointer": "/a"}}})), ["source.json"]);
    assert_eq!(
        paths(&json!({"action": {"rollback": {"scope": {"flags": []}}}})),
        ["action.rollback.scope.flags"]
    );
}

#[test]
fn a_trigger_narrows_the_policy_and_never_widens_it() {
    let mut trigger = trigger();
    let policy = |triggers| crate::policy::Policy {
        triggers,
        ..Default::default()
    };
    for (own, says, comes_to) in [
        (None, None, TriggerMode::Ask),
        (None, Some(TriggerMode::Automatic), TriggerMode::Automatic),
        (Some(TriggerMode::Automatic), Some(TriggerMode::Ask), TriggerMode::Ask),
        (Some(TriggerMode::Off), Some(TriggerMode::Automatic), TriggerMode::Off),
    ] {
        trigger.mode = own;
        assert_eq!(trigger.mode_under(policy(says).triggers()), comes_to);
    }
}

#[test]
fn a_trigger_keeps_its_key_and_prints_it_nowhere() {
    let trigger = trigger();
    let json = serde_json::to_string(&trigger).unwrap();
    assert_eq!(Trigger::parse(&json).unwrap(), trigger);
    assert!(json.contains("a-key-that-nobody-sees"));
    assert!(!format!("{trigger:?}").contains("nobody-sees"));
    let environment = EnvironmentKey::new("production").unwrap();
    let view = crate::rest::triggers::TriggerView::of(&environment, &trigger, &crate::policy::Policy::default());
    let shown = serde_json::to_string(&view).unwrap();
    assert!(!shown.contains("nobody-sees") && shown.contains("\"hmac\""), "{shown}");
    assert!(shown.contains("/v1/hooks/production.error-rate"), "{shown}");
}

#[test]
fn disarming_is_told_from_every_other_change() {
    let patch = |value: Value| TriggerPatch::from_value(&value).unwrap();
    assert!(patch(json!({"state": "disarmed", "reason": "it is the monitoring that fails"})).only_disarms());
    for more in [json!({"state": "armed"}), json!({"state": "disarmed", "mode": null}), json!({})] {
        assert!(!patch(more).only_disarms());
    }
}

#[test]
fn a_hook_names_its_environment_before_the_first_dot() {
    let hook: HookName = "staging-2.error-rate".parse().unwrap();
    assert_eq!(hook.environment.as_str(), "staging-2");
    assert_eq!(hook.to_string(), "staging-2.error-rate");
    for wrong in ["error-rate", "a.b.c", ".x", "production."] {
        assert!(wrong.parse::<HookName>().is_err(), "{wrong}");
    }
}

fn trigger() -> Trigger {
    let request = asked(&json!({})).unwrap();
    Trigger {
        name: request.name,
        source: request.source,
        credential: Credential::Hmac(SigningKey::new("a-key-that-nobody-sees")),
        action: request.action,
        conditions: request.conditions,
        cooldown: Trigger::COOLDOWN,
        max_per_hour: 3,
        answer_within: Trigger::ANSWER_WITHIN,
        state: TriggerState::Armed,
        mode: None,
        note: None,
        by: Actor::server("a"),
        at: jiff::Timestamp::UNIX_EPOCH,
    }
}
