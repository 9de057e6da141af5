//! Kills over HTTP.

use actix_web::http::Method;
use ripcord_proto::role::Role;
use serde_json::{Value, json};

use super::harness::{ApiNode, FLAG, flag, key_of};
use crate::store::fault_injection::Fault;

const KILLS: &str = "/v1/environments/production/kills";

async fn with_flag() -> ApiNode {
    let node = ApiNode::start().await;
    node.put(&format!("{FLAG}?reason=r"), &flag()).await.expect(201);
    node
}

fn id(body: &Value) -> String {
    body["id"].as_str().unwrap().to_owned()
}

#[actix_web::test]
async fn a_kill_says_what_it_did_and_a_restore_needs_a_reason() {
    let node = with_flag().await;
    let killed = node
        .post(KILLS, &json!({"scope": {"flag": "checkout"}, "reason": "5xx spike"}))
        .await
        .expect(201);
    assert_eq!(killed.body["revision"], 2);
    assert_eq!(killed.body["flags"], json!([{"flag": "checkout", "serves": "off"}]));
    assert!(killed.body.get("provisional").is_none());
    let read = node.get(FLAG).await.expect(200);
    assert_eq!(read.body["kills"][0]["reason"], "5xx spike");
    let explained = node.post("/v1/environments/production/explain", &json!({"flag": "checkout"})).await.expect(200);
    assert_eq!(
        (&explained.body["reason"], &explained.body["value"], &explained.body["kill"]),
        (&json!("KILLED"), &json!(false), &killed.body["id"])
    );

    let again = node.post(KILLS, &json!({"scope": {"flag": "checkout"}})).await.expect(200);
    assert_eq!(again.body["id"], killed.body["id"]);

    let path = format!("{KILLS}/{}", id(&killed.body));
    assert_eq!(node.delete(&path).await.expect(422).code(), "REASON_REQUIRED");
    let restored = node.delete(&format!("{path}?reason=fixed")).await.expect(200);
    assert_eq!(restored.body["revision"], 3);
    assert_eq!(node.delete(&format!("{path}?reason=fixed")).await.expect(404).code(), "NOT_FOUND");
    assert_eq!(node.get(KILLS).await.body["items"], json!([]));
}

#[actix_web::test]
async fn a_restore_takes_its_reason_in_the_body_and_names_what_stays_killed() {
    let node = with_flag().await;
    let by_flag = node.post(KILLS, &json!({"scope": {"flag": "checkout"}})).await.expect(201);
    node.post(KILLS, &json!({"scope": {"tag": "payments"}})).await.expect(201);
    let path = format!("{KILLS}/{}", id(&by_flag.body));
    let call = node.call(Method::DELETE, &path).key(&key_of(Role::Oncall)).json(&json!({"reason": "fixed"}));
    assert_eq!(call.send().await.expect(200).body["still_killed"], json!(["checkout"]));
}

#[actix_web::test]
async fn a_reason_may_be_given_afterwards() {
    let node = with_flag().await;
    let killed = node.post(KILLS, &json!({"scope": {"all": true}})).await.expect(201);
    assert_eq!(killed.body["reason_missing"], true);
    let path = format!("{KILLS}/{}", id(&killed.body));
    node.patch(&path, &json!({"reason": "database down"})).await.expect(200);
    let read = node.get(&path).await.expect(200);
    assert_eq!(read.body["reason"], "database down");
    assert!(read.body.get("reason_missing").is_none());
}

#[actix_web::test]
async fn a_pipeline_may_not_change_a_killed_flag_and_is_told_which_kill() {
    let node = with_flag().await;
    let killed = node.post(KILLS, &json!({"scope": {"flag": "checkout"}})).await.expect(201);
    let mut changed = flag();
    changed["default"] = json!("off");
    let call = |role| node.call(Method::PUT, &format!("{FLAG}?reason=r")).key(&key_of(role)).json(&changed).send();
    let refused = call(Role::Pipeline).await.expect(409);
    assert_eq!((refused.code(), &refused.body["kill"]["id"]), ("FLAG_KILLED", &killed.body["id"]));
    call(Role::Editor).await.expect(200);
    let mut serves = changed.clone();
    serves["safe"] = json!("on");
    assert_eq!(node.put(&format!("{FLAG}?reason=r"), &serves).await.expect(409).code(), "FLAG_KILLED");
    node.put(&format!("{FLAG}?reason=r&allow_killed_edit=true"), &serves).await.expect(200);
}

