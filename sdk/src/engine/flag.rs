//! A flag, compiled.

use std::sync::Arc;

use ripcord_proto::flag::{Flag, Requirement};
use ripcord_proto::key::{FlagKey, RuleId, VariantName};
use ripcord_proto::rule::{Rule, Serve};
use ripcord_proto::settings::Bucketing;
use ripcord_proto::split::Split;
use ripcord_proto::table::Entry;
use ripcord_proto::value::{Value, ValueType};

use super::condition::Condition;
use super::context::TARGETING_KEY;
use super::detail::{ErrorCode, Reason};
use super::evaluate::Outcome;
use super::jsonlogic::{Interpreter, Program};
use super::path::Path;

/// A lease that never runs out.
const NO_LEASE: u32 = u32::MAX;

/// The place of a variant; none = the caller's own default.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Place(u16);

impl Place {
    pub(super) const NONE: Self = Self(u16::MAX);

    fn of(flag: &Flag, name: Option<&VariantName>) -> Self {
        name.and_then(|name| flag.variants.index_of(name.as_str()))
            .and_then(|index| u16::try_from(index).ok())
            .map_or(Self::NONE, Self)
    }

    #[inline]
    pub(super) const fn index(self) -> Option<usize> {
        if self.0 == u16::MAX { None } else { Some(self.0 as usize) }
    }
}

/// A flag in the form that is evaluated.
#[derive(Debug)]
pub struct CompiledFlag {
    pub(super) lease_seconds: u32,
    pub(super) safe: Place,
    pub(super) default: Place,
    pub(super) plan: Plan,
    value_type: Option<ValueType>,
    /// The values of boolean variants, a bit each.
    booleans: u64,
    names: Box<[VariantName]>,
    values: Box<[Value]>,
    counter_base: u32,
    entry: Arc<Entry<Flag>>,
    problem: Option<String>,
}

/// How it answers once neither a kill nor a lease forces it.
#[derive(Debug)]
pub(super) enum Plan {
    /// The same for everybody.
    Fixed(Outcome),
    /// By prerequisites and rules.
    Rules { requires: Box<[Requirement]>, rules: Box<[CompiledRule]> },
}

#[derive(Debug)]
pub(super) struct CompiledRule {
    pub(super) when: Option<Condition>,
    pub(super) serve: CompiledServe,
    id: Option<RuleId>,
}

#[derive(Debug)]
pub(super) enum CompiledServe {
    Variant(Place),
    Split(CompiledSplit),
    JsonLogic(Program),
}

#[derive(Debug)]
pub(super) struct CompiledSplit {
    pub(super) by: Path,
    pub(super) salt: Box<str>,
    pub(super) bucketing: Bucketing,
    pub(super) total: u32,
    /// Where each share ends on the line of `total` units, and what it serves.
    ends: Box<[(u32, Place)]>,
}

impl CompiledSplit {
    fn new(split: &Split, flag: &Flag, key: &FlagKey, bucketing: Bucketing) -> Self {
        let mut end = 0_u32;
        let ends = split.shares().iter().map(|share| {
            end = end.saturating_add(share.weight.units());
            (end, Place::of(flag, Some(&share.variant)))
        });
        let ends = ends.collect();
        Self {
            by: split.by().map_or(Path::TargetingKey, Path::new),
            salt: split.salt().unwrap_or(key.as_str()).into(),
            bucketing,
            total: split.total(),
            ends,
        }
    }

    /// What is served at a place on the line.
    #[inline]
    pub(super) fn at(&self, place: u32) -> Place {
        self.ends.iter().find(|(end, _)| place < *end).map_or(Place::NONE, |(_, variant)| *variant)
    }

    /// The name of the bucketing attribute.
    pub(super) fn by_name(&self) -> &str {
        match &self.by {
            Path::TargetingKey => TARGETING_KEY,
            Path::Plain(name) | Path::Dotted { whole: name, .. } => name,
        }
    }
}

impl CompiledRule {
    fn new(rule: &Rule, flag: &Flag, key: &FlagKey, interpreter: &Interpreter) -> Result<Self, String> {
        let when = rule.when.as_ref().map(|when| Condition::new(when, interpreter)).transpose()?;
        let serve = match &rule.serve {
            Serve::Variant(name) => CompiledServe::Variant(Place::of(flag, Some(name))),
            Serve::Split(split) => CompiledServe::Split(CompiledSplit::new(split, flag, key, interpreter.bucketing())),
            Serve::JsonLogic(rule) => CompiledServe::JsonLogic(interpreter.compile(rule)?),
        };
        Ok(Self {
            when,
            serve,
            id: rule.id.clone(),
        })
    }

