//! The laws of going back, with the engine that applications evaluate with, and the cases that people meet.

mod everybody;
mod one_way;
mod segment;
mod staged;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use jiff::Timestamp;
use proptest::prelude::*;
use ripcord_proto::actor::Actor;
use ripcord_proto::digest::Digest;
use ripcord_proto::references::TouchedKeys;
use ripcord_proto::rollback::{Rollback, RollbackId, RollbackScope, RollbackTarget, Stages};
use ripcord_proto::table::Entry;
use ripcord_proto::{EnvironmentKey, Epoch, Flag, FlagKey, Position, Revision, Segment, SegmentKey, Snapshot, VariantName};
use ripcord_sdk::engine::{Compiled, Context, Reason, SinceContact};
use serde_json::{Map, Value, json};

use super::{Reversal, ReversalDecision, ReversalScope};

pub(super) fn key(text: &str) -> FlagKey {
    text.parse().unwrap()
}

pub(super) fn snapshot<'a>(flags: impl IntoIterator<Item = (&'a str, Value)>, segments: impl IntoIterator<Item = (&'a str, Value)>) -> Snapshot {
    let mut snapshot = Snapshot::empty(EnvironmentKey::new("production").unwrap());
    for (key, flag) in flags {
        let flag = Flag::from_value(&flag).unwrap_or_else(|faults| panic!("{key}: {faults}\n{flag:#}"));
        snapshot
            .flags
            .insert(Arc::new(Entry::new(key.parse().unwrap(), flag, Position::new(1, 1)).unwrap()));
    }
    for (key, segment) in segments {
        let segment = Segment::from_value(&segment).unwrap();
        let key: SegmentKey = key.parse().unwrap();
        snapshot.segments.insert(Arc::new(Entry::new(key, segment, Position::new(1, 1)).unwrap()));
    }
    snapshot
}

pub(super) fn reversal(target: &Snapshot, reach: ReversalScope, scope: RollbackScope) -> Reversal {
    let to = RollbackTarget {
        epoch: Epoch(1),
        revision: Revision(1),
        hash: target.content_hash(),
        checkpoint: None,
    };
    let (id, by) = (RollbackId::from_parts(1, 1), Actor::server("a"));
    let record = Rollback {
        epoch: Epoch(1),
        ..Rollback::begun(id, scope, to, Position::START, by, Timestamp::UNIX_EPOCH, 0)
    };
    Reversal {
        reach,
        segment: None,
        target: Arc::new(target.clone()),
        cap: None,
        record,
    }
}

pub(super) fn environment(target: &Snapshot) -> Reversal {
    reversal(target, ReversalScope::Environment, RollbackScope::Environment)
}

pub(super) fn for_segment(target: &Snapshot, segment: &str) -> Reversal {
    Reversal {
        segment: Some(segment.parse().unwrap()),
        ..environment(target)
    }
}

pub(super) fn laddered(target: &Snapshot, steps: &[f64], cap: Option<f64>) -> Reversal {
    let mut reversal = environment(target);
    reversal.cap = cap;
    reversal.record.ladder = Some(Stages {
        steps: steps.to_vec(),
        every_seconds: 60,
        done: 1,
        next_at: None,
        whole: BTreeSet::new(),
    });
    reversal
}

/// What is served after the commit that this reversal makes.
#[expect(clippy::wildcard_enum_match_arm, reason = "a rollback makes nothing else")]
pub(super) fn after(reversal: &Reversal, now: &Snapshot) -> (Snapshot, ReversalDecision) {
    let decision = reversal.decide(now).unwrap();
    let record = reversal.recorded(&decision, Digest::ZERO, now.position);
    let changes = reversal.changes(&decision, record, now.position).unwrap();
    let mut next = now.clone();
    for change in changes {
        match change {
            ripcord_proto::change::Change::PutFlag(entry) => drop(next.flags.insert(entry)),
            ripcord_proto::change::Change::PutSegment(entry) => drop(next.segments.insert(entry)),
            ripcord_proto::change::Change::PutSettings(settings) => next.settings = settings,
            ripcord_proto::change::Change::PutRecord(_) => {}
            other => panic!("{other:?}"),
        }
    }
    (next, decision)
}

/// What one user is served: variant, value, why.
pub(super) type ServedAnswer = (Option<VariantName>, Option<ripcord_proto::value::Value>, Reason);

