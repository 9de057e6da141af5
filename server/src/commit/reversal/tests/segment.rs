//! Going back for the users of one segment.

use proptest::prelude::*;
use ripcord_proto::Snapshot;
use ripcord_sdk::engine::{Compiled, Context, Reason, SinceContact};
use serde_json::{Map, Value, json};

use super::{after, any_snapshot, for_segment, is_valid, served, snapshot, users};

/// What a reason says about how an answer came to be: that no rule matched is one thing, whatever it is called.
fn class(reason: Reason) -> Reason {
    if reason == Reason::Static { Reason::Default } else { reason }
}

/// Who is in a segment, asked of the engine itself.
fn is_in(snapshot: &Snapshot, segment: &str, user: &Map<String, Value>) -> bool {
    let mut probe = snapshot.clone();
    let flag = json!({"variants": {"in": true, "out": false}, "default": "out", "safe": null, "rules": [{"when": {"segment": segment}, "serve": "in"}]});
    let added = super::snapshot([("probe", flag)], []);
    probe.flags = added.flags;
    let context = Context::from_json(user);
    Compiled::new(&probe).boolean("probe", &context, SinceContact::FRESH, false)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(250))]

    #[test]
    fn the_segment_gets_what_the_target_gave_and_nobody_else_sees_anything((now, target) in (any_snapshot(), any_snapshot())) {
        let (next, decision) = after(&for_segment(&target, "eu"), &now);
        prop_assert!(is_valid(&next));
        prop_assert!(decision.segments.is_empty() && decision.missing.is_empty());
        let (before, next, then) = (Compiled::new(&now), Compiled::new(&next), Compiled::new(&target));
        let refused = |flag: &str| decision.cannot.iter().any(|cannot| cannot.flag.as_str() == flag);
        for user in users() {
            let inside = is_in(&now, "eu", &user);
            for entry in &now.flags {
                let flag = entry.key().as_str();
                let requires = entry.value().unwrap().requires.iter().any(|requirement| refused(requirement.flag.as_str()));
                let (is, will) = (served(&before, flag, &user), served(&next, flag, &user));
                if !inside {
                    prop_assert_eq!((&is.0, &is.1, class(is.2)), (&will.0, &will.1, class(will.2)), "{} for {:?}", flag, user);
                } else if !requires && !refused(flag) && target.flags.get(flag).is_some() {
                    let was = served(&then, flag, &user);
                    prop_assert_eq!((&was.0, &was.1), (&will.0, &will.1), "{} for {:?}", flag, user);
                }
            }
        }
    }

    #[test]
    fn doing_it_again_changes_nothing((now, target) in (any_snapshot(), any_snapshot())) {
        let (next, _) = after(&for_segment(&target, "eu"), &now);
        prop_assert!(for_segment(&target, "eu").decide(&next).unwrap().flags.is_empty());
    }
}

fn flag(more: &Value) -> Value {
    let mut flag = json!({"variants": {"on": true, "off": false}, "default": "off", "safe": "off"});
    let members = flag.as_object_mut().unwrap();
    members.extend(more.as_object().unwrap().clone());
    flag
}

#[track_caller]
fn refused(now: &Value, then: Option<&Value>, told: &str) {
    let segments = || [("eu", json!({"attribute": "region", "equals": "eu"}))];
    let of = |flag: Option<&Value>| snapshot(flag.map(|flag| ("a", flag.clone())), segments());
    let decision = for_segment(&of(then), "eu").decide(&of(Some(now))).unwrap();
    assert!(decision.flags.is_empty());
    let why: Vec<&str> = decision.cannot.iter().map(|cannot| cannot.why.as_str()).collect();
    assert!(why.iter().any(|why| why.contains(told)), "{why:?}");
}

#[test]
fn what_rules_cannot_say_is_refused_with_the_reason() {
    let on = flag(&json!({"default": "on"}));
    refused(&on, None, "it does not exist at the target");
    refused(&on, Some(&flag(&json!({"enabled": false}))), "rules cannot switch a flag");
    refused(&on, Some(&flag(&json!({"default": null}))), "caller's own default");
    refused(&on, Some(&flag(&json!({"variants": {"on": false, "off": true}}))), "a different value now");
    let split = json!({"rules": [{"serve": {"split": [{"variant": "on", "weight": 1}, {"variant": "off", "weight": 1}]}}]});
    refused(&on, Some(&flag(&split)), "without the attribute");
    let many: Vec<Value> = (0..256)
        .map(|age| json!({"when": {"attribute": "age", "equals": age}, "serve": "on"}))
        .collect();
    refused(
        &flag(&json!({"default": "on", "rules": many})),
        Some(&flag(&json!({}))),
        "rules would not be valid",
    );
}

#[test]
fn a_segment_that_has_changed_since_is_told_as_it_was_within_the_rules() {
    let rule = json!({"rules": [{"when": {"segment": "staff"}, "serve": "on"}]});
    let eu = || ("eu", json!({"attribute": "region", "equals": "eu"}));
    let target = snapshot([("a", flag(&rule))], [eu(), ("staff", json!({"attribute": "plan", "equals": "beta"}))]);
    let now = snapshot([("a", flag(&json!({})))], [eu(), ("staff", json!({"attribute": "plan", "equals": "free"}))]);
    let (next, decision) = after(&for_segment(&target, "eu"), &now);
    assert!(decision.cannot.is_empty());
    let rules = serde_json::to_value(next.flags.value("a").unwrap()).unwrap()["rules"].clone();
    assert_eq!(
        rules[0],
        json!({"when": {"all": [{"segment": "eu"}, {"attribute": "plan", "equals": "beta"}]}, "serve": "on"})
    );
}
