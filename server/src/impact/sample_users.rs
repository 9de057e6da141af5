//! Simulated users: `user-1` to `user-n`, always the same, whose attributes are drawn from the constants that the rules and
//! segments mention, so that about half of them satisfy each test.

use std::collections::{BTreeMap, BTreeSet};

use ripcord_proto::condition::{Condition, Test};
use ripcord_proto::rule::Serve;
use ripcord_proto::value::Scalar;
use ripcord_proto::{Flag, FlagKey, SegmentKey, Snapshot};
use serde_json::{Map, Number, Value, json};

/// Values that are kept of one attribute, at most.
const VALUES: usize = 256;
const TARGETING_KEY: &str = "targetingKey";

/// What flags ask of their users.
#[derive(Debug, Default)]
pub(super) struct AttributeMentions {
    /// For each attribute that is tested: values that satisfy tests.
    hits: BTreeMap<String, Vec<Value>>,
    /// Attributes by which splits bucket.
    buckets: BTreeSet<String>,
    segments: BTreeSet<SegmentKey>,
}

impl AttributeMentions {
    /// Adds what a flag of `snapshot` asks, the segments that it names among it.
    fn add(&mut self, flag: &Flag, snapshot: &Snapshot) {
        for rule in &flag.rules {
            if let Some(when) = &rule.when {
                self.condition(when, snapshot);
            }
            match &rule.serve {
                Serve::Split(split) => self.buckets.extend(split.by().map(|by| by.as_str().to_owned())),
                Serve::JsonLogic(logic) => self.logic(logic),
                Serve::Variant(_) => {}
            }
        }
    }

    /// Adds what a flag of `snapshot` and the flags that it requires ask.
    pub(super) fn add_with_requirements(&mut self, key: &FlagKey, snapshot: &Snapshot) {
        let Some(flag) = snapshot.flags.value(key.as_str()) else { return };
        self.add(flag, snapshot);
        for requirement in &flag.requires {
            if let Some(required) = snapshot.flags.value(requirement.flag.as_str()) {
                self.add(required, snapshot);
            }
        }
    }

    fn condition(&mut self, condition: &Condition, snapshot: &Snapshot) {
        match condition {
            Condition::All(items) | Condition::Any(items) => items.iter().for_each(|item| self.condition(item, snapshot)),
            Condition::Not(inner) => self.condition(inner, snapshot),
            Condition::Segment(key) => {
                if self.segments.insert(key.clone())
                    && let Some(segment) = snapshot.segments.value(key.as_str())
                {
                    self.condition(&segment.when, snapshot);
                }
            }
            Condition::JsonLogic(logic) => self.logic(logic),
            Condition::Attribute { attribute, test } => self.hit(attribute.as_str(), satisfying(test)),
        }
    }

    fn hit(&mut self, attribute: &str, values: impl IntoIterator<Item = Value>) {
        let known = self.hits.entry(attribute.to_owned()).or_default();
        for value in values {
            if known.len() < VALUES && !known.contains(&value) {
                known.push(value);
            }
        }
    }

    /// Of an imported rule: each variable may hold each constant.
    fn logic(&mut self, logic: &Value) {
        let (mut variables, mut constants) = (BTreeSet::new(), Vec::new());
        walk(logic, &mut variables, &mut constants);
        for variable in variables.into_iter().filter(|name| !name.starts_with("$flagd") && !name.is_empty()) {
            self.hit(&variable, constants.iter().cloned());
        }
    }

    /// So many users, always the same ones.
    pub(super) fn users(&self, count: usize) -> Vec<Map<String, Value>> {
        (1..=count).map(|number| self.user(number)).collect()
    }

    fn user(&self, number: usize) -> Map<String, Value> {
        let mut user = Map::new();
        user.insert(TARGETING_KEY.to_owned(), json!(format!("user-{number}")));
        let names: BTreeSet<&String> = self.hits.keys().chain(&self.buckets).collect();
        for (place, name) in names.into_iter().enumerate() {
            let draw = mixed(number as u64, place as u64);
            if let Some(value) = self.drawn(name, number, draw) {
                user.insert(name.clone(), value);
            }
        }
        user
    }