pub(super) fn served(compiled: &Compiled, flag: &str, user: &Map<String, Value>) -> ServedAnswer {
    let context = Context::from_json(user);
    let detail = compiled.evaluate(flag, &context, SinceContact::FRESH);
    (detail.variant().cloned(), detail.value().cloned(), detail.reason())
}

/// Users of all kinds, those without a name among them.
pub(super) fn users() -> Vec<Map<String, Value>> {
    let of = |value: Value| value.as_object().unwrap().clone();
    let mut users = vec![of(json!({})), of(json!({"targetingKey": "", "plan": "beta"})), of(json!({"region": "eu"}))];
    for number in 0..60 {
        let plan = ["beta", "free", "pro"][number % 3];
        let mut user = of(json!({"targetingKey": format!("u-{number}"), "plan": plan, "age": number}));
        if number % 4 != 0 {
            user.insert("region".to_owned(), json!(["eu", "us"][number % 2]));
        }
        users.push(user);
    }
    users
}

fn condition() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        prop::sample::select(vec!["beta", "free"]).prop_map(|plan| json!({"attribute": "plan", "equals": plan})),
        (5..55_u32).prop_map(|age| json!({"attribute": "age", "gte": age})),
        Just(json!({"attribute": "region", "exists": true})),
        prop::sample::select(vec!["eu", "staff"]).prop_map(|segment| json!({"segment": segment})),
    ];
    leaf.prop_recursive(2, 6, 3, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 1..3).prop_map(|items| json!({ "all": items })),
            prop::collection::vec(inner.clone(), 1..3).prop_map(|items| json!({ "any": items })),
            inner.prop_map(|inner| json!({ "not": inner })),
        ]
    })
}

fn serve() -> impl Strategy<Value = Value> {
    let split = (0..100_u32, prop::option::of(Just("region"))).prop_map(|(on, by)| {
        let mut split = json!({"split": [{"variant": "off", "weight": 100 - on}, {"variant": "on", "weight": on}]});
        if let Some(by) = by {
            split["by"] = json!(by);
        }
        split
    });
    prop_oneof![prop::sample::select(vec!["on", "off", "blue"]).prop_map(|name| json!(name)), split]
}

/// Any flag; `requires` may name `base`.
pub(super) fn any_flag(requires: bool) -> impl Strategy<Value = Value> {
    let rules = prop::collection::vec((prop::option::of(condition()), serve()), 0..4);
    let default = prop::sample::select(vec![json!("on"), json!("off"), json!(null)]);
    let blue = prop::sample::select(vec![2, 2, 2, 3]);
    (rules, default, prop::bool::weighted(0.9), blue, prop::bool::weighted(0.2)).prop_map(move |(rules, default, enabled, blue, requiring)| {
        let rules: Vec<Value> = rules
            .into_iter()
            .map(|(when, serve)| match when {
                Some(when) => json!({"when": when, "serve": serve}),
                None => json!({ "serve": serve }),
            })
            .collect();
        let mut flag = json!({"variants": {"off": 0, "on": 1, "blue": blue}, "default": default, "safe": "off", "enabled": enabled, "rules": rules});
        if requires && requiring {
            flag["requires"] = json!([{"flag": "base", "variant": "on"}]);
        }
        flag
    })
}

fn any_segment() -> impl Strategy<Value = Value> {
    prop_oneof![
        prop::sample::select(vec!["eu", "us"]).prop_map(|region| json!({"attribute": "region", "equals": region})),
        (5..55_u32).prop_map(|age| json!({"attribute": "age", "lt": age})),
    ]
}

/// Any environment that has segments `eu` and `staff`, `base`, and some of four flags.
pub(super) fn any_snapshot() -> impl Strategy<Value = Snapshot> {
    let flags = prop::collection::btree_map(prop::sample::select(vec!["a", "b", "c", "d"]), any_flag(true), 0..4);
    (any_flag(false), flags, any_segment(), any_segment()).prop_map(|(base, flags, eu, staff)| {
        let flags: BTreeMap<&str, Value> = flags.into_iter().chain([("base", base)]).collect();
        let staff = json!({"any": [staff, {"segment": "eu"}]});
        snapshot(flags, [("eu", eu), ("staff", staff)])
    })
}

pub(super) fn is_valid(snapshot: &Snapshot) -> bool {
    let touched = TouchedKeys::everything(&snapshot.flags, &snapshot.segments);
    ripcord_proto::references::check(&snapshot.flags, &snapshot.segments, &touched).is_empty()
}
