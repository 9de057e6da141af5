//! What a write may not contain: rules that no application would run, and texts that hide something.

use serde_json::{Value, json};

use super::harness::{ApiNode, FLAG, flag};

#[actix_web::test]
async fn a_rule_beyond_the_budget_is_refused_by_name_wherever_it_stands() {
    let node = ApiNode::start().await;
    let doubling = json!({"reduce": [{"var": "l"}, {"cat": [{"var": "accumulator"}, {"var": "accumulator"}]}, "x"]});
    let with = |rule: Value| {
        let mut flag = flag();
        flag["rules"] = json!([rule]);
        flag
    };
    for (rule, place) in [
        (
            json!({"serve": {"jsonlogic": {"if": [doubling, "on", "off"]}}}),
            "flags.checkout.rules[0].serve.jsonlogic",
        ),
        (
            json!({"when": {"any": [{"jsonlogic": {"==": [doubling, "x"]}}]}, "serve": "on"}),
            "flags.checkout.rules[0].when.jsonlogic",
        ),
    ] {
        let refused = node.put(&format!("{FLAG}?reason=r"), &with(rule)).await.expect(422);
        assert_eq!(refused.body["errors"][0]["path"], place, "{}", refused.body);
    }
    let segment = json!({"when": {"jsonlogic": doubling}});
    let refused = node.put("/v1/environments/production/segments/beta?reason=r", &segment).await.expect(422);
    assert_eq!(refused.body["errors"][0]["path"], "segments.beta.when.jsonlogic", "{}", refused.body);
    let fine = json!({"when": {"jsonlogic": {"some": [{"var": "groups"}, {"==": [{"var": ""}, "beta"]}]}}, "serve": "on"});
    node.put(&format!("{FLAG}?reason=r"), &with(fine)).await.expect(201);
}

#[actix_web::test]
async fn names_hide_nothing_and_reasons_are_one_line() {
    let node = ApiNode::start().await;
    for (member, value) in [("owner", "team\nCONFIRMED 12 of 12"), ("owner", "a\u{202e}b"), ("description", "a\u{1b}[2K")] {
        let mut hiding = flag();
        hiding[member] = json!(value);
        let refused = node.put(&format!("{FLAG}?reason=r"), &hiding).await.expect(422);
        assert_eq!(refused.body["errors"][0]["path"], format!("flags.checkout.{member}"), "{}", refused.body);
    }
    let mut told = flag();
    told["description"] = json!("two\nlines");
    node.put(&format!("{FLAG}?reason=why%0ACONFIRMED%1B%5B2K"), &told).await.expect(201);
    let log = node.get("/v1/audit?log=production&limit=1").await.expect(200).body;
    assert_eq!(log["items"][0]["reason"], "why CONFIRMED [2K");
    let kill = json!({"scope": {"flag": "checkout"}, "reason": "bad\u{85}\u{202e}deploy"});
    let killed = node.post("/v1/environments/production/kills", &kill).await.expect(201).body;
    let kills = node.get("/v1/environments/production/kills").await.expect(200).body;
    assert_eq!(kills["items"][0]["reason"], "bad  deploy", "{killed}");
    let key = json!({"role": "sdk", "environment": "production", "name": "a\u{9b}1A"});
    node.post("/v1/keys", &key).await.expect(422);
}
