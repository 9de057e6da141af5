use std::sync::Arc;

use serde_json::json;

use super::*;
use crate::revision::Position;
use crate::segment::Segment;
use crate::table::{Entry, Table};

fn snapshot(flags: &Value, segments: &Value) -> Snapshot {
    let mut snapshot = Snapshot::empty("production".parse().unwrap());
    snapshot.flags = flags
        .as_object()
        .unwrap()
        .iter()
        .map(|(key, flag)| {
            let flag = Flag::from_value(flag).unwrap_or_else(|faults| panic!("{key}: {faults}"));
            Arc::new(Entry::new(key.parse().unwrap(), flag, Position::START).unwrap())
        })
        .collect();
    let segment =
        |(key, segment): (&String, &Value)| Arc::new(Entry::new(key.parse().unwrap(), Segment::from_value(segment).unwrap(), Position::START).unwrap());
    snapshot.segments = segments.as_object().unwrap().iter().map(segment).collect::<Table<_>>();
    snapshot
}

fn flag(more: &Value) -> Value {
    let mut flag = json!({"variants": {"on": true, "off": false}, "default": "off", "safe": "off"});
    flag.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    flag
}

fn written(flags: &Value, segments: &Value) -> (Value, Vec<String>) {
    let export = export(&snapshot(flags, segments), []);
    let left_out = export.left_out.iter().map(|out| format!("{}: {}", out.flag, out.why)).collect();
    (export.document(None)["flags"].clone(), left_out)
}

#[test]
fn a_flag_without_rules_has_no_targeting_and_a_missing_default_is_the_empty_text() {
    let (flags, _) = written(
        &json!({"plain": flag(&json!({"metadata": {"team": "a", "list": []}})), "own": flag(&json!({"default": null})), "off": flag(&json!({"enabled": false}))}),
        &json!({}),
    );
    assert_eq!(
        flags["plain"],
        json!({"state": "ENABLED", "variants": {"on": true, "off": false}, "defaultVariant": "off", "metadata": {"team": "a"}})
    );
    assert_eq!(flags["own"]["defaultVariant"], json!(""));
    assert_eq!(flags["off"]["state"], json!("DISABLED"));
}

#[test]
fn rules_segments_and_splits_become_one_rule() {
    let split = json!({"split": [{"variant": "on", "weight": "25%"}, {"variant": "off", "weight": "75%"}]});
    let rules = json!([{"when": {"segment": "staff"}, "serve": "on"}, {"serve": split}]);
    let (flags, left_out) = written(
        &json!({ "f": flag(&json!({"rules": rules})) }),
        &json!({"staff": {"attribute": "plan", "equals": "staff"}}),
    );
    assert_eq!(
        flags["f"]["targeting"],
        json!({"if": [
            {"===": [{"var": "plan"}, "staff"]}, "on",
            {"if": [{"var": "targetingKey"}, {"fractional": [{"cat": ["f", {"var": "targetingKey"}]}, ["on", 25000], ["off", 75000]]}, null]},
        ]})
    );
    assert!(left_out.is_empty());
}

#[test]
fn a_killed_flag_serves_its_safe_variant_by_default_and_names_the_kill() {
    let mut snapshot = snapshot(
        &json!({"f": flag(&json!({"default": "on", "enabled": false, "rules": [{"when": {"attribute": "a", "matches": "x"}, "serve": "on"}]}))}),
        &json!({}),
    );
    let kill = json!({"id": "k_01arz3ndektsv4rrffq69g5fav", "scope": {"flag": "f"}, "actor": {"name": "a", "role": "admin"}, "at": "2026-01-01T00:00:00Z"});
    let kill: Kill = serde_json::from_value(kill).unwrap();
    let overlaid = export(&snapshot, [&kill]);
    snapshot
        .kills
        .insert(Arc::new(Entry::new(kill.id.clone(), kill.clone(), Position::START).unwrap()));
    assert_eq!(export(&snapshot, []), overlaid, "a provisional kill counts as a committed one does");
    assert_eq!(
        overlaid.document(None)["flags"]["f"],
        json!({
            "state": "ENABLED", "variants": {"on": true, "off": false}, "defaultVariant": "off",
            "targeting": {"if": [true, null]}, "metadata": {"ripcord.kill": kill.id},
        })
    );
}

#[test]
fn what_flagd_cannot_say_is_left_out_and_named() {
    let rule = |when: Value| flag(&json!({"rules": [{"when": when, "serve": "on"}]}));
    let (flags, left_out) = written(
        &json!({
            "a-pattern": rule(json!({"attribute": "a", "matches": "x"})),
            "b-network": rule(json!({"not": {"segment": "office"}})),
            "c-date": rule(json!({"attribute": "a", "before": "2026-01-01T00:00:00Z"})),
            "d-lease": flag(&json!({"lease": {"seconds": 60}})),
            "e-lease-allowed": flag(&json!({"lease": {"seconds": 60}, "flagd_without_lease": true})),
            "f-requires": flag(&json!({"requires": [{"flag": "d-lease", "variant": "on"}]})),
            "g-imported": flag(&json!({"rules": [{"serve": {"jsonlogic": {"nowhere": [1]}}}]})),
            "h-reference": flag(&json!({"rules": [{"serve": {"jsonlogic": {"if": [{"$ref": "x"}, "on"]}}}]})),
        }),
        &json!({"office": {"attribute": "ip", "in_cidr": "10.0.0.0/8"}}),
    );
    let names: Vec<_> = left_out.iter().map(|line| line.split_once(':').unwrap().0).collect();
    assert_eq!(names, ["a-pattern", "b-network", "c-date", "d-lease", "f-requires"], "{left_out:#?}");
    assert!(left_out[3].contains("\"flagd_without_lease\": true"), "{}", left_out[3]);
    assert!(flags.get("e-lease-allowed").is_some());
    assert_eq!(flags["g-imported"]["targeting"], json!({"nowhere": []}));
    assert_eq!(flags["h-reference"]["targeting"], json!({"unresolved_ref": []}));
}

#[test]
fn segments_that_branch_at_every_level_end_in_a_flag_left_out() {
    let mut segments = serde_json::Map::new();
    segments.insert("s0".to_owned(), json!({"attribute": "a", "equals": 1}));
    for level in 1..16 {
        let below = json!({"segment": format!("s{}", level - 1)});
        segments.insert(format!("s{level}"), json!({"all": [below, below, below]}));
    }
    let (_, left_out) = written(
        &json!({"f": flag(&json!({"rules": [{"when": {"segment": "s15"}, "serve": "on"}]}))}),
        &Value::Object(segments),
    );
    assert!(matches!(left_out.as_slice(), [only] if only.starts_with("f: ")), "{left_out:?}");
}

#[test]
fn a_flag_set_is_named_by_metadata_or_by_a_tag() {
    let export = export(
        &snapshot(
            &json!({"a": flag(&json!({"metadata": {"flagSetId": "one"}, "tags": ["two"]})), "b": flag(&json!({"tags": ["two"]})), "c": flag(&json!({}))}),
            &json!({}),
        ),
        [],
    );
    let keys = |set: Option<&str>| export.document(set)["flags"].as_object().unwrap().keys().cloned().collect::<Vec<_>>().join(" ");
    assert_eq!(
        (keys(None), keys(Some("one")), keys(Some("two")), keys(Some(""))),
        ("a b c".into(), "a".into(), "b".into(), "c".into())
    );
}
