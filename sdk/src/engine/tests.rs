#![allow(
    clippy::needless_pass_by_value,
    clippy::too_many_lines,
    clippy::wildcard_enum_match_arm,
    reason = "json! makes values; tables are long"
)]

mod bucketing;
#[cfg(all(feature = "networks", feature = "regex"))]
mod conditions;
#[cfg(feature = "jsonlogic")]
mod jsonlogic;
mod laws;
mod order;

use std::sync::Arc;

use ripcord_proto::actor::Actor;
use ripcord_proto::kill::{Kill, KillId};
use ripcord_proto::references::TouchedKeys;
use ripcord_proto::revision::Position;
use ripcord_proto::table::{Entity, Entry};
use ripcord_proto::{EnvironmentKey, Flag, FlagKey, Segment, SegmentKey, Snapshot};
use serde_json::{Value, json};

use super::*;

/// A snapshot of these flags and segments, at revision 1.
fn snapshot(flags: Value, segments: Value) -> Snapshot {
    let mut snapshot = Snapshot::empty(EnvironmentKey::new("test").unwrap());
    snapshot.position = Position::new(1, 1);
    for (key, flag) in flags.as_object().unwrap() {
        put_flag(&mut snapshot, key, flag);
    }
    for (key, segment) in segments.as_object().unwrap() {
        let entry = Entry::new(SegmentKey::new(key).unwrap(), Segment::from_value(segment).unwrap(), snapshot.position).unwrap();
        snapshot.segments.insert(Arc::new(entry));
    }
    snapshot
}

fn put_flag(snapshot: &mut Snapshot, key: &str, flag: &Value) {
    let flag = Flag::from_value(flag).unwrap_or_else(|faults| panic!("{key}: {faults}"));
    snapshot
        .flags
        .insert(Arc::new(Entry::new(FlagKey::new(key).unwrap(), flag, snapshot.position).unwrap()));
}

fn kill(scope: Value, flags: &[&str], number: u64) -> Kill {
    let mut kill = json!({
        "id": KillId::from_parts(number, 0), "scope": scope, "reason": "5xx", "at": "2026-01-01T00:00:00Z",
        "actor": serde_json::to_value(Actor::server("test")).unwrap(),
    });
    if !flags.is_empty() {
        kill["flags"] = json!(flags);
    }
    Kill::parse(&kill.to_string()).unwrap()
}

fn put_kill(snapshot: &mut Snapshot, kill: Kill) {
    snapshot.kills.insert(Arc::new(Entry::new(kill.id.clone(), kill, snapshot.position).unwrap()));
}

fn touched(flags: &[&str]) -> TouchedKeys {
    TouchedKeys {
        flags: flags.iter().map(|key| FlagKey::new(key).unwrap()).collect(),
        ..TouchedKeys::default()
    }
}

fn compiled(flags: Value) -> Compiled {
    Compiled::new(&snapshot(flags, json!({})))
}

/// A boolean flag that is off unless `rules` say otherwise.
fn flag(rules: Value) -> Value {
    json!({"variants": {"on": true, "off": false}, "default": "off", "safe": "off", "rules": rules})
}

/// `variant reason` of a flag.
fn answer(compiled: &Compiled, key: &str, context: &Context<'_>) -> String {
    let evaluation = compiled.evaluate(key, context, SinceContact::FRESH);
    let variant = evaluation.variant().map_or("-", |variant| variant.as_str());
    match evaluation.reason().error_code() {
        Some(code) => format!("{variant} {} {code}", evaluation.reason()),
        None => format!("{variant} {}", evaluation.reason()),
    }
}
