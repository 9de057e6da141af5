//! Conditions, compiled: paths are parsed, lists hashed, and versions, patterns and networks ready to be matched.
//! How conditions combine, and what they can see, is in `scope.rs`.

use std::cmp::Ordering;

use jiff::Timestamp;
use ripcord_proto::condition as source;
use ripcord_proto::condition::VersionBounds;
use ripcord_proto::instant;
use ripcord_proto::key::SegmentKey;
use ripcord_proto::value::Scalar;
use rustc_hash::FxBuildHasher;
use semver::Version;
use serde_json::{Number, Value};

use super::context::Attribute;
use super::jsonlogic::{Interpreter, Program};
use super::network::Networks;
use super::path::Path;
use super::pattern::Pattern;
use super::scalar_text::with_text;
use super::short_str::{Fingerprint, FingerprintSet, ShortStr, same};
use super::version::{VersionRef, compares};

/// Up to this many texts are found by their fingerprints. With more, too many may have the same one.
const FEW: usize = 32;

#[derive(Debug)]
pub(super) enum Condition {
    All(Box<[Condition]>),
    Any(Box<[Condition]>),
    Not(Box<Condition>),
    Segment(SegmentKey),
    JsonLogic(Program),
    Attribute { path: Path, test: Test },
}

#[derive(Debug)]
pub(super) enum Test {
    Text(Box<str>),
    Boolean(bool),
    Number(Ordered),
    OneOf(Box<OneOf>),
    ContainsText(Box<str>),
    Contains(Scalar),
    StartsWith(Box<str>),
    EndsWith(Box<str>),
    Matches(Pattern),
    Less(Ordered),
    LessOrEqual(Ordered),
    Greater(Ordered),
    GreaterOrEqual(Ordered),
    Version(Comparison, Box<Version>),
    VersionIn(Box<[VersionBounds]>),
    Before(Timestamp),
    After(Timestamp),
    InNetworks(Networks),
    Exists(bool),
}

#[derive(Debug, Clone, Copy)]
pub(super) enum Comparison {
    Equal,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
}

impl Comparison {
    #[inline]
    const fn accepts(self, order: Ordering) -> bool {
        match self {
            Self::Equal => order.is_eq(),
            Self::Less => order.is_lt(),
            Self::LessOrEqual => order.is_le(),
            Self::Greater => order.is_gt(),
            Self::GreaterOrEqual => order.is_ge(),
        }
    }
}

/// A number to compare with. Two whole numbers are compared exactly.
#[derive(Debug, Clone, Copy)]
pub(super) enum Ordered {
    Integer(i64),
    Float(f64),
}

impl Ordered {
    fn new(number: &Number) -> Self {
        number.as_i64().map_or_else(|| Self::Float(number.as_f64().unwrap_or(f64::NAN)), Self::Integer)
    }

    /// How the attribute compares with this number; `None` if it is not a number.
    #[inline]
    fn compare(self, attribute: Attribute<'_>) -> Option<Ordering> {
        #[expect(clippy::cast_precision_loss, reason = "a whole number and a float are compared as floats, as in JavaScript")]
        match (attribute, self) {
            (Attribute::Integer(own), Self::Integer(other)) => Some(own.cmp(&other)),
            (Attribute::Integer(own), Self::Float(other)) => (own as f64).partial_cmp(&other),
            (Attribute::Number(own), Self::Integer(other)) => own.partial_cmp(&(other as f64)),
            (Attribute::Number(own), Self::Float(other)) => own.partial_cmp(&other),
            (Attribute::Null | Attribute::Boolean(_) | Attribute::Text(_) | Attribute::Texts(_) | Attribute::Json(_), _) => None,
        }
    }
}

/// The values of a `one_of`, by type.
#[derive(Debug, Default)]
pub(super) struct OneOf {
    fingerprints: FingerprintSet,
    /// Those whose fingerprint other strings have, too.
    few_long: Box<[ShortStr]>,
    many: hashbrown::HashSet<Box<str>, FxBuildHasher>,
    numbers: Box<[Ordered]>,
    many_whole: hashbrown::HashSet<i64, FxBuildHasher>,
    holds_true: bool,
    holds_false: bool,
}

impl OneOf {
    fn new(values: &[Scalar]) -> Self {
        let mut texts: Vec<Box<str>> = Vec::new();
        let mut numbers = Vec::new();
        let mut one_of = Self::default();
        for value in values {
            match value {
                Scalar::String(text) => texts.push(text.as_str().into()),
                Scalar::Number(number) => numbers.push(Ordered::new(number)),
                Scalar::Boolean(true) => one_of.holds_true = true,
                Scalar::Boolean(false) => one_of.holds_false = true,
            }
        }
        if texts.len() > FEW {
            one_of.many = texts.into_iter().collect();
        } else {
            let few: Vec<ShortStr> = texts.iter().map(|text| ShortStr::new(text)).collect();
            let fingerprints: Vec<Fingerprint> = few.iter().map(ShortStr::fingerprint).collect();
            one_of.fingerprints = FingerprintSet::new(&fingerprints);
            one_of.few_long = few.into_iter().filter(|text| !text.fingerprint().is_exact()).collect();
        }
        if numbers.len() > FEW {
            let (whole, others): (Vec<_>, Vec<_>) = numbers.into_iter().partition(|number| matches!(number, Ordered::Integer(_)));
            let whole = whole
                .into_iter()
                .filter_map(|number| if let Ordered::Integer(whole) = number { Some(whole) } else { None });
            one_of.many_whole = whole.collect();
            numbers = others;
        }
        one_of.numbers = numbers.into();
        one_of
    }

