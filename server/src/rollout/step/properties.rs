//! Promise 9 for any split: no step takes the variant from a user, changes the variant of another user, or misses
//! its share.

use std::sync::Arc;

use proptest::prelude::*;
use ripcord_proto::table::Entry;
use ripcord_proto::{EnvironmentKey, FlagKey, Position, Segment, Snapshot};
use ripcord_sdk::engine::{Compiled, Context, SinceContact};
use serde_json::json;

use super::*;

const USERS: usize = 400;

/// What each user is served.
fn served(flag: &Flag) -> Vec<Option<String>> {
    let mut snapshot = Snapshot::empty(EnvironmentKey::new("production").unwrap());
    let key = FlagKey::new("checkout").unwrap();
    snapshot.flags.insert(Arc::new(Entry::new(key, flag.clone(), Position::new(1, 1)).unwrap()));
    let beta = Segment::from_value(&json!({"attribute": "plan", "equals": "beta"})).unwrap();
    let beta = Entry::new(SegmentKey::new("beta").unwrap(), beta, Position::new(1, 1)).unwrap();
    snapshot.segments.insert(Arc::new(beta));
    let compiled = Compiled::new(&snapshot);
    let variant = |user: usize| {
        let name = format!("user-{user}");
        let plan = if user.is_multiple_of(10) { "beta" } else { "free" };
        let context = Context::new(&name).with("plan", plan);
        compiled.evaluate("checkout", &context, SinceContact::FRESH).variant().map(ToString::to_string)
    };
    (0..USERS).map(variant).collect()
}

/// A split in which `on` and `off` are next to each other, or no rule at all.
fn rules() -> impl Strategy<Value = serde_json::Value> {
    let share = |variant: &'static str| move |weight: u32| json!({"variant": variant, "weight": weight});
    let pair = (0..40_u32, 1..400_u32, any::<bool>()).prop_map(move |(on, off, turned)| {
        let mut pair = vec![share("on")(on), share("off")(off)];
        if turned {
            pair.reverse();
        }
        pair
    });
    let others = prop::collection::vec(0..50_u32, 0..2);
    let split = (others.clone(), pair, others).prop_map(move |(before, pair, after)| {
        let mut shares: Vec<_> = before.into_iter().map(share("other")).collect();
        shares.extend(pair);
        shares.extend(after.into_iter().map(share("another")));
        json!([{"when": {"not": {"segment": "beta"}}, "serve": "other"}, {"serve": {"split": shares}}])
    });
    prop_oneof![Just(json!([])), split]
}

fn steps() -> impl Strategy<Value = Vec<String>> {
    prop::collection::vec(prop_oneof![1 => Just(None), 4 => (0..=100_000_u32).prop_map(Some)], 1..6).prop_map(|mut steps| {
        let mut shares: Vec<u32> = steps.iter().flatten().copied().collect();
        shares.sort_unstable();
        let mut shares = shares.into_iter();
        for step in steps.iter_mut().filter(|step| step.is_some()) {
            *step = shares.next();
        }
        let written = |step: Option<u32>| step.map_or_else(|| "segment beta".to_owned(), |share| Percent::from_thousandths(share).to_string());
        steps.into_iter().map(written).collect()
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn no_step_takes_the_variant_from_anybody_or_moves_anybody_else(rules in rules(), steps in steps()) {
        let flag = Flag::from_value(&json!({
            "variants": {"on": true, "off": false, "other": false, "another": false}, "default": "off", "safe": "off", "rules": rules,
        })).unwrap();
        let steps: Vec<_> = steps.iter().map(|to| json!({"to": to, "hold": "1s"})).collect();
        let plan = RolloutPlan::from_value(&json!({"flag": "checkout", "variant": "on", "steps": steps, "no_gates": true})).unwrap();
        let mut at = (flag.clone(), None);
        let mut before = served(&flag);
        for number in 1..=plan.last() {
            // A plan that asks for more than the pair has, or for less than there is, is refused and changes nothing.
            let Ok(made) = take(&plan, number, &at.0, at.1.as_ref()) else { break };
            let now = served(&made.flag);
            for (was, is) in before.iter().zip(&now) {
                let was = was.as_deref();
                prop_assert!(was == is.as_deref() || is.as_deref() == Some("on"), "{was:?} became {is:?} at {}", plan.step(number).unwrap().to);
                prop_assert!(was != Some("on") || is.as_deref() == Some("on"));
            }
            prop_assert!(untouched(&made.flag, &made.moved).is_ok());
            prop_assert_eq!(&revert(&made.flag, &made.moved).unwrap(), &flag, "going back is what it was");
            before = now;
            at = (made.flag, Some(made.moved));
        }
    }
}
