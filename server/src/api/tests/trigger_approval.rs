//! A trigger that rolls back is guarded as rolling back is.

use actix_web::http::Method;
use ripcord_proto::role::Role;
use serde_json::{Value, json};

use super::harness::{ApiNode, FLAG, Got, flag, key_of};

const TRIGGERS: &str = "/v1/environments/production/triggers";

async fn node(guarded: &[&str]) -> ApiNode {
    let node = ApiNode::start().await;
    node.put(&format!("{FLAG}?reason=r"), &flag()).await.expect(201);
    let policy = json!({"second_person": guarded, "triggers": "automatic"});
    node.put("/v1/environments/production/policy", &policy).await.expect(200);
    node
}

async fn send(node: &ApiNode, role: Role, method: Method, path: &str, body: &Value) -> Got {
    node.call(method, path).key(&key_of(role)).json(body).send().await
}

fn trigger(name: &str, action: &Value, state: &str) -> Value {
    json!({"name": name, "source": "alertmanager", "action": action, "state": state})
}

fn back() -> Value {
    json!({"rollback": {"scope": "environment"}})
}

#[actix_web::test]
async fn arming_a_trigger_that_rolls_back_waits_for_a_second_person() {
    let node = node(&["changes", "rollback"]).await;
    let armed = send(&node, Role::Editor, Method::POST, TRIGGERS, &trigger("back", &back(), "armed"))
        .await
        .expect(409);
    assert_eq!(armed.code(), "SECOND_PERSON_NEEDED");
    send(&node, Role::Editor, Method::POST, TRIGGERS, &trigger("back", &back(), "disarmed"))
        .await
        .expect(201);
    let path = format!("{TRIGGERS}/back");
    let change = async |body: &Value| send(&node, Role::Editor, Method::PATCH, &path, body).await;
    change(&json!({"max_per_hour": 9})).await.expect(200);
    let proposal = change(&json!({"state": "armed"})).await.expect(202).body["proposal"].clone();
    assert_eq!(proposal["guarded"], json!(["rollback"]), "{proposal:#}");
    assert_eq!(node.get(&path).await.expect(200).body["state"], "disarmed");
    let approve = format!("/v1/environments/production/proposals/{}/approve", proposal["id"].as_str().unwrap());
    let said = json!({"reason": "looked at it"});
    send(&node, Role::Editor, Method::POST, &approve, &said).await.expect(403);
    send(&node, Role::Admin, Method::POST, &approve, &said).await.expect(200);
    assert_eq!(node.get(&path).await.expect(200).body["state"], "armed");
    // From now on, so does what it does; words and disarming do not.
    change(&json!({"conditions": {"labels": {"severity": ["page"]}}})).await.expect(202);
    change(&json!({"action": {"rollback": {"scope": "open_release"}}})).await.expect(202);
    change(&json!({"note": "for the night"})).await.expect(200);
    change(&json!({"state": "disarmed"})).await.expect(200);
    change(&json!({"action": {"hold": {}}})).await.expect(200);
    change(&json!({"state": "armed"})).await.expect(200);
    change(&json!({"action": back()})).await.expect(202);
}

#[actix_web::test]
async fn triggers_that_limit_harm_wait_for_nobody() {
    let node = node(&["changes", "rollback"]).await;
    for (name, action) in [("kill", json!({"kill": {"flags": ["checkout"]}})), ("hold", json!({"hold": {}}))] {
        send(&node, Role::Editor, Method::POST, TRIGGERS, &trigger(name, &action, "armed"))
            .await
            .expect(201);
    }
}

#[actix_web::test]
async fn where_rollbacks_need_one_person_so_do_their_triggers() {
    let node = node(&["changes"]).await;
    send(&node, Role::Editor, Method::POST, TRIGGERS, &trigger("back", &back(), "armed"))
        .await
        .expect(201);
}
