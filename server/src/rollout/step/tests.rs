use ripcord_proto::rollout::RolloutPlan;
use serde_json::{Value, json};

use super::*;

fn flag(rules: &Value) -> Flag {
    let value = json!({
        "variants": {"on": true, "off": false, "other": false}, "default": "off", "safe": "off", "rules": rules,
    });
    Flag::from_value(&value).unwrap()
}

fn plan(steps: &[&str]) -> RolloutPlan {
    let steps: Vec<_> = steps.iter().map(|to| json!({"to": to, "hold": "1s"})).collect();
    RolloutPlan::from_value(&json!({"flag": "checkout", "variant": "on", "steps": steps, "no_gates": true})).unwrap()
}

fn split(shares: &[(&str, Value)]) -> Value {
    let shares: Vec<_> = shares.iter().map(|(variant, weight)| json!({"variant": variant, "weight": weight})).collect();
    json!({"serve": {"split": shares}})
}

fn rules(flag: &Flag) -> Value {
    serde_json::to_value(&flag.rules).unwrap()
}

fn walked(plan: &RolloutPlan, flag: &Flag) -> MovedFlag {
    let mut at = take(plan, 1, flag, None).unwrap();
    for number in 2..=plan.last() {
        at = take(plan, number, &at.flag, Some(&at.moved)).unwrap();
    }
    at
}

#[test]
fn a_step_moves_the_split_that_is_there() {
    let before = flag(&json!([split(&[("on", json!("1%")), ("off", json!("99%"))])]));
    let made = take(&plan(&["10%"]), 1, &before, None).unwrap();
    assert_eq!(
        rules(&made.flag),
        json!([{"id": "rollout", "serve": {"split": [{"variant": "on", "weight": "10%"}, {"variant": "off", "weight": "90%"}]}}])
    );
    assert!(untouched(&made.flag, &made.moved).is_ok());
    assert_eq!(revert(&made.flag, &made.moved).unwrap(), before);
}

#[test]
fn a_flag_without_a_split_gets_a_rule_and_loses_it_again() {
    let before = flag(&json!([]));
    let made = walked(&plan(&["segment beta", "1%", "100%"]), &before);
    assert_eq!(
        rules(&made.flag),
        json!([
            {"id": "rollout-beta", "when": {"segment": "beta"}, "serve": "on"},
            {"id": "rollout", "serve": {"split": [{"variant": "on", "weight": "100%"}, {"variant": "off", "weight": "0%"}]}},
        ])
    );
    assert_eq!(revert(&made.flag, &made.moved).unwrap(), before);
}

#[test]
fn weights_that_are_counts_stay_counts() {
    let before = flag(&json!([split(&[("off", json!(2)), ("on", json!(1))])]));
    let made = take(&plan(&["50%"]), 1, &before, None).unwrap();
    assert_eq!(
        rules(&made.flag)[0]["serve"]["split"],
        json!([{"variant": "off", "weight": 3}, {"variant": "on", "weight": 3}])
    );
}

#[test]
fn only_the_control_beside_it_gives_way() {
    let three = flag(&json!([split(&[("on", json!("10%")), ("off", json!("40%")), ("other", json!("50%"))])]));
    let made = take(&plan(&["30%"]), 1, &three, None).unwrap();
    let shares = json!([{"variant": "on", "weight": "30%"}, {"variant": "off", "weight": "20%"}, {"variant": "other", "weight": "50%"}]);
    assert_eq!(rules(&made.flag)[0]["serve"]["split"], shares);
    let refused = rehearse(&plan(&["30%", "60%"]), &three, &Table::default()).unwrap_err();
    assert_eq!(refused.path, "steps[1].to");
    assert!(refused.problem.contains("50% together"), "{refused}");
    let apart = flag(&json!([split(&[("on", json!("10%")), ("other", json!("50%")), ("off", json!("40%"))])]));
    assert!(
        rehearse(&plan(&["30%"]), &apart, &Table::default())
            .unwrap_err()
            .problem
            .contains("next to each other")
    );
}

#[test]
fn what_would_lower_is_refused() {
    let twenty = flag(&json!([split(&[("on", json!("20%")), ("off", json!("80%"))])]));
    let refused = rehearse(&plan(&["10%"]), &twenty, &Table::default()).unwrap_err();
    assert_eq!(refused.path, "steps[0].to");
    assert!(refused.problem.contains("from 20% to 10%"), "{refused}");
    let everybody = Flag::from_value(&json!({"variants": {"on": true, "off": false}, "default": "on", "safe": "off"})).unwrap();
    assert_eq!(rehearse(&plan(&["10%"]), &everybody, &Table::default()).unwrap_err().path, "variant");
}

#[test]
fn a_flag_without_a_control_and_one_with_several_rules_are_refused() {
    let alone = flag(&json!([split(&[("on", json!(1))])]));
    assert_eq!(rehearse(&plan(&["10%"]), &alone, &Table::default()).unwrap_err().path, "control");
    let nothing = Flag::from_value(&json!({"variants": {"on": true}, "default": null, "safe": null})).unwrap();
    assert_eq!(rehearse(&plan(&["10%"]), &nothing, &Table::default()).unwrap_err().path, "control");
    let two = split(&[("on", json!("1%")), ("off", json!("99%"))]);
    let refused = rehearse(&plan(&["10%"]), &flag(&json!([two, two])), &Table::default()).unwrap_err();
    assert_eq!(refused.path, "rule");
    assert!(refused.problem.contains("rules[0], which has no id yet, rules[1]"), "{refused}");
    let unknown = RolloutPlan::from_value(&json!({"flag": "checkout", "variant": "red", "steps": [{"to": "1%", "hold": "1s"}], "no_gates": true})).unwrap();
    assert_eq!(rehearse(&unknown, &flag(&json!([])), &Table::default()).unwrap_err().path, "variant");
}

#[test]
fn an_edit_of_what_was_moved_is_seen_and_any_other_is_not() {
    let made = walked(&plan(&["segment beta", "10%"]), &flag(&json!([])));
    let other = Flag {
        description: Some("new words".to_owned()),
        ..made.flag.clone()
    };
    assert!(untouched(&other, &made.moved).is_ok());
    let mut edited = made.flag.clone();
    edited.rules.remove(0);
    assert_eq!(untouched(&edited, &made.moved), Err("rule \"rollout-beta\" was removed".to_owned()));
    let raised = take(&plan(&["20%"]), 1, &made.flag, Some(&made.moved)).unwrap();
    assert_eq!(untouched(&raised.flag, &made.moved), Err("rule \"rollout\" was changed".to_owned()));
}

#[test]
fn going_back_keeps_what_others_changed_meanwhile() {
    let made = walked(&plan(&["10%"]), &flag(&json!([])));
    let mut edited = made.flag.clone();
    edited.description = Some("new words".to_owned());
    edited
        .rules
        .insert(0, Rule::from_value(&json!({"when": {"segment": "staff"}, "serve": "on"})).unwrap());
    let back = revert(&edited, &made.moved).unwrap();
    assert_eq!(back.description.as_deref(), Some("new words"));
    assert_eq!(rules(&back), json!([{"when": {"segment": "staff"}, "serve": "on"}]));
}