#[actix_web::test]
async fn a_kill_without_the_store_is_provisional_and_can_be_withdrawn() {
    let node = with_flag().await;
    node.store.set(Fault::Away);
    let killed = node.post(KILLS, &json!({"scope": {"flag": "checkout"}})).await.expect(201);
    assert_eq!((&killed.body["revision"], &killed.body["provisional"]), (&Value::Null, &json!(true)));
    assert!(!killed.body["warnings"].as_array().unwrap().is_empty());
    let read = node.get(FLAG).await.expect(200);
    assert_eq!(read.body["kills"][0]["provisional"], true);
    let path = format!("/v1/environments/production/confirmations/{}", id(&killed.body));
    let confirmed = node.get(&path).await.expect(200);
    assert_eq!(confirmed.body["applied"]["connected"], 0);
    assert_eq!(confirmed.body["complete"], false, "nobody was asked");
    let gone = node.delete(&format!("{KILLS}/{}?reason=mistake", id(&killed.body))).await.expect(200);
    assert_eq!((&gone.body["withdrawn"], &gone.body["revision"]), (&json!(true), &Value::Null));
    assert_eq!((&gone.body["restored"], &gone.body["still_killed"]), (&json!(["checkout"]), &json!([])));
    assert_eq!(gone.body["confirmation"], Value::Null, "who confirmed the kill says nothing of its end");
    assert_eq!(node.get(KILLS).await.body["items"], json!([]));
}

/// Whichever is committed first: what the restore says of the flag is so in the state that it made.
#[actix_web::test]
async fn a_restore_tells_of_a_kill_that_came_in_the_meantime() {
    let node = with_flag().await;
    let first = node.post(KILLS, &json!({"scope": {"flag": "checkout"}})).await.expect(201);
    let path = format!("{KILLS}/{}?reason=fixed", id(&first.body));
    let tag = json!({"scope": {"tag": "payments"}});
    let (killed, lifted) = tokio::join!(node.post(KILLS, &tag), node.delete(&path));
    let (killed, lifted) = (killed.expect(201).body, lifted.expect(200).body);
    let (free, still) = (&lifted["restored"], &lifted["still_killed"]);
    if killed["revision"].as_u64() < lifted["revision"].as_u64() {
        assert_eq!((free, still), (&json!([]), &json!(["checkout"])), "{lifted:#}");
    } else {
        assert_eq!((free, still), (&json!(["checkout"]), &json!([])), "{lifted:#}");
    }
}

