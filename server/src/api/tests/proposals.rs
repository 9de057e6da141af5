//! A second person: what waits for one, what does not, and what becomes of it.

use actix_web::http::Method;
use ripcord_proto::role::Role;
use serde_json::{Value, json};

use super::harness::{ApiNode, FLAG, Got, flag, key_of};
use crate::store::fault_injection::Fault;

const PRODUCTION: &str = "/v1/environments/production";
const PROPOSALS: &str = "/v1/environments/production/proposals";

/// A node with the flag `checkout`, whose policy asks for a second person for `guarded`.
async fn node(guarded: &[&str]) -> ApiNode {
    let node = ApiNode::start().await;
    node.put(&format!("{FLAG}?reason=r"), &flag()).await.expect(201);
    let policy = json!({"second_person": guarded});
    node.put(&format!("{PRODUCTION}/policy"), &policy).await.expect(200);
    node
}

async fn send(node: &ApiNode, role: Role, method: Method, path: &str, body: &Value) -> Got {
    node.call(method, path).key(&key_of(role)).json(body).send().await
}

/// What an editor asks for, and must become a proposal.
async fn proposed(node: &ApiNode, method: Method, path: &str, body: &Value) -> Value {
    let got = send(node, Role::Editor, method, path, body).await.expect(202);
    let proposal = got.body["proposal"].clone();
    let id = proposal["id"].as_str().unwrap();
    assert_eq!(got.header("location"), format!("{PROPOSALS}/{id}"));
    assert_eq!((&got.body["revision"], &proposal["state"]), (&Value::Null, &json!("proposed")));
    proposal
}

async fn decide(node: &ApiNode, role: Role, proposal: &Value, what: &str) -> Got {
    let path = format!("{PROPOSALS}/{}/{what}", proposal["id"].as_str().unwrap());
    send(node, role, Method::POST, &path, &json!({"reason": "looked at it"})).await
}

async fn state_of(node: &ApiNode, proposal: &Value) -> Value {
    let path = format!("{PROPOSALS}/{}", proposal["id"].as_str().unwrap());
    node.get(&path).await.expect(200).body
}

async fn is_enabled(node: &ApiNode) -> bool {
    node.get(FLAG).await.expect(200).body["flag"]["enabled"] != json!(false)
}

fn off() -> Value {
    json!({"enabled": false, "reason": "not ready"})
}

#[actix_web::test]
async fn an_edit_waits_for_the_holder_of_another_key_and_is_then_done_once_with_both_names() {
    let node = node(&["changes"]).await;
    let proposal = proposed(&node, Method::PATCH, FLAG, &off()).await;
    assert_eq!(
        (&proposal["summary"], &proposal["guarded"]),
        (&json!("change flag checkout"), &json!(["changes"]))
    );
    let step = &proposal["diff"]["flags"][0];
    assert_eq!((&step["key"], &step["to"]["enabled"]), (&json!("checkout"), &json!(false)));
    assert!(is_enabled(&node).await, "nothing is done before it is approved");
    let shown = state_of(&node, &proposal).await;
    assert_eq!(shown["diff"]["users"]["share"], json!(1.0), "everybody would get his own default");
    let own = decide(&node, Role::Editor, &proposal, "approve").await.expect(403);
    assert!(own.body["detail"].as_str().unwrap().contains("needs a second person"), "{}", own.body);
    decide(&node, Role::Pipeline, &proposal, "approve").await.expect(403);
    decide(&node, Role::Oncall, &proposal, "approve").await.expect(403);
    let applied = decide(&node, Role::Admin, &proposal, "approve").await.expect(200).body;
    assert_eq!(applied["state"], "applied");
    assert!(!is_enabled(&node).await);
    let again = decide(&node, Role::Admin, &proposal, "approve").await.expect(200).body;
    assert_eq!((&again["state"], &again["revision"]), (&json!("applied"), &applied["revision"]));
    let log = node.get("/v1/audit?log=production&limit=1").await.expect(200).body;
    let entry = &log["items"][0];
    assert_eq!(entry["revision"], applied["revision"]);
    assert_eq!((&entry["actor"]["name"], &entry["reason"]), (&json!("the editor key"), &json!("not ready")));
    assert_eq!(
        (&entry["approved"]["by"]["name"], &entry["approved"]["proposal"]),
        (&json!("admin"), &proposal["id"])
    );
}

