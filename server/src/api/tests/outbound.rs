//! Addresses that the server would call are refused where they are written.

use actix_web::http::Method;
use serde_json::{Value, json};

use super::harness::{ApiNode, FLAG, flag};

const ENV: &str = "/v1/environments/production";
/// Where clouds answer with the credentials of the machine.
const FORBIDDEN: &str = "http://169.254.169.254/latest/meta-data";

fn with_check(mut body: Value) -> Value {
    body["checks"] = json!([{"name": "fine", "url": "http://127.0.0.1:1/"}, {"name": "health", "url": FORBIDDEN}]);
    body
}

#[actix_web::test]
async fn an_address_that_may_not_be_called_is_refused_where_it_is_written_and_the_field_is_named() {
    let node = ApiNode::start().await;
    node.put(&format!("{FLAG}?reason=r"), &flag()).await.expect(201);
    node.post(&format!("{ENV}/releases?reason=r"), &json!({"name": "web"})).await.expect(201);
    let put = json!({"put_flag": {"key": "checkout", "flag": with_check(flag())}});
    let set = json!({"apply_set": {"flags": {"search": with_check(flag())}}});
    let gate = |gate: Value| {
        let fine = json!({"name": "f", "probe": {"url": "http://127.0.0.1:1/"}, "on_fail": "hold"});
        let gates = json!([fine, gate]);
        json!({"flag": "checkout", "variant": "on", "steps": [{"to": "1%", "hold": "1s"}], "gates": gates})
    };
    let probe = json!({"name": "g", "probe": {"url": FORBIDDEN}, "on_fail": "hold"});
    let query = json!({"name": "g", "prometheus": "up", "url": FORBIDDEN, "below": 1, "on_fail": "hold"});
    let commit = |change: Value| json!({"reason": "r", "changes": [{"set_enabled": {"key": "checkout", "enabled": true}}, change]});
    let cases = [
        (Method::PUT, format!("{FLAG}?reason=r"), with_check(flag()), "checks[1].url"),
        (
            Method::POST,
            format!("{ENV}/commits"),
            commit(put.clone()),
            "changes[1].put_flag.flag.checks[1].url",
        ),
        (
            Method::POST,
            format!("{ENV}/commits/plan"),
            commit(put),
            "changes[1].put_flag.flag.checks[1].url",
        ),
        (
            Method::POST,
            format!("{ENV}/commits"),
            commit(set),
            "changes[1].apply_set.flags.search.checks[1].url",
        ),
        (Method::PUT, format!("{ENV}/policy"), with_check(json!({})), "checks[1].url"),
        (Method::PUT, format!("{ENV}/policy"), json!({"prometheus": FORBIDDEN}), "prometheus"),
        (Method::POST, format!("{ENV}/releases"), with_check(json!({"name": "other"})), "checks[1].url"),
        (Method::PATCH, format!("{ENV}/releases/web"), with_check(json!({})), "checks[1].url"),
        (Method::POST, format!("{ENV}/rollouts"), gate(probe), "gates[1].probe.url"),
        (Method::POST, format!("{ENV}/rollouts"), gate(query), "gates[1].url"),
    ];
    for (method, path, body, field) in cases {
        let refused = node.call(method.clone(), &path).key(super::harness::ADMIN).json(&body).send().await;
        let refused = refused.expect(422);
        assert_eq!(
            (refused.code(), &refused.body["errors"][0]["path"]),
            ("INVALID", &json!(field)),
            "{method} {path}: {:#}",
            refused.body
        );
    }
}
