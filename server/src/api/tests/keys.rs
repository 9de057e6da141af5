//! Keys and environments.

use actix_web::http::Method;
use serde_json::{Value, json};

use super::harness::{ADMIN, ApiNode, FLAG, flag};

#[actix_web::test]
async fn a_key_is_shown_once_works_at_once_and_is_worth_nothing_when_revoked() {
    let node = ApiNode::start().await;
    let body = json!({"role": "viewer", "environment": "production", "name": "grafana"});
    let create = || {
        node.call(Method::POST, "/v1/keys")
            .key(ADMIN)
            .header("idempotency-key", "k1")
            .json(&body)
            .send()
    };
    let made = create().await.expect(201);
    let (id, key) = (made.body["id"].as_str().unwrap(), made.body["key"].as_str().unwrap());
    assert!(key.starts_with("rc_viewer_") && key.len() == "rc_viewer_".len() + 32);
    let again = create().await.expect(201);
    assert_eq!((&again.body["id"], again.body.get("key")), (&json!(id), None));

    let list = node.get("/v1/keys").await.expect(200);
    assert!(!list.body.to_string().contains(key));
    let path = "/v1/environments/production/flags";
    node.call(Method::GET, path).key(key).send().await.expect(200);
    node.delete(&format!("/v1/keys/{id}")).await.expect(200);
    assert_eq!(node.call(Method::GET, path).key(key).send().await.expect(401).code(), "UNAUTHENTICATED");
    assert_eq!(node.delete(&format!("/v1/keys/{id}")).await.expect(404).code(), "NOT_FOUND");
}

#[actix_web::test]
async fn a_key_for_an_environment_that_is_not_there_is_refused() {
    let node = ApiNode::start().await;
    let body = json!({"role": "sdk", "environments": ["production", "nowhere"], "name": "n"});
    assert_eq!(node.post("/v1/keys", &body).await.expect(404).code(), "ENVIRONMENT_NOT_FOUND");
}

#[actix_web::test]
async fn a_copy_has_the_flags_and_not_the_kills() {
    let node = ApiNode::start().await;
    node.put(&format!("{FLAG}?reason=r"), &flag()).await.expect(201);
    let killed = node.post("/v1/environments/production/kills", &json!({"scope": {"all": true}})).await;
    let killed = killed.expect(201).body["id"].clone();
    let made = node
        .post("/v1/environments", &json!({"key": "preview", "copy_of": "production"}))
        .await
        .expect(201);
    assert_eq!(made.body["revision"], 1);
    let left_out: Vec<&Value> = made.body["kills_not_copied"].as_array().unwrap().iter().map(|kill| &kill["id"]).collect();
    assert_eq!(left_out, [&killed], "what it covers is live in the copy");
    let copy = node.get("/v1/environments/preview").await.expect(200);
    assert_eq!((&copy.body["flags"], &copy.body["kills"]), (&json!(1), &json!(0)));
    let again = node.post("/v1/environments", &json!({"key": "preview"})).await.expect(409);
    assert_eq!(again.code(), "ALREADY_EXISTS");
    let nowhere = node.post("/v1/environments", &json!({"key": "other", "copy_of": "nowhere"})).await.expect(404);
    assert_eq!(nowhere.code(), "ENVIRONMENT_NOT_FOUND");
}

#[actix_web::test]
async fn an_environment_is_deleted_only_by_naming_it_twice() {
    let node = ApiNode::start().await;
    let path = "/v1/environments/staging";
    let refused = node.delete(path).await.expect(400);
    assert!(refused.body["detail"].as_str().unwrap().contains("?confirm=staging"));
    node.delete(&format!("{path}?confirm=production")).await.expect(400);
    let gone = node.delete(&format!("{path}?confirm=staging")).await.expect(200);
    assert_eq!(gone.body["revision"], Value::Null);
    node.get(path).await.expect(404);
    let held = node.delete("/v1/environments/production?confirm=production").await.expect(409);
    assert_eq!(held.code(), "IN_USE");
}

#[actix_web::test]
async fn outcomes_are_counted_once_and_shown_as_metrics() {
    let node = ApiNode::start().await;
    node.put(&format!("{FLAG}?reason=r"), &flag()).await.expect(201);
    let batch = json!({"instance_id": "outcomes-test", "batch": 1, "counts": [{"flag": "checkout", "variant": "on", "evaluations": 3}, {"flag": "nothing", "evaluations": 1}]});
    let report = || {
        node.call(Method::POST, "/v1/outcomes")
            .key(&super::harness::key_of(ripcord_proto::role::Role::Sdk))
            .json(&batch)
            .send()
    };
    assert_eq!(report().await.expect(202).body, json!({"unknown": 1}));
    assert_eq!(report().await.expect(202).body, json!({"again": true, "unknown": 0}));
    let metrics = node.call(Method::GET, "/metrics").send().await.expect(200);
    let text = metrics.body.as_str().unwrap();
    assert!(
        text.contains("ripcord_evaluations_total{env=\"production\",flag=\"checkout\",variant=\"on\",traffic=\"real\"} 3"),
        "{text}"
    );
    assert!(text.contains("ripcord_revision{env=\"production\"}"), "{text}");
}

