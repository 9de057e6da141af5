//! `rollouts`: started, looked at, stopped, and refused with every problem named.

use actix_web::http::Method;
use ripcord_proto::role::Role;
use serde_json::{Value, json};

use super::harness::{ApiNode, key_of};

const ROLLOUTS: &str = "/v1/environments/production/rollouts";

async fn node() -> ApiNode {
    let node = ApiNode::start().await;
    let flag = json!({"variants": {"on": true, "off": false}, "default": "off", "safe": "off"});
    node.put("/v1/environments/production/flags/checkout?reason=r", &flag).await.expect(201);
    node
}

fn plan() -> Value {
    json!({"flag": "checkout", "variant": "on", "steps": [{"to": "10%", "hold": "1h"}, {"to": "50%", "hold": "1h"}], "no_gates": true})
}

/// The rollout once its first step is taken.
async fn stepped(node: &ApiNode, id: &str) -> Value {
    for _ in 0..500 {
        let got = node.get(&format!("{ROLLOUTS}/{id}")).await.expect(200).body;
        if got["step"] == 1 {
            return got;
        }
        tokio::time::sleep(std::time::Duration::from_millis(10)).await;
    }
    panic!("the first step is never taken")
}

#[actix_web::test]
async fn a_rollout_is_started_listed_paused_and_taken_back() {
    let node = node().await;
    let started = node.post(&format!("{ROLLOUTS}?reason=2.14"), &plan()).await.expect(201).body;
    assert_eq!((&started["state"], &started["purpose"]), (&json!("scheduled"), &json!("2.14")));
    let id = started["id"].as_str().unwrap().to_owned();
    let rollout = stepped(&node, &id).await;
    assert_eq!((&rollout["state"], &rollout["gates"]), (&json!("holding"), &json!([])));
    let reason = rollout["reason"].as_str().unwrap();
    assert!(reason.starts_with("step 1 of 2 (10%) is held for 1h; it changed what "), "{reason}");
    let listed = node.get(ROLLOUTS).await.expect(200).body;
    assert_eq!(listed["items"][0]["id"], *id);
    let paused = node
        .post(&format!("{ROLLOUTS}/{id}/pause"), &json!({"reason": "a look"}))
        .await
        .expect(200)
        .body;
    assert_eq!(paused["state"], "paused");
    assert!(paused["reason"].as_str().unwrap().contains("paused it: a look"), "{paused}");
    let again = node.post(&format!("{ROLLOUTS}/{id}/pause"), &json!({"reason": "a look"})).await.expect(409);
    assert_eq!(again.code(), "WRONG_STATE");
    let back = node
        .call(Method::POST, &format!("{ROLLOUTS}/{id}/rollback?wait=1s"))
        .key(&key_of(Role::Oncall))
        .send()
        .await
        .expect(200)
        .body;
    assert_eq!(back["state"], "rolled_back");
    let flag = node.get("/v1/environments/production/flags/checkout").await.expect(200).body;
    assert!(flag["flag"]["rules"].as_array().is_none_or(Vec::is_empty), "{flag}");
}

#[actix_web::test]
async fn what_cannot_be_is_refused_with_its_field_and_nothing_is_started() {
    let node = node().await;
    for (change, path, words) in [
        (
            json!({"steps": [{"to": "20%", "hold": "1s"}, {"to": "10%", "hold": "1s"}]}),
            "steps[1].to",
            "lowers exposure",
        ),
        (json!({"steps": [{"to": "101%", "hold": "1s"}]}), "steps[0].to", "100% at most"),
        (json!({"variant": "red"}), "variant", "is not a variant of checkout"),
        (
            json!({"window": {"hours": "09:00-16:00", "zone": "Europe/Atlantis"}}),
            "window.zone",
            "not a time zone",
        ),
        (json!({"no_gates": false}), "steps[0]", "has no gate"),
        (json!({"stepps": []}), "stepps", "did you mean \"steps\"?"),
    ] {
        let mut plan = plan();
        plan.as_object_mut().unwrap().extend(change.as_object().unwrap().clone());
        let got = node.post(ROLLOUTS, &plan).await.expect(422);
        let errors = got.body["errors"].as_array().unwrap();
        let found = errors
            .iter()
            .any(|error| error["path"] == path && error["problem"].as_str().unwrap().contains(words));
        assert!(found, "{path} {words}: {errors:?}");
    }
    let listed = node.get(ROLLOUTS).await.expect(200).body;
    assert_eq!(listed["items"], json!([]));
}

#[actix_web::test]
async fn a_repeated_start_is_one_rollout_and_a_second_one_of_the_flag_is_refused() {
    let node = node().await;
    let start = async |key: &str| {
        let call = node.call(Method::POST, ROLLOUTS).key(&key_of(Role::Pipeline)).header("idempotency-key", key);
        call.json(&plan()).send().await
    };
    let first = start("a").await.expect(201);
    let again = start("a").await.expect(201);
    assert_eq!(
        (again.body["id"].clone(), again.header("idempotency-replayed")),
        (first.body["id"].clone(), "true")
    );
    let second = start("b").await.expect(409);
    assert_eq!(second.code(), "IN_USE");
    assert!(
        second.body["detail"].as_str().unwrap().contains(first.body["id"].as_str().unwrap()),
        "{}",
        second.body
    );
    let unknown = node.get(&format!("{ROLLOUTS}/ro_01jd3x7q8v9w0y2z4a6b8c0d2e")).await.expect(404);
    assert!(unknown.body["detail"].as_str().unwrap().contains("ripcord rollout list"), "{}", unknown.body);
    let gate = node
        .post(&format!("{ROLLOUTS}/{}/replay", first.body["id"].as_str().unwrap()), &json!({"gate": "errors"}))
        .await
        .expect(422);
    assert_eq!(gate.body["errors"][0]["path"], "gate");
}
