//! Rollbacks: planned, committed, refused.

use actix_web::http::Method;
use ripcord_proto::role::Role;
use serde_json::{Value, json};

use super::harness::{ADMIN, ApiNode, FLAG, flag, key_of};
use crate::store::fault_injection::Fault;

const ENV: &str = "/v1/environments/production";
const ROLLBACKS: &str = "/v1/environments/production/rollbacks";
const PLAN: &str = "/v1/environments/production/rollbacks/plan";

/// A flag with a rollout of `percent`.
fn rollout(percent: u32) -> Value {
    json!({"variants": {"off": false, "on": true}, "default": "off", "safe": "off", "tags": ["payments"],
        "rules": [{"serve": {"split": [{"variant": "off", "weight": format!("{}%", 100 - percent)}, {"variant": "on", "weight": format!("{percent}%")}]}}]})
}

async fn put(node: &ApiNode, key: &str, flag: &Value) {
    let got = node.put(&format!("{ENV}/flags/{key}?reason=r"), flag).await;
    assert!(matches!(got.status, 200 | 201), "{:#}", got.body);
}

async fn get(node: &ApiNode, key: &str) -> Value {
    node.get(&format!("{ENV}/flags/{key}")).await.expect(200).body["flag"].clone()
}

#[actix_web::test]
async fn an_environment_goes_back_to_a_revision_in_one_commit() {
    let node = ApiNode::start().await;
    put(&node, "checkout", &rollout(0)).await;
    put(&node, "search", &rollout(5)).await;
    let good = get(&node, "checkout").await;
    put(&node, "checkout", &rollout(100)).await;
    node.delete(&format!("{ENV}/flags/search?reason=old")).await.expect(200);
    put(&node, "new", &rollout(50)).await;
    let plan = node.post(PLAN, &json!({"to": 2})).await.expect(200).body;
    let keys: Vec<_> = plan["flags"].as_array().unwrap().iter().map(|flag| flag["key"].as_str().unwrap()).collect();
    assert_eq!(keys, ["checkout", "new", "search"]);
    assert_eq!(plan["flags"][0]["now"], "off 0%, on 100%");
    assert_eq!(plan["flags"][0]["then"], "off 100%, on 0%");
    assert_eq!(plan["flags"][0]["changed"]["revision"], 3);
    assert_eq!(plan["flags"][0]["users"]["share"], 1.0);
    assert_eq!(plan["flags"][2]["from"], Value::Null);
    assert_eq!(plan["conflicts"], json!([]));
    assert_eq!(plan["users"]["source"], "synthetic");

    let done = node
        .post(ROLLBACKS, &json!({"to": 2, "plan": plan["hash"], "reason": "5xx"}))
        .await
        .expect(201)
        .body;
    assert_eq!((&done["revision"], &done["before"]), (&json!(6), &json!("1:5")));
    assert!(matches!(done["state"].as_str(), Some("committed" | "confirmed")), "{done:#}");
    assert_eq!(done["plan"], plan["hash"]);
    assert_eq!(done["flags"], json!(["checkout", "new", "search"]));
    assert!(done["phases"]["commit_ms"].as_f64().unwrap() > 0.0);
    assert_eq!(get(&node, "checkout").await, good);
    assert_eq!(
        get(&node, "search").await,
        serde_json::to_value(serde_json::from_value::<ripcord_proto::Flag>(rollout(5)).unwrap()).unwrap()
    );
    assert_eq!(get(&node, "new").await["enabled"], false);
    let log = node.get(&format!("{ENV}/revisions")).await.body["items"][0].clone();
    assert_eq!(
        (&log["urgent"], &log["reason"]),
        (&json!(true), &json!("roll back the environment to 1:2: 5xx"))
    );
}

