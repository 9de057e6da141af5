//! Going down step by step.

use proptest::prelude::*;
use ripcord_proto::{Snapshot, VariantName};
use ripcord_sdk::engine::Compiled;
use serde_json::{Value, json};

use super::{after, laddered, served, snapshot, users};
use crate::commit::reversal::{ExposureCap, StageMethod};

/// A flag whose one split has these weights, as counts or as percentages.
fn split(weights: &[(&str, u32)], safe: &str) -> Value {
    let shares: Vec<Value> = weights.iter().map(|(variant, weight)| json!({"variant": variant, "weight": weight})).collect();
    json!({"variants": {"off": 0, "a": 1, "b": 2}, "default": "off", "safe": safe, "rules": [{"serve": {"split": shares}}]})
}

fn weights() -> impl Strategy<Value = (u32, u32, u32)> {
    (0..50_u32, 0..50_u32, 0..50_u32).prop_filter("sums to something", |(off, a, b)| off + a + b > 0)
}

/// Falling steps with up to three decimals.
fn steps() -> impl Strategy<Value = Vec<f64>> {
    prop::collection::btree_set(0..=100_000_u32, 1..5).prop_map(|steps| steps.into_iter().rev().map(|step| f64::from(step) / 1_000.0).collect())
}

fn variants(snapshot: &Snapshot) -> Vec<Option<VariantName>> {
    let compiled = Compiled::new(snapshot);
    let many = (0..400).map(|number| json!({"targetingKey": format!("m-{number}")}).as_object().unwrap().clone());
    users().into_iter().chain(many).map(|user| served(&compiled, "f", &user).0).collect()
}

fn order(order: u8, (off, a, b): (u32, u32, u32)) -> Vec<(&'static str, u32)> {
    match order % 3 {
        0 => vec![("off", off), ("a", a), ("b", b)],
        1 => vec![("a", a), ("off", off), ("b", b)],
        _ => vec![("a", a), ("b", b), ("off", off)],
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn no_step_gives_an_exposed_variant_to_anybody_who_did_not_have_it_and_the_end_is_the_target(
        (is, was, place, steps) in (weights(), weights(), any::<u8>(), steps())
    ) {
        let target = snapshot([("f", split(&order(place, was), "off"))], []);
        let mut now = snapshot([("f", split(&order(place, is), "off"))], []);
        let mut known = variants(&now);
        for step in &steps {
            let (next, _) = after(&laddered(&target, &steps, Some(*step)), &now);
            let served = variants(&next);
            for (before, after) in known.iter().zip(&served) {
                let exposed = after.as_ref().is_some_and(|variant| variant.as_str() != "off");
                prop_assert!(!exposed || before == after, "{:?} became {:?} at {}", before, after, step);
            }
            (now, known) = (next, served);
        }
        let (end, _) = after(&laddered(&target, &steps, None), &now);
        prop_assert_eq!(variants(&end), variants(&target));
        prop_assert_eq!(end.flags.get("f").unwrap().digest(), target.flags.get("f").unwrap().digest());
    }

    #[test]
    fn a_step_caps_at_the_smaller_of_what_it_is_and_the_step_to_a_thousandth(
        (is, was, total, step) in (0..=1_000_u32, 0..=1_000_u32, 1_000..3_000_u32, 0..=100_000_u32)
    ) {
        let of = |on: u32| split(&[("off", total - on), ("a", on)], "off");
        let (now, target) = (snapshot([("f", of(is))], []), snapshot([("f", of(was))], []));
        let (next, decision) = after(&laddered(&target, &[], Some(f64::from(step) / 1_000.0)), &now);
        let share = |snapshot: &Snapshot| {
            let flag = serde_json::to_value(snapshot.flags.value("f").unwrap()).unwrap();
            let weight = |place: usize| flag["rules"][0]["serve"]["split"][place]["weight"].as_u64().unwrap();
            (weight(1), weight(0) + weight(1))
        };
        let ((on, of), exposed) = (share(&next), u64::from(is) * 100_000 > u64::from(step) * u64::from(total));
        if decision.is_empty() || was > is || !exposed {
            prop_assert_eq!(on * u64::from(total), u64::from(is) * of, "nothing is raised");
        } else if u64::from(was) * 100_000 > u64::from(step) * u64::from(total) {
            prop_assert_eq!(on * u64::from(total), u64::from(was) * of, "nothing goes below the target");
        } else {
            prop_assert_eq!(on * 100_000, u64::from(step) * of, "exactly the step");
        }
    }
}

fn way(now: &Value, target: &Value) -> StageMethod {
    let (now, target) = (snapshot([("f", now.clone())], []), snapshot([("f", target.clone())], []));
    laddered(&target, &[50.0], Some(50.0)).decide(&now).unwrap().flags[0].way
}

#[test]
fn what_a_splits_weights_do_not_say_goes_back_whole_first_and_what_exposes_more_last() {
    let base = || split(&[("off", 50), ("a", 50)], "off");
    assert_eq!(way(&base(), &split(&[("off", 90), ("a", 10)], "off")), StageMethod::Split(0));
    assert_eq!(way(&base(), &split(&[("off", 10), ("a", 90)], "off")), StageMethod::Last);
    let plain = json!({"variants": {"off": 0, "a": 1, "b": 2}, "default": "off", "safe": "off"});
    assert_eq!(way(&base(), &plain), StageMethod::Whole);
    assert_eq!(way(&plain, &base()), StageMethod::Last, "the target exposes what is not exposed now");
    let mut off = base();
    off["enabled"] = json!(false);
    assert_eq!(way(&base(), &off), StageMethod::Whole);
    assert_eq!(way(&off, &base()), StageMethod::Last);
}

#[test]
fn without_a_safe_variant_in_the_split_the_one_that_gains_most_is_the_control() {
    let (now, target) = (split(&[("a", 20), ("b", 80)], "off"), split(&[("a", 90), ("b", 10)], "off"));
    assert_eq!(way(&now, &target), StageMethod::Split(0));
    let (now, target) = (snapshot([("f", now)], []), snapshot([("f", target)], []));
    let (next, _) = after(&laddered(&target, &[50.0], Some(50.0)), &now);
    let flag = serde_json::to_value(next.flags.value("f").unwrap()).unwrap();
    assert_eq!(flag["rules"][0]["serve"]["split"][1], json!({"variant": "b", "weight": 50}));
}

#[test]
fn a_step_is_a_percentage_with_at_most_three_decimals() {
    assert!(ExposureCap::percent(12.125).is_ok());
    for wrong in [-1.0, 100.5, 12.1234, f64::NAN] {
        assert!(ExposureCap::percent(wrong).is_err(), "{wrong}");
    }
}
