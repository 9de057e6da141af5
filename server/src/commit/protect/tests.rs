use std::collections::BTreeSet;
use std::sync::Arc;

use proptest::prelude::*;
use ripcord_proto::references::{self, TouchedKeys};
use ripcord_proto::table::Entry;
use ripcord_proto::{EnvironmentKey, Flag, FlagKey, Position, Segment, SegmentKey, Snapshot};
use ripcord_sdk::engine::{Compiled, Context, SinceContact};
use serde_json::{Value, json};

use super::exposure::{ExposureChange, raised};

const KEYS: [&str; 3] = ["a", "b", "c"];

fn flag(value: &Value) -> Flag {
    Flag::from_value(value).unwrap()
}

fn split(on: u32, beta: u32, off: u32) -> Value {
    json!({"split": [{"variant": "on", "weight": on}, {"variant": "beta", "weight": beta}, {"variant": "off", "weight": off}]})
}

fn base(rules: &Value) -> Value {
    json!({"variants": {"on": "1", "beta": "2", "off": "0"}, "default": "off", "safe": "off", "rules": rules})
}

fn raises(before: &Value, after: &Value) -> bool {
    let (before, after) = (flag(before), flag(after));
    let change = ExposureChange {
        before: Some(&before),
        after: Some(&after),
    };
    change.raises()
}

fn with(flag: &Value, member: &str, value: Value) -> Value {
    let mut flag = flag.clone();
    flag[member] = value;
    flag
}

#[test]
fn lowering_and_switching_off_and_what_serves_nobody_more_is_exempt() {
    let staged = base(&json!([{"when": {"attribute": "plan", "equals": "beta"}, "serve": "on"}, {"serve": split(50, 0, 50)}]));
    let lower = base(&json!([{"when": {"attribute": "plan", "equals": "beta"}, "serve": "on"}, {"serve": split(20, 0, 80)}]));
    assert!(!raises(&staged, &staged));
    assert!(!raises(&staged, &lower));
    assert!(raises(&lower, &staged));
    assert!(!raises(&staged, &with(&staged, "enabled", json!(false))));
    assert!(!raises(&staged, &with(&staged, "description", json!("another text"))));
    assert!(!raises(&staged, &with(&staged, "rules", json!([]))), "nobody is served more by fewer rules");
    assert!(!raises(&staged, &with(&lower, "rules", json!([staged["rules"][0]]))));
    assert!(
        raises(&staged, &with(&staged, "rules", json!([staged["rules"][1]]))),
        "whom the second rule served may be others now"
    );
}

#[test]
fn another_variant_another_value_another_safe_variant_and_another_line_of_buckets_are_not() {
    let staged = base(&json!([{"serve": split(50, 0, 50)}]));
    assert!(raises(&staged, &base(&json!([{"serve": split(20, 30, 50)}]))));
    assert!(raises(&staged, &with(&staged, "variants", json!({"on": "9", "beta": "2", "off": "0"}))));
    assert!(
        !raises(&staged, &with(&staged, "variants", json!({"on": "1", "beta": "9", "off": "0"}))),
        "nobody is served it"
    );
    assert!(!raises(&staged, &with(&staged, "safe", json!("on"))), "everybody is served what he was served");
    let sly = with(&with(&staged, "safe", json!("on")), "rules", json!([{"serve": "on"}]));
    assert!(raises(&staged, &sly));
    let mut salted = staged.clone();
    salted["rules"][0]["serve"]["salt"] = json!("other");
    assert!(raises(&staged, &salted));
    assert!(raises(&with(&staged, "enabled", json!(false)), &staged));
    assert!(raises(&staged, &with(&staged, "default", json!("on"))));
    let by_company = base(&json!([{"serve": {"split": split(50, 0, 50)["split"], "by": "company"}}]));
    assert!(raises(&with(&by_company, "rules", json!([{"serve": "off"}])), &by_company));
}

fn serve() -> impl Strategy<Value = Value> {
    let weights = prop_oneof![
        Just((100, 0, 0)),
        Just((50, 0, 50)),
        Just((20, 0, 80)),
        Just((20, 30, 50)),
        Just((0, 30, 70)),
        Just((0, 0, 100))
    ];
    let split = (weights, prop::option::weighted(0.2, Just("company"))).prop_map(|((on, beta, off), by)| {
        let mut made = split(on, beta, off);
        if let Some(by) = by {
            made["by"] = json!(by);
        }
        made
    });
    prop_oneof![3 => split, 1 => Just(json!("on")), 1 => Just(json!("off")), 1 => Just(json!("beta"))]
}

fn rule() -> impl Strategy<Value = Value> {
    let when = prop_oneof![
        Just(Value::Null),
        Just(json!({"attribute": "plan", "equals": "beta"})),
        Just(json!({"segment": "s"})),
        Just(json!({"not": {"segment": "s"}}))
    ];
    (when, serve()).prop_map(|(when, serve)| {
        if when.is_null() {
            json!({"serve": serve})
        } else {
            json!({"when": when, "serve": serve})
        }
    })
}

