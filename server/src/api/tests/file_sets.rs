//! What a file set owns, and what it leaves as it is.

use actix_web::http::Method;
use ripcord_proto::role::Role;
use serde_json::{Value, json};

use super::harness::{ApiNode, Got, key_of};

const COMMITS: &str = "/v1/environments/production/commits";
const PLAN: &str = "/v1/environments/production/commits/plan";

fn flag(percent: u32) -> Value {
    let split = json!([{"variant": "on", "weight": percent}, {"variant": "off", "weight": 100 - percent}]);
    json!({"enabled": true, "variants": {"on": true, "off": false}, "default": "off", "safe": "off", "rules": [{"id": "gradual", "serve": {"split": split}}]})
}

fn path(key: &str) -> String {
    format!("/v1/environments/production/flags/{key}?reason=r")
}

fn body(set: &Value) -> Value {
    json!({"reason": "r", "changes": [{"apply_set": set}]})
}

async fn apply(node: &ApiNode, set: &Value) -> Got {
    node.post(COMMITS, &body(set)).await
}

async fn plan(node: &ApiNode, set: &Value) -> Value {
    node.post(PLAN, &body(set)).await.expect(200).body
}

async fn now(node: &ApiNode, key: &str) -> Value {
    node.get(&path(key)).await.expect(200).body["flag"].clone()
}

#[actix_web::test]
async fn what_was_changed_by_hand_stays_until_the_file_changes_just_that() {
    let node = ApiNode::start().await;
    let set = |percent, owner| {
        let mut flag = flag(percent);
        flag["owner"] = json!(owner);
        json!({"set": "payments", "flags": {"checkout": flag}})
    };
    apply(&node, &set(10, "a")).await.expect(200);
    let mut raised = flag(50);
    raised["enabled"] = json!(false);
    raised["owner"] = json!("a");
    node.put(&path("checkout"), &raised).await.expect(200);

    let planned = plan(&node, &set(10, "b")).await;
    let kept: Vec<_> = planned["kept"].as_array().unwrap().iter().map(|kept| kept["path"].as_str().unwrap()).collect();
    assert_eq!(kept, ["flags.checkout.enabled", "flags.checkout.rules[gradual].serve.split"]);
    assert_eq!(planned["kept"][0]["last_change"]["revision"], 2, "{planned:#}");
    assert_eq!(planned["kept"][0]["last_change"]["reason"], "r");
    assert_eq!(planned["kept"][0]["file"], true);

    apply(&node, &set(10, "b")).await.expect(200);
    let mut expected = raised.clone();
    expected["owner"] = json!("b");
    assert_eq!(now(&node, "checkout").await, expected);

    apply(&node, &set(25, "b")).await.expect(200);
    assert_eq!(now(&node, "checkout").await["rules"], flag(25)["rules"]);
    assert_eq!(now(&node, "checkout").await["enabled"], false);

    let mut adopt = set(25, "b");
    adopt["takeover"] = json!("adopt");
    apply(&node, &adopt).await.expect(200);
    assert_eq!(now(&node, "checkout").await["enabled"], true);
}

#[actix_web::test]
async fn a_set_changes_what_it_owns_and_refuses_the_rest_until_told_to_take_it_over() {
    let node = ApiNode::start().await;
    apply(&node, &json!({"set": "search", "flags": {"ranking": flag(1)}})).await.expect(200);
    node.put(&path("by-hand"), &flag(1)).await.expect(201);
    let mut set = json!({"set": "payments", "flags": {"checkout": flag(1), "ranking": flag(2), "by-hand": flag(2)}});
    let refused = apply(&node, &set).await.expect(409);
    assert_eq!(refused.code(), "OTHER_OWNER");
    let paths: Vec<_> = refused.body["errors"]
        .as_array()
        .unwrap()
        .iter()
        .map(|fault| fault["path"].as_str().unwrap())
        .collect();
    assert_eq!(paths, ["flags.ranking", "flags.by-hand"]);
    node.get(&path("checkout")).await.expect(404);

    set["takeover"] = json!("adopt");
    let planned = plan(&node, &set).await;
    assert_eq!(
        planned["adopted"],
        json!([{"path": "flags.ranking", "from": "search"}, {"path": "flags.by-hand"}])
    );
    apply(&node, &set).await.expect(200);
    let sets = node.get("/v1/environments/production/sets").await.expect(200).body;
    assert_eq!(
        sets["items"],
        json!([{"set": "payments", "flags": ["by-hand", "checkout", "ranking"], "segments": []}])
    );
}

#[actix_web::test]
async fn pruning_deletes_what_the_set_owns_and_nothing_else() {
    let node = ApiNode::start().await;
    let beta = json!({"attribute": "plan", "equals": "beta"});
    let both = json!({"set": "payments", "segments": {"beta": beta}, "flags": {"a": flag(1), "b": flag(1)}});
    apply(&node, &both).await.expect(200);
    apply(&node, &json!({"set": "search", "flags": {"ranking": flag(1)}})).await.expect(200);
    node.put(&path("by-hand"), &flag(1)).await.expect(201);
    let one = json!({"set": "payments", "flags": {"a": flag(1)}, "absent": "delete"});
    let planned = plan(&node, &one).await;
    assert_eq!(
        (planned["flags"].as_array().unwrap().len(), planned["segments"].as_array().unwrap().len()),
        (1, 1)
    );
    assert_eq!(planned["unchanged"], 1);
    apply(&node, &one).await.expect(200);
    node.get(&path("b")).await.expect(404);
    node.get(&path("ranking")).await.expect(200);
    node.get(&path("by-hand")).await.expect(200);

    // The set without a name owns whatever no other does.
    apply(&node, &json!({"flags": {"c": flag(1)}, "absent": "delete"})).await.expect(200);
    node.get(&path("by-hand")).await.expect(404);
    node.get(&path("a")).await.expect(200);
}

