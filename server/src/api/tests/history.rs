//! Revisions, diffs, the audit.

use actix_web::http::Method;
use ripcord_proto::digest::Digest;
use ripcord_proto::role::Role;
use serde_json::{Value, json};

use super::harness::{ADMIN, ApiNode, FLAG, flag, key_of};

const ENV: &str = "/v1/environments/production";

async fn with_history() -> ApiNode {
    let node = ApiNode::start().await;
    let call = node
        .call(Method::PUT, &format!("{FLAG}?reason=launch"))
        .key(ADMIN)
        .header("x-ripcord-actor", "Ada");
    call.header("x-request-id", "req-1").json(&flag()).send().await.expect(201);
    node.patch(FLAG, &json!({"enabled": false, "reason": "not ready"})).await.expect(200);
    node.post(&format!("{ENV}/kills"), &json!({"scope": {"flag": "checkout"}})).await.expect(201);
    node
}

#[actix_web::test]
async fn every_change_names_who_when_why_and_from_where() {
    let node = with_history().await;
    let list = node.get(&format!("{ENV}/revisions?limit=2")).await.expect(200);
    let revisions: Vec<&Value> = list.body["items"].as_array().unwrap().iter().map(|item| &item["revision"]).collect();
    assert_eq!(revisions, [&json!(3), &json!(2)]);
    let next = list.body["next"].as_str().unwrap();
    let first = node.get(&format!("{ENV}/revisions?after={next}")).await.expect(200);
    let first = &first.body["items"][0];
    assert_eq!(first["actor"], json!({"name": "Ada (via admin)", "role": "admin"}));
    assert_eq!(
        (&first["reason"], &first["origin"]["request"], &first["origin"]["node"]),
        (&json!("launch"), &json!("req-1"), &json!("a"))
    );
    assert_eq!(first["changes"], json!([{"change": "put_flag", "subject": "checkout", "key": "checkout"}]));
}

#[actix_web::test]
async fn one_commit_can_be_proven_with_nothing_but_sha_256() {
    let node = with_history().await;
    let got = node.get(&format!("{ENV}/revisions/2")).await.expect(200);
    let again = node.get(&format!("{ENV}/revisions/1:1")).await.expect(200);
    let body = serde_json::to_string(&got.body["commit"]).unwrap();
    let previous: Digest = got.body["previous"].as_str().unwrap().parse().unwrap();
    let computed = Digest::of([previous.bytes().as_slice(), body.as_bytes()]);
    assert_eq!(got.body["digest"], json!(computed));
    assert_eq!(got.body["previous"], again.body["digest"]);
    node.get(&format!("{ENV}/revisions/99")).await.expect(404);
    node.get(&format!("{ENV}/revisions/old")).await.expect(400);
}

#[actix_web::test]
async fn a_diff_shows_each_thing_before_and_after() {
    let node = with_history().await;
    let all = node.get(&format!("{ENV}/diff?from=0")).await.expect(200);
    assert!(all.body["flags"][0].get("from").is_none());
    assert_eq!(all.body["killed"].as_array().unwrap().len(), 1);
    let one = node.get(&format!("{ENV}/diff?from=1&to=2")).await.expect(200);
    assert_eq!((&one.body["flags"][0]["to"]["enabled"], &one.body["killed"]), (&json!(false), &json!([])));
    let back = node.get(&format!("{ENV}/diff?from=3&to=2")).await.expect(200);
    assert_eq!(back.body["restored"].as_array().unwrap().len(), 1);
    node.get(&format!("{ENV}/diff?from=1&to=9")).await.expect(404);
}

#[actix_web::test]
async fn the_audit_lists_what_the_key_may_read_and_proves_it() {
    let node = with_history().await;
    let list = node.get("/v1/audit?log=system").await.expect(200);
    assert_eq!(
        list.body["items"][0]["changes"][0],
        json!({"change": "put_environment", "subject": "production", "key": "production"})
    );
    let viewer = |path: &'static str| node.call(Method::GET, path).key(&key_of(Role::Viewer)).send();
    viewer("/v1/audit?log=system").await.expect(403);
    viewer("/v1/audit?log=staging").await.expect(403);
    let own = viewer("/v1/audit/verify").await.expect(200);
    assert_eq!((&own.body["whole"], own.body["logs"].as_array().unwrap().len()), (&json!(true), 1));
    let all = node.get("/v1/audit/verify").await.expect(200);
    assert_eq!(all.body["logs"].as_array().unwrap().len(), 3);
    assert_eq!(all.body["logs"][1]["entries"], 3);
}

#[actix_web::test]
async fn a_backup_holds_every_log_and_proves_itself() {
    let node = with_history().await;
    let got = node.get("/v1/backup").await.expect(200);
    assert!(got.header("content-disposition").starts_with("attachment; filename=\"ripcord-backup-"));
    let text = got.body.as_str().unwrap();
    let backup = crate::store::backup::Backup::read(text.as_bytes()).unwrap();
    let logs: Vec<String> = backup
        .logs
        .iter()
        .map(|contents| format!("{} {}", contents.log, contents.entries.len()))
        .collect();
    assert!(logs.contains(&"production 3".to_owned()) && logs.contains(&"system 1".to_owned()), "{logs:?}");
    assert!(!text.contains(&key_of(Role::Viewer)), "keys are kept hashed");
}
