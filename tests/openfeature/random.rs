//! Random flags of every kind that the export accepts, and contexts with values of every type.

use std::sync::Arc;

use anyhow::Result;
use rand::RngExt as _;
use rand::rngs::StdRng;
use rand::seq::IndexedRandom as _;
use ripcord_proto::settings::Bucketing;
use ripcord_proto::table::Entry;
use ripcord_proto::{Flag, Kill, Position, Segment, Snapshot};
use serde_json::{Map, Value, json};

/// Flags of a snapshot.
const FLAGS: usize = 100;
/// Segments of a snapshot.
const SEGMENTS: usize = 6;
const ATTRIBUTES: [&str; 6] = ["n", "s", "l", "b", "v", "m.x"];
const VARIANTS: [&str; 3] = ["a", "b", "c"];

fn one_of<T: Clone>(dice: &mut StdRng, items: &[T]) -> T {
    items.choose(dice).expect("something to choose from").clone()
}

/// A snapshot with flags that require others, segments that name others, and kills.
pub fn snapshot(dice: &mut StdRng, bucketing: Bucketing) -> Result<Snapshot> {
    let mut snapshot = empty(bucketing)?;
    for index in 0..SEGMENTS {
        let segment = Segment::from_value(&condition(dice, 2, index)).map_err(told)?;
        let key = format!("s{index}").parse().map_err(told)?;
        snapshot.segments.insert(Arc::new(Entry::new(key, segment, Position::START)?));
    }
    for index in 0..FLAGS {
        let flag = flag(dice, index);
        insert(&mut snapshot, &format!("f{index}"), &flag)?;
        if dice.random_bool(0.05) {
            let kill = json!({
                "id": format!("k_01arz3ndektsv4rrffq69g{index:04}"), "scope": {"flag": format!("f{index}")},
                "actor": {"name": "a", "role": "admin"}, "at": "2026-01-01T00:00:00Z",
            });
            let kill: Kill = serde_json::from_value(kill)?;
            snapshot.kills.insert(Arc::new(Entry::new(kill.id.clone(), kill, Position::START)?));
        }
    }
    Ok(snapshot)
}

#[expect(clippy::needless_pass_by_value, reason = "it is given to `map_err`")]
fn told(faults: ripcord_proto::ValidationErrors) -> anyhow::Error {
    anyhow::anyhow!("{faults}")
}

/// A snapshot without flags.
pub fn empty(bucketing: Bucketing) -> Result<Snapshot> {
    let mut snapshot = Snapshot::empty("production".parse().map_err(told)?);
    snapshot.settings.bucketing = bucketing;
    Ok(snapshot)
}

/// Adds a flag.
pub fn insert(snapshot: &mut Snapshot, key: &str, flag: &Value) -> Result<()> {
    let flag = Flag::from_value(flag).map_err(told)?;
    snapshot.flags.insert(Arc::new(Entry::new(key.parse().map_err(told)?, flag, Position::START)?));
    Ok(())
}

fn flag(dice: &mut StdRng, index: usize) -> Value {
    let rules: Vec<Value> = (0..dice.random_range(0..4)).map(|_| rule(dice)).collect();
    let maybe = |dice: &mut StdRng| if dice.random_bool(0.8) { json!(one_of(dice, &VARIANTS)) } else { Value::Null };
    let (default, safe) = (maybe(dice), maybe(dice));
    let mut flag = json!({
        "variants": {"a": "x", "b": "y", "c": "z"}, "default": default, "safe": safe, "enabled": dice.random_bool(0.95), "rules": rules,
    });
    if index > 0 && dice.random_bool(0.2) {
        let required = format!("f{}", dice.random_range(0..index));
        flag["requires"] = json!([{"flag": required, "variant": one_of(dice, &VARIANTS)}]);
    }
    flag
}

fn rule(dice: &mut StdRng) -> Value {
    let serve = if dice.random_bool(0.4) { json!(one_of(dice, &VARIANTS)) } else { split(dice) };
    if dice.random_bool(0.2) {
        return json!({ "serve": serve });
    }
    json!({"when": condition(dice, 3, SEGMENTS), "serve": serve})
}

