//! flagd's operators: `fractional`, `sem_ver`, `starts_with`, `ends_with`.

use std::cmp::Ordering;

use datalogic_rs::bumpalo::Bump;
use datalogic_rs::datavalue::NumberValue;
use datalogic_rs::operator::EvalContext;
use datalogic_rs::{ArenaExt as _, CustomOperator, DataValue, Result};
use ripcord_proto::settings::Bucketing;

use super::cbor;
use crate::engine::bucket;
use crate::engine::context::{Attribute, TARGETING_KEY};
use crate::engine::scalar_text::with_text;
use crate::engine::version::VersionRef;

/// The largest weight, and the largest sum of weights.
const WEIGHT_MAX: i64 = 2_147_483_647;

/// `[bucketing value?, [variant, weight?], …]`; null if it cannot bucket.
pub(super) struct Fractional(pub(super) Bucketing);

impl CustomOperator for Fractional {
    fn evaluate<'a>(&self, args: &[&'a DataValue<'a>], context: &mut EvalContext<'_, 'a>, arena: &'a Bump) -> Result<&'a DataValue<'a>> {
        Ok(self.choose(args, context.root_input()).unwrap_or_else(|| arena.null()))
    }
}

impl Fractional {
    fn choose<'a>(&self, args: &[&'a DataValue<'a>], root: &DataValue<'_>) -> Option<&'a DataValue<'a>> {
        let (first, rest) = args.split_first()?;
        let (hash, entries) = match (first, self.0) {
            (DataValue::Array(_), _) => (self.hash_implicit(root)?, args),
            (DataValue::String(text), Bucketing::V2) => (bucket::hash_bytes(text.as_bytes()), rest),
            (DataValue::Null, Bucketing::V2) => (self.hash_implicit(root)?, rest),
            (_, Bucketing::V2) | (DataValue::Null, Bucketing::V3) => return None,
            (value, Bucketing::V3) => {
                let mut bytes = Vec::new();
                cbor::encode(value, &mut bytes);
                (bucket::hash_bytes(&bytes), rest)
            }
        };
        let mut total: i64 = 0;
        for entry in entries {
            total += share(entry)?.1;
        }
        if !(1..=WEIGHT_MAX).contains(&total) {
            return None;
        }
        let position = i64::from(bucket::project(hash, u32::try_from(total).ok()?));
        let mut sum = 0;
        entries.iter().filter_map(|entry| share(entry)).find_map(|(variant, weight)| {
            sum += weight;
            (position < sum).then_some(variant)
        })
    }

    /// The hash of flag key and targeting key, which is used if no bucketing value is given.
    fn hash_implicit(&self, root: &DataValue<'_>) -> Option<u32> {
        let targeting_key = member(root, TARGETING_KEY)?.as_str().filter(|key| !key.is_empty())?;
        let flag_key = member(member(root, "$flagd")?, "flagKey")?.as_str()?;
        Some(match self.0 {
            Bucketing::V2 => bucket::hash_bytes(format!("{flag_key}{targeting_key}").as_bytes()),
            Bucketing::V3 => bucket::hash_bytes(&cbor::pair(flag_key, targeting_key)),
        })
    }
}

/// Variant and weight of one entry; `None` if it is malformed.
fn share<'a>(entry: &DataValue<'a>) -> Option<(&'a DataValue<'a>, i64)> {
    let DataValue::Array(items) = entry else {
        return None;
    };
    let (variant, weight) = (items.first()?, items.get(1));
    let weight = match weight {
        None | Some(DataValue::Null) => 1,
        Some(DataValue::Number(NumberValue::Integer(weight))) => *weight,
        #[expect(clippy::cast_possible_truncation, reason = "the cast saturates, and values out of range are refused below")]
        Some(DataValue::Number(NumberValue::Float(weight))) if weight.fract() == 0.0 => *weight as i64,
        Some(_) => return None,
    };
    let named = matches!(variant, DataValue::String(_) | DataValue::Bool(_) | DataValue::Number(_) | DataValue::Null);
    (named && weight <= WEIGHT_MAX).then_some((variant, weight.max(0)))
}

fn member<'v, 'a>(value: &'v DataValue<'a>, name: &str) -> Option<&'v DataValue<'a>> {
    match value {
        DataValue::Object(members) => members.iter().find(|(own, _)| *own == name).map(|(_, value)| value),
        DataValue::Null | DataValue::Bool(_) | DataValue::Number(_) | DataValue::String(_) | DataValue::Array(_) => None,
    }
}

/// A scalar as an attribute; anything else as null.
pub(super) fn attribute_of<'a>(value: &DataValue<'a>) -> Attribute<'a> {
    match value {
        DataValue::Bool(boolean) => Attribute::Boolean(*boolean),
        DataValue::Number(NumberValue::Integer(number)) => Attribute::Integer(*number),
        DataValue::Number(NumberValue::Float(number)) => Attribute::Number(*number),
        DataValue::String(text) => Attribute::Text(text),
        DataValue::Null | DataValue::Array(_) | DataValue::Object(_) => Attribute::Null,
    }
}

/// `[version, operator, version]`; null if either is not a version.
pub(super) struct SemVer;

impl CustomOperator for SemVer {
    fn evaluate<'a>(&self, args: &[&'a DataValue<'a>], _: &mut EvalContext<'_, 'a>, arena: &'a Bump) -> Result<&'a DataValue<'a>> {
        let holds = match args {
            [one, DataValue::String(operator), other] => {
                with_text(attribute_of(one), |one| with_text(attribute_of(other), |other| compare(one, operator, other)))
            }
            _ => None,
        };
        Ok(holds.flatten().flatten().map_or_else(|| arena.null(), |holds| arena.bool(holds)))
    }
}

fn compare(one: &str, operator: &str, other: &str) -> Option<bool> {
    let (one, other) = (VersionRef::parse(one)?, VersionRef::parse(other)?.to_version()?);
    let order = one.cmp(&other);
    Some(match operator {
        "=" => order == Ordering::Equal,
        "!=" => order != Ordering::Equal,
        "<" => order == Ordering::Less,
        "<=" => order != Ordering::Greater,
        ">" => order == Ordering::Greater,
        ">=" => order != Ordering::Less,
        "^" => one.major() == other.major,
        "~" => one.major() == other.major && one.minor() == other.minor,
        _ => return None,
    })
}

/// `[text, affix]`; null if one of them is not a text.
pub(super) enum Affix {
    Start,
    End,
}

impl CustomOperator for Affix {
    fn evaluate<'a>(&self, args: &[&'a DataValue<'a>], _: &mut EvalContext<'_, 'a>, arena: &'a Bump) -> Result<&'a DataValue<'a>> {
        Ok(match (args, self) {
            ([DataValue::String(text), DataValue::String(affix)], Self::Start) => arena.bool(text.starts_with(affix)),
            ([DataValue::String(text), DataValue::String(affix)], Self::End) => arena.bool(text.ends_with(affix)),
            _ => arena.null(),
        })
    }
}