#[actix_web::test]
async fn a_person_with_two_keys_is_no_second_person() {
    let node = node(&["changes"]).await;
    let call = node.call(Method::PATCH, FLAG).key(&key_of(Role::Editor)).header("x-ripcord-actor", "Anna");
    let proposal = call.json(&off()).send().await.expect(202).body["proposal"].clone();
    let path = format!("{PROPOSALS}/{}/approve", proposal["id"].as_str().unwrap());
    let approve = |name: &'static str| node.call(Method::POST, &path).key(&key_of(Role::Admin)).header("x-ripcord-actor", name);
    approve("anna").send().await.expect(403);
    approve("Ben").send().await.expect(200);
}

#[actix_web::test]
async fn what_would_do_something_else_by_now_is_refused_as_stale_and_stays_so() {
    let node = node(&["changes"]).await;
    let proposal = proposed(&node, Method::PATCH, FLAG, &off()).await;
    let other = json!({"variants": {"on": true, "off": false}, "default": "off", "safe": "off"});
    let meanwhile = proposed(&node, Method::PUT, &format!("{FLAG}?reason=r"), &other).await;
    decide(&node, Role::Admin, &meanwhile, "approve").await.expect(200);
    let refused = decide(&node, Role::Admin, &proposal, "approve").await.expect(409);
    assert_eq!((refused.code(), &refused.body["proposal"]["state"]), ("PROPOSAL_STALE", &json!("stale")));
    assert_eq!(state_of(&node, &proposal).await["state"], "stale");
    assert_eq!(decide(&node, Role::Admin, &proposal, "approve").await.expect(409).code(), "WRONG_STATE");
    assert!(is_enabled(&node).await);
}

#[actix_web::test]
async fn what_others_do_elsewhere_leaves_a_proposal_as_it_is() {
    let node = node(&["changes"]).await;
    let proposal = proposed(&node, Method::PATCH, FLAG, &off()).await;
    let elsewhere = proposed(&node, Method::PUT, &format!("{PRODUCTION}/flags/other?reason=r"), &flag()).await;
    decide(&node, Role::Admin, &elsewhere, "approve").await.expect(200);
    decide(&node, Role::Admin, &proposal, "approve").await.expect(200);
}

#[actix_web::test]
async fn a_flag_that_is_gone_makes_a_proposal_stale_and_no_error() {
    let node = node(&["changes"]).await;
    let proposal = proposed(&node, Method::PATCH, FLAG, &off()).await;
    let gone = proposed(&node, Method::DELETE, &format!("{FLAG}?reason=r"), &Value::Null).await;
    decide(&node, Role::Admin, &gone, "approve").await.expect(200);
    assert_eq!(decide(&node, Role::Admin, &proposal, "approve").await.expect(409).code(), "PROPOSAL_STALE");
}