#[actix_web::test]
async fn a_repeated_call_gets_the_first_answer_and_makes_no_second_commit() {
    let node = ApiNode::start().await;
    put(&node, "checkout", &rollout(0)).await;
    put(&node, "checkout", &rollout(100)).await;
    let call = || {
        node.call(Method::POST, ROLLBACKS)
            .key(ADMIN)
            .header("idempotency-key", "k1")
            .json(&json!({"to": 1}))
            .send()
    };
    let (first, again) = (call().await.expect(201), call().await.expect(201));
    assert_eq!((&first.body["id"], &first.body["revision"]), (&again.body["id"], &again.body["revision"]));
    assert_eq!(again.header("idempotency-replayed"), "true");
}

#[actix_web::test]
async fn a_plan_that_no_longer_holds_says_what_moved_and_one_that_does_is_done() {
    let node = ApiNode::start().await;
    put(&node, "checkout", &rollout(0)).await;
    put(&node, "checkout", &rollout(100)).await;
    let hash = node.post(PLAN, &json!({"to": 1})).await.expect(200).body["hash"].clone();
    node.put(&format!("{ENV}/segments/eu?reason=r"), &json!({"attribute": "region", "equals": "eu"}))
        .await
        .expect(201);
    put(&node, "checkout", &rollout(50)).await;
    let stale = node.post(ROLLBACKS, &json!({"to": 1, "plan": hash})).await.expect(409);
    assert_eq!(stale.code(), "PLAN_STALE");
    let detail = stale.body["detail"].as_str().unwrap();
    assert!(detail.contains("revision 4 by admin (put flag checkout)"), "{detail}");
    let elsewhere = node
        .post("/v1/environments/staging/rollbacks", &json!({"to": 0, "plan": hash}))
        .await
        .expect(409);
    assert!(
        elsewhere.body["detail"].as_str().unwrap().contains("different environment"),
        "{:#}",
        elsewhere.body
    );
    let again = node.post(ROLLBACKS, &json!({"to": 1, "plan": stale.body["plan"]})).await.expect(201);
    assert_eq!(again.body["revision"], 5);
}

/// A rollout that has not begun yet changes no flag, but a rollback would end it.
#[actix_web::test]
async fn a_plan_is_stale_once_it_would_end_another_rollout_than_it_showed() {
    let node = ApiNode::start().await;
    put(&node, "checkout", &rollout(0)).await;
    put(&node, "checkout", &rollout(50)).await;
    let planned = || async { node.post(PLAN, &json!({"to": 1})).await.expect(200).body };
    let before = planned().await;
    assert_eq!(before["rollouts"], json!([]));
    let later = json!({"flag": "checkout", "variant": "on", "steps": [{"to": "60%", "hold": "1h"}], "start_at": "2999-01-01T00:00:00Z", "no_gates": true});
    let begun = node.post(&format!("{ENV}/rollouts"), &later).await.expect(201).body;
    let during = planned().await;
    assert_eq!(during["rollouts"][0]["name"], begun["id"]);
    let execute = |plan: &Value| {
        let body = json!({"to": 1, "plan": plan["hash"]});
        let node = &node;
        async move { node.post(ROLLBACKS, &body).await }
    };
    let stale = execute(&before).await.expect(409);
    assert_eq!((stale.code(), &stale.body["plan"]), ("PLAN_STALE", &during["hash"]));
    let id = begun["id"].as_str().unwrap();
    node.post(&format!("{ENV}/rollouts/{id}/abort"), &json!({"reason": "r"})).await.expect(200);
    assert_eq!(execute(&during).await.expect(409).code(), "PLAN_STALE");
    assert_eq!(planned().await["hash"], before["hash"], "it ends none again");
    assert_eq!(execute(&before).await.expect(201).body["revision"], 3);
}

#[actix_web::test]
async fn a_plan_survives_what_does_not_concern_it() {
    let node = ApiNode::start().await;
    put(&node, "checkout", &rollout(0)).await;
    put(&node, "checkout", &rollout(100)).await;
    let body = json!({"to": 1, "flags": ["checkout"]});
    let plan = node.post(PLAN, &body).await.expect(200).body;
    put(&node, "search", &rollout(50)).await;
    let again = node.post(PLAN, &body).await.expect(200).body;
    assert_eq!(plan["hash"], again["hash"]);
    assert_ne!(plan["revision"], again["revision"]);
}

