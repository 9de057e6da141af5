use serde_json::json;

use super::*;

fn problem(value: &Value) -> String {
    Condition::from_value(value).unwrap_err().to_string()
}

#[test]
fn every_operator_is_read_and_written_the_same() {
    for test in [
        json!({"equals": "x"}),
        json!({"equals": 29.0}),
        json!({"one_of": ["a", 1, true]}),
        json!({"contains": "x"}),
        json!({"starts_with": "x"}),
        json!({"ends_with": "x"}),
        json!({"matches": "^a+$"}),
        json!({"lt": 1}),
        json!({"lte": 1.5}),
        json!({"gt": -1}),
        json!({"gte": 0}),
        json!({"semver_eq": "1.2.3-rc.1+build"}),
        json!({"semver_lt": "1.2.3"}),
        json!({"semver_lte": "1.2.3"}),
        json!({"semver_gt": "1.2.3"}),
        json!({"semver_gte": "1.2.3"}),
        json!({"semver_in": ">=1.2, <2"}),
        json!({"before": "2026-01-01T00:00:00Z"}),
        json!({"after": "2026-01-01T00:00:00Z"}),
        json!({"in_cidr": ["10.0.0.0/8", "2001:db8::/32"]}),
        json!({"exists": false}),
    ] {
        let mut condition = json!({"attribute": "a.b"});
        condition.as_object_mut().unwrap().extend(test.as_object().unwrap().clone());
        assert_eq!(serde_json::to_value(Condition::from_value(&condition).unwrap()).unwrap(), condition);
    }
}

#[test]
fn what_is_no_condition_is_refused_with_the_way_out() {
    let problems: Vec<_> = [
        json!({"al": []}),
        json!({"all": [], "any": []}),
        json!({"equals": 1}),
        json!({"attribute": "a"}),
        json!({"attribute": "a", "lt": 1, "gt": 0}),
        json!({"attribute": "a", "starts_width": ""}),
        json!({"attribute": "a", "semver_gte": 2.1}),
        json!({"any": [{"attribute": "a", "in_cidr": ["10.0.0.0/33"]}]}),
        json!({"attribute": "a", "matches": "(?:a{1000}){1000}"}),
        json!({"attribute": "a", "semver_eq": "2.0.0.0"}),
    ]
    .iter()
    .map(problem)
    .collect();
    insta::assert_snapshot!(problems.join("\n"), @r#"
    is not a condition; it must have one of "all", "any", "not", "segment", "jsonlogic", "attribute"; did you mean "all"?
    has both "all" and "any"; a condition has only one of them
    has the operator "equals" but no "attribute" to apply it to
    has no operator; add one, for example "equals": "…"
    has two operators, "lt" and "gt"; put each in a condition of its own within "all"
    starts_width: is not an operator; did you mean "starts_with"?
    semver_gte: must be a string, not a number; put it in quotes
    any[0].in_cidr[0]: "10.0.0.0/33" is not a network; write it like "10.0.0.0/8" or "2001:db8::/32"
    matches: is too large; a compiled regular expression can take up to 256 KiB. Use "one_of" or "starts_with" if possible
    semver_eq: "2.0.0.0" is not a version; write it as major.minor.patch, for example "2.1.0" or "2.1.0-beta.1"
    "#);
    assert!(problem(&json!({"attribute": "a", "matches": "("})).starts_with("matches: "));
}

#[test]
fn versions_are_read_leniently() {
    for (text, version) in [("v1", "1.0.0"), ("1.2", "1.2.0"), ("V1.2.3-rc.1", "1.2.3-rc.1"), ("1-beta", "1.0.0-beta")] {
        assert_eq!(parse_version(text).unwrap().to_string(), version);
    }
    for text in ["", "v", "1.2.3.4", "a.b.c", "vv1", "1."] {
        assert_eq!(parse_version(text), None, "{text:?}");
    }
}
