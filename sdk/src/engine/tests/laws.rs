//! Laws that hold for whatever flags there are.

use proptest::prelude::*;

use super::*;

const KEYS: [&str; 6] = ["a", "b", "c", "d", "e", "f"];

fn scalar() -> impl Strategy<Value = Value> {
    prop_oneof![
        Just(json!("x")),
        Just(json!("y")),
        (0..4_i64).prop_map(Value::from),
        any::<bool>().prop_map(Value::from)
    ]
}

fn condition() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        ("[a-c]", scalar()).prop_map(|(name, value)| json!({"attribute": name, "equals": value})),
        ("[a-c]", prop::collection::vec(scalar(), 0..12)).prop_map(|(name, values)| json!({"attribute": name, "one_of": values})),
        ("[a-c]", 0..4_i64).prop_map(|(name, value)| json!({"attribute": name, "gte": value})),
        ("[a-c]", any::<bool>()).prop_map(|(name, exists)| json!({"attribute": name, "exists": exists})),
        Just(json!({"segment": "s"})),
    ];
    leaf.prop_recursive(3, 12, 3, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..3).prop_map(|items| json!({ "all": items })),
            prop::collection::vec(inner.clone(), 0..3).prop_map(|items| json!({ "any": items })),
            inner.prop_map(|inner| json!({ "not": inner })),
        ]
    })
}

fn rule() -> impl Strategy<Value = Value> {
    let split = (1..100_u32, 0..100_u32).prop_map(|(on, off)| json!({"split": [{"variant": "on", "weight": on}, {"variant": "off", "weight": off}]}));
    (condition(), prop_oneof![Just(json!("on")), split]).prop_map(|(when, serve)| json!({"when": when, "serve": serve}))
}

/// A flag that may require one of those before it, so that there are no circles.
fn any_flag(place: usize) -> impl Strategy<Value = Value> {
    let requires = prop::option::weighted(0.3, 0..place.max(1));
    (
        prop::collection::vec(rule(), 0..4),
        any::<bool>(),
        requires,
        prop::option::weighted(0.3, 5..100_u32),
    )
        .prop_map(move |(rules, enabled, requires, lease)| {
            let mut made = flag(json!(rules));
            made["enabled"] = json!(enabled);
            if let Some(required) = requires.filter(|required| *required < place) {
                made["requires"] = json!([{"flag": KEYS[required], "variant": "on"}]);
            }
            if let Some(seconds) = lease {
                made["lease"] = json!({ "seconds": seconds });
            }
            made
        })
}

fn state() -> impl Strategy<Value = Vec<Option<Value>>> {
    KEYS.iter()
        .enumerate()
        .map(|(place, _)| prop::option::weighted(0.8, any_flag(place)))
        .collect::<Vec<_>>()
}

fn contexts() -> impl Strategy<Value = Vec<serde_json::Map<String, Value>>> {
    let member = prop_oneof![Just("a"), Just("b"), Just("c"), Just("targetingKey")].prop_map(str::to_owned);
    prop::collection::vec(
        prop::collection::btree_map(member, scalar(), 0..4).prop_map(|members| members.into_iter().collect()),
        1..6,
    )
}

fn put(snapshot: &mut Snapshot, state: &[Option<Value>]) {
    for (key, flag) in KEYS.iter().zip(state) {
        match flag {
            Some(flag) => put_flag(snapshot, key, flag),
            None => drop(snapshot.flags.remove(key)),
        }
    }
}

fn any_kill() -> impl Strategy<Value = Kill> {
    let scope = prop_oneof![
        Just((json!({"all": true}), vec![])),
        (0..KEYS.len()).prop_map(|key| (json!({"flag": KEYS[key]}), vec![])),
        Just((json!({"tag": "t"}), vec!["a", "d"]))
    ];
    (scope, 0..50_u64).prop_map(|((scope, flags), number)| kill(scope, &flags, number))
}

