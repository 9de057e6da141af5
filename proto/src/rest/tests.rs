use serde_json::json;

use super::Request;
use super::commits::{ChangeRequest, CommitRequest};
use super::keys::KeyRequest;
use super::kills::{KillRequest, ReasonRequest};
use super::settings::SettingsRequest;
use crate::kill::KillScope;
use crate::role::{Action, Role};

fn faults<T: Request + std::fmt::Debug>(value: &serde_json::Value) -> Vec<String> {
    let faults = T::from_value(value).unwrap_err();
    faults.all().iter().map(ToString::to_string).collect()
}

#[test]
fn a_commit_reads_back_what_it_writes() {
    let body = json!({
        "reason": "launch",
        "changes": [
            {"put_flag": {"key": "checkout", "flag": {"variants": {"on": true, "off": false}, "default": "off", "safe": "off"}}},
            {"delete_flag": "old"},
            {"set_enabled": {"key": "checkout", "enabled": true}},
            {"put_segment": {"key": "beta", "segment": {"attribute": "plan", "equals": "beta"}}},
            {"delete_segment": "gone"},
            {"kill": {"scope": {"tag": "payments"}}},
            {"restore": "k_01jd3x7q8v9w0y2z4a6b8c0d2e"},
            {"put_settings": {"bucketing": "v2", "rebuckets_everybody": true}},
            {"apply_set": {"set": "payments", "segments": {}, "flags": {"a": {"variants": {"on": true}, "default": "on", "safe": "on"}}, "absent": "delete"}}
        ],
        "plan": "00000000000000000000000000000000000000000000000000000000000000ff"
    });
    let commit = CommitRequest::from_value(&body).unwrap();
    let again = CommitRequest::from_value(&serde_json::to_value(&commit).unwrap()).unwrap();
    assert_eq!(commit, again);
}

#[test]
fn every_problem_of_a_commit_is_told_at_once_with_its_path() {
    let body = json!({
        "reasn": "x",
        "changes": [
            {"put_flg": {}},
            {"delete_flag": "a", "restore": "b"},
            {"put_flag": {"key": "-", "flag": {"variants": {}, "default": null}}},
            {"kill": {"scope": {"all": false}}},
            {"apply_set": {"flags": {"a": {}}, "prune": true, "takeover": "yes"}},
            7
        ]
    });
    let found = faults::<CommitRequest>(&body);
    let starts = |path: &str| assert!(found.iter().any(|fault| fault.starts_with(path)), "{path} in {found:#?}");
    starts("reasn: is not a member of a commit; did you mean \"reason\"?");
    starts("changes[0].put_flg: is not a member of a change; did you mean \"put_flag\"?");
    starts("changes[1]: names two changes");
    starts("changes[2].put_flag.key: a flag key");
    starts("changes[2].put_flag.flag.safe: is missing");
    starts("changes[3].kill.scope.all: \"all\" can only be true");
    starts("changes[4].apply_set.flags.a.variants: is missing");
    starts("changes[4].apply_set.prune: is not a member of a file set");
    starts("changes[4].apply_set.takeover: must be \"refuse\" or \"adopt\"");
    starts("changes[5]: must be an object");
}

#[test]
fn a_change_says_what_a_key_must_be_allowed_to_do() {
    let action = |value| match CommitRequest::from_value(&json!({"changes": [value]})).unwrap().changes.first() {
        Some(change) => ChangeRequest::action(change),
        None => unreachable!(),
    };
    assert_eq!(action(json!({"delete_flag": "a"})), Action::Edit);
    assert_eq!(action(json!({"kill": {"scope": {"flag": "a"}}})), Action::Kill);
    assert_eq!(action(json!({"restore": "k_01jd3x7q8v9w0y2z4a6b8c0d2e"})), Action::Restore);
    assert_eq!(action(json!({"put_settings": {"bucketing": "v3"}})), Action::Administer);
}

#[test]
fn a_kill_needs_a_scope_and_no_reason() {
    let kill = KillRequest::from_value(&json!({"scope": {"flag": "checkout"}})).unwrap();
    assert!(matches!(kill.scope, KillScope::Flag(_)));
    assert_eq!(kill.reason, None);
    assert_eq!(
        faults::<KillRequest>(&json!({"reason": " "})),
        [
            "scope: is missing; it must be {\"flag\": key}, {\"tag\": tag} or {\"all\": true}",
            "reason: is empty; give a reason, or leave it out"
        ]
    );
    assert_eq!(
        faults::<KillRequest>(&json!({"scope": {"flag": "a", "tag": "b"}})),
        ["scope: must name one thing: {\"flag\": key}, {\"tag\": tag} or {\"all\": true}"]
    );
    assert_eq!(faults::<ReasonRequest>(&json!({})), ["reason: is missing; give a reason"]);
}

#[test]
fn every_key_but_an_admins_names_its_environments() {
    let key = KeyRequest::from_value(&json!({"role": "sdk", "environment": "production", "name": "shop"})).unwrap();
    assert_eq!((key.role, key.environments.len()), (Role::Sdk, 1));
    assert!(KeyRequest::from_value(&json!({"role": "admin", "name": "ops"})).is_ok());
    assert!(faults::<KeyRequest>(&json!({"role": "sdk", "name": "shop"}))[0].starts_with("environments: is empty"));
    assert!(faults::<KeyRequest>(&json!({"role": "admin", "environment": "production", "name": "ops"}))[0].starts_with("environments: must be left out"));
    assert!(faults::<KeyRequest>(&json!({"role": "boss", "environment": "production", "name": "x"}))[0].starts_with("role: \"boss\" is not a role"));
}

#[test]
fn an_unknown_bucketing_generation_is_refused() {
    assert_eq!(
        faults::<SettingsRequest>(&json!({"bucketing": "v4"})),
        ["bucketing: \"v4\" is not a bucketing generation; use \"v2\" or \"v3\""]
    );
}
