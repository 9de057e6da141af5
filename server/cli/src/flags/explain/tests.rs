use serde_json::json;

use super::*;

#[test]
fn an_attribute_is_json_where_it_can_be_and_text_otherwise() {
    let value = |text: &str| text.parse::<Attribute>().unwrap().value;
    assert_eq!(value("age=42"), json!(42));
    assert_eq!(value("beta=true"), json!(true));
    assert_eq!(value("email=ada@example.com"), json!("ada@example.com"));
    assert_eq!(value("version=2.3.0"), json!("2.3.0"));
    assert_eq!(value("query=a=b"), json!("a=b"));
    assert!("=x".parse::<Attribute>().is_err());
    assert!("age".parse::<Attribute>().is_err());
}

#[test]
fn an_explanation_tells_each_step() {
    let explanation: Explanation = serde_json::from_value(json!({
        "flag": "checkout-v2", "value": true, "variant": "on", "reason": "SPLIT", "rule": "gradual", "epoch": 1, "revision": 12,
        "steps": [
            {"step": "kill", "kill": null},
            {"step": "enabled", "enabled": true},
            {"step": "requirement", "flag": "payments-api", "variant": "on", "serves": "on", "met": true},
            {"step": "rule", "index": 0, "id": "staff", "when": {"condition": {"attribute": "email", "ends_with": "@example.com"}, "holds": false, "saw": null}, "matches": false},
            {"step": "rule", "index": 1, "when": null, "matches": true, "bucket": {"by": "targetingKey", "saw": "u-17", "salt": "checkout-v2", "place": 49_394, "of": 100_000}},
        ],
    }))
    .unwrap();
    insta::assert_snapshot!(describe(&explanation, Paint::Plain), @r#"
    checkout-v2 serves on = true (SPLIT, rule gradual, revision 12)

      step                   result   detail
      kill                   none
      enabled                yes
      requires payments-api  met      needs on, gets on
      rule staff             no       email ends with "@example.com": email is not set
      rule rules[1]          matches  targetingKey u-17 is in bucket 49,394 of 100,000
    "#);
}

#[test]
fn each_part_of_a_condition_is_marked() {
    let condition = json!({"condition": "any", "holds": true, "within": [
        {"condition": {"segment": "beta"}, "holds": false, "within": [
            {"condition": {"attribute": "plan", "equals": "beta"}, "saw": "free", "holds": false}
        ]},
        {"condition": {"attribute": "age", "gte": 18}, "saw": "42", "holds": true, "types_differ": {"found": "string", "wanted": "number"}},
    ]});
    insta::assert_snapshot!(
        saw(&condition).unwrap(),
        @r#"any of (✗ in segment beta (✗ plan = "beta": plan is "free"); ✓ age >= 18: age is "42" (a string, but the rule needs a number))"#
    );
}

#[test]
fn a_killed_flag_says_by_which_kill() {
    let killed = json!({"step": "kill", "kill": "k_01jd3x7q8v9w0y2z4a6b8c0d2e"});
    assert_eq!(step(&killed), ["kill", "killed", "k_01jd3x7q8v9w0y2z4a6b8c0d2e"].map(str::to_owned));
}
