//! Going back for everybody.

use std::collections::BTreeMap;

use proptest::prelude::*;
use ripcord_proto::rollback::RollbackScope;
use ripcord_sdk::engine::{Compiled, Reason};
use serde_json::json;

use super::{after, any_snapshot, environment, is_valid, key, reversal, served, snapshot, users};
use crate::commit::reversal::{Authorship, ConflictReason, FlagOrSegment, ReversalScope, TouchedFlag};

proptest! {
    #![proptest_config(ProptestConfig::with_cases(120))]

    #[test]
    fn an_environment_answers_as_the_target_did_for_every_flag_that_the_target_has((now, target) in (any_snapshot(), any_snapshot())) {
        let (next, decision) = after(&environment(&target), &now);
        prop_assert!(decision.conflicts.is_empty());
        prop_assert!(is_valid(&next));
        let (next, then) = (Compiled::new(&next), Compiled::new(&target));
        for user in users() {
            for entry in &target.flags {
                let flag = entry.key().as_str();
                prop_assert_eq!(served(&next, flag, &user), served(&then, flag, &user), "{} for {:?}", flag, user);
            }
            for entry in now.flags.iter().filter(|entry| target.flags.get(entry.key().as_str()).is_none()) {
                prop_assert_eq!(served(&next, entry.key().as_str(), &user).2, Reason::Disabled);
            }
        }
    }

    #[test]
    fn going_back_to_where_one_is_changes_nothing_and_going_back_twice_is_going_back_once((now, target) in (any_snapshot(), any_snapshot())) {
        prop_assert!(environment(&now).decide(&now).unwrap().is_empty());
        let (next, _) = after(&environment(&target), &now);
        prop_assert!(environment(&target).decide(&next).unwrap().is_empty());
    }
}

fn plain(default: &str) -> serde_json::Value {
    json!({"variants": {"on": true, "off": false}, "default": default, "safe": "off"})
}

fn in_eu(default: &str) -> serde_json::Value {
    let mut flag = plain(default);
    flag["rules"] = json!([{"when": {"segment": "eu"}, "serve": "on"}]);
    flag
}

#[test]
fn a_narrower_scope_touches_nothing_else() {
    let target = snapshot([("a", plain("off")), ("b", plain("off"))], []);
    let now = snapshot([("a", plain("on")), ("b", plain("on")), ("c", plain("on"))], []);
    let flags = [key("a")].into();
    let decision = reversal(&target, ReversalScope::Flags(flags), RollbackScope::Flags([key("a")].into()))
        .decide(&now)
        .unwrap();
    assert_eq!(decision.flags.iter().map(|step| step.key.as_str()).collect::<Vec<_>>(), ["a"]);
    assert_eq!(decision.reached, 1);
}

#[test]
fn tags_count_as_they_are_now_and_as_they_were() {
    let tagged = |default: &str, tag: &str| {
        let mut flag = plain(default);
        flag["tags"] = json!([tag]);
        flag
    };
    let target = snapshot(
        [("was", tagged("off", "pay")), ("is", tagged("off", "other")), ("never", tagged("off", "other"))],
        [],
    );
    let now = snapshot(
        [("was", tagged("on", "other")), ("is", tagged("on", "pay")), ("never", tagged("on", "other"))],
        [],
    );
    let tags = || [ripcord_proto::Tag::new("pay").unwrap()].into();
    let decision = reversal(&target, ReversalScope::Tags(tags()), RollbackScope::Tags(tags()))
        .decide(&now)
        .unwrap();
    assert_eq!(decision.flags.iter().map(|step| step.key.as_str()).collect::<Vec<_>>(), ["is", "was"]);
}

#[test]
fn what_others_changed_since_or_in_between_stays_unless_it_was_asked_for() {
    let target = snapshot([("own", plain("off")), ("since", plain("off")), ("between", plain("off"))], []);
    let now = snapshot(
        [("own", plain("on")), ("since", in_eu("on")), ("between", plain("on"))],
        [("eu", json!({"attribute": "r", "equals": "eu"}))],
    );
    let digest = |flag: &str| now.flags.get(flag).map(|entry| *entry.digest());
    let left = |digest, mixed| TouchedFlag { digest, mixed };
    let left = BTreeMap::from([
        (key("own"), left(digest("own"), Authorship::Own)),
        (key("since"), left(digest("own"), Authorship::Own)),
        (key("between"), left(digest("between"), Authorship::Others)),
    ]);
    let scope = RollbackScope::Release("web-1".parse().unwrap());
    let mut reversal = reversal(&target, ReversalScope::Touched(left), scope);
    let decision = reversal.decide(&now).unwrap();
    assert_eq!(decision.flags.iter().map(|step| step.key.as_str()).collect::<Vec<_>>(), ["own"]);
    let conflicts: Vec<_> = decision.conflicts.iter().map(|conflict| (conflict.thing.clone(), conflict.why)).collect();
    assert_eq!(
        conflicts,
        [
            (FlagOrSegment::Flag(key("between")), ConflictReason::ChangedBetween),
            (FlagOrSegment::Flag(key("since")), ConflictReason::ChangedSince)
        ]
    );
    reversal.record.options.include_conflicts = true;
    assert_eq!(reversal.decide(&now).unwrap().flags.len(), 3);
}

#[test]
fn a_segment_that_differs_stays_in_a_narrower_scope_and_one_that_is_gone_comes_back() {
    let eu = json!({"attribute": "region", "equals": "eu"});
    let target = snapshot([("a", in_eu("off"))], [("eu", eu.clone())]);
    let moved = snapshot([("a", in_eu("on"))], [("eu", json!({"attribute": "region", "equals": "us"}))]);
    let flags = || [key("a")].into();
    let mut narrow = reversal(&target, ReversalScope::Flags(flags()), RollbackScope::Flags(flags()));
    let decision = narrow.decide(&moved).unwrap();
    assert_eq!(decision.conflicts[0].thing, FlagOrSegment::Segment("eu".parse().unwrap()));
    assert!(decision.segments.is_empty());
    narrow.record.options.with_segments = true;
    assert_eq!(narrow.decide(&moved).unwrap().segments.len(), 1);
    narrow.record.options.with_segments = false;
    let gone = snapshot([("a", plain("on"))], []);
    let (next, decision) = after(&narrow, &gone);
    assert_eq!((decision.missing.len(), decision.conflicts.len()), (1, 0));
    assert!(is_valid(&next));
    assert_eq!(
        environment(&target).decide(&moved).unwrap().segments.len(),
        1,
        "in an environment segments go back too"
    );
}
