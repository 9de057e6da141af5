#![allow(
    clippy::needless_pass_by_value,
    reason = "json! makes values, and a table of them reads better without references"
)]

use serde_json::json;

use super::*;
use crate::limits;

/// The flag of the documentation.
const CHECKOUT: &str = r#"{
  "description": "New checkout", "owner": "payments", "tags": ["checkout"], "enabled": true,
  "variants": {"on": true, "off": false}, "default": "off", "safe": "off",
  "rules": [
    {"id": "staff", "when": {"any": [{"attribute": "email", "ends_with": "@example.com"}, {"segment": "beta"}]}, "serve": "on"},
    {"id": "gradual", "when": {"attribute": "app.version", "semver_gte": "2.1.0"},
     "serve": {"split": [{"variant": "on", "weight": 25}, {"variant": "off", "weight": 75}], "by": "targetingKey", "salt": "checkout-v2"}}
  ],
  "requires": [{"flag": "payments-api", "variant": "on"}],
  "lease": {"seconds": 300}
}"#;

fn faults(value: serde_json::Value) -> Vec<String> {
    Flag::from_value(&value).unwrap_err().all().iter().map(ToString::to_string).collect()
}

fn paths(value: serde_json::Value) -> Vec<String> {
    Flag::from_value(&value).unwrap_err().all().iter().map(|fault| fault.path.clone()).collect()
}

/// A valid flag with one member replaced.
fn with(member: &str, value: serde_json::Value) -> serde_json::Value {
    let mut flag = json!({"variants": {"on": true, "off": false}, "default": "off", "safe": "off"});
    flag[member] = value;
    flag
}

fn serving(serve: serde_json::Value) -> serde_json::Value {
    with("rules", json!([{ "serve": serve }]))
}

