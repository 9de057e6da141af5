//! A flag, compiled.

use std::sync::Arc;

use ripcord_proto::flag::{Flag, Requirement};
use ripcord_proto::key::{FlagKey, RuleId, VariantName};
use ripcord_proto::rule::{Rule, Serve};
use ripcord_proto::table::Entry;
use ripcord_proto::value::{Value, ValueType};

use super::condition::Condition;
use super::decision::{Decision, VariantIndex};
use super::jsonlogic::{Interpreter, Program};
use super::reason::{ErrorCode, Reason};
use super::split::CompiledSplit;

/// A lease that never expires.
const NO_LEASE: u32 = u32::MAX;

/// A compiled flag.
#[derive(Debug)]
pub struct CompiledFlag {
    pub(super) lease_seconds: u32,
    pub(super) safe: VariantIndex,
    pub(super) default: VariantIndex,
    pub(super) plan: Plan,
    pub(super) requires: Box<[Requirement]>,
    pub(super) rules: Box<[CompiledRule]>,
    value_type: Option<ValueType>,
    /// The values of boolean variants, one bit each.
    booleans: u64,
    names: Box<[VariantName]>,
    values: Box<[Value]>,
    counter_base: u32,
    entry: Arc<Entry<Flag>>,
    issue: Option<String>,
}

/// How a flag is decided if neither a kill nor a lease forces it.
#[derive(Debug)]
pub(super) enum Plan {
    /// The same for everyone.
    Fixed(Decision),
    /// By the split of its first rule, which has no condition: a plain rollout.
    Rollout(Arc<CompiledSplit>),
    /// By prerequisites and rules.
    Rules,
}

impl Plan {
    fn of_rules(rules: &[CompiledRule], requires: &[Requirement]) -> Self {
        match rules.first() {
            Some(CompiledRule {
                when: None,
                serve: CompiledServe::Split(split),
                ..
            }) if requires.is_empty() => Self::Rollout(Arc::clone(split)),
            Some(_) | None => Self::Rules,
        }
    }
}

#[derive(Debug)]
pub(super) struct CompiledRule {
    pub(super) when: Option<Condition>,
    pub(super) serve: CompiledServe,
    id: Option<RuleId>,
}

#[derive(Debug)]
pub(super) enum CompiledServe {
    Variant(VariantIndex),
    Split(Arc<CompiledSplit>),
    JsonLogic(Program),
}

impl CompiledRule {
    fn new(rule: &Rule, flag: &Flag, key: &FlagKey, interpreter: &Interpreter) -> Result<Self, String> {
        let when = rule.when.as_ref().map(|when| Condition::new(when, interpreter)).transpose()?;
        let serve = match &rule.serve {
            Serve::Variant(name) => CompiledServe::Variant(index_of(flag, Some(name))),
            Serve::Split(split) => {
                if let Some(rule) = split.fractional() {
                    CompiledServe::JsonLogic(interpreter.compile(&rule)?)
                } else {
                    let split = CompiledSplit::new(split, key, interpreter.bucketing(), |name| index_of(flag, Some(name)));
                    CompiledServe::Split(Arc::new(split))
                }
            }
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
                safe: VariantIndex::NONE,
                default: VariantIndex::NONE,
                plan: Plan::Fixed(Decision::error(ErrorCode::ParseError)),
                requires: Box::default(),
                rules: Box::default(),
                value_type: None,
                booleans: 0,
                names: Box::default(),
                values: Box::default(),
                counter_base,
                entry: Arc::clone(entry),
                issue: Some(faults.to_string()),
            },
        }
    }

    fn readable(flag: &Flag, entry: &Arc<Entry<Flag>>, interpreter: &Interpreter, counter_base: u32) -> Self {
        let rules: Result<Box<[_]>, String> = flag.rules.iter().map(|rule| CompiledRule::new(rule, flag, entry.key(), interpreter)).collect();
        let default = index_of(flag, flag.default.as_ref());
        let (plan, rules, issue) = match rules {
            _ if !flag.enabled => (Plan::Fixed(Decision::new(VariantIndex::NONE, Reason::Disabled)), Box::default(), None),
            Err(issue) => (Plan::Fixed(Decision::error(ErrorCode::ParseError)), Box::default(), Some(issue)),
            Ok(rules) if !rules.is_empty() || !flag.requires.is_empty() => (Plan::of_rules(&rules, &flag.requires), rules, None),
            // Not `STATIC`: without a default variant there is nothing that a client could cache. flagd does the same.
            Ok(rules) if default == VariantIndex::NONE => (Plan::Fixed(Decision::new(default, Reason::Default)), rules, None),
            Ok(rules) => (Plan::Fixed(Decision::new(default, Reason::Static)), rules, None),
        };
        let values: Box<[Value]> = flag.variants.iter().map(|(_, value)| value.clone()).collect();
        let booleans = values
            .iter()
            .enumerate()
            .filter(|(_, value)| **value == Value::Boolean(true))
            .fold(0, |bits, (index, _)| bits | (1 << index));
        Self {
            lease_seconds: flag.lease.map_or(NO_LEASE, |lease| lease.seconds),
            safe: index_of(flag, flag.safe.as_ref()),
            default,
            plan,
            requires: flag.requires.clone().into(),
            rules,
            value_type: Some(flag.variants.value_type()),
            booleans,
            names: flag.variants.names().cloned().collect(),
            values,
            counter_base,
            entry: Arc::clone(entry),
            issue,
        }
    }

    pub(super) const fn keep_counters_of(&mut self, before: &Self) {
        self.counter_base = before.counter_base;
    }

    /// The flag's key.
    pub fn key(&self) -> &FlagKey {
        self.entry.key()
    }

    /// The definition in the snapshot.
    pub const fn entry(&self) -> &Arc<Entry<Flag>> {
        &self.entry
    }

    /// The names of its variants, in order; empty if the flag cannot be read.
    pub const fn variants(&self) -> &[VariantName] {
        &self.names
    }

    /// The type of its values; `None` if the flag cannot be read.
    pub const fn value_type(&self) -> Option<ValueType> {
        self.value_type
    }

    /// The number of its first counter. It has one for each variant, in order, then one for the caller's default. The numbers are
    /// dense over all flags of a [`Compiled`](super::Compiled), and a flag keeps its own in updates that keep its variants.
    pub const fn counter_base(&self) -> usize {
        self.counter_base as usize
    }

    /// The number of its counters: one more than variants.
    pub const fn counters(&self) -> usize {
        self.names.len() + 1
    }

    /// Why it could not be compiled, if it could not.
    pub fn issue(&self) -> Option<&str> {
        self.issue.as_deref()
    }

    #[inline]
    pub(super) const fn boolean(&self, index: usize) -> bool {
        (self.booleans >> index) & 1 == 1
    }

    #[inline]
    pub(super) fn value(&self, variant: VariantIndex) -> Option<&Value> {
        self.values.get(variant.get()?)
    }

    #[inline]
    pub(super) fn name(&self, variant: VariantIndex) -> Option<&VariantName> {
        self.names.get(variant.get()?)
    }

    pub(super) fn find(&self, name: &str) -> Option<VariantIndex> {
        let index = self.names.iter().position(|own| own.as_str() == name);
        index.map(|index| VariantIndex::new(Some(index)))
    }
}

fn index_of(flag: &Flag, name: Option<&VariantName>) -> VariantIndex {
    VariantIndex::new(name.and_then(|name| flag.variants.index_of(name.as_str())))
}
