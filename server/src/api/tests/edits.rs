//! Flags, segments, commits and settings.

use actix_web::http::Method;
use ripcord_proto::role::Role;
use serde_json::json;

use super::harness::{ADMIN, ApiNode, FLAG, flag, key_of};
use crate::store::fault_injection::Fault;

const ENV: &str = "/v1/environments/production";

#[actix_web::test]
async fn a_flag_is_made_read_changed_and_deleted() {
    let node = ApiNode::start().await;
    let made = node.put(&format!("{FLAG}?reason=launch"), &flag()).await.expect(201);
    assert_eq!(
        (&made.body["epoch"], &made.body["revision"], &made.body["changed"]),
        (&json!(1), &json!(1), &json!(true))
    );
    assert_eq!(made.header("etag"), "\"1:1\"");
    assert_eq!(made.body["confirmation"]["complete"], false, "nobody was asked");
    let read = node.get(FLAG).await.expect(200);
    assert_eq!(
        read.body,
        json!({"key": "checkout", "epoch": 1, "revision": 1, "flag": flag_as_kept(), "kills": []})
    );
    assert_eq!(read.header("etag"), "\"1:1\"");
    node.call(Method::GET, FLAG)
        .key(ADMIN)
        .header("if-none-match", "\"1:1\"")
        .send()
        .await
        .expect(304);

    let off = node.patch(FLAG, &json!({"enabled": false, "reason": "not ready"})).await.expect(200);
    assert_eq!(off.body["revision"], 2);
    let gone = node.delete(&format!("{FLAG}?reason=old")).await.expect(200);
    assert_eq!(gone.body["flags"], json!(["checkout"]));
    assert_eq!(node.get(FLAG).await.expect(404).code(), "FLAG_NOT_FOUND");
}

fn flag_as_kept() -> serde_json::Value {
    let flag: ripcord_proto::Flag = serde_json::from_value(flag()).unwrap();
    serde_json::to_value(flag).unwrap()
}

#[actix_web::test]
async fn a_put_that_changes_nothing_makes_no_commit() {
    let node = ApiNode::start().await;
    node.put(&format!("{FLAG}?reason=r"), &flag()).await.expect(201);
    node.put(&format!("{ENV}/flags/other?reason=r"), &flag()).await.expect(201);
    let again = node.put(&format!("{FLAG}?reason=r"), &flag()).await.expect(200);
    assert_eq!((&again.body["revision"], &again.body["changed"]), (&json!(2), &json!(false)));
    assert_eq!(again.header("etag"), "\"1:1\"", "the flag last changed then");
    assert_eq!(node.get(&format!("{ENV}/revisions")).await.body["items"].as_array().unwrap().len(), 2);
}

#[actix_web::test]
async fn a_person_says_why_and_a_pipeline_need_not() {
    let node = ApiNode::start().await;
    assert_eq!(node.put(FLAG, &flag()).await.expect(422).code(), "REASON_REQUIRED");
    let call = node.call(Method::PUT, FLAG).key(&key_of(Role::Pipeline)).json(&flag());
    call.send().await.expect(201);
}

#[actix_web::test]
async fn an_edit_of_what_has_changed_meanwhile_is_refused_with_where_it_is_now() {
    let node = ApiNode::start().await;
    node.put(&format!("{FLAG}?reason=r"), &flag()).await.expect(201);
    node.patch(FLAG, &json!({"enabled": false, "reason": "r"})).await.expect(200);
    let path = format!("{FLAG}?reason=r");
    let stale = node
        .call(Method::PUT, &path)
        .key(ADMIN)
        .header("if-match", "\"1:1\"")
        .json(&flag())
        .send()
        .await
        .expect(409);
    assert_eq!((stale.code(), &stale.body["current"]), ("STALE_REVISION", &json!("1:2")));
    node.call(Method::PUT, &path)
        .key(ADMIN)
        .header("if-none-match", "*")
        .json(&flag())
        .send()
        .await
        .expect(409);
    node.call(Method::PUT, &path)
        .key(ADMIN)
        .header("if-match", "\"1:2\"")
        .json(&flag())
        .send()
        .await
        .expect(200);
}

