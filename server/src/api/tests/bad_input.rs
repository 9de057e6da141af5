//! What is refused, and how that is told.

use actix_web::http::Method;
use serde_json::{Value, json};

use super::harness::{ADMIN, ApiNode, FLAG, flag};
use crate::access::limits;

async fn put(node: &ApiNode, body: &'static [u8]) -> super::harness::Got {
    node.call(Method::PUT, &format!("{FLAG}?reason=r"))
        .key(ADMIN)
        .header("content-type", "application/json")
        .raw(body)
        .send()
        .await
}

#[actix_web::test]
async fn every_refusal_is_a_problem_document_with_the_request_id() {
    let node = ApiNode::start().await;
    let path = "/v1/environments/production/flags/nothing";
    let got = node.call(Method::GET, path).key(ADMIN).header("x-request-id", "abc-1").send().await.expect(404);
    assert_eq!(got.header("content-type"), "application/problem+json");
    assert_eq!(got.header("x-request-id"), "abc-1");
    assert_eq!(got.body["request_id"], "abc-1");
    assert_eq!(got.body["type"], "urn:ripcord:problem:FLAG_NOT_FOUND");
    assert_eq!(got.body["status"], 404);
    let made = node.get("/nowhere").await.expect(404);
    assert_eq!(made.code(), "NOT_FOUND");
    assert_eq!(made.body["request_id"], made.header("x-request-id"));
    assert_eq!(made.header("x-content-type-options"), "nosniff");
}

#[actix_web::test]
async fn a_body_that_is_no_json_is_told_with_line_and_column() {
    let node = ApiNode::start().await;
    let got = put(&node, b"{\n  \"variants\": {,}\n}").await.expect(400);
    assert_eq!(got.code(), "PARSE_ERROR");
    assert!(got.body["detail"].as_str().unwrap().contains("line 2 column 16"), "{}", got.body);
    let got = put(&node, b"{\"a\": 1, \"a\": 2}").await.expect(400);
    assert!(got.body["detail"].as_str().unwrap().contains("appears twice"), "{}", got.body);
    let got = put(&node, b"{\"description\": \"\xff\"}").await.expect(400);
    assert!(got.body["detail"].as_str().unwrap().contains("not UTF-8: byte 17"), "{}", got.body);
    put(&node, b"").await.expect(400);
}

#[actix_web::test]
async fn all_fields_that_are_wrong_are_named_at_once() {
    let node = ApiNode::start().await;
    let body =
        json!({"variants": {"on": true, "off": false}, "default": "no", "saef": "off", "rules": [{"serve": {"split": [{"variant": "blue", "weight": 1}]}}]});
    let got = node.put(&format!("{FLAG}?reason=r"), &body).await.expect(422);
    assert_eq!(got.code(), "INVALID");
    let paths: Vec<&str> = got.body["errors"]
        .as_array()
        .unwrap()
        .iter()
        .map(|error| error["path"].as_str().unwrap())
        .collect();
    assert_eq!(paths, ["saef", "default", "safe", "rules[0].serve.split[0].variant"]);
    let hint = got.body["errors"][0]["problem"].as_str().unwrap();
    assert!(hint.contains("did you mean \"safe\"?"), "{hint}");
}

#[actix_web::test]
async fn a_body_of_the_wrong_kind_or_size_is_refused_before_it_is_read() {
    let node = ApiNode::start().await;
    let form = node
        .call(Method::PUT, FLAG)
        .key(ADMIN)
        .header("content-type", "application/x-www-form-urlencoded")
        .raw("a=b");
    assert_eq!(form.send().await.expect(415).code(), "UNSUPPORTED_MEDIA_TYPE");
    let large = vec![b' '; 200 * 1024];
    let large = node.call(Method::PUT, FLAG).key(ADMIN).header("content-type", "application/json").raw(large);
    let got = large.send().await.expect(413);
    assert_eq!(got.code(), "TOO_LARGE");
    let stranger = node
        .call(Method::PUT, FLAG)
        .header("content-type", "application/json")
        .raw(vec![b' '; 200 * 1024]);
    stranger.send().await.expect(401);
}

#[actix_web::test]
async fn headers_and_parameters_that_make_no_sense_are_named() {
    let node = ApiNode::start().await;
    let cases = [
        ("if-match", "1:2"),
        ("if-match", "\"latest\""),
        ("if-none-match", "\"1:2\""),
        ("idempotency-key", ""),
        ("x-ripcord-actor", " "),
    ];
    for (name, value) in cases {
        let call = node.call(Method::PUT, &format!("{FLAG}?reason=r")).key(ADMIN).header(name, value).json(&flag());
        let got = call.send().await.expect(400);
        assert_eq!(got.code(), "BAD_REQUEST", "{name}: {value}");
        assert_eq!(got.body["errors"][0]["path"].as_str().unwrap().to_lowercase(), name, "{}", got.body);
    }
    for query in ["wait=soon", "wait=61s", "resaon=x", "reason=", "wait=1s&wait=2s"] {
        let got = node.put(&format!("{FLAG}?{query}"), &flag()).await.expect(400);
        assert_eq!(got.code(), "BAD_REQUEST", "{query}");
    }
    let got = node.get("/v1/environments/production/flags?limit=0").await.expect(400);
    assert!(got.body["detail"].as_str().unwrap().contains("1 to 1000"), "{}", got.body);
}