#[actix_web::test]
async fn an_apply_with_its_plan_does_exactly_that_and_a_second_one_changes_nothing() {
    let node = ApiNode::start().await;
    let set = json!({"set": "payments", "flags": {"checkout": flag(10)}});
    let planned = plan(&node, &set).await;
    let mut commit = body(&set);
    commit["plan"] = planned["hash"].clone();
    let made = node.post(COMMITS, &commit).await.expect(200).body;
    assert_eq!((made["revision"].as_u64(), made["changed"].as_bool()), (Some(1), Some(true)));
    let again = apply(&node, &set).await.expect(200).body;
    assert_eq!((again["revision"].as_u64(), again["changed"].as_bool()), (Some(1), Some(false)));
    let moved = node.post(COMMITS, &commit).await.expect(409);
    assert_eq!(moved.code(), "PLAN_STALE");
}

#[actix_web::test]
async fn a_flag_that_was_deleted_by_hand_stays_deleted_until_its_file_changes() {
    let node = ApiNode::start().await;
    let set = json!({"set": "payments", "flags": {"checkout": flag(10)}});
    apply(&node, &set).await.expect(200);
    node.delete(&path("checkout")).await.expect(200);
    let planned = plan(&node, &set).await;
    assert_eq!(planned["kept"][0]["path"], "flags.checkout");
    apply(&node, &set).await.expect(200);
    node.get(&path("checkout")).await.expect(404);
    apply(&node, &json!({"set": "payments", "flags": {"checkout": flag(20)}})).await.expect(200);
    node.get(&path("checkout")).await.expect(200);
}

#[actix_web::test]
async fn what_was_changed_by_hand_and_does_not_fit_the_file_is_refused() {
    let node = ApiNode::start().await;
    let set = |variants: Value| {
        let mut flag = flag(10);
        flag["variants"] = variants;
        json!({"set": "payments", "flags": {"checkout": flag}})
    };
    apply(&node, &set(json!({"on": true, "off": false, "new": true}))).await.expect(200);
    let mut by_hand = flag(10);
    by_hand["variants"]["new"] = json!(true);
    by_hand["default"] = json!("new");
    node.put(&path("checkout"), &by_hand).await.expect(200);
    let refused = apply(&node, &set(json!({"on": true, "off": false}))).await.expect(422);
    assert_eq!(refused.body["errors"][0]["path"], "flags.checkout.default", "{:#}", refused.body);
}

#[actix_web::test]
async fn a_person_says_why_and_a_pipeline_leaves_a_killed_flag_as_it_is() {
    let node = ApiNode::start().await;
    let set = json!({"changes": [{"apply_set": {"flags": {"checkout": flag(10), "other": flag(10)}}}]});
    let no_reason = node.post(COMMITS, &set).await.expect(422);
    assert_eq!(no_reason.code(), "REASON_REQUIRED");
    let pipeline = |body: Value| {
        let call = node.call(Method::POST, COMMITS).key(&key_of(Role::Pipeline)).json(&body);
        async move { call.send().await }
    };
    pipeline(set.clone()).await.expect(200);
    let kills = json!({"scope": {"flag": "checkout"}, "reason": "r"});
    node.post("/v1/environments/production/kills", &kills).await.expect(201);
    pipeline(json!({"changes": [{"apply_set": {"flags": {"checkout": flag(10), "other": flag(20)}}}]}))
        .await
        .expect(200);
    let refused = pipeline(json!({"changes": [{"apply_set": {"flags": {"checkout": flag(20)}}}]}))
        .await
        .expect(409);
    assert_eq!(refused.code(), "FLAG_KILLED");
}

#[actix_web::test]
async fn a_plan_warns_of_what_would_be_lost() {
    let node = ApiNode::start().await;
    let mut with_default = flag(50);
    with_default["default"] = json!("on");
    let set = json!({"set": "s", "flags": {"a": flag(50), "b": with_default, "gone": flag(1)}});
    apply(&node, &set).await.expect(200);
    let batch = json!({"instance_id": "i", "batch": 1, "counts": [{"flag": "gone", "variant": "on", "evaluations": 7}]});
    let report = node.call(Method::POST, "/v1/outcomes?environment=production");
    report.key(&key_of(Role::Sdk)).json(&batch).send().await.expect(202);
    let lowered = json!({"set": "s", "flags": {"a": flag(10), "b": flag(60)}, "absent": "delete"});
    let planned = plan(&node, &lowered).await;
    let share = planned["shares"]["a"]["share"].as_f64().unwrap();
    assert!((0.38..0.42).contains(&share), "{planned:#}");
    assert_eq!(planned["users"]["contexts"], 10_000);
    let warnings = planned["warnings"].to_string();
    for words in [
        "gone would be deleted but is still in use: 7 evaluations",
        "a: the exposure of rule gradual would drop from 50 % to 10 %",
        "b would serve off by default instead of on",
    ] {
        assert!(warnings.contains(words), "{words}: {warnings}");
    }
    assert!(!warnings.contains("b: the exposure of"), "{warnings}");
}