#[actix_web::test]
async fn a_repeated_call_gets_the_first_answer_and_changes_nothing() {
    let node = ApiNode::start().await;
    let call = |body: serde_json::Value, wait: &str| {
        let path = format!("{FLAG}?reason=r{wait}");
        let call = node.call(Method::PUT, &path).key(ADMIN).header("idempotency-key", "7c1f").json(&body);
        call.send()
    };
    let first = call(flag(), "").await.expect(201);
    let again = call(flag(), "&wait=1s").await.expect(201);
    assert_eq!(again.header("idempotency-replayed"), "true");
    assert_eq!(first.body["revision"], again.body["revision"]);
    let mut other = flag();
    other["enabled"] = json!(false);
    assert_eq!(call(other, "").await.expect(422).code(), "IDEMPOTENCY_MISMATCH");
}

#[actix_web::test]
async fn a_commit_does_what_its_plan_showed_or_nothing() {
    let node = ApiNode::start().await;
    let changes =
        json!([{"put_segment": {"key": "beta", "segment": {"attribute": "plan", "equals": "beta"}}}, {"put_flag": {"key": "checkout", "flag": flag()}}]);
    let plan = node
        .post(&format!("{ENV}/commits/plan"), &json!({"reason": "r", "changes": changes}))
        .await
        .expect(200);
    assert_eq!(plan.body["flags"][0]["key"], "checkout");
    assert!(plan.body["flags"][0].get("from").is_none());
    let hash = plan.body["hash"].clone();
    assert_eq!(node.get(FLAG).await.status, 404, "a plan changes nothing");
    let done = node
        .post(&format!("{ENV}/commits"), &json!({"reason": "r", "changes": changes, "plan": hash}))
        .await
        .expect(200);
    assert_eq!(done.body["segments"], json!(["beta"]));
    let moved = json!({"reason": "r", "changes": [{"set_enabled": {"key": "checkout", "enabled": false}}], "plan": hash});
    let moved = node.post(&format!("{ENV}/commits"), &moved).await.expect(409);
    assert_eq!(moved.code(), "PLAN_STALE");
    assert_eq!(moved.body["plan"].as_str().unwrap().len(), 64);
}

#[actix_web::test]
async fn a_commit_with_one_bad_change_applies_nothing() {
    let node = ApiNode::start().await;
    let body = json!({"reason": "r", "changes": [{"put_flag": {"key": "checkout", "flag": flag()}}, {"delete_flag": "nothing"}]});
    assert_eq!(node.post(&format!("{ENV}/commits"), &body).await.expect(404).code(), "FLAG_NOT_FOUND");
    assert_eq!(node.get(FLAG).await.status, 404);
}

#[actix_web::test]
async fn a_segment_that_is_used_says_by_whom_and_stays() {
    let node = ApiNode::start().await;
    node.put(&format!("{ENV}/segments/beta?reason=r"), &json!({"attribute": "plan", "equals": "beta"}))
        .await
        .expect(201);
    let mut with_rule = flag();
    with_rule["rules"] = json!([{"when": {"segment": "beta"}, "serve": "on"}]);
    node.put(&format!("{FLAG}?reason=r"), &with_rule).await.expect(201);
    let read = node.get(&format!("{ENV}/segments/beta")).await.expect(200);
    assert_eq!(read.body["used_by"], json!(["checkout"]));
    let refused = node.delete(&format!("{ENV}/segments/beta?reason=r")).await;
    assert!(matches!(refused.status, 409 | 422), "{:#}", refused.body);
    let list = node.get(&format!("{ENV}/segments")).await.expect(200);
    assert_eq!(list.body["items"].as_array().unwrap().len(), 1);
}