#[actix_web::test]
async fn two_rollbacks_at_once_one_wins_and_the_other_is_told_which() {
    let node = ApiNode::start().await;
    put(&node, "checkout", &rollout(0)).await;
    put(&node, "checkout", &rollout(50)).await;
    put(&node, "checkout", &rollout(100)).await;
    let first = node
        .post(ROLLBACKS, &json!({"to": 1, "flags": ["checkout"], "steps": [20], "every_seconds": 600}))
        .await
        .expect(201)
        .body;
    let second = node.post(ROLLBACKS, &json!({"to": 2})).await.expect(409);
    assert_eq!((second.code(), &second.body["rollback"]), ("ROLLBACK_UNDER_WAY", &first["id"]));
    let plan = node.post(PLAN, &json!({"to": 2})).await.expect(200).body;
    assert_eq!(plan["under_way"], first["id"]);
}

#[actix_web::test]
async fn targets_and_scopes_that_are_not_there_are_told_plainly() {
    let node = ApiNode::start().await;
    put(&node, "checkout", &rollout(0)).await;
    let unknown = node.post(ROLLBACKS, &json!({"to": "no-such"})).await.expect(404);
    assert_eq!(unknown.code(), "NOT_FOUND");
    assert_eq!(node.post(ROLLBACKS, &json!({"to": 9})).await.expect(422).code(), "INVALID");
    let nothing = node.post(ROLLBACKS, &json!({"to": "last-known-good"})).await.expect(409);
    assert_eq!(nothing.code(), "NO_KNOWN_GOOD");
    assert!(nothing.body["detail"].as_str().unwrap().contains("ripcord checkpoint vouch"));
    assert_eq!(
        node.post(ROLLBACKS, &json!({"to": 1, "tags": ["none"]})).await.expect(422).code(),
        "EMPTY_SCOPE"
    );
    assert_eq!(
        node.post(ROLLBACKS, &json!({"to": 1, "flags": ["none"]})).await.expect(404).code(),
        "FLAG_NOT_FOUND"
    );
    assert_eq!(node.post(ROLLBACKS, &json!({"to": 1, "segment": "none"})).await.expect(404).code(), "NOT_FOUND");
    let wrong = node.post(ROLLBACKS, &json!({"flags": [], "steps": [1, 2], "sample": []})).await.expect(422);
    let paths: Vec<_> = wrong.body["errors"]
        .as_array()
        .unwrap()
        .iter()
        .map(|error| error["path"].as_str().unwrap())
        .collect();
    assert_eq!(paths, ["sample", "flags", "steps", "to"]);
}

#[actix_web::test]
async fn a_one_way_door_is_passed_only_knowingly_and_by_those_who_may() {
    let node = ApiNode::start().await;
    put(&node, "orders", &rollout(0)).await;
    let mut on = rollout(100);
    on["one_way"] = json!({"from": "on", "reason": "orders are written in the new format", "data_checkpoint": "backup job 118"});
    put(&node, "orders", &on).await;
    let refused = node.post(ROLLBACKS, &json!({"to": 1})).await.expect(409);
    assert_eq!(refused.code(), "ONE_WAY_DOOR");
    let detail = refused.body["detail"].as_str().unwrap();
    for named in ["orders are written in the new format", "backup job 118", "--acknowledge-one-way orders"] {
        assert!(detail.contains(named), "{detail}");
    }
    assert_eq!(refused.body["doors"][0]["flag"], "orders");
    let plan = node.post(PLAN, &json!({"to": 1})).await.expect(200).body;
    assert_eq!(
        (&plan["one_way"][0]["flag"], &plan["one_way"][0]["acknowledged"]),
        (&json!("orders"), &json!(false))
    );
    let body = json!({"to": 1, "acknowledge_one_way": ["orders", "other"], "plan": plan["hash"]});
    let done = node
        .call(Method::POST, ROLLBACKS)
        .key(&key_of(Role::Oncall))
        .json(&body)
        .send()
        .await
        .expect(201);
    assert_eq!(done.body["acknowledged"], json!(["orders"]), "what was no door is not recorded as passed");
}