    pub(super) fn id(&self) -> Option<&str> {
        self.id.as_ref().map(RuleId::as_str)
    }
}

impl CompiledFlag {
    pub(super) fn new(entry: &Arc<Entry<Flag>>, interpreter: &Interpreter, counter_base: u32) -> Self {
        match entry.value() {
            Ok(flag) => Self::readable(flag, entry, interpreter, counter_base),
            Err(faults) => Self {
                lease_seconds: NO_LEASE,
                safe: Place::NONE,
                default: Place::NONE,
                plan: Plan::Fixed(Outcome::error(ErrorCode::ParseError)),
                value_type: None,
                booleans: 0,
                names: Box::default(),
                values: Box::default(),
                counter_base,
                entry: Arc::clone(entry),
                problem: Some(faults.to_string()),
            },
        }
    }

    fn readable(flag: &Flag, entry: &Arc<Entry<Flag>>, interpreter: &Interpreter, counter_base: u32) -> Self {
        let rules: Result<Box<[_]>, String> = flag.rules.iter().map(|rule| CompiledRule::new(rule, flag, entry.key(), interpreter)).collect();
        let default = Place::of(flag, flag.default.as_ref());
        let (plan, problem) = match rules {
            _ if !flag.enabled => (Plan::Fixed(Outcome::new(Place::NONE, Reason::Disabled)), None),
            Err(problem) => (Plan::Fixed(Outcome::error(ErrorCode::ParseError)), Some(problem)),
            // A flag that leaves everything to the caller promises nothing that could be cached, as flagd sees it too.
            Ok(rules) if rules.is_empty() && flag.requires.is_empty() && default == Place::NONE => (Plan::Fixed(Outcome::new(default, Reason::Default)), None),
            Ok(rules) if rules.is_empty() && flag.requires.is_empty() => (Plan::Fixed(Outcome::new(default, Reason::Static)), None),
            Ok(rules) => (
                Plan::Rules {
                    requires: flag.requires.clone().into(),
                    rules,
                },
                None,
            ),
        };
        let values: Box<[Value]> = flag.variants.iter().map(|(_, value)| value.clone()).collect();
        let booleans = values
            .iter()
            .enumerate()
            .filter(|(_, value)| **value == Value::Boolean(true))
            .fold(0, |bits, (index, _)| bits | (1 << index));
        Self {
            lease_seconds: flag.lease.map_or(NO_LEASE, |lease| lease.seconds),
            safe: Place::of(flag, flag.safe.as_ref()),
            default,
            plan,
            value_type: Some(flag.variants.value_type()),
            booleans,
            names: flag.variants.names().cloned().collect(),
            values,
            counter_base,
            entry: Arc::clone(entry),
            problem,
        }
    }

    pub(super) const fn keep_counters_of(&mut self, before: &Self) {
        self.counter_base = before.counter_base;
    }

    /// Its key.
    pub fn key(&self) -> &FlagKey {
        self.entry.key()
    }

    /// Its definition, as the snapshot holds it.
    pub const fn entry(&self) -> &Arc<Entry<Flag>> {
        &self.entry
    }

    /// The names of its variants, in order; none where it cannot be read.
    pub const fn variants(&self) -> &[VariantName] {
        &self.names
    }

    /// The type of its values; `None` where it cannot be read.
    pub const fn value_type(&self) -> Option<ValueType> {
        self.value_type
    }

    /// Where its counters start: one for each variant, in order, then one for the caller's own default. The numbers are dense
    /// over all flags of a [`super::Compiled`], and a flag keeps its own through updates that keep its variants.
    pub const fn counter_base(&self) -> usize {
        self.counter_base as usize
    }

    /// How many counters it has: one more than variants.
    pub const fn counters(&self) -> usize {
        self.names.len() + 1
    }

    /// Why it cannot be compiled, where it cannot.
    pub fn problem(&self) -> Option<&str> {
        self.problem.as_deref()
    }

    #[inline]
    pub(super) const fn boolean(&self, index: usize) -> bool {
        (self.booleans >> index) & 1 == 1
    }

    #[inline]
    pub(super) fn value(&self, place: Place) -> Option<&Value> {
        self.values.get(place.index()?)
    }

    #[inline]
    pub(super) fn name(&self, place: Place) -> Option<&VariantName> {
        self.names.get(place.index()?)
    }

    pub(super) fn place(&self, name: &str) -> Option<Place> {
        self.names
            .iter()
            .position(|own| own.as_str() == name)
            .and_then(|index| u16::try_from(index).ok())
            .map(Place)
    }
}
