//! The permission table, walked whole: every route × every role.

use actix_web::http::Method;
use ripcord_proto::role::{Action, Role};
use serde_json::{Value, json};

use super::harness::{ADMIN, ApiNode, FLAG, flag, key_of};
use crate::api::MetricsAccess;
use crate::api::openapi::tests::operations;

/// An operation that needs a key: what the call adds to the template, its body, and what the key must be allowed to do.
type Row = (Method, &'static str, &'static str, Value, Action);

fn of_an_environment() -> Vec<Row> {
    let commit = json!({"reason": "r", "changes": [{"set_enabled": {"key": "nothing", "enabled": true}}]});
    let segment = json!({"attribute": "a", "equals": 1});
    let read = |template| (Method::GET, template, "", Value::Null, Action::Read);
    let write = |method, template, body, action| (method, template, "", body, action);
    vec![
        read("/v1/environments"),
        write(Method::POST, "/v1/environments", json!({"key": "production"}), Action::Administer),
        read("/v1/environments/{env}"),
        write(Method::DELETE, "/v1/environments/{env}", Value::Null, Action::Administer),
        read("/v1/environments/{env}/flags"),
        read("/v1/environments/{env}/flags/{key}"),
        write(Method::PUT, "/v1/environments/{env}/flags/{key}", flag(), Action::Edit),
        write(Method::PATCH, "/v1/environments/{env}/flags/{key}", json!({"enabled": true}), Action::Edit),
        write(Method::DELETE, "/v1/environments/{env}/flags/{key}", Value::Null, Action::Edit),
        read("/v1/environments/{env}/segments"),
        read("/v1/environments/{env}/segments/{key}"),
        write(Method::PUT, "/v1/environments/{env}/segments/{key}", segment, Action::Edit),
        write(Method::DELETE, "/v1/environments/{env}/segments/{key}", Value::Null, Action::Edit),
        read("/v1/environments/{env}/stale-flags"),
        read("/v1/environments/{env}/sets"),
        write(Method::POST, "/v1/environments/{env}/commits", commit.clone(), Action::Edit),
        write(Method::POST, "/v1/environments/{env}/commits/plan", commit, Action::Read),
        read("/v1/environments/{env}/kills"),
        write(
            Method::POST,
            "/v1/environments/{env}/kills",
            json!({"scope": {"flag": "nothing"}}),
            Action::Kill,
        ),
        read("/v1/environments/{env}/kills/{key}"),
        write(Method::PATCH, "/v1/environments/{env}/kills/{key}", json!({"reason": "r"}), Action::Restore),
        write(Method::DELETE, "/v1/environments/{env}/kills/{key}", Value::Null, Action::Restore),
        read("/v1/environments/{env}/settings"),
        write(Method::PUT, "/v1/environments/{env}/settings", json!({"bucketing": "v3"}), Action::Administer),
        read("/v1/environments/{env}/revisions"),
        read("/v1/environments/{env}/revisions/{key}"),
        read("/v1/environments/{env}/diff"),
        read("/v1/environments/{env}/confirmations/{key}"),
        read("/v1/environments/{env}/connections"),
        read("/v1/environments/{env}/drills"),
        read("/v1/environments/{env}/drills/{key}"),
        write(
            Method::POST,
            "/v1/environments/{env}/drills",
            super::drills::report("happy-path", true),
            Action::Drill,
        ),
        write(Method::POST, "/v1/environments/{env}/explain", json!({"flag": "checkout"}), Action::Read),
    ]
}

fn of_its_records() -> Vec<Row> {
    let read = |template| (Method::GET, template, "", Value::Null, Action::Read);
    let write = |method, template, body, action| (method, template, "", body, action);
    let checkpoint = "/v1/environments/{env}/checkpoints/{key}";
    let release = "/v1/environments/{env}/releases/{key}";
    vec![
        read("/v1/environments/{env}/policy"),
        write(Method::PUT, "/v1/environments/{env}/policy", json!({"protection": "open"}), Action::SetPolicy),
        read("/v1/environments/{env}/checkpoints"),
        write(Method::POST, "/v1/environments/{env}/checkpoints", json!({"name": "other"}), Action::Checkpoint),
        read(checkpoint),
        write(Method::DELETE, checkpoint, Value::Null, Action::Checkpoint),
        write(
            Method::POST,
            "/v1/environments/{env}/checkpoints/{key}/vouch",
            json!({"evidence": "e"}),
            Action::Vouch,
        ),
        write(Method::POST, "/v1/environments/{env}/checkpoints/{key}/doubt", Value::Null, Action::Vouch),
        read("/v1/environments/{env}/releases"),
        write(Method::POST, "/v1/environments/{env}/releases", json!({"name": "other"}), Action::Release),
        read(release),
        write(Method::PATCH, release, json!({"artifact": "web"}), Action::Release),
        write(Method::POST, "/v1/environments/{env}/releases/{key}/finish", Value::Null, Action::Release),
    ]
}

