//! What happens to a rollback after its commit, and pings, as callers see them.

use actix_web::http::Method;
use ripcord_proto::role::Role;
use serde_json::{Value, json};

use super::harness::{ApiNode, FLAG, flag, key_of};

const ROLLBACKS: &str = "/v1/environments/production/rollbacks";
const PINGS: &str = "/v1/environments/production/pings";

fn other() -> Value {
    json!({"variants": {"on": true, "off": false}, "default": "off", "safe": "off", "tags": ["payments"]})
}

/// A rollback of `checkout` to revision 1, with these members beside.
async fn roll_back(node: &ApiNode, beside: Value) -> Value {
    node.put(&format!("{FLAG}?reason=r"), &flag()).await.expect(201);
    node.put(&format!("{FLAG}?reason=r"), &other()).await.expect(200);
    let mut body = json!({"to": 1, "flags": ["checkout"]});
    for (member, value) in beside.as_object().unwrap() {
        body[member] = value.clone();
    }
    node.post(&format!("{ROLLBACKS}?wait=10s"), &body).await.expect(201).body
}

#[actix_web::test]
async fn a_rollback_is_answered_with_what_became_of_it_and_can_be_looked_up() {
    let node = ApiNode::start().await;
    let made = roll_back(&node, json!({})).await;
    assert_eq!(made["state"], "confirmed", "{made:#}");
    // No check was made: nothing says that service is healthy.
    assert!(made["phases"]["commit_ms"].is_number() && made["phases"]["healthy"].is_null(), "{made:#}");
    let id = made["id"].as_str().unwrap();
    let got = node.get(&format!("{ROLLBACKS}/{id}")).await.expect(200).body;
    assert_eq!((&got["state"], &got["revision"]), (&json!("confirmed"), &json!(3)));
    let listed = node.get(ROLLBACKS).await.expect(200).body;
    assert_eq!(listed["items"].as_array().unwrap().len(), 1);
    let missing = node.get(&format!("{ROLLBACKS}/rb_01jd3x7q8v9w0y2z4a6b8c0d2e")).await.expect(404);
    assert_eq!(missing.code(), "NOT_FOUND");
}

#[actix_web::test]
async fn an_act_that_makes_no_sense_in_its_state_is_refused_with_what_does() {
    let node = ApiNode::start().await;
    let id = roll_back(&node, json!({})).await["id"].as_str().unwrap().to_owned();
    for act in ["stop", "resume"] {
        let got = node.post(&format!("{ROLLBACKS}/{id}/{act}"), &json!({})).await;
        assert_eq!(
            (got.status, got.code()),
            (if act == "stop" { 422 } else { 409 }, if act == "stop" { "INVALID" } else { "WRONG_STATE" }),
            "{:#}",
            got.body
        );
    }
    let stop = node.post(&format!("{ROLLBACKS}/{id}/stop"), &json!({"reason": "r"})).await.expect(409);
    assert_eq!(stop.code(), "WRONG_STATE");
}

#[actix_web::test]
async fn a_ladder_is_stopped_and_a_repeated_call_gets_the_same_answer() {
    let node = ApiNode::start().await;
    let staged = |wait: &str| format!("{ROLLBACKS}{wait}");
    node.put(&format!("{FLAG}?reason=r"), &flag()).await.expect(201);
    node.put(&format!("{FLAG}?reason=r"), &other()).await.expect(200);
    let body = json!({"to": 1, "flags": ["checkout"], "steps": [50], "every_seconds": 3600});
    let id = node.post(&staged(""), &body).await.expect(201).body["id"].as_str().unwrap().to_owned();
    let stop = || {
        node.call(Method::POST, &format!("{ROLLBACKS}/{id}/stop"))
            .key(&key_of(Role::Oncall))
            .header("idempotency-key", "one")
    };
    let first = stop().send().await.expect(200);
    assert_eq!(first.body["state"], "stopped", "{:#}", first.body);
    let again = stop().send().await.expect(200);
    assert_eq!(again.header("idempotency-replayed"), "true");
    assert_eq!(again.body, first.body);
    let hurried = node.post(&format!("{ROLLBACKS}/{id}/resume?wait=10s"), &json!({"now": true})).await.expect(200);
    assert_eq!(hurried.body["state"], "confirmed", "{:#}", hurried.body);
}

#[actix_web::test]
async fn an_undo_marks_the_first_and_is_planned_and_repeated_like_every_rollback() {
    let node = ApiNode::start().await;
    let id = roll_back(&node, json!({})).await["id"].as_str().unwrap().to_owned();
    let plan = node.post(&format!("{ROLLBACKS}/{id}/undo/plan"), &json!({})).await.expect(200).body;
    assert_eq!(plan["flags"][0]["key"], "checkout", "{plan:#}");
    let undo = || {
        let call = node.call(Method::POST, &format!("{ROLLBACKS}/{id}/undo?wait=10s")).key(&key_of(Role::Oncall));
        call.header("idempotency-key", "undo").json(&json!({"plan": plan["hash"]}))
    };
    let undone = undo().send().await.expect(201);
    assert_eq!(undone.body["state"], "confirmed", "{:#}", undone.body);
    assert_eq!(undo().send().await.expect(201).body["id"], undone.body["id"]);
    let first = node.get(&format!("{ROLLBACKS}/{id}")).await.expect(200).body;
    assert_eq!((&first["state"], &first["undone_by"]), (&json!("undone"), &undone.body["id"]));
}

#[actix_web::test]
async fn a_ping_is_a_revision_that_changes_nothing_and_is_kept() {
    let node = ApiNode::start().await;
    node.put(&format!("{FLAG}?reason=r"), &flag()).await.expect(201);
    let ping = || {
        let call = node.call(Method::POST, &format!("{PINGS}?wait=5s")).key(&key_of(Role::Oncall));
        call.header("idempotency-key", "ping").send()
    };
    let sent = ping().await.expect(201).body;
    assert_eq!(
        (&sent["revision"], &sent["connected"], &sent["confirmed"]),
        (&json!(2), &json!(0), &json!(0)),
        "{sent:#}"
    );
    let again = ping().await.expect(201);
    assert_eq!((again.header("idempotency-replayed"), &again.body["id"]), ("true", &sent["id"]));
    let mut kept = Value::Null;
    for _ in 0..1_000 {
        kept = node.get(PINGS).await.expect(200).body;
        if kept["items"].as_array().is_some_and(|items| !items.is_empty()) {
            break;
        }
        tokio::task::yield_now().await;
    }
    assert_eq!(kept["items"][0]["id"], sent["id"], "{kept:#}");
    let environment = node.get("/v1/environments/production").await.expect(200).body;
    assert_eq!(environment["revision"], 2);
    assert!(environment["last_ping"]["at"].is_string(), "{environment:#}");
}
