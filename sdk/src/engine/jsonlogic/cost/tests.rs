use serde_json::json;

use super::*;

fn fits(rule: &Value, bytes: u64, items: u64) -> bool {
    Cost::of(rule).is_ok_and(|cost| cost.steps(Size { bytes, items }).is_some())
}

#[test]
fn usual_rules_fit_with_large_contexts() {
    for rule in [
        json!({"if": [{"in": [{"var": "email"}, ["a", "b"]]}, "on", "off"]}),
        json!({"some": [{"var": "groups"}, {"in": [{"var": ""}, ["a", "b", "c"]]}]}),
        json!({">": [{"reduce": [{"var": "cart"}, {"+": [{"var": "current.price"}, {"var": "accumulator"}]}, 0]}, 100]}),
        json!({"fractional": [{"cat": [{"var": "$flagd.flagKey"}, {"var": "email"}]}, ["on", 10], ["off", 90]]}),
        json!({"==": [{"reduce": [{"var": "l"}, {"cat": [{"var": "accumulator"}, {"var": "current"}]}, ""]}, "x"]}),
    ] {
        assert!(fits(&rule, 2_048, 24), "{rule}");
    }
    assert!(fits(&json!({"some": [{"var": "groups"}, {"==": [{"var": ""}, "a"]}]}), 32 * 1024, 1_000));
}

#[test]
fn what_doubles_with_every_item_does_not_fit() {
    let doubling = json!({"reduce": [{"var": "l"}, {"cat": [{"var": "accumulator"}, {"var": "accumulator"}]}, "x"]});
    assert!(!fits(&doubling, 2_048, 24));
    let merging = json!({"reduce": [{"var": "l"}, {"merge": [{"var": "accumulator"}, {"var": "accumulator"}]}, [1]]});
    assert!(!fits(&merging, 2_048, 24));
}

#[test]
fn loops_over_what_is_written_in_the_rule_multiply() {
    let ten: Vec<u8> = (0..10).collect();
    let nested = |levels: usize| (0..levels).fold(json!(1), |body, _| json!({"map": [ten, body]}));
    assert!(fits(&nested(3), 100, 1));
    assert!(!fits(&nested(6), 100, 1));
    assert!(Cost::of(&nested(limits::JSONLOGIC_LOOPS + 1)).is_err());
}

#[test]
fn copies_of_a_long_text_add_up() {
    let copies: Vec<Value> = (0..200).map(|_| json!({"var": "long"})).collect();
    let rule = json!({"==": [{"cat": copies}, "x"]});
    assert!(fits(&rule, 2_048, 24));
    assert!(!fits(&rule, 32 * 1024, 1_000));
}