    fn drawn(&self, name: &str, number: usize, draw: u64) -> Option<Value> {
        let hits = self.hits.get(name).map(Vec::as_slice).unwrap_or_default();
        let place = usize::try_from(draw >> 8).unwrap_or_default() % hits.len().max(1);
        if draw & 1 == 0 && !hits.is_empty() {
            return hits.get(place).cloned();
        }
        if name == TARGETING_KEY {
            return None;
        }
        if self.buckets.contains(name) {
            return Some(json!(format!("{name}-{number}")));
        }
        (draw & 2 == 0).then(|| json!("something else"))
    }
}

/// Bits that look drawn and are always the same: splitmix64.
const fn mixed(one: u64, other: u64) -> u64 {
    let mut bits = one.wrapping_mul(0x9e37_79b9_7f4a_7c15).wrapping_add(other.wrapping_mul(0xd1b5_4a32_d192_ed03));
    bits = (bits ^ (bits >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    bits = (bits ^ (bits >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    bits ^ (bits >> 31)
}

fn walk(logic: &Value, variables: &mut BTreeSet<String>, constants: &mut Vec<Value>) {
    match logic {
        Value::Object(members) => {
            for (name, value) in members {
                if name == "var" {
                    let named = value.as_str().or_else(|| value.get(0)?.as_str());
                    variables.extend(named.map(ToOwned::to_owned));
                } else {
                    walk(value, variables, constants);
                }
            }
        }
        Value::Array(items) => items.iter().for_each(|item| walk(item, variables, constants)),
        Value::String(_) | Value::Number(_) | Value::Bool(_) => constants.push(logic.clone()),
        Value::Null => {}
    }
}

/// Values that satisfy a test, or lie right beside its edge.
fn satisfying(test: &Test) -> Vec<Value> {
    match test {
        Test::Equals(value) | Test::Contains(value) => vec![scalar(value)],
        Test::OneOf(values) => values.iter().take(VALUES).map(scalar).collect(),
        Test::StartsWith(text) => vec![json!(format!("{text}a"))],
        Test::EndsWith(text) => vec![json!(format!("a{text}"))],
        Test::Matches(pattern) => vec![json!(pattern.trim_start_matches('^').trim_end_matches('$'))],
        Test::Lt(number) | Test::Lte(number) | Test::Gt(number) | Test::Gte(number) => around(number),
        Test::SemverEq(version) | Test::SemverLt(version) | Test::SemverLte(version) | Test::SemverGt(version) | Test::SemverGte(version) => {
            let (major, minor, patch) = (version.major, version.minor, version.patch);
            vec![
                json!(version.to_string()),
                json!(format!("{major}.{minor}.{}", patch + 1)),
                json!(format!("{}.{minor}.{patch}", major.saturating_sub(1))),
            ]
        }
        Test::SemverIn(range) => range
            .comparators
            .iter()
            .map(|comparator| {
                json!(format!(
                    "{}.{}.{}",
                    comparator.major,
                    comparator.minor.unwrap_or(0),
                    comparator.patch.unwrap_or(0)
                ))
            })
            .collect(),
        Test::Before(instant) | Test::After(instant) => [-24_i64, 24]
            .iter()
            .filter_map(|hours| instant.checked_add(jiff::SignedDuration::from_hours(*hours)).ok())
            .map(|instant| json!(instant.to_string()))
            .collect(),
        Test::InCidr(networks) => networks.iter().take(VALUES).map(|network| json!(network.addr().to_string())).collect(),
        Test::Exists(_) => vec![json!("a")],
    }
}

fn around(number: &Number) -> Vec<Value> {
    match number.as_i64() {
        Some(whole) => vec![json!(whole.saturating_sub(1)), json!(whole), json!(whole.saturating_add(1))],
        None => number
            .as_f64()
            .map(|number| vec![json!(number - 1.0), json!(number), json!(number + 1.0)])
            .unwrap_or_default(),
    }
}

fn scalar(value: &Scalar) -> Value {
    match value {
        Scalar::Boolean(boolean) => json!(boolean),
        Scalar::String(text) => json!(text),
        Scalar::Number(number) => Value::Number(number.clone()),
    }
}