#[actix_web::test]
async fn what_a_killed_flag_serves_changes_only_knowingly_and_the_kill_stays() {
    let node = ApiNode::start().await;
    let mut first = flag();
    first["safe"] = json!("on");
    put(&node, "checkout", &first).await;
    put(&node, "checkout", &flag()).await;
    node.post(&format!("{ENV}/kills"), &json!({"scope": {"flag": "checkout"}, "reason": "r"}))
        .await
        .expect(201);
    let plan = node.post(PLAN, &json!({"to": 1})).await.expect(200).body;
    assert_eq!(plan["kills"][0]["needs_allow_killed_edit"], true);
    assert_eq!(node.post(ROLLBACKS, &json!({"to": 1})).await.expect(409).code(), "FLAG_KILLED");
    node.post(ROLLBACKS, &json!({"to": 1, "allow_killed_edit": true})).await.expect(201);
    assert_eq!(node.get(FLAG).await.body["kills"].as_array().unwrap().len(), 1);
}

#[actix_web::test]
async fn a_protected_environment_never_stands_in_the_way() {
    let node = ApiNode::start().await;
    put(&node, "checkout", &rollout(100)).await;
    put(&node, "checkout", &rollout(0)).await;
    node.put(&format!("{ENV}/policy?reason=r"), &json!({"protection": "protected"}))
        .await
        .expect(200);
    node.post(ROLLBACKS, &json!({"to": 1})).await.expect(201);
}

#[actix_web::test]
async fn a_release_is_taken_back_and_what_others_changed_since_is_left_to_them() {
    let node = ApiNode::start().await;
    put(&node, "checkout", &rollout(0)).await;
    put(&node, "search", &rollout(0)).await;
    node.post(&format!("{ENV}/releases"), &json!({"name": "web-1"})).await.expect(201);
    for key in ["checkout", "search"] {
        node.put(&format!("{ENV}/flags/{key}?reason=r&release=web-1"), &rollout(50)).await.expect(200);
    }
    put(&node, "search", &rollout(60)).await;
    put(&node, "other", &rollout(60)).await;
    let plan = node.post(PLAN, &json!({"release": "web-1"})).await.expect(200).body;
    assert_eq!(plan["flags"].as_array().unwrap().len(), 1);
    assert_eq!(
        (&plan["conflicts"][0]["flag"], &plan["conflicts"][0]["changed"]["revision"]),
        (&json!("search"), &json!(5))
    );
    let done = node.post(ROLLBACKS, &json!({"release": "web-1", "plan": plan["hash"]})).await.expect(201).body;
    assert_eq!((&done["flags"], &done["skipped"]), (&json!(["checkout"]), &json!(["search"])));
    assert_eq!(get(&node, "search").await["rules"][0]["serve"]["split"][1]["weight"], "60%");
    let again = node.post(ROLLBACKS, &json!({"release": "web-1"})).await;
    assert_eq!(
        (again.code(), &again.body["rollback"]),
        ("ROLLBACK_UNDER_WAY", &done["id"]),
        "the first is not proven yet"
    );
}

#[actix_web::test]
async fn a_ladder_caps_exposure_and_says_its_steps_beforehand() {
    let node = ApiNode::start().await;
    put(&node, "checkout", &rollout(0)).await;
    put(&node, "checkout", &rollout(80)).await;
    let body = json!({"to": 1, "steps": [50, 12.5], "every_seconds": 60});
    let plan = node.post(PLAN, &body).await.expect(200).body;
    assert_eq!(
        plan["steps"]["steps"],
        json!([
        {"percent": 50.0, "after_seconds": 0, "flags": 1}, {"percent": 12.5, "after_seconds": 60, "flags": 1}, {"percent": null, "after_seconds": 120, "flags": 1}])
    );
    let done = node.post(ROLLBACKS, &body).await.expect(201).body;
    assert_eq!(done["ladder"]["done"], 1);
    assert_eq!(get(&node, "checkout").await["rules"][0]["serve"]["split"][1]["weight"], "50%");
}