#[test]
fn a_flag_is_written_as_it_was_put() {
    let written: serde_json::Value = serde_json::to_value(Flag::parse(CHECKOUT).unwrap()).unwrap();
    assert_eq!(written, serde_json::from_str::<serde_json::Value>(CHECKOUT).unwrap());
    let bare = serde_json::to_string(&Flag::parse(r#"{"variants":{"b":10,"a":10.0},"default":null,"safe":"a"}"#).unwrap()).unwrap();
    assert_eq!(bare, r#"{"enabled":true,"variants":{"b":10,"a":10.0},"default":null,"safe":"a"}"#);
}

#[test]
fn every_problem_is_told_at_once_with_its_path() {
    let problems = faults(json!({
        "variants": {"on": true, "off": "no"}, "default": "of", "enabeld": true, "client": 1,
        "rules": [
            {"id": "a", "serve": "on"},
            {"id": "a", "when": {"attribute": "x", "equls": 1}, "serve": "on"},
            {"serve": {"split": [{"variant": "on", "weight": 1}, {"variant": "blue", "weight": 1}]}}
        ],
        "lease": {"seconds": 1}
    }));
    insta::assert_snapshot!(problems.join("\n"), @r#"
    enabeld: is not a member of a flag; did you mean "enabled"?
    variants.off: is of type string, but "on" is of type boolean; all variants of a flag have one type
    default: "of" is not a variant of this flag; it has "on", "off"
    safe: is missing; it must be the name of a variant, or null for the caller's own default
    rules[1].id: "a" is the id of an earlier rule too; ids are unique within a flag
    rules[1].when.equls: is not an operator; did you mean "equals"?
    rules[2].serve.split[1].variant: "blue" is not a variant of this flag; it has "on", "off"
    lease.seconds: must be a whole number of seconds from 5 to 2592000 (30 days), not 1
    client: must be true or false, not a number
    "#);
}

#[test]
fn weights_that_make_no_sense_are_refused() {
    let split = |on: serde_json::Value, off: serde_json::Value| serving(json!({"split": [{"variant": "on", "weight": on}, {"variant": "off", "weight": off}]}));
    let problems: Vec<_> = [
        (json!(0), json!(0)),
        (json!(2_147_483_647), json!(1)),
        (json!("25%"), json!("70%")),
        (json!("25%"), json!(75)),
        (json!("0.1234%"), json!("100%")),
    ]
    .into_iter()
    .flat_map(|(on, off)| faults(split(on, off)))
    .collect();
    insta::assert_snapshot!(problems.join("\n"), @r#"
    rules[0].serve.split: sums to 0; at least one weight must be greater than 0
    rules[0].serve.split: sums to 2,147,483,648; the weights of a split can sum to at most 2,147,483,647
    rules[0].serve.split: sums to 95%; the percentages of a split must sum to 100%
    rules[0].serve.split: mixes counts and percentages; use one of them for all weights of a split
    rules[0].serve.split[0].weight: "0.1234%" is not a weight; a percentage is written "25%" or "0.125%": 0 to 100, with at most three decimals
    "#);
    for bad in [
        json!(0.5),
        json!(-1),
        json!("25"),
        json!("%"),
        json!("1e1%"),
        json!("101%"),
        json!("+5%"),
        json!(null),
        json!(1e20),
    ] {
        assert!(!faults(split(bad.clone(), json!(1))).is_empty(), "{bad}");
    }
    for (on, off) in [
        (json!(0), json!(1)),
        (json!("0%"), json!("100%")),
        (json!("33.333%"), json!("66.667%")),
        (json!("0.5%"), json!("99.5%")),
    ] {
        let value = split(on, off);
        assert_eq!(serde_json::to_value(Flag::from_value(&value).unwrap()).unwrap()["rules"], value["rules"]);
    }
    assert_eq!(paths(serving(json!({"split": []}))), ["rules[0].serve.split"]);
}

#[test]
fn numbers_that_some_readers_cannot_hold_are_refused() {
    for bad in [
        json!(9_007_199_254_740_992_i64),
        json!(u64::MAX),
        json!(-9_007_199_254_740_992_i64),
        json!(1e300),
    ] {
        assert_eq!(paths(json!({"variants": {"a": bad}, "default": "a", "safe": "a"})), ["variants.a"]);
        assert_eq!(
            paths(json!({"variants": {"a": {"list": [1, bad]}}, "default": "a", "safe": "a"})),
            ["variants.a.list[1]"]
        );
    }
    Flag::from_value(&json!({"variants": {"a": 9_007_199_254_740_991_i64}, "default": "a", "safe": "a"})).unwrap();
}

#[test]
fn limits_are_enforced_and_stated() {
    let many: serde_json::Map<_, _> = (0..=limits::VARIANTS).map(|n| (format!("v{n}"), json!(n))).collect();
    assert!(faults(json!({"variants": many, "default": null, "safe": null}))[0].contains(&limits::VARIANTS.to_string()));
    assert!(faults(json!({"variants": {}, "default": null, "safe": null}))[0].contains(&limits::VARIANTS.to_string()));
    let rules: Vec<_> = (0..=limits::RULES).map(|_| json!({"serve": "on"})).collect();
    assert!(faults(with("rules", json!(rules)))[0].contains(&limits::RULES.to_string()));
    let huge = "x".repeat(limits::FLAG_BYTES);
    assert!(faults(with("metadata", json!({ "note": huge })))[0].contains(&crate::text::grouped_len(limits::FLAG_BYTES)));
    let mut deep = json!({"attribute": "a", "exists": true});
    for _ in 1..limits::CONDITION_DEPTH {
        deep = json!({ "not": deep });
    }
    Flag::from_value(&with("rules", json!([{"when": deep, "serve": "on"}]))).unwrap();
    assert!(Flag::from_value(&with("rules", json!([{"when": {"not": deep}, "serve": "on"}]))).is_err());
}

#[test]
fn wrong_types_are_named() {
    let problems: Vec<_> = [
        json!([]),
        with("enabled", json!("yes")),
        with("tags", json!([1])),
        with("description", json!(null)),
        with("expires_at", json!("soon")),
    ]
    .into_iter()
    .flat_map(faults)
    .collect();
    insta::assert_snapshot!(problems.join("\n"), @r#"
    must be an object, not a list
    enabled: must be true or false, not a string
    tags[0]: must be a string, not a number; put it in quotes
    description: must be a string, not null
    expires_at: "soon" is not a timestamp; write it as RFC 3339, for example "2026-12-31T23:59:59Z"
    "#);
    let cut = Flag::parse("{\"a\":").unwrap_err().to_string();
    assert!(cut.contains("line 1 column 5"), "{cut}");
    assert!(
        Flag::parse(r#"{"variants":{"a":1,"a":2},"default":"a","safe":"a"}"#)
            .unwrap_err()
            .to_string()
            .contains("\"a\"")
    );
}
