use serde_json::json;

use super::Request;
use super::commits::{ChangeRequest, CommitRequest};
use super::keys::KeyRequest;
use super::kills::{KillRequest, ReasonRequest};
use super::settings::SettingsRequest;
use crate::kill::KillScope;
use crate::role::{Action, Role};

/// The paths of the invalid fields.
fn faults<T: Request + std::fmt::Debug>(value: &serde_json::Value) -> Vec<String> {
    let faults = T::from_value(value).unwrap_err();
    faults.all().iter().map(|fault| fault.path.clone()).collect()
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
            {"put_settings": {"bucketing": "v2", "reassign_users": true}},
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
            {"put_flag": {"key": "..", "flag": {"variants": {}, "default": null}}},
            {"kill": {"scope": {"all": false}}},
            {"apply_set": {"flags": {"a": {}}, "prune": true, "takeover": "yes"}},
            7
        ]
    });
    let found = faults::<CommitRequest>(&body);
    for path in [
        "reasn",
        "changes[0].put_flg",
        "changes[1]",
        "changes[2].put_flag.key",
        "changes[2].put_flag.flag.safe",
        "changes[3].kill.scope.all",
        "changes[4].apply_set.flags.a.variants",
        "changes[4].apply_set.prune",
        "changes[4].apply_set.takeover",
        "changes[5]",
    ] {
        assert!(found.iter().any(|found| found == path), "{path} in {found:#?}");
    }
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
    assert_eq!(faults::<KillRequest>(&json!({"reason": " "})), ["scope"]);
    assert_eq!(faults::<KillRequest>(&json!({"scope": {"flag": "a", "tag": "b"}})), ["scope"]);
    assert_eq!(faults::<ReasonRequest>(&json!({})), ["reason"]);
}

#[test]
fn a_kill_is_never_refused_for_the_words_beside_its_scope() {
    let kill = |beside: serde_json::Value| {
        let mut body = json!({"scope": {"flag": "checkout"}});
        body.as_object_mut().unwrap().extend(beside.as_object().unwrap().clone());
        let kill = KillRequest::from_value(&body).unwrap();
        (kill.reason, kill.ignored.len())
    };
    assert_eq!(kill(json!({"reason": ""})), (None, 0));
    assert_eq!(kill(json!({"reason": " \n"})), (None, 0));
    assert_eq!(kill(json!({"reason": null})), (None, 0));
    assert_eq!(kill(json!({"reason": 7})), (None, 1));
    assert_eq!(kill(json!({"reason": ["5xx"]})), (None, 1));
    assert_eq!(kill(json!({"reson": "5xx", "wait": "2s"})), (None, 2));
    let (reason, ignored) = kill(json!({"reason": "ä".repeat(2_001)}));
    assert_eq!((reason.unwrap().chars().count(), ignored), (2_000, 1));
}

#[test]
fn every_key_but_an_admins_names_its_environments() {
    let key = KeyRequest::from_value(&json!({"role": "sdk", "environment": "production", "name": "shop"})).unwrap();
    assert_eq!((key.role, key.environments.len()), (Role::Sdk, 1));
    assert!(KeyRequest::from_value(&json!({"role": "admin", "name": "ops"})).is_ok());
    assert_eq!(faults::<KeyRequest>(&json!({"role": "sdk", "name": "shop"})), ["environments"]);
    assert_eq!(
        faults::<KeyRequest>(&json!({"role": "admin", "environment": "production", "name": "ops"})),
        ["environments"]
    );
    assert_eq!(
        faults::<KeyRequest>(&json!({"role": "boss", "environment": "production", "name": "x"})),
        ["role"]
    );
}

#[test]
fn an_unknown_bucketing_generation_is_refused() {
    assert_eq!(faults::<SettingsRequest>(&json!({"bucketing": "v4"})), ["bucketing"]);
}

#[test]
fn the_earlier_name_of_a_member_is_still_read() {
    let read = |member: &str| SettingsRequest::from_value(&json!({"bucketing": "v2", (member): true})).unwrap();
    assert_eq!(read("rebuckets_everybody"), read("reassign_users"));
    assert!(read("reassign_users").reassign_users);
}