#[actix_web::test]
async fn a_kill_waits_for_nobody_and_is_told_so_where_it_comes_with_what_does() {
    let node = node(&["changes", "rollouts", "rollback", "restore"]).await;
    let kills = format!("{PRODUCTION}/kills");
    let mixed = json!({"reason": "r", "changes": [{"kill": {"scope": {"flag": "checkout"}}}, {"set_enabled": {"key": "checkout", "enabled": false}}]});
    let refused = send(&node, Role::Editor, Method::POST, &format!("{PRODUCTION}/commits"), &mixed)
        .await
        .expect(409);
    assert!(refused.body["detail"].as_str().unwrap().contains("ripcord kill"), "{}", refused.body);
    let kill = send(&node, Role::Pipeline, Method::POST, &kills, &json!({"scope": {"flag": "checkout"}}))
        .await
        .expect(201)
        .body;
    let restore = format!("{kills}/{}", kill["id"].as_str().unwrap());
    let reason = json!({"reason": "5xx"});
    send(&node, Role::Oncall, Method::PATCH, &restore, &reason).await.expect(200);
    let proposal = send(&node, Role::Oncall, Method::DELETE, &restore, &reason).await.expect(202).body["proposal"].clone();
    assert!(
        proposal["diff"]["also"][0].as_str().unwrap().contains("will be lifted; its reason was: 5xx"),
        "{proposal}"
    );
    assert_eq!(node.get(&kills).await.body["items"].as_array().unwrap().len(), 1);
    decide(&node, Role::Editor, &proposal, "approve").await.expect(200);
    assert!(node.get(&kills).await.body["items"].as_array().unwrap().is_empty());
    send(&node, Role::Oncall, Method::POST, &format!("{PRODUCTION}/pings"), &json!({}))
        .await
        .expect(201);
}

#[actix_web::test]
async fn a_restore_whose_flag_was_changed_meanwhile_is_stale() {
    let node = node(&["restore"]).await;
    let kill = node
        .post(&format!("{PRODUCTION}/kills"), &json!({"scope": {"flag": "checkout"}}))
        .await
        .expect(201)
        .body;
    let restore = format!("{PRODUCTION}/kills/{}", kill["id"].as_str().unwrap());
    let proposal = proposed(&node, Method::DELETE, &restore, &json!({"reason": "mended"})).await;
    let mut other = flag();
    other["description"] = json!("another one");
    node.put(&format!("{FLAG}?reason=r"), &other).await.expect(200);
    assert_eq!(decide(&node, Role::Oncall, &proposal, "approve").await.expect(409).code(), "PROPOSAL_STALE");
}

#[actix_web::test]
async fn a_rollback_waits_and_is_done_as_it_was_shown() {
    let node = node(&["rollback"]).await;
    send(&node, Role::Editor, Method::PATCH, FLAG, &off()).await.expect(200);
    let proposal = proposed(&node, Method::POST, &format!("{PRODUCTION}/rollbacks"), &json!({"to": 1, "reason": "5xx"})).await;
    assert_eq!(proposal["summary"], "roll back flag checkout to 1:1");
    assert!(!is_enabled(&node).await);
    let applied = decide(&node, Role::Oncall, &proposal, "approve").await.expect(200).body;
    assert_eq!(applied["state"], "applied");
    assert!(is_enabled(&node).await);
    let rollbacks = node.get(&format!("{PRODUCTION}/rollbacks")).await.expect(200).body;
    assert_eq!(rollbacks["items"][0]["revision"], applied["revision"]);
    assert_eq!(rollbacks["items"][0]["by"]["name"], "the editor key");
    let id = rollbacks["items"][0]["id"].as_str().unwrap();
    let undo = proposed(&node, Method::POST, &format!("{PRODUCTION}/rollbacks/{id}/undo"), &json!({"reason": "mended"})).await;
    decide(&node, Role::Oncall, &undo, "approve").await.expect(200);
    assert!(!is_enabled(&node).await);
}

#[actix_web::test]
async fn a_rollback_that_has_nothing_to_put_back_is_refused_and_makes_no_proposal() {
    let node = node(&["rollback"]).await;
    let refused = send(&node, Role::Oncall, Method::POST, &format!("{PRODUCTION}/rollbacks"), &json!({"to": 1})).await;
    assert_eq!(refused.expect(422).code(), "EMPTY_SCOPE");
    let proposals = node.get(&format!("{PRODUCTION}/proposals")).await.expect(200).body;
    assert_eq!(proposals["items"], json!([]));
}