    fn is_one_of_many(&self, attribute: Attribute<'_>) -> bool {
        match attribute {
            Attribute::Integer(number) => self.many_whole.contains(&number),
            Attribute::Number(number) => whole(number).is_some_and(|number| self.many_whole.contains(&number)),
            Attribute::Null | Attribute::Boolean(_) | Attribute::Text(_) | Attribute::Texts(_) | Attribute::Json(_) => false,
        }
    }

    #[inline]
    fn is_one_of_few(&self, text: &str) -> bool {
        let fingerprint = Fingerprint::of(text);
        self.fingerprints.contains(fingerprint) && (fingerprint.is_exact() || self.few_long.iter().any(|own| own.is(fingerprint, text)))
    }

    #[inline]
    fn holds(&self, attribute: Attribute<'_>) -> bool {
        match attribute {
            Attribute::Text(text) if self.many.is_empty() => self.is_one_of_few(text),
            Attribute::Text(text) => self.many.contains(text),
            Attribute::Boolean(true) => self.holds_true,
            Attribute::Boolean(false) => self.holds_false,
            Attribute::Integer(_) | Attribute::Number(_) => {
                self.is_one_of_many(attribute) || self.numbers.iter().any(|number| number.compare(attribute) == Some(Ordering::Equal))
            }
            Attribute::Null | Attribute::Texts(_) | Attribute::Json(_) => false,
        }
    }
}

impl Condition {
    /// Compiles a condition. The error says which part of it cannot be compiled.
    pub(super) fn new(condition: &source::Condition, interpreter: &Interpreter) -> Result<Self, String> {
        let all = |items: &[source::Condition]| items.iter().map(|item| Self::new(item, interpreter)).collect::<Result<_, _>>();
        Ok(match condition {
            source::Condition::All(items) => Self::All(all(items)?),
            source::Condition::Any(items) => Self::Any(all(items)?),
            source::Condition::Not(inner) => Self::Not(Box::new(Self::new(inner, interpreter)?)),
            source::Condition::Segment(key) => Self::Segment(key.clone()),
            source::Condition::JsonLogic(rule) => Self::JsonLogic(interpreter.compile(rule)?),
            source::Condition::Attribute { attribute, test } => Self::Attribute {
                path: Path::new(attribute),
                test: Test::new(test)?,
            },
        })
    }
}

impl Test {
    fn new(test: &source::Test) -> Result<Self, String> {
        Ok(match test {
            source::Test::Equals(Scalar::String(text)) => Self::Text(text.as_str().into()),
            source::Test::Equals(Scalar::Boolean(boolean)) => Self::Boolean(*boolean),
            source::Test::Equals(Scalar::Number(number)) => Self::Number(Ordered::new(number)),
            source::Test::OneOf(values) => Self::OneOf(Box::new(OneOf::new(values))),
            source::Test::Contains(Scalar::String(text)) => Self::ContainsText(text.as_str().into()),
            source::Test::Contains(scalar) => Self::Contains(scalar.clone()),
            source::Test::StartsWith(text) => Self::StartsWith(text.as_str().into()),
            source::Test::EndsWith(text) => Self::EndsWith(text.as_str().into()),
            source::Test::Matches(pattern) => Self::Matches(Pattern::new(pattern)?),
            source::Test::Lt(number) => Self::Less(Ordered::new(number)),
            source::Test::Lte(number) => Self::LessOrEqual(Ordered::new(number)),
            source::Test::Gt(number) => Self::Greater(Ordered::new(number)),
            source::Test::Gte(number) => Self::GreaterOrEqual(Ordered::new(number)),
            source::Test::SemverEq(version) => Self::Version(Comparison::Equal, Box::new(version.clone())),
            source::Test::SemverLt(version) => Self::Version(Comparison::Less, Box::new(version.clone())),
            source::Test::SemverLte(version) => Self::Version(Comparison::LessOrEqual, Box::new(version.clone())),
            source::Test::SemverGt(version) => Self::Version(Comparison::Greater, Box::new(version.clone())),
            source::Test::SemverGte(version) => Self::Version(Comparison::GreaterOrEqual, Box::new(version.clone())),
            source::Test::SemverIn(range) => Self::VersionIn(source::version_bounds(range).into()),
            source::Test::Before(instant) => Self::Before(*instant),
            source::Test::After(instant) => Self::After(*instant),
            source::Test::InCidr(networks) => Self::InNetworks(Networks::new(networks)?),
            source::Test::Exists(exists) => Self::Exists(*exists),
        })
    }