#[actix_web::test]
async fn nobody_who_kills_is_sent_back_for_a_header() {
    let node = with_flag().await;
    let call = node
        .call(Method::POST, KILLS)
        .key(&key_of(Role::Oncall))
        .header("content-type", "application/x-www-form-urlencoded");
    call.raw(r#"{"scope": {"flag": "checkout"}}"#).send().await.expect(201);
}

#[actix_web::test]
async fn a_kill_of_what_is_not_there_is_refused() {
    let node = with_flag().await;
    let got = node.post(KILLS, &json!({"scope": {"flag": "chekout"}})).await.expect(404);
    assert_eq!((got.code(), &got.body["did_you_mean"]), ("FLAG_NOT_FOUND", &json!("checkout")));
    let tag = node.post(KILLS, &json!({"scope": {"tag": "paymnets"}})).await.expect(404);
    assert_eq!((tag.code(), &tag.body["did_you_mean"]), ("NOT_FOUND", &json!("payments")));
    assert_eq!(node.get(KILLS).await.body["items"], json!([]), "nothing was killed");
    let future = json!({"scope": {"tag": "nothing-yet"}, "future": true});
    node.post(KILLS, &future).await.expect(201);
    let again = node.post(KILLS, &json!({"scope": {"tag": "nothing-yet"}})).await;
    again.expect(200);
}

#[actix_web::test]
async fn a_kill_within_a_commit_follows_the_rule_of_a_kill_alone() {
    let node = with_flag().await;
    let commits = "/v1/environments/production/commits";
    let commit = |changes: Value| json!({"reason": "r", "changes": changes});
    let misspelt = commit(json!([{"set_enabled": {"key": "checkout", "enabled": false}}, {"kill": {"scope": {"tag": "paymnets"}}}]));
    for path in [commits.to_owned(), format!("{commits}/plan")] {
        let refused = node.post(&path, &misspelt).await.expect(404);
        assert_eq!((refused.code(), &refused.body["did_you_mean"]), ("NOT_FOUND", &json!("payments")), "{path}");
    }
    assert_eq!(node.get(FLAG).await.body["flag"]["enabled"], true, "nothing of it was done");
    let mut tagged = flag();
    tagged["tags"] = json!(["beta"]);
    let tagging = json!({"put_flag": {"key": "search", "flag": tagged}});
    node.post(commits, &commit(json!([{"kill": {"scope": {"tag": "beta"}}}, tagging])))
        .await
        .expect(200);
    node.post(commits, &commit(json!([{"kill": {"scope": {"tag": "beta"}}}]))).await.expect(200);
    let later = |future: Value| commit(json!([{"kill": {"scope": {"tag": "nothing-yet"}, "future": future, "colour": "red"}}]));
    node.post(commits, &later(json!("yes"))).await.expect(404);
    node.post(commits, &later(json!(true))).await.expect(200);
    node.post(commits, &later(json!(null))).await.expect(200);
}

fn warnings(body: &Value) -> usize {
    body["warnings"].as_array().map_or(0, Vec::len)
}

#[actix_web::test]
async fn a_kill_is_never_refused_for_what_stands_beside_its_scope() {
    let node = with_flag().await;
    let long = "x".repeat(2_001);
    let queries = [
        "reason=".to_owned(),
        "reason=%20%20".to_owned(),
        format!("reason={long}"),
        "wait=soon".to_owned(),
        "wait=-1s".to_owned(),
        "wait=61s".to_owned(),
        "wiat=2s".to_owned(),
        "release=no%20such%20release&allow_killed_edit=maybe".to_owned(),
        "%ff".to_owned(),
    ];
    for query in queries {
        let killed = node
            .post(&format!("{KILLS}?{query}"), &json!({"scope": {"flag": "checkout"}}))
            .await
            .expect(201);
        let blank = query == "reason=" || query == "reason=%20%20";
        assert_eq!(warnings(&killed.body) > 0, !blank, "{query}: {:#}", killed.body);
        assert_eq!(killed.body["reason_missing"] == true, !query.starts_with("reason=x"), "{query}");
        node.delete(&format!("{KILLS}/{}?reason=next", id(&killed.body))).await.expect(200);
    }
    let bodies = [
        json!({"scope": {"flag": "checkout"}, "reason": 7}),
        json!({"scope": {"flag": "checkout"}, "reason": long}),
        json!({"scope": {"flag": "checkout"}, "resaon": "a slip", "future": "yes"}),
    ];
    for body in bodies {
        let killed = node.post(KILLS, &body).await.expect(201);
        assert!(warnings(&killed.body) > 0, "{body}");
        node.delete(&format!("{KILLS}/{}?reason=next", id(&killed.body))).await.expect(200);
    }
    let headers = [
        ("idempotency-key", ""),
        ("idempotency-key", long.as_str()),
        ("if-match", "\"1:99\""),
        ("if-match", "nonsense"),
        ("if-none-match", "*"),
    ];
    for (name, value) in headers {
        let call = node.call(Method::POST, KILLS).key(&key_of(Role::Oncall)).header(name, value);
        let killed = call.json(&json!({"scope": {"flag": "checkout"}})).send().await.expect(201);
        assert!(warnings(&killed.body) > 0, "{name}: {value}");
        node.delete(&format!("{KILLS}/{}?reason=next", id(&killed.body))).await.expect(200);
    }
}

#[actix_web::test]
async fn a_repeated_kill_under_one_idempotency_key_is_one_kill() {
    let node = with_flag().await;
    let send = |wait: &str| {
        let path = format!("{KILLS}?wait={wait}");
        let call = node.call(Method::POST, &path).key(&key_of(Role::Oncall)).header("idempotency-key", "k-1");
        call.json(&json!({"scope": {"flag": "checkout"}})).send()
    };
    let first = send("0s").await.expect(201);
    node.delete(&format!("{KILLS}/{}?reason=fixed", id(&first.body))).await.expect(200);
    let again = send("1ms").await.expect(201);
    assert_eq!((id(&again.body), again.header("idempotency-replayed")), (id(&first.body), "true"));
    assert_eq!(node.get(KILLS).await.body["items"], json!([]));
}