fn of_rollbacks_and_pings() -> Vec<Row> {
    let read = |template| (Method::GET, template, "", Value::Null, Action::Read);
    let write = |method, template, body, action| (method, template, "", body, action);
    vec![
        write(Method::POST, "/v1/environments/{env}/rollbacks", json!({"to": 1}), Action::Rollback),
        write(Method::POST, "/v1/environments/{env}/rollbacks/plan", json!({"to": 1}), Action::Read),
        read("/v1/environments/{env}/rollbacks"),
        read("/v1/environments/{env}/rollbacks/{key}"),
        write(Method::POST, "/v1/environments/{env}/rollbacks/{key}/stop", Value::Null, Action::Rollback),
        write(
            Method::POST,
            "/v1/environments/{env}/rollbacks/{key}/resume",
            json!({"now": true}),
            Action::Rollback,
        ),
        write(
            Method::POST,
            "/v1/environments/{env}/rollbacks/{key}/review",
            json!({"note": "n"}),
            Action::Rollback,
        ),
        read("/v1/environments/{env}/pings"),
        write(Method::POST, "/v1/environments/{env}/pings", Value::Null, Action::Ping),
        write(Method::POST, "/v1/environments/{env}/rollbacks/{key}/undo", Value::Null, Action::Rollback),
        write(Method::POST, "/v1/environments/{env}/rollbacks/{key}/undo/plan", Value::Null, Action::Read),
    ]
}

fn of_proposals() -> Vec<Row> {
    let act = |template, action| (Method::POST, template, "", Value::Null, action);
    vec![
        (Method::GET, "/v1/environments/{env}/proposals", "", Value::Null, Action::Read),
        (Method::GET, "/v1/environments/{env}/proposals/{key}", "", Value::Null, Action::Read),
        act("/v1/environments/{env}/proposals/{key}/approve", Action::Decide),
        act("/v1/environments/{env}/proposals/{key}/decline", Action::Decide),
        act("/v1/environments/{env}/proposals/{key}/withdraw", Action::Withdraw),
    ]
}

fn of_rollouts() -> Vec<Row> {
    let plan = json!({"flag": "nothing", "variant": "on", "steps": [{"to": "1%", "hold": "1s"}], "no_gates": true});
    let act = |template, action| (Method::POST, template, "", Value::Null, action);
    vec![
        (Method::GET, "/v1/environments/{env}/rollouts", "", Value::Null, Action::Read),
        (Method::POST, "/v1/environments/{env}/rollouts", "", plan, Action::Rollout),
        (Method::GET, "/v1/environments/{env}/rollouts/{key}", "", Value::Null, Action::Read),
        act("/v1/environments/{env}/rollouts/{key}/pause", Action::StopRollout),
        act("/v1/environments/{env}/rollouts/{key}/resume", Action::Rollout),
        act("/v1/environments/{env}/rollouts/{key}/advance", Action::Rollout),
        act("/v1/environments/{env}/rollouts/{key}/abort", Action::StopRollout),
        act("/v1/environments/{env}/rollouts/{key}/rollback", Action::StopRollout),
        act("/v1/environments/{env}/rollouts/{key}/approve", Action::ApproveRollout),
        (
            Method::POST,
            "/v1/environments/{env}/rollouts/{key}/replay",
            "",
            json!({"gate": "g"}),
            Action::Read,
        ),
    ]
}