fn answers(compiled: &Compiled, contexts: &[serde_json::Map<String, Value>], since_contact: SinceContact) -> Vec<String> {
    let each = |context: &serde_json::Map<String, Value>| {
        let context = Context::from_json(context);
        KEYS.iter()
            .map(|key| format!("{key} {:?}", compiled.evaluate(key, &context, since_contact)))
            .collect::<Vec<_>>()
    };
    contexts.iter().flat_map(each).collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn what_a_delta_made_answers_as_what_was_compiled_afresh(
        before in state(), after in state(), contexts in contexts(), segment in condition(), kills in prop::collection::vec(any_kill(), 0..3), overlay in prop::collection::vec(any_kill(), 0..2), since_contact in 0..120_u32
    ) {
        let mut snapshot = snapshot(json!({}), json!({"s": {"attribute": "a", "exists": true}}));
        put(&mut snapshot, &before);
        let compiled = Compiled::new(&snapshot).with_overlay(&overlay);
        put(&mut snapshot, &after);
        if !segment.to_string().contains("segment") {
            let entry = Entry::new(SegmentKey::new("s").unwrap(), Segment::from_value(&segment).unwrap(), snapshot.position).unwrap();
            snapshot.segments.insert(Arc::new(entry));
        }
        for kill in kills {
            put_kill(&mut snapshot, kill);
        }
        snapshot.position = Position::new(1, 2);
        let mut changed = touched(&KEYS);
        changed.segments.insert(SegmentKey::new("s").unwrap());
        let updated = compiled.update(&snapshot, &changed);
        let fresh = Compiled::new(&snapshot).with_overlay(&overlay);
        prop_assert_eq!(answers(&updated, &contexts, SinceContact::seconds(since_contact)), answers(&fresh, &contexts, SinceContact::seconds(since_contact)));
    }

    #[test]
    fn a_kill_wins_over_everything(state in state(), contexts in contexts(), since_contact in any::<u32>(), provisional in any::<bool>()) {
        let mut snapshot = snapshot(json!({}), json!({"s": {"attribute": "a", "exists": true}}));
        put(&mut snapshot, &state);
        let all = kill(json!({"all": true}), &[], 1);
        let compiled = if provisional {
            Compiled::new(&snapshot).with_overlay(&[all])
        } else {
            put_kill(&mut snapshot, all);
            Compiled::new(&snapshot)
        };
        for context in &contexts {
            let context = Context::from_json(context);
            for key in KEYS.iter().zip(&state).filter_map(|(key, flag)| flag.as_ref().map(|_| key)) {
                let evaluation = compiled.evaluate(key, &context, SinceContact::seconds(since_contact));
                prop_assert_eq!((evaluation.reason(), evaluation.variant().map(ripcord_proto::VariantName::as_str)), (Reason::Killed, Some("off")));
            }
        }
    }

    #[test]
    fn raising_a_percentage_takes_it_from_no_one(low in 0..=100_000_u32, high in 0..=100_000_u32, salt in "[a-z]{1,12}", v2 in any::<bool>()) {
        let (low, high) = (low.min(high), low.max(high));
        let share = |part: u32| format!("{}.{:03}%", part / 1000, part % 1000);
        let at = |part: u32| flag(json!([{"serve": {"split": [{"variant": "on", "weight": share(part)}, {"variant": "off", "weight": share(100_000 - part)}], "salt": salt}}]));
        let mut snapshot = snapshot(json!({"low": at(low), "high": at(high)}), json!({}));
        if v2 {
            snapshot.settings.bucketing = ripcord_proto::settings::Bucketing::V2;
        }
        let compiled = Compiled::new(&snapshot);
        for user in 0..200 {
            let user = format!("user-{user}");
            let context = Context::new(&user);
            let had = compiled.boolean("low", &context, SinceContact::FRESH, false);
            let has = compiled.boolean("high", &context, SinceContact::FRESH, false);
            prop_assert!(!had || has, "{} lost it between {} and {}", user, share(low), share(high));
        }
    }

    #[test]
    fn an_explanation_agrees_with_the_answer(state in state(), contexts in contexts(), since_contact in 0..120_u32) {
        let mut snapshot = snapshot(json!({}), json!({"s": {"attribute": "a", "exists": true}}));
        put(&mut snapshot, &state);
        let compiled = Compiled::new(&snapshot);
        for context in &contexts {
            let context = Context::from_json(context);
            for key in KEYS {
                let evaluation = compiled.evaluate(key, &context, SinceContact::seconds(since_contact));
                let explanation = compiled.explain(key, &context, SinceContact::seconds(since_contact));
                prop_assert_eq!((explanation.reason, explanation.variant.as_ref()), (evaluation.reason(), evaluation.variant()));
                let decided = explanation.steps.iter().find_map(|step| match step {
                    ExplanationStep::Rule { index, matches: Some(true), .. } => Some(*index),
                    _ => None,
                });
                prop_assert!(evaluation.rule().is_none() || decided == evaluation.rule().map(|rule| rule.index), "{:?}", explanation);
            }
        }
    }
}