#[actix_web::test]
async fn a_rollout_waits_to_start_and_to_go_on_but_never_to_stop() {
    let node = node(&["rollouts"]).await;
    let dark = json!({"variants": {"on": true, "off": false}, "default": "off", "safe": "off"});
    node.put(&format!("{FLAG}?reason=r"), &dark).await.expect(200);
    let plan = json!({"flag": "checkout", "variant": "on", "steps": [{"to": "10%", "hold": "1h"}, {"to": "50%", "hold": "1h"}], "no_gates": true});
    let rollouts = format!("{PRODUCTION}/rollouts");
    let proposal = proposed(&node, Method::POST, &rollouts, &plan).await;
    assert_eq!(proposal["summary"], "start a rollout of checkout");
    assert!(proposal["diff"]["also"][0].as_str().unwrap().contains("10%, 50%"), "{proposal}");
    assert!(node.get(&rollouts).await.body["items"].as_array().unwrap().is_empty());
    decide(&node, Role::Admin, &proposal, "approve").await.expect(200);
    let id = node.get(&rollouts).await.body["items"][0]["id"].as_str().unwrap().to_owned();
    for _ in 0..500 {
        if node.get(&format!("{rollouts}/{id}")).await.body["step"] == 1 {
            break;
        }
        tokio::time::sleep(std::time::Duration::from_millis(10)).await;
    }
    let held = send(
        &node,
        Role::Oncall,
        Method::POST,
        &format!("{rollouts}/{id}/pause"),
        &json!({"reason": "a look"}),
    )
    .await
    .expect(200);
    assert_eq!(
        (&held.body["state"], &held.body["step"]),
        (&json!("paused"), &json!(1)),
        "its steps were agreed on"
    );
    let resume = proposed(&node, Method::POST, &format!("{rollouts}/{id}/resume"), &json!({"reason": "fine"})).await;
    assert_eq!(resume["summary"], format!("resume rollout {id}"));
    decide(&node, Role::Admin, &resume, "approve").await.expect(200);
    assert_eq!(node.get(&format!("{rollouts}/{id}")).await.body["state"], "holding");
    proposed(&node, Method::POST, &format!("{rollouts}/{id}/advance"), &json!({"reason": "enough"})).await;
    send(
        &node,
        Role::Oncall,
        Method::POST,
        &format!("{rollouts}/{id}/rollback"),
        &json!({"reason": "5xx"}),
    )
    .await
    .expect(200);
}

#[actix_web::test]
async fn less_than_the_policy_asks_for_needs_a_second_person_and_more_does_not() {
    let node = node(&["rollback"]).await;
    let policy = format!("{PRODUCTION}/policy");
    send(&node, Role::Editor, Method::PUT, &policy, &json!({"second_person": ["rollback", "restore"]}))
        .await
        .expect(200);
    let loosened = proposed(&node, Method::PUT, &policy, &json!({"second_person": ["restore"]})).await;
    assert_eq!(loosened["diff"]["policy"]["to"], json!({"protection": "open", "second_person": ["restore"]}));
    node.put(&policy, &json!({})).await.expect(202);
    decide(&node, Role::Admin, &loosened, "approve").await.expect(200);
    assert_eq!(node.get(&policy).await.body["second_person"], json!(["restore"]));
}

#[actix_web::test]
async fn files_are_applied_as_they_were_shown_with_what_they_own() {
    let node = node(&["changes"]).await;
    let set = json!({"set": "web", "flags": {"theme": flag()}, "segments": {}, "takeover": "adopt"});
    let commits = format!("{PRODUCTION}/commits");
    let mut body = json!({"reason": "2.14", "changes": [{"apply_set": set}]});
    let plan = send(&node, Role::Editor, Method::POST, &format!("{commits}/plan"), &body)
        .await
        .expect(200)
        .body;
    assert!(plan["warnings"][0].as_str().unwrap().contains("requires a second person"), "{plan}");
    body["plan"] = plan["hash"].clone();
    let proposal = proposed(&node, Method::POST, &commits, &body).await;
    decide(&node, Role::Admin, &proposal, "approve").await.expect(200);
    node.get(&format!("{PRODUCTION}/flags/theme")).await.expect(200);
    let sets = node.get(&format!("{PRODUCTION}/sets")).await.expect(200).body;
    assert_eq!(sets["items"][0], json!({"set": "web", "flags": ["theme"], "segments": []}));
    body.as_object_mut().unwrap().remove("plan");
    send(&node, Role::Editor, Method::POST, &commits, &body).await.expect(200);
}

