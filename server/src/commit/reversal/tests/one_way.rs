//! One-way doors, and rollbacks that are in each other's way.

use ripcord_proto::Position;
use ripcord_proto::Snapshot;
use ripcord_proto::record::Records;
use ripcord_proto::rollback::{RollbackId, RollbackScope, RollbackState};
use ripcord_proto::table::Entry;
use serde_json::{Value, json};

use super::{environment, key, laddered, reversal, snapshot};
use crate::commit::reversal::{ReversalScope, under_way};

/// A rollout of `on` percent behind a one-way door.
fn door(on: u32) -> Value {
    let split = json!([{"variant": "off", "weight": 100 - on}, {"variant": "on", "weight": on}]);
    json!({"variants": {"off": false, "on": true}, "default": "off", "safe": "off", "one_way": {"from": "on", "reason": "new format"},
        "rules": [{"serve": {"split": split}}]})
}

fn plain(default: &str) -> Value {
    json!({"variants": {"off": false, "on": true}, "default": default, "safe": "off"})
}

fn doors(now: &Snapshot, target: &Snapshot) -> Vec<String> {
    let decision = environment(target).decide(now).unwrap();
    decision.doors.iter().map(|door| door.flag.to_string()).collect()
}

fn one(now: Value, then: Value) -> usize {
    doors(&snapshot([("f", now)], []), &snapshot([("f", then)], [])).len()
}

#[test]
fn a_door_is_where_what_was_served_is_taken_from_anybody() {
    assert_eq!(one(door(50), door(10)), 1);
    assert_eq!(one(door(50), plain("off")), 1, "declared now");
    assert_eq!(one(plain("on"), door(0)), 1, "declared at the target");
    assert_eq!(one(door(0), plain("off")), 0, "nobody is served it now");
    assert_eq!(one(door(10), door(50)), 0, "nobody loses it");
    assert_eq!(one(door(50), plain("on")), 0, "everybody is served it");
    let mut off = door(50);
    off["enabled"] = json!(false);
    assert_eq!(one(off.clone(), door(10)), 0, "a flag that is off serves nothing");
    assert_eq!(one(door(50), off), 1);
}

#[test]
fn a_door_may_be_passed_by_way_of_a_segment_or_a_required_flag() {
    let mut by_segment = plain("off");
    by_segment["rules"] = json!([{"when": {"segment": "eu"}, "serve": "on"}]);
    by_segment["one_way"] = json!({"from": "on", "reason": "r"});
    let mut by_flag = plain("on");
    by_flag["requires"] = json!([{"flag": "base", "variant": "on"}]);
    by_flag["rules"] = json!([{"when": {"attribute": "x", "equals": 1}, "serve": "off"}]);
    by_flag["one_way"] = json!({"from": "on", "reason": "r"});
    let eu = |region: &str| [("eu", json!({"attribute": "region", "equals": region}))];
    let flags = |base: &str| [("s", by_segment.clone()), ("r", by_flag.clone()), ("base", plain(base))];
    let (now, target) = (snapshot(flags("on"), eu("eu")), snapshot(flags("off"), eu("us")));
    assert_eq!(doors(&now, &target), ["r", "s"]);
    assert_eq!(doors(&now, &now), Vec::<String>::new());
}

#[test]
fn a_ladder_is_asked_for_all_doors_at_its_first_step() {
    let (now, target) = (snapshot([("f", door(50))], []), snapshot([("f", door(10))], []));
    let decision = laddered(&target, &[50.0, 20.0], Some(50.0)).decide(&now).unwrap();
    assert_eq!(decision.doors.len(), 1);
}

#[test]
fn a_rollback_that_is_live_has_its_flags_to_itself() {
    let target = snapshot([("f", plain("off"))], []);
    let other = |state, ladder: Option<u32>| {
        let mut record = laddered(&target, &[50.0], None).record;
        record.id = RollbackId::from_parts(9, 9);
        record.flags = [key("f")].into();
        record.state = state;
        record.ladder = record
            .ladder
            .zip(ladder)
            .map(|(ladder, done)| ripcord_proto::rollback::Stages { done, ..ladder });
        let mut records = Records::default();
        records.put(&std::sync::Arc::new(Entry::new(record.id.clone(), record, Position::START).unwrap()).into());
        records
    };
    let own = environment(&target).record;
    let blocks = |records: &Records, flag: &str| under_way(records, &own, &[key(flag)].into()).is_some();
    assert!(blocks(&other(RollbackState::Committed, None), "f"));
    assert!(!blocks(&other(RollbackState::Committed, None), "g"));
    assert!(!blocks(&other(RollbackState::Partial, None), "f"));
    assert!(blocks(&other(RollbackState::Partial, Some(1)), "f"), "its ladder is running");
    assert!(!blocks(&other(RollbackState::Partial, Some(2)), "f"));
    for ended in [RollbackState::Confirmed, RollbackState::Failed, RollbackState::Stopped, RollbackState::Undone] {
        assert!(!blocks(&other(ended, Some(1)), "f"));
    }
    let undo = reversal(
        &target,
        ReversalScope::Flags([key("f")].into()),
        RollbackScope::Rollback(RollbackId::from_parts(9, 9)),
    )
    .record;
    assert!(
        under_way(&other(RollbackState::Committed, None), &undo, &[key("f")].into()).is_none(),
        "what is undone is not in the way"
    );
}