fn any_flag(place: usize) -> impl Strategy<Value = Value> {
    let variant = || prop_oneof![3 => Just("off"), 1 => Just("on"), 1 => Just("beta")];
    let requires = prop::option::weighted(0.4, (0..place.max(1), variant()));
    (prop::collection::vec(rule(), 0..3), variant(), variant(), requires, prop::bool::weighted(0.8)).prop_map(
        move |(rules, default, safe, requires, enabled)| {
            let mut made = base(&json!(rules));
            made["default"] = json!(default);
            made["safe"] = json!(safe);
            made["enabled"] = json!(enabled);
            if let Some((required, variant)) = requires.filter(|(required, _)| *required < place) {
                made["requires"] = json!([{"flag": KEYS[required], "variant": variant}]);
            }
            made
        },
    )
}

/// One thing of a flag is another one afterwards.
fn edit(flag: Value, kind: usize, other: &Value, number: usize) -> Value {
    let mut edited = flag;
    let count = edited["rules"].as_array().map_or(0, Vec::len);
    match kind {
        0 if count > 0 => edited["rules"][number % count]["serve"] = json!(split(10, 0, 90)),
        1 if count > 0 && other["rules"].as_array().is_some_and(|rules| !rules.is_empty()) => {
            edited["rules"][number % count]["serve"] = other["rules"][0]["serve"].clone();
        }
        2 => drop(edited["rules"].as_array_mut().map(Vec::pop)),
        3 => edited["default"] = other["default"].clone(),
        4 => edited["safe"] = other["safe"].clone(),
        5 => edited["enabled"] = other["enabled"].clone(),
        6 => edited["variants"]["on"] = json!("9"),
        7 => edited["rules"] = other["rules"].clone(),
        _ => {}
    }
    edited
}

fn snapshot(flags: &[Value], segment: &Value) -> Snapshot {
    let mut snapshot = Snapshot::empty(EnvironmentKey::new("production").unwrap());
    snapshot.position = Position::new(1, 1);
    for (key, value) in KEYS.iter().zip(flags) {
        let entry = Entry::new(FlagKey::new(key).unwrap(), flag(value), snapshot.position).unwrap();
        snapshot.flags.insert(Arc::new(entry));
    }
    let entry = Entry::new(SegmentKey::new("s").unwrap(), Segment::from_value(segment).unwrap(), snapshot.position).unwrap();
    snapshot.segments.insert(Arc::new(entry));
    snapshot
}

/// Users of all kinds: in the segment or not, on the plan or not, with a company or not.
fn users() -> Vec<serde_json::Map<String, Value>> {
    let user = |number: u32| {
        let mut user = serde_json::Map::new();
        if !number.is_multiple_of(17) {
            user.insert("targetingKey".to_owned(), json!(format!("user-{number}")));
        }
        if number.is_multiple_of(2) {
            user.insert("plan".to_owned(), json!("beta"));
        }
        if number.is_multiple_of(3) {
            user.insert("country".to_owned(), json!("de"));
        }
        if number.is_multiple_of(5) {
            user.insert("company".to_owned(), json!(format!("company-{}", number / 7)));
        }
        user
    };
    (0..150).map(user).collect()
}

/// What each user is served of a flag that is not its safe variant, by both definitions.
fn exposed(compiled: &Compiled, key: &str, safe: &[Option<String>], users: &[serde_json::Map<String, Value>]) -> Vec<Option<(String, String)>> {
    let one = |user: &serde_json::Map<String, Value>| {
        let detail = compiled.evaluate(key, &Context::from_json(user), SinceContact::FRESH);
        let variant = detail.variant().map(ToString::to_string)?;
        let is_safe = safe.iter().all(|safe| safe.as_deref() == Some(variant.as_str()));
        (!is_safe).then(|| (variant, format!("{:?}", detail.value())))
    };
    users.iter().map(one).collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1_500))]

    #[test]
    fn what_is_exempt_serves_nobody_a_variant_that_is_not_safe_and_that_he_was_not_served_before(
        flags in KEYS.iter().enumerate().map(|(place, _)| any_flag(place)).collect::<Vec<_>>(),
        others in KEYS.iter().enumerate().map(|(place, _)| any_flag(place)).collect::<Vec<_>>(),
        edits in prop::collection::vec((0..KEYS.len(), 0..8_usize, 0..3_usize), 1..3),
        moves_segment in prop::bool::weighted(0.15),
    ) {
        let mut edited = flags.clone();
        for (place, kind, number) in edits {
            edited[place] = edit(edited[place].clone(), kind, &others[place], number);
        }
        let segment = json!({"attribute": "country", "equals": "de"});
        let moved = if moves_segment { json!({"attribute": "country", "exists": false}) } else { segment.clone() };
        let (before, after) = (snapshot(&flags, &segment), snapshot(&edited, &moved));
        let touched = TouchedKeys {
            flags: KEYS.iter().map(|key| FlagKey::new(key).unwrap()).collect(),
            segments: BTreeSet::from([SegmentKey::new("s").unwrap()]),
        };
        prop_assume!(references::check(&after.flags, &after.segments, &touched).is_empty());
        let raised = raised(&before, &after, &touched);
        let (was, is, users) = (Compiled::new(&before), Compiled::new(&after), users());
        for (place, key) in KEYS.iter().enumerate().filter(|(_, key)| !raised.contains(**key)) {
            let safe = [&flags[place], &edited[place]].map(|flag| flag["safe"].as_str().map(ToOwned::to_owned));
            let (was, is) = (exposed(&was, key, &safe, &users), exposed(&is, key, &safe, &users));
            for ((user, was), is) in users.iter().zip(was).zip(is) {
                prop_assert!(is.is_none() || is == was, "{key}: {user:?} was served {was:?} and is served {is:?}");
            }
        }
    }
}