#[actix_web::test]
async fn while_the_store_is_away_the_kills_that_make_the_scope_safe_are_told() {
    let node = ApiNode::start().await;
    put(&node, "checkout", &rollout(0)).await;
    put(&node, "checkout", &rollout(80)).await;
    node.store.set(Fault::Away);
    let away = node.post(ROLLBACKS, &json!({"to": 1, "flags": ["checkout"]})).await.expect(503);
    assert_eq!((away.code(), &away.body["commands"]), ("STORE_UNAVAILABLE", &json!(["ripcord kill checkout"])));
    assert!(away.body["detail"].as_str().unwrap().contains("ripcord kill checkout"));
}

#[actix_web::test]
async fn a_sample_of_real_users_says_whom_it_affects() {
    let node = ApiNode::start().await;
    let mut on = flag();
    on["default"] = json!("off");
    put(&node, "checkout", &on).await;
    on["rules"] = json!([{"when": {"attribute": "plan", "equals": "beta"}, "serve": "on"}]);
    put(&node, "checkout", &on).await;
    let sample = json!([{"targetingKey": "a", "plan": "beta"}, {"targetingKey": "b"}, {"targetingKey": "c", "plan": "beta"}, {"targetingKey": "d"}]);
    let plan = node.post(PLAN, &json!({"to": 1, "sample": sample})).await.expect(200).body;
    assert_eq!(plan["users"], json!({"source": "sample", "contexts": 4, "changed": 2, "share": 0.5}));
    let made_up = node.post(PLAN, &json!({"to": 1, "population": 1000})).await.expect(200).body;
    let share = made_up["users"]["share"].as_f64().unwrap();
    assert!((0.4..0.6).contains(&share), "about half of a made-up population satisfies a test: {share}");
}

#[actix_web::test]
async fn a_check_that_must_pass_before_refuses_and_is_named() {
    let node = ApiNode::start().await;
    let mut checked = rollout(0);
    checked["checks"] =
        json!([{"name": "backup is there", "url": "http://127.0.0.1:1/backup", "when": "before"}, {"name": "afterwards", "url": "http://127.0.0.1:1/"}]);
    put(&node, "checkout", &checked).await;
    put(&node, "checkout", &rollout(80)).await;
    let refused = node.post(ROLLBACKS, &json!({"to": 1})).await.expect(409);
    assert_eq!(refused.code(), "CHECK_FAILED");
    assert!(
        refused.body["detail"].as_str().unwrap().contains("backup is there of flag checkout"),
        "{:#}",
        refused.body
    );
    assert_eq!(refused.body["checks"].as_array().unwrap().len(), 1);
    assert_eq!(get(&node, "checkout").await["rules"][0]["serve"]["split"][1]["weight"], "80%");

    // On-call may say that the check is what is broken; another check's name does not help.
    let send = |names: Value| {
        let call = node.call(Method::POST, ROLLBACKS).key(&key_of(Role::Oncall));
        call.json(&json!({"to": 1, "acknowledge_checks": names})).send()
    };
    send(json!(["afterwards"])).await.expect(409);
    let done = send(json!(["backup is there"])).await.expect(201).body;
    assert_eq!(done["acknowledged_checks"], json!(["backup is there"]));
    assert_eq!(get(&node, "checkout").await["rules"][0]["serve"]["split"][1]["weight"], "0%");
}

#[actix_web::test]
async fn a_rollback_that_finds_everything_in_place_is_refused_and_makes_no_record() {
    let node = ApiNode::start().await;
    put(&node, "checkout", &rollout(0)).await;
    let refused = node.post(ROLLBACKS, &json!({"to": 1})).await.expect(422);
    assert_eq!(refused.code(), "EMPTY_SCOPE");
    assert_eq!(refused.body["target_is_present_state"], true, "{:#}", refused.body);
    assert_eq!(node.get(ROLLBACKS).await.expect(200).body["items"], json!([]));
}
