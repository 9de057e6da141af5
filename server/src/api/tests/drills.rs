//! Reports of drills.

use actix_web::http::Method;
use ripcord_proto::limits;
use ripcord_proto::role::Role;
use serde_json::{Value, json};

use super::harness::{ApiNode, key_of};

const DRILLS: &str = "/v1/environments/production/drills";

/// A report as the command line sends it.
pub(super) fn report(scenario: &str, passed: bool) -> Value {
    json!({
        "scenario": scenario, "store": "embedded", "fork": "production at 1:41", "applications": 5,
        "verdicts": [{"name": "every application is back at known-good", "passed": passed, "detail": "5 of 5"}],
        "figures": {"back_ms": 12.5},
    })
}

#[actix_web::test]
async fn a_report_is_kept_read_back_and_listed_newest_first() {
    let node = ApiNode::start().await;
    let first = node.post(DRILLS, &report("happy-path", true)).await.expect(201).body;
    assert_eq!(
        (&first["passed"], &first["revision"], &first["by"]["role"]),
        (&json!(true), &Value::Null, &json!("admin"))
    );
    // Ids of one millisecond have no order.
    while node.post(DRILLS, &report("straggler", false)).await.expect(201).body["at"] == first["at"] {}
    let id = first["id"].as_str().unwrap();
    let read = node.get(&format!("{DRILLS}/{id}")).await.expect(200).body;
    assert_eq!((&read["figures"]["back_ms"], &read["scenario"]), (&json!(12.5), &json!("happy-path")));
    let list = node.get(DRILLS).await.expect(200).body;
    let items = list["items"].as_array().unwrap();
    assert_eq!((&items[0]["scenario"], &items[0]["passed"]), (&json!("straggler"), &json!(false)));
    assert_eq!(items.last().unwrap()["id"], id);
    let page = node.get(&format!("{DRILLS}?limit=1")).await.expect(200).body;
    let next = page["next"].as_str().unwrap();
    let rest = node.get(&format!("{DRILLS}?after={next}")).await.expect(200).body;
    assert_eq!(rest["items"].as_array().unwrap().len() + 1, items.len());
}

#[actix_web::test]
async fn a_report_changes_no_answer_and_takes_no_revision() {
    let node = ApiNode::start().await;
    let before = node.get("/v1/environments/production").await.body;
    node.call(Method::POST, DRILLS)
        .key(&key_of(Role::Oncall))
        .json(&report("happy-path", true))
        .send()
        .await
        .expect(201);
    assert_eq!(node.get("/v1/environments/production").await.body["revision"], before["revision"]);
}

#[actix_web::test]
async fn only_the_newest_reports_stay() {
    let node = ApiNode::start().await;
    for _ in 0..limits::DRILLS + 3 {
        node.post(DRILLS, &report("happy-path", true)).await.expect(201);
    }
    let list = node.get(&format!("{DRILLS}?limit=1000")).await.expect(200).body;
    assert_eq!(list["items"].as_array().unwrap().len(), limits::DRILLS);
}

#[actix_web::test]
async fn a_report_that_says_nothing_is_refused_field_by_field() {
    let node = ApiNode::start().await;
    let bad = json!({"scenario": "x", "store": "oracle", "fork": "y", "applications": -1, "verdicts": [], "figures": {"a": "b"}, "passed": true});
    let got = node.post(DRILLS, &bad).await.expect(422).body;
    let fields: Vec<&str> = got["errors"].as_array().unwrap().iter().map(|error| error["path"].as_str().unwrap()).collect();
    assert_eq!(fields, ["passed", "store", "applications", "verdicts", "figures.a"]);
    assert_eq!(
        node.get(&format!("{DRILLS}/d_01jd3x7q8v9w0y2z4a6b8c0d2e")).await.expect(404).code(),
        "NOT_FOUND"
    );
}