fn split(dice: &mut StdRng) -> Value {
    let mut split = if dice.random_bool(0.5) {
        let part = dice.random_range(0..=100_000_u32);
        let percent = |part: u32| format!("{}.{:03}%", part / 1_000, part % 1_000);
        json!({"split": [{"variant": "a", "weight": percent(part)}, {"variant": "b", "weight": percent(100_000 - part)}]})
    } else {
        let weights: Vec<Value> = VARIANTS
            .iter()
            .map(|variant| json!({"variant": variant, "weight": dice.random_range(1..50)}))
            .collect();
        json!({ "split": weights })
    };
    if dice.random_bool(0.4) {
        split["by"] = json!(one_of(dice, &ATTRIBUTES));
    }
    if dice.random_bool(0.3) {
        split["salt"] = json!(one_of(dice, &["pepper", "é", "2026"]));
    }
    split
}

/// `segments` is how many segments it may name.
fn condition(dice: &mut StdRng, depth: u32, segments: usize) -> Value {
    if depth > 0 && dice.random_bool(0.4) {
        let some: Vec<Value> = (0..dice.random_range(0..3)).map(|_| condition(dice, depth - 1, segments)).collect();
        return match dice.random_range(0..4) {
            0 => json!({ "all": some }),
            1 => json!({ "any": some }),
            2 => json!({"not": condition(dice, depth - 1, segments)}),
            _ if segments > 0 => json!({"segment": format!("s{}", dice.random_range(0..segments))}),
            _ => json!({ "all": [] }),
        };
    }
    let mut test = test(dice);
    test["attribute"] = json!(one_of(dice, &ATTRIBUTES));
    test
}

fn test(dice: &mut StdRng) -> Value {
    let scalars: Vec<Value> = (0..dice.random_range(1..5)).map(|_| scalar(dice)).collect();
    let text = one_of(dice, &["a", "be", "1", "", "é", "x-"]);
    let number = number(dice);
    let version = one_of(dice, &["1.2.3", "2.0.0", "2.0.0-rc.1", "0.1.0"]);
    let range = one_of(dice, &["^1.2", ">=1.2, <2", "~2.0.0-rc.1", "*", "=1.2", ">1", "<=2.0.0", "1.*"]);
    match dice.random_range(0..16) {
        0 => json!({"equals": scalars[0]}),
        1 => json!({ "one_of": scalars }),
        2 => json!({"contains": scalars[0]}),
        3 => json!({ "starts_with": text }),
        4 => json!({ "ends_with": text }),
        5 => json!({ "lt": number }),
        6 => json!({ "lte": number }),
        7 => json!({ "gt": number }),
        8 => json!({ "gte": number }),
        9 => json!({ "semver_eq": version }),
        10 => json!({ "semver_lt": version }),
        11 => json!({ "semver_lte": version }),
        12 => json!({ "semver_gt": version }),
        13 => json!({ "semver_gte": version }),
        14 => json!({ "semver_in": range }),
        _ => json!({"exists": dice.random_bool(0.5)}),
    }
}

fn number(dice: &mut StdRng) -> Value {
    match dice.random_range(0..3) {
        0 => json!(dice.random_range(-3..4)),
        1 => json!(f64::from(dice.random_range(-3..4))),
        _ => json!(f64::from(dice.random_range(-400..400)) / 8.0),
    }
}

fn scalar(dice: &mut StdRng) -> Value {
    match dice.random_range(0..4) {
        0 => number(dice),
        1 => json!(dice.random_bool(0.5)),
        _ => json!(one_of(
            dice,
            &["", "a", "beta", "1", "0", "true", "x-1", "é", "1.2.3", "v2.0", "2.0.0-rc.1", "1.2"]
        )),
    }
}

fn value(dice: &mut StdRng) -> Value {
    match dice.random_range(0..10) {
        0 => Value::Null,
        1 => Value::Array((0..dice.random_range(0..3)).map(|_| scalar(dice)).collect()),
        2 => json!({"x": scalar(dice)}),
        _ => scalar(dice),
    }
}

/// A context in which any attribute may hold anything, or be missing.
pub fn context(dice: &mut StdRng) -> Value {
    let mut members = Map::new();
    for name in ["n", "s", "l", "b", "v"] {
        if dice.random_bool(0.8) {
            members.insert(name.to_owned(), value(dice));
        }
    }
    if dice.random_bool(0.8) {
        members.insert("m".to_owned(), json!({"x": value(dice)}));
    }
    if dice.random_bool(0.9) {
        members.insert("targetingKey".to_owned(), json!(format!("user-{}", dice.random_range(0..1_000))));
    }
    Value::Object(members)
}