#[actix_web::test]
async fn what_changes_nothing_waits_for_nobody_and_the_same_again_is_one_proposal() {
    let node = node(&["changes"]).await;
    let same = send(&node, Role::Editor, Method::PUT, &format!("{FLAG}?reason=r"), &flag()).await.expect(200);
    assert_eq!(same.body["changed"], json!(false));
    let first = proposed(&node, Method::PATCH, FLAG, &off()).await;
    let second = proposed(&node, Method::PATCH, FLAG, &off()).await;
    assert_eq!(first["id"], second["id"]);
    assert_eq!(node.get(PROPOSALS).await.body["items"].as_array().unwrap().len(), 1);
}

#[actix_web::test]
async fn a_repeated_call_gets_the_same_proposal_and_a_repeated_approval_the_same_answer() {
    let node = node(&["changes"]).await;
    let ask = || node.call(Method::PATCH, FLAG).key(&key_of(Role::Editor)).header("idempotency-key", "k1");
    let first = ask().json(&off()).send().await.expect(202).body;
    let approve = || {
        let path = format!("{PROPOSALS}/{}/approve", first["proposal"]["id"].as_str().unwrap());
        node.call(Method::POST, &path).key(&key_of(Role::Admin)).header("idempotency-key", "k2")
    };
    let applied = approve().send().await.expect(200).body;
    assert_eq!(ask().json(&off()).send().await.expect(202).body, first);
    assert_eq!(approve().send().await.expect(200).body["revision"], applied["revision"]);
}

#[actix_web::test]
async fn a_proposal_is_declined_by_others_and_withdrawn_by_its_author_each_for_a_reason() {
    let node = node(&["changes"]).await;
    let proposal = proposed(&node, Method::PATCH, FLAG, &off()).await;
    let path = format!("{PROPOSALS}/{}/decline", proposal["id"].as_str().unwrap());
    assert_eq!(
        node.call(Method::POST, &path).key(&key_of(Role::Admin)).send().await.expect(422).code(),
        "REASON_REQUIRED"
    );
    decide(&node, Role::Editor, &proposal, "decline").await.expect(403);
    let declined = decide(&node, Role::Admin, &proposal, "decline").await.expect(200).body;
    assert_eq!(
        (&declined["state"], &declined["decided"]["reason"]),
        (&json!("declined"), &json!("looked at it"))
    );
    decide(&node, Role::Admin, &proposal, "approve").await.expect(409);
    let next = proposed(&node, Method::PATCH, FLAG, &off()).await;
    decide(&node, Role::Admin, &next, "withdraw").await.expect(403);
    assert_eq!(decide(&node, Role::Editor, &next, "withdraw").await.expect(200).body["state"], "withdrawn");
    let waiting = node.get(&format!("{PROPOSALS}?state=proposed")).await.expect(200).body;
    assert!(waiting["items"].as_array().unwrap().is_empty(), "{waiting}");
    assert!(is_enabled(&node).await);
}

#[actix_web::test]
async fn a_provisional_kill_is_not_withdrawn_where_a_restore_needs_a_second_person() {
    let node = node(&["restore"]).await;
    node.store.set(Fault::Away);
    let kill = node
        .post(&format!("{PRODUCTION}/kills"), &json!({"scope": {"flag": "checkout"}}))
        .await
        .expect(201)
        .body;
    assert_eq!(kill["provisional"], json!(true));
    let restore = format!("{PRODUCTION}/kills/{}", kill["id"].as_str().unwrap());
    let refused = node
        .call(Method::DELETE, &restore)
        .key(&key_of(Role::Oncall))
        .json(&json!({"reason": "r"}))
        .send()
        .await
        .expect(503);
    assert!(refused.body["detail"].as_str().unwrap().contains("second person"), "{}", refused.body);
}
