//! Checkpoints: taken, proven, vouched for, doubted, and named everywhere.

use serde_json::json;

use super::harness::{ApiNode, FLAG, flag};

const CHECKPOINTS: &str = "/v1/environments/production/checkpoints";
const RELEASES: &str = "/v1/environments/production/releases";

async fn node() -> ApiNode {
    let node = ApiNode::start().await;
    node.put(&format!("{FLAG}?reason=r"), &flag()).await.expect(201);
    node
}

async fn switch(node: &ApiNode, enabled: bool) {
    node.patch(FLAG, &json!({"enabled": enabled, "reason": "r"})).await.expect(200);
}

#[actix_web::test]
async fn a_checkpoint_points_to_the_state_as_it_was_and_tells_how_far_things_have_moved() {
    let node = node().await;
    let taken = node
        .post(CHECKPOINTS, &json!({"name": "quiet", "note": "the last quiet evening"}))
        .await
        .expect(201);
    assert_eq!(taken.body["revision"], 1);
    assert_eq!(taken.body["flags"], 1);
    assert_eq!(taken.body["standing"], "unvouched");
    switch(&node, false).await;
    node.put("/v1/environments/production/flags/search?reason=r", &flag()).await.expect(201);
    let shown = node.get(&format!("{CHECKPOINTS}/quiet?state=true")).await.expect(200);
    assert_eq!(shown.body["proven"], true);
    assert_eq!(
        shown.body["moved"],
        json!({"now": "1:3", "revisions": 2, "flags": 2, "segments": 0, "settings": false})
    );
    assert_eq!(shown.body["state"]["flags"]["checkout"]["enabled"], true);
    assert!(shown.body["state"]["flags"].get("search").is_none());
    let again = node.post(CHECKPOINTS, &json!({"name": "quiet"})).await.expect(409);
    assert_eq!(again.code(), "ALREADY_EXISTS");
}

#[actix_web::test]
async fn last_known_good_is_the_newest_that_was_vouched_for_and_falls_back_when_it_is_doubted() {
    let node = node().await;
    let none = node.get(&format!("{CHECKPOINTS}/last-known-good")).await.expect(409);
    assert_eq!(none.code(), "NO_KNOWN_GOOD");
    assert!(none.body["detail"].as_str().unwrap().contains("ripcord checkpoint vouch"));
    for name in ["first", "second"] {
        node.post(CHECKPOINTS, &json!({"name": name})).await.expect(201);
        let evidence = json!({"evidence": "an hour at full traffic", "figures": {"error_rate": 0.002}});
        let vouched = node.post(&format!("{CHECKPOINTS}/{name}/vouch"), &evidence).await.expect(200);
        assert_eq!(vouched.body["standing"], "known-good");
        assert_eq!(vouched.body["last_known_good"], true);
        switch(&node, name == "second").await;
    }
    let good = node.get(&format!("{CHECKPOINTS}/last-known-good")).await.expect(200);
    assert_eq!(good.body["name"], "second");
    assert_eq!(good.body["judgements"][0]["figures"]["error_rate"], 0.002);
    let doubted = node
        .post(&format!("{CHECKPOINTS}/last-known-good/doubt"), &json!({"reason": "orders were lost"}))
        .await
        .expect(200);
    assert_eq!(doubted.body["name"], "second");
    assert_eq!(doubted.body["standing"], "doubted");
    let good = node.get(&format!("{CHECKPOINTS}/last-known-good")).await.expect(200);
    assert_eq!(good.body["name"], "first");
    let names: Vec<_> = node.get(CHECKPOINTS).await.expect(200).body["items"].as_array().unwrap().clone();
    assert_eq!(names.iter().map(|item| item["name"].as_str().unwrap()).collect::<Vec<_>>(), ["second", "first"]);
}

#[actix_web::test]
async fn an_unknown_checkpoint_names_those_that_may_have_been_meant() {
    let node = node().await;
    node.post(CHECKPOINTS, &json!({"name": "before-web-12"})).await.expect(201);
    let got = node.get(&format!("{CHECKPOINTS}/before-web-13")).await.expect(404);
    assert!(got.body["detail"].as_str().unwrap().contains("before-web-12"), "{:#}", got.body);
    let got = node.post(&format!("{CHECKPOINTS}/nothing/vouch"), &json!({"evidence": "e"})).await.expect(404);
    assert!(got.body["detail"].as_str().unwrap().contains("ripcord checkpoint list"), "{:#}", got.body);
    for (name, member) in [("41", "name"), ("1:41", "name"), ("last-known-good", "name")] {
        let got = node.post(CHECKPOINTS, &json!({"name": name})).await.expect(422);
        assert_eq!(got.body["errors"][0]["path"], member, "{name}");
    }
    let got = node
        .post(&format!("{CHECKPOINTS}/before-web-12/vouch"), &json!({"evidence": " "}))
        .await
        .expect(422);
    assert_eq!(got.body["errors"][0]["path"], "evidence");
}

#[actix_web::test]
async fn a_baseline_stays_as_long_as_its_release_and_others_go() {
    let node = node().await;
    node.post(CHECKPOINTS, &json!({"name": "spare"})).await.expect(201);
    node.post(RELEASES, &json!({"name": "web-12"})).await.expect(201);
    let got = node.delete(&format!("{CHECKPOINTS}/before-web-12")).await.expect(409);
    assert_eq!(got.code(), "IN_USE");
    assert!(got.body["detail"].as_str().unwrap().contains("web-12"));
    let gone = node.delete(&format!("{CHECKPOINTS}/spare")).await.expect(200);
    assert_eq!(gone.body, json!({"name": "spare", "revision": null}));
    node.get(&format!("{CHECKPOINTS}/spare")).await.expect(404);
}

#[actix_web::test]
async fn a_record_that_has_changed_meanwhile_is_not_overwritten() {
    let node = node().await;
    node.post(CHECKPOINTS, &json!({"name": "quiet"})).await.expect(201);
    let path = format!("{CHECKPOINTS}/quiet");
    let etag = node.get(&path).await.header("etag").to_owned();
    let vouch = async |etag: &str| {
        let call = node.call(actix_web::http::Method::POST, &format!("{path}/vouch"));
        call.key(super::harness::ADMIN)
            .header("if-match", etag)
            .json(&json!({"evidence": "e"}))
            .send()
            .await
    };
    vouch(&etag).await.expect(200);
    assert_eq!(vouch(&etag).await.expect(409).code(), "STALE_REVISION");
    vouch("\"1:1\"").await.expect(400);
}
