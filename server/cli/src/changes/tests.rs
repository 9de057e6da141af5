use serde_json::json;

use super::*;

fn plan(body: &Value) -> PlanResponse {
    let mut whole = json!({"hash": "0".repeat(64), "epoch": 1, "revision": 7, "flags": [], "segments": []});
    whole.as_object_mut().unwrap().extend(body.as_object().unwrap().clone());
    serde_json::from_str(&whole.to_string()).unwrap()
}

#[test]
fn a_plan_is_told_thing_by_thing_and_member_by_member() {
    let boolean = json!({"enabled": true, "variants": {"on": true, "off": false}, "default": "off", "safe": "off"});
    let mut raised = boolean.clone();
    raised["default"] = json!("on");
    raised["tags"] = json!(["checkout"]);
    let plan = plan(&json!({
        "segments": [{"key": "beta", "from": {"attribute": "plan", "equals": "beta"}, "to": {"attribute": "plan", "equals": "pilot"}}],
        "flags": [
            {"key": "checkout-v2", "from": boolean, "to": raised},
            {"key": "new-search", "to": {"enabled": true, "default": "off"}},
            {"key": "old-search", "from": {"enabled": false}},
        ],
        "kills": {"checkout-v2": ["k_01jd3x7q8v9w0y2z4a6b8c0d2e"]},
        "unchanged": 7,
        "users": {"source": "synthetic", "contexts": 10_000, "changed": 1_250, "share": 0.125},
        "shares": {"checkout-v2": {"changed": 1_250, "share": 0.125}},
        "kept": [{"path": "flags.search.enabled", "file": true, "now": false, "last_change": {"sequence": 50, "epoch": 1, "revision": 41,
            "at": "2026-01-01T00:00:00Z", "actor": {"name": "anna", "role": "oncall"}, "reason": "too slow"}}],
        "adopted": [{"path": "flags.ranking", "from": "search"}, {"path": "flags.theme"}],
        "warnings": ["old-search is required by nothing."],
    }));
    insta::assert_snapshot!(describe(&plan, Paint::Plain), @r#"
    Added (1)
    + flag new-search
        enabled: true
        default: off

    Changed (2)
    ~ segment beta
      ~ when: plan = "beta" -> plan = "pilot"
    ~ flag checkout-v2
      ~ default: off -> on
      + tags: checkout
        stays killed by k_01jd3x7q8v9w0y2z4a6b8c0d2e: it keeps serving its safe variant

    Removed (1)
    - flag old-search

    Unchanged (7)

    Impact: 12.5 % of 10,000 simulated users would get a different variant
      checkout-v2: 12.5 %

    Kept (1): changed by hand since the last apply; the files did not change it
      flags.search.enabled: keeps false; the files say true
        changed last in revision 41 by anna: too slow
      Add it to the files, or overwrite it with --adopt.

    Adopted (2)
      flags.ranking, from set search
      flags.theme, from no set

    ! old-search is required by nothing.
    "#);
    assert_eq!(summary(&plan), "3 flags and 1 segment");
    assert_eq!(total(&plan), 4);
}

#[test]
fn a_change_of_settings_is_told() {
    let plan = plan(&json!({"settings": {"from": {"bucketing": "v3"}, "to": {"bucketing": "v2"}}}));
    insta::assert_snapshot!(describe(&plan, Paint::Plain), @r#"
    Changed (1)
    ~ settings
      ~ bucketing: v3 -> v2
    "#);
    assert_eq!(summary(&plan), "the settings");
}
