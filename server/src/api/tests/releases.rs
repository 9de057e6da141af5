//! Releases, and what a protected environment asks of them.

use actix_web::http::Method;
use ripcord_proto::role::Role;
use serde_json::{Value, json};

use super::harness::{ApiNode, FLAG, Got, flag, key_of};

const RELEASES: &str = "/v1/environments/production/releases";
const POLICY: &str = "/v1/environments/production/policy";

async fn put(node: &ApiNode, query: &str, flag: &Value) -> Got {
    node.put(&format!("{FLAG}?reason=r{query}"), flag).await
}

fn split(on: &str, off: &str) -> Value {
    json!({"variants": {"on": true, "off": false}, "default": "off", "safe": "off",
        "rules": [{"serve": {"split": [{"variant": "on", "weight": on}, {"variant": "off", "weight": off}]}}]})
}

fn paths(got: &Got) -> Vec<&str> {
    got.body["errors"]
        .as_array()
        .unwrap()
        .iter()
        .map(|error| error["path"].as_str().unwrap())
        .collect()
}

#[actix_web::test]
async fn a_release_shows_what_it_changed_against_its_baseline_and_whose_hands_were_in_it() {
    let node = ApiNode::start().await;
    put(&node, "", &flag()).await.expect(201);
    let begun = node
        .post(RELEASES, &json!({"name": "web-12", "artifact": "web 12", "window_seconds": 7200}))
        .await
        .expect(201);
    assert_eq!(begun.body["baseline"], "before-web-12");
    assert_eq!(begun.body["state"], "open");
    assert_eq!(begun.body["revision"], Value::Null);
    assert!((7100..=7200).contains(&begun.body["window"]["remaining_seconds"].as_u64().unwrap()));
    put(&node, "&release=web-12", &split("25%", "75%")).await.expect(200);
    let search = "/v1/environments/production/flags/search?reason=r&release=web-12";
    node.put(search, &flag()).await.expect(201);
    node.patch(FLAG, &json!({"enabled": false, "reason": "somebody else"})).await.expect(200);
    let shown = node.get(&format!("{RELEASES}/web-12")).await.expect(200);
    assert_eq!(shown.body["commits"], 2);
    let flags = shown.body["diff"]["flags"].as_array().unwrap();
    assert_eq!(
        flags.iter().map(|step| step["key"].as_str().unwrap()).collect::<Vec<_>>(),
        ["checkout", "search"]
    );
    assert!(flags[1].get("from").is_none());
    let foreign = &shown.body["diff"]["foreign_flags"]["checkout"];
    assert_eq!(foreign[0]["reason"], "somebody else");
    assert_eq!(foreign.as_array().unwrap().len(), 1);
    assert_eq!(shown.body["diff"]["commits"].as_array().unwrap().len(), 2);
    node.post(&format!("{RELEASES}/web-12/finish"), &Value::Null).await.expect(200);
    let late = put(&node, "&release=web-12", &flag()).await.expect(409);
    assert_eq!(late.code(), "RELEASE_FINISHED");
    let again = node.post(&format!("{RELEASES}/web-12/finish"), &Value::Null).await.expect(200);
    assert_eq!(again.body["state"], "finished");
    let again = node.post(RELEASES, &json!({"name": "web-12"})).await.expect(409);
    assert_eq!(again.code(), "ALREADY_EXISTS");
    let other = node.call(Method::PUT, &format!("{FLAG}?reason=r&release=web-13")).key(&key_of(Role::Editor));
    other.json(&flag()).send().await.expect(404);
}

#[actix_web::test]
async fn what_a_release_says_is_changed_member_by_member() {
    let node = ApiNode::start().await;
    let body = json!({"name": "web-12", "success": ["a"], "data": {"checkout": "both formats"}, "owners": {"commander": "ana"}});
    node.post(RELEASES, &body).await.expect(201);
    let patch = json!({"success": ["b", "c"], "data": {"search": "no data"}, "owners": {"operations": "bo"}, "artifact": "web 12"});
    let set = node.patch(&format!("{RELEASES}/web-12"), &patch).await.expect(200);
    assert_eq!(set.body["success"], json!(["b", "c"]));
    assert_eq!(set.body["data"], json!({"checkout": "both formats", "search": "no data"}));
    assert_eq!(set.body["owners"], json!({"commander": "ana", "operations": "bo"}));
    let taken_back = json!({"artifact": null, "data": {"search": null}});
    let set = node.patch(&format!("{RELEASES}/web-12"), &taken_back).await.expect(200);
    assert_eq!(set.body["data"], json!({"checkout": "both formats"}));
    assert!(set.body.get("artifact").is_none());
    let wrong = json!({"window_seconds": 0, "owner": "ana", "data": {"..": "c"}, "checks": [{"name": "c"}]});
    let got = node.patch(&format!("{RELEASES}/web-12"), &wrong).await.expect(422);
    let paths = paths(&got);
    assert!(
        paths.contains(&"window_seconds") && paths.contains(&"owner") && paths.contains(&"data..."),
        "{paths:?}"
    );
}