#[actix_web::test]
async fn no_key_spoils_what_another_one_reports() {
    let node = ApiNode::start().await;
    node.put(&format!("{FLAG}?reason=r"), &flag()).await.expect(201);
    let other = node
        .post("/v1/keys", &json!({"role": "sdk", "environment": "production", "name": "other"}))
        .await
        .expect(201);
    let other = other.body["key"].as_str().unwrap().to_owned();
    let own = super::harness::key_of(ripcord_proto::role::Role::Sdk);
    let report = async |key: &str, batch: u64| {
        let body = json!({"instance_id": "shared", "batch": batch, "counts": []});
        node.call(Method::POST, "/v1/outcomes").key(key).json(&body).send().await
    };
    report(&other, 9_007_199_254_740_991).await.expect(202);
    assert_eq!(report(&own, 1).await.expect(202).body, json!({"unknown": 0}));
    assert_eq!(report(&own, 1).await.expect(202).body, json!({"again": true, "unknown": 0}));
    assert_eq!(report(&other, 2).await.expect(202).body, json!({"again": true, "unknown": 0}));
}

#[actix_web::test]
async fn what_no_application_can_have_counted_is_refused_whole() {
    let node = ApiNode::start().await;
    node.put(&format!("{FLAG}?reason=r"), &flag()).await.expect(201);
    let numbers = |count: u64, sum: f64, squares: f64| json!({"basket": {"count": count, "sum": sum, "squares": squares}});
    let many: serde_json::Map<String, serde_json::Value> = (0..17)
        .map(|name| (format!("n{name}"), json!({"count": 1, "sum": 1.0, "squares": 1.0})))
        .collect();
    for (numbers, words) in [
        (numbers(2, 5.0, -1.0), "no numbers add up to this"),
        (numbers(0, 5.0, 0.0), "no numbers add up to this"),
        (numbers(1, 1e300, 0.0), "no numbers add up to this"),
        (serde_json::Value::Object(many), "applications report 16 numbers at most"),
        (json!({"not a name": {"count": 1, "sum": 1.0, "squares": 1.0}}), "not a name"),
    ] {
        let fine = json!({"flag": "checkout", "variant": "on", "evaluations": 3});
        let count = json!({"flag": "checkout", "variant": "off", "evaluations": 3, "numbers": numbers});
        let refused = node
            .call(Method::POST, "/v1/outcomes")
            .key(&super::harness::key_of(ripcord_proto::role::Role::Sdk))
            .json(&json!({"instance_id": "odd", "batch": 1, "counts": [fine, count]}))
            .send()
            .await
            .expect(422);
        assert!(refused.body.to_string().contains(words), "{}", refused.body);
    }
    let counts = |name: &str, count: u64| json!([{"flag": "checkout", "variant": "on", name: count}]);
    for (id, batch, counts, member) in [
        ("x".repeat(256), 1, json!([]), "instance_id"),
        ("a\u{1b}[2K".to_owned(), 1, json!([]), "instance_id"),
        (String::new(), 1, json!([]), "instance_id"),
        ("odd".to_owned(), u64::MAX, json!([]), "batch"),
        ("odd".to_owned(), 1, counts("successes", 1_000_000_000_000), "counts[0].successes"),
        ("odd".to_owned(), 1, counts("errors", u64::MAX), "counts[0].errors"),
    ] {
        let refused = node
            .call(Method::POST, "/v1/outcomes")
            .key(&super::harness::key_of(ripcord_proto::role::Role::Sdk))
            .json(&json!({"instance_id": id, "batch": batch, "counts": counts}))
            .send()
            .await
            .expect(422);
        assert_eq!(refused.body["errors"][0]["path"], member, "{}", refused.body);
    }
    let fine = json!({"instance_id": "odd", "batch": 1, "counts": [{"flag": "checkout", "variant": "on", "evaluations": 3}]});
    let taken = node
        .call(Method::POST, "/v1/outcomes")
        .key(&super::harness::key_of(ripcord_proto::role::Role::Sdk))
        .json(&fine)
        .send();
    assert_eq!(taken.await.expect(202).body, json!({"unknown": 0}), "nothing of the batch was counted before");
}