#[actix_web::test]
async fn a_new_bucketing_generation_must_be_asked_for_knowingly() {
    let node = ApiNode::start().await;
    let path = format!("{ENV}/settings");
    let refused = node.put(&path, &json!({"bucketing": "v2", "reason": "r"})).await.expect(422);
    assert_eq!(refused.body["errors"][0]["path"], "reassign_users");
    node.put(&path, &json!({"bucketing": "v3", "reason": "r"})).await.expect(200);
    let done = node
        .put(&path, &json!({"bucketing": "v2", "rebuckets_everybody": true, "reason": "r"}))
        .await
        .expect(200);
    assert_eq!(done.body["warnings"].as_array().unwrap().len(), 1);
    assert_eq!(node.get(&path).await.body["settings"]["bucketing"], "v2");
}

#[actix_web::test]
async fn a_list_is_paged_and_filtered() {
    let node = ApiNode::start().await;
    for key in ["a", "b", "c"] {
        node.put(&format!("{ENV}/flags/{key}?reason=r"), &flag()).await.expect(201);
    }
    node.post(&format!("{ENV}/kills"), &json!({"scope": {"flag": "b"}})).await.expect(201);
    let first = node.get(&format!("{ENV}/flags?limit=2")).await.expect(200);
    assert_eq!(first.body["next"], "b");
    let second = node.get(&format!("{ENV}/flags?limit=2&after=b")).await.expect(200);
    assert_eq!((&second.body["items"][0]["key"], &second.body["next"]), (&json!("c"), &json!(null)));
    let keys = async |query: &str| {
        let got = node.get(&format!("{ENV}/flags?{query}")).await.expect(200);
        got.body["items"]
            .as_array()
            .unwrap()
            .iter()
            .map(|item| item["key"].as_str().unwrap().to_owned())
            .collect::<String>()
    };
    assert_eq!(keys("killed=true").await, "b");
    assert_eq!(keys("killed=false").await, "ac");
    assert_eq!(keys("tag=payments&search=C").await, "c");
    assert_eq!(keys("enabled=false").await, "");
}

#[actix_web::test]
async fn reads_go_on_without_the_store_and_say_that_they_are_stale() {
    let node = ApiNode::start().await;
    node.put(&format!("{FLAG}?reason=r"), &flag()).await.expect(201);
    node.store.set(Fault::Away);
    let write = node.patch(FLAG, &json!({"enabled": false, "reason": "r"})).await.expect(503);
    assert_eq!(write.code(), "STORE_UNAVAILABLE");
    assert!(!write.header("retry-after").is_empty());
    let read = node.get(FLAG).await.expect(200);
    assert_eq!(read.body["stale"], true);
    assert!(read.header("ripcord-stale").starts_with("since="));
    let explained = node.post(&format!("{ENV}/explain"), &json!({"flag": "checkout"})).await.expect(200);
    assert_eq!(
        (&explained.body["value"], &explained.body["reason"], &explained.body["stale"]),
        (&json!(true), &json!("STATIC"), &json!(true))
    );
}

#[actix_web::test]
async fn an_answer_that_never_came_is_told_as_unknown() {
    let node = ApiNode::start().await;
    node.store.set(Fault::UnknownWritten);
    let write = node.put(&format!("{FLAG}?reason=r"), &flag()).await.expect(503);
    assert_eq!(write.code(), "OUTCOME_UNKNOWN");
}

#[actix_web::test]
async fn large_answers_are_compressed_where_the_caller_takes_it() {
    let node = ApiNode::start().await;
    let changes: Vec<_> = (0..50)
        .map(|index| json!({"put_flag": {"key": format!("flag-{index}"), "flag": flag()}}))
        .collect();
    node.post(&format!("{ENV}/commits"), &json!({"reason": "r", "changes": changes}))
        .await
        .expect(200);
    let list = node
        .call(Method::GET, &format!("{ENV}/flags"))
        .key(ADMIN)
        .header("accept-encoding", "gzip")
        .send()
        .await
        .expect(200);
    assert_eq!(list.header("content-encoding"), "gzip");
    let one = node
        .call(Method::GET, &format!("{ENV}/flags/flag-1"))
        .key(ADMIN)
        .header("accept-encoding", "gzip")
        .send()
        .await
        .expect(200);
    assert_eq!(one.header("content-encoding"), "");
}