fn of_triggers() -> Vec<Row> {
    let made = json!({"name": "other", "source": "alertmanager", "action": {"hold": {}}});
    let read = |template| (Method::GET, template, "", Value::Null, Action::Read);
    let write = |method, template, body, action| (method, template, "", body, action);
    let trigger = "/v1/environments/{env}/triggers/{key}";
    vec![
        read("/v1/environments/{env}/triggers"),
        write(Method::POST, "/v1/environments/{env}/triggers", made, Action::Trigger),
        read(trigger),
        // What else is changed needs more: see `those_on_call_may_disarm_a_trigger_and_nothing_else`.
        write(Method::PATCH, trigger, json!({"state": "disarmed"}), Action::AnswerTrigger),
        write(Method::POST, "/v1/environments/{env}/triggers/{key}/test", json!({"payload": {}}), Action::Read),
        write(Method::DELETE, trigger, Value::Null, Action::Trigger),
        read("/v1/environments/{env}/firings"),
        read("/v1/environments/{env}/firings/{key}"),
        write(Method::POST, "/v1/environments/{env}/firings/{key}/confirm", Value::Null, Action::AnswerTrigger),
        write(Method::POST, "/v1/environments/{env}/firings/{key}/decline", Value::Null, Action::AnswerTrigger),
    ]
}

fn of_the_server() -> Vec<Row> {
    let batch = json!({"instance_id": "i", "batch": 1, "counts": []});
    let key = json!({"role": "sdk", "environment": "nowhere", "name": "n"});
    vec![
        (Method::POST, "/v1/outcomes", "?environment=production", batch, Action::Report),
        (Method::GET, "/v1/keys", "", Value::Null, Action::Administer),
        (Method::POST, "/v1/keys", "", key, Action::Administer),
        (Method::DELETE, "/v1/keys/{key}", "", Value::Null, Action::Administer),
        (Method::GET, "/v1/audit", "?log=production", Value::Null, Action::Read),
        (Method::GET, "/v1/audit/verify", "", Value::Null, Action::Read),
        (Method::GET, "/v1/audit/orphans", "", Value::Null, Action::Read),
        (Method::GET, "/v1/backup", "", Value::Null, Action::Administer),
    ]
}

fn table() -> impl Iterator<Item = Row> {
    of_an_environment()
        .into_iter()
        .chain(of_rollbacks_and_pings())
        .chain(of_rollouts())
        .chain(of_triggers())
        .chain(of_proposals())
        .chain(of_its_records())
        .chain(of_the_server())
}

#[actix_web::test]
async fn every_role_may_do_what_the_table_says_and_nothing_else() {
    let node = ApiNode::start().await;
    node.put(&format!("{FLAG}?reason=r"), &flag()).await.expect(201);
    for (method, template, query, body, action) in table() {
        let path = template.replace("{env}", "production").replace("{key}", "other") + query;
        let call = || {
            let call = node.call(method.clone(), &path);
            if body.is_null() { call } else { call.json(&body) }
        };
        let got = call().send().await;
        assert_eq!((got.status, got.code()), (401, "UNAUTHENTICATED"), "{method} {path} without a key");
        for role in Role::ALL {
            let got = call().key(&key_of(role)).send().await;
            if role.may(action) {
                assert!(!matches!(got.status, 401 | 403 | 500), "{method} {path} as {role}: {:#}", got.body);
            } else {
                assert_eq!((got.status, got.code()), (403, "FORBIDDEN"), "{method} {path} as {role}: {:#}", got.body);
                let may: Vec<&str> = action.roles().map(Role::as_str).collect();
                let named = got.body["roles"].as_array().unwrap();
                // A commit may hold anything, so it names the roles that may write something.
                assert!(may.iter().all(|role| named.contains(&json!(role))), "{method} {path} as {role}: {:#}", got.body);
            }
        }
    }
}

#[test]
fn the_table_has_every_operation_that_needs_a_key() {
    let mut listed: Vec<String> = table().map(|(method, template, ..)| format!("{method} {template}")).collect();
    listed.sort();
    listed.dedup();
    assert_eq!(listed, operations());
}