#[actix_web::test]
async fn a_protected_environment_names_everything_that_is_missing_and_lets_a_complete_release_pass() {
    let node = ApiNode::start().await;
    put(&node, "", &split("10%", "90%")).await.expect(201);
    let policy = json!({"protection": "protected", "vouch_after_seconds": 1800});
    assert_eq!(node.put(POLICY, &policy).await.expect(200).body["changed"], true);
    let refused = put(&node, "", &split("50%", "50%")).await.expect(422);
    assert_eq!(refused.code(), "PROTECTED");
    assert_eq!(paths(&refused), ["release"]);
    assert!(refused.body["errors"][0]["problem"].as_str().unwrap().contains("ripcord release begin"));
    node.post(RELEASES, &json!({"name": "web-12"})).await.expect(201);
    let refused = put(&node, "&release=web-12", &split("50%", "50%")).await.expect(422);
    let all = ["artifact", "success", "failure", "window_seconds", "owners.commander", "data.checkout"];
    assert_eq!(paths(&refused), all);
    for error in refused.body["errors"].as_array().unwrap() {
        assert!(error["problem"].as_str().unwrap().contains("ripcord release set web-12 --"), "{error:#}");
    }
    let says = json!({"image": "sha256:12", "success": ["s"], "failure": ["f"], "window_seconds": 60, "owners": {"commander": "ana"},
        "data": {"checkout": "both formats are read"}});
    node.patch(&format!("{RELEASES}/web-12"), &says).await.expect(200);
    put(&node, "&release=web-12", &split("50%", "50%")).await.expect(200);
    put(&node, "", &split("20%", "80%")).await.expect(200);
    node.patch(FLAG, &json!({"enabled": false, "reason": "r"})).await.expect(200);
    let refused = node.patch(FLAG, &json!({"enabled": true, "reason": "r"})).await.expect(422);
    assert_eq!(refused.code(), "PROTECTED");
    node.post("/v1/environments/production/kills", &json!({"scope": {"flag": "checkout"}}))
        .await
        .expect(201);
}

#[actix_web::test]
async fn a_plan_warns_of_what_a_protected_environment_will_refuse() {
    let node = ApiNode::start().await;
    node.put(POLICY, &json!({"protection": "protected"})).await.expect(200);
    let body = json!({"changes": [{"put_flag": {"key": "checkout", "flag": split("1%", "99%")}}]});
    let plan = node.post("/v1/environments/production/commits/plan", &body).await.expect(200);
    assert!(plan.body["warnings"][0].as_str().unwrap().contains("is protected"), "{:#}", plan.body);
}

#[actix_web::test]
async fn a_policy_is_read_strictly_and_set_by_its_etag() {
    let node = ApiNode::start().await;
    assert_eq!(node.get(POLICY).await.expect(200).body, json!({"protection": "open"}));
    let set = node.put(POLICY, &json!({"ping_every_seconds": 600})).await.expect(200);
    let etag = set.header("etag").to_owned();
    assert_eq!(node.get(POLICY).await.expect(200).header("etag"), etag);
    assert_eq!(node.put(POLICY, &json!({"ping_every_seconds": 600})).await.expect(200).body["changed"], false);
    let wrong = json!({"protection": "closed", "ping_every_seconds": 1, "vouch": 1});
    let got = node.put(POLICY, &wrong).await.expect(422);
    assert_eq!(paths(&got), ["vouch", "protection", "ping_every_seconds"]);
    let other = format!("\"{}\"", "0".repeat(64));
    let call = node.call(Method::PUT, POLICY).key(super::harness::ADMIN).header("if-match", &other);
    assert_eq!(call.json(&json!({})).send().await.expect(409).code(), "STALE_REVISION");
}