    #[inline]
    pub(super) fn holds(&self, attribute: Attribute<'_>) -> bool {
        let order = |number: &Ordered| number.compare(attribute);
        match self {
            Self::Text(text) => matches!(attribute, Attribute::Text(own) if same(own.as_bytes(), text.as_bytes())),
            Self::Boolean(boolean) => matches!(attribute, Attribute::Boolean(own) if own == *boolean),
            Self::Number(number) => order(number).is_some_and(Ordering::is_eq),
            Self::OneOf(values) => values.holds(attribute),
            Self::ContainsText(text) => contains_text(attribute, text),
            Self::Contains(scalar) => contains(attribute, scalar),
            Self::StartsWith(text) => {
                matches!(attribute, Attribute::Text(own) if own.as_bytes().get(..text.len()).is_some_and(|start| same(start, text.as_bytes())))
            }
            Self::EndsWith(text) => matches!(attribute, Attribute::Text(own) if ends_with(own, text)),
            Self::Matches(pattern) => matches!(attribute, Attribute::Text(own) if pattern.is_match(own)),
            Self::Less(number) => order(number).is_some_and(Ordering::is_lt),
            Self::LessOrEqual(number) => order(number).is_some_and(Ordering::is_le),
            Self::Greater(number) => order(number).is_some_and(Ordering::is_gt),
            Self::GreaterOrEqual(number) => order(number).is_some_and(Ordering::is_ge),
            Self::Version(comparison, version) => with_version(attribute, |own| compares(own, version, |order| comparison.accepts(order))),
            Self::VersionIn(bounds) => with_version(attribute, |own| {
                VersionRef::parse(own).is_some_and(|own| bounds.iter().all(|bounds| own.is_within(bounds)))
            }),
            Self::Before(instant) => instant_of(attribute).is_some_and(|own| own < *instant),
            Self::After(instant) => instant_of(attribute).is_some_and(|own| own > *instant),
            Self::InNetworks(networks) => matches!(attribute, Attribute::Text(own) if networks.contains(own)),
            Self::Exists(exists) => (attribute != Attribute::Null) == *exists,
        }
    }
}

/// Passes what may be a version to `accepts`: a text, or the text of a number.
#[inline]
fn with_version(attribute: Attribute<'_>, accepts: impl FnOnce(&str) -> bool) -> bool {
    match attribute {
        Attribute::Text(text) => accepts(text),
        Attribute::Integer(_) | Attribute::Number(_) => with_text(attribute, accepts).unwrap_or(false),
        Attribute::Null | Attribute::Boolean(_) | Attribute::Texts(_) | Attribute::Json(_) => false,
    }
}

/// A float as the whole number that it equals. Beyond 2^53 floats have gaps; no list holds such numbers.
fn whole(number: f64) -> Option<i64> {
    #[expect(clippy::cast_possible_truncation, reason = "checked to be whole and in range")]
    (number.fract() == 0.0 && number.abs() <= 9_007_199_254_740_992.0).then_some(number as i64)
}

fn instant_of(attribute: Attribute<'_>) -> Option<Timestamp> {
    match attribute {
        Attribute::Text(text) => instant::parse(text),
        Attribute::Null | Attribute::Boolean(_) | Attribute::Integer(_) | Attribute::Number(_) | Attribute::Texts(_) | Attribute::Json(_) => None,
    }
}

/// Whether the attribute is a text that contains this one, or a list with it as an item.
fn contains_text(attribute: Attribute<'_>, text: &str) -> bool {
    match attribute {
        Attribute::Text(own) => own.contains(text),
        Attribute::Texts(own) => own.contains(&text),
        Attribute::Json(Value::Array(items)) => items.iter().any(|item| item.as_str() == Some(text)),
        Attribute::Null | Attribute::Boolean(_) | Attribute::Integer(_) | Attribute::Number(_) | Attribute::Json(_) => false,
    }
}

/// Whether the attribute is a list with this number or boolean as an item.
fn contains(attribute: Attribute<'_>, scalar: &Scalar) -> bool {
    let Attribute::Json(Value::Array(items)) = attribute else {
        return false;
    };
    match scalar {
        Scalar::String(_) => false,
        Scalar::Boolean(boolean) => items.iter().any(|item| item.as_bool() == Some(*boolean)),
        Scalar::Number(number) => {
            let number = Ordered::new(number);
            items.iter().any(|item| number.compare(Attribute::from(item)) == Some(Ordering::Equal))
        }
    }
}

#[inline]
fn ends_with(text: &str, end: &str) -> bool {
    let start = text.len().checked_sub(end.len());
    start
        .and_then(|start| text.as_bytes().get(start..))
        .is_some_and(|own| same(own, end.as_bytes()))
}