#[actix_web::test]
async fn a_key_that_sends_too_much_is_held_back_and_can_still_kill() {
    let one = std::num::NonZeroU32::MIN;
    let node = ApiNode::limited(limits::Config {
        reads: one,
        writes: one,
        ..limits::Config::default()
    })
    .await;
    node.put(&format!("{FLAG}?reason=r"), &flag()).await.expect(201);
    let mut held_back = None;
    for _ in 0..12 {
        let got = node.put(&format!("{FLAG}?reason=r"), &flag()).await;
        if got.status == 429 {
            held_back = Some(got);
            break;
        }
    }
    let held_back = held_back.unwrap();
    assert_eq!(held_back.code(), "RATE_LIMITED");
    assert!(held_back.header("retry-after").parse::<u64>().unwrap() >= 1);
    node.post("/v1/environments/production/kills", &json!({"scope": {"flag": "checkout"}}))
        .await
        .expect(201);
}

#[actix_web::test]
async fn peers_are_asked_for_their_secret_and_keys_are_worth_nothing_there() {
    let node = ApiNode::start().await;
    let sync = json!(crate::peer::PeerSync {
        node: "b".to_owned(),
        history: None,
        store_current: false,
        anchored: false,
        system: None,
        revoked: Vec::new(),
        environments: Vec::new(),
    });
    node.post("/v1/peer/sync", &sync).await.expect(401);
    let got = node
        .call(Method::POST, "/v1/peer/sync")
        .key(super::harness::PEERS)
        .json(&sync)
        .send()
        .await
        .expect(200);
    assert_eq!(got.body["node"], "a");
    let question = json!({"environment": "production", "target": {"revision": "1:0"}, "patience_ms": 0});
    let got = node
        .call(Method::POST, "/v1/peer/confirmations")
        .key(super::harness::PEERS)
        .json(&question)
        .send()
        .await;
    assert!(matches!(got.status, 200 | 404), "{:#}", got.body);
    assert_ne!(got.body, Value::Null);
}

#[actix_web::test]
async fn guesses_at_the_secret_of_peers_are_held_back_and_peers_are_not() {
    let one = std::num::NonZeroU32::MIN;
    let node = ApiNode::limited(limits::Config {
        wrong_keys: one,
        ..limits::Config::default()
    })
    .await;
    let sync = json!({"node": "b", "overlays": []});
    let call = |secret: &str| node.call(Method::POST, "/v1/peer/sync").key(secret).json(&sync).send();
    let mut guesses = Vec::new();
    for number in 0..12 {
        guesses.push(call(&format!("guess {number}")).await.status);
    }
    assert_eq!(guesses.first(), Some(&401));
    assert!(guesses.contains(&429), "{guesses:?}");
    call(super::harness::PEERS).await.expect(200);
}

#[actix_web::test]
async fn a_name_that_nothing_has_is_answered_with_the_one_that_may_be_meant() {
    let node = ApiNode::start().await;
    node.put(&format!("{FLAG}?reason=r"), &flag()).await.expect(201);
    let env = "/v1/environments/production";
    let segment = json!({"when": {"attribute": "plan", "equals": "beta"}});
    node.put(&format!("{env}/segments/beta-users?reason=r"), &segment).await.expect(201);
    node.post(&format!("{env}/releases?reason=r"), &json!({"name": "web-2026"})).await.expect(201);
    node.post(&format!("{env}/checkpoints?reason=r"), &json!({"name": "before-web"}))
        .await
        .expect(201);
    for (path, meant) in [
        (format!("{env}/flags/chekcout"), "checkout"),
        (format!("{env}/segments/beta-user"), "beta-users"),
        (format!("{env}/releases/web-2025"), "web-2026"),
        (format!("{env}/checkpoints/before-wbe"), "before-web"),
        ("/v1/environments/producton".to_owned(), "production"),
    ] {
        let got = node.get(&path).await.expect(404);
        assert_eq!(got.body["did_you_mean"], meant, "{path}: {:#}", got.body);
    }
    let got = node.delete(&format!("{env}/flags/chekcout?reason=r")).await.expect(404);
    assert_eq!(got.body["did_you_mean"], "checkout");
}