#[actix_web::test]
async fn metrics_that_others_can_reach_need_a_key_that_may_read() {
    let node = ApiNode::start().await.with_metrics(MetricsAccess::WithKey);
    assert_eq!(node.call(Method::GET, "/metrics").send().await.status, 401);
    for role in Role::ALL {
        let got = node.call(Method::GET, "/metrics").key(&key_of(role)).send().await;
        assert_eq!(got.status, if role.may(Action::Read) { 200 } else { 403 }, "{role}");
    }
    let seen = node.call(Method::GET, "/metrics").key(&key_of(Role::Viewer)).send().await;
    assert!(
        !seen.body.as_str().unwrap().contains("env=\"staging\""),
        "a key of production sees nothing of staging"
    );
    let node = node.with_metrics(MetricsAccess::Elsewhere);
    assert_eq!(node.call(Method::GET, "/metrics").key(ADMIN).send().await.status, 404);
}

#[actix_web::test]
async fn a_key_is_worth_nothing_in_another_environment_and_learns_nothing_of_it() {
    let node = ApiNode::start().await;
    for name in ["staging", "nowhere"] {
        let got = node
            .call(Method::GET, &format!("/v1/environments/{name}/flags"))
            .key(&key_of(Role::Editor))
            .send()
            .await
            .expect(403);
        assert_eq!(got.body["environments"], json!(["production"]));
    }
    let got = node.get("/v1/environments/nowhere/flags").await.expect(404);
    assert_eq!(got.code(), "ENVIRONMENT_NOT_FOUND");
    let got = node.call(Method::GET, "/v1/environments").key(&key_of(Role::Viewer)).send().await.expect(200);
    assert_eq!(got.body["items"].as_array().unwrap().len(), 1);
}

#[actix_web::test]
async fn a_commit_needs_the_right_to_each_of_its_changes() {
    let node = ApiNode::start().await;
    node.put(&format!("{FLAG}?reason=r"), &flag()).await.expect(201);
    let settings = json!({"put_settings": {"bucketing": "v2", "rebuckets_everybody": true}});
    let edit = json!({"set_enabled": {"key": "checkout", "enabled": false}});
    let kill = json!({"kill": {"scope": {"flag": "checkout"}}});
    let commit = async |role: Role, changes: Value| {
        let body = json!({"reason": "r", "changes": changes});
        node.call(Method::POST, "/v1/environments/production/commits")
            .key(&key_of(role))
            .json(&body)
            .send()
            .await
            .status
    };
    assert_eq!(commit(Role::Editor, json!([edit, settings])).await, 403);
    assert_eq!(commit(Role::Oncall, json!([edit])).await, 403);
    assert_eq!(commit(Role::Oncall, json!([kill])).await, 200);
    assert_eq!(commit(Role::Admin, json!([settings])).await, 200);
}

#[actix_web::test]
async fn those_on_call_may_disarm_a_trigger_and_nothing_else() {
    let node = ApiNode::start().await;
    let made = json!({"name": "error-rate", "source": "alertmanager", "action": {"hold": {}}});
    node.post("/v1/environments/production/triggers", &made).await.expect(201);
    let change = async |role: Role, body: Value| {
        node.call(Method::PATCH, "/v1/environments/production/triggers/error-rate")
            .key(&key_of(role))
            .json(&body)
            .send()
            .await
            .status
    };
    assert_eq!(change(Role::Oncall, json!({"state": "disarmed", "reason": "r"})).await, 200);
    for more in [
        json!({"state": "armed"}),
        json!({"state": "disarmed", "mode": "off"}),
        json!({"action": {"kill": {"flags": ["a"]}}}),
    ] {
        assert_eq!(change(Role::Oncall, more.clone()).await, 403, "{more}");
        assert_eq!(change(Role::Editor, more).await, 200);
    }
}

#[actix_web::test]
async fn a_key_goes_in_either_header_and_nothing_else_passes_for_one() {
    let node = ApiNode::start().await;
    let path = "/v1/environments/production/flags";
    node.call(Method::GET, path).header("x-api-key", ADMIN).send().await.expect(200);
    node.call(Method::GET, path)
        .header("authorization", &format!("bearer {ADMIN}"))
        .send()
        .await
        .expect(200);
    for wrong in [
        "Bearer ",
        "Basic YWRtaW46",
        ADMIN,
        "Bearer rc_admin_0123456789abcdef0123456789abcdeg",
        "Bearer \u{e9}",
    ] {
        let got = node.call(Method::GET, path).header("authorization", wrong).send().await.expect(401);
        assert_eq!(got.header("www-authenticate"), "Bearer realm=\"ripcord\"");
        assert!(!got.body.to_string().contains("0123456789abcdeg"), "a secret is never echoed");
    }
}
