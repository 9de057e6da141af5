//! The evaluation, top to bottom.

use std::cell::Cell;

use ripcord_proto::condition as source;
use ripcord_proto::flag::Requirement;
use ripcord_proto::key::SegmentKey;
use ripcord_proto::value::Value;

use super::bucket;
use super::compile::{Compiled, Slot};
use super::context::Context;
use super::detail::{Detail, ErrorCode, Reason, RuleRef, TypeMismatch, Unheard};
use super::flag::{CompiledFlag, CompiledRule, CompiledServe, CompiledSplit, Place, Plan};
use super::jsonlogic::Named;
use super::text::with_text;

/// How many required flags and segments one evaluation may look at, over all levels. Validation keeps nesting shallow; this
/// keeps what branches at every level from running away.
const BUDGET: u32 = 10_000;
/// How deep required flags and segments may stand within each other, whatever the snapshot says.
const DEPTH: u32 = 64;
/// No rule served.
const NO_RULE: u16 = u16::MAX;

/// What was decided, in six bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Outcome {
    pub(super) variant: Place,
    rule: u16,
    pub(super) reason: Reason,
}

impl Outcome {
    pub(super) const fn new(variant: Place, reason: Reason) -> Self {
        Self {
            variant,
            rule: NO_RULE,
            reason,
        }
    }

    pub(super) const fn error(code: ErrorCode) -> Self {
        Self::new(Place::NONE, Reason::Error(code))
    }

    fn by_rule(self, index: usize) -> Self {
        Self {
            rule: u16::try_from(index).unwrap_or(NO_RULE),
            ..self
        }
    }
}

/// What conditions see.
pub(super) struct Scope<'s> {
    pub(super) compiled: &'s Compiled,
    pub(super) context: &'s Context<'s>,
    pub(super) flag_key: &'s str,
    pub(super) unheard: Unheard,
    pub(super) limits: &'s Limits,
}

/// What is left of [`BUDGET`], and how deep it has gone.
pub(super) struct Limits {
    left: Cell<u32>,
    depth: Cell<u32>,
}

impl Limits {
    pub(super) const fn full() -> Self {
        Self {
            left: Cell::new(BUDGET),
            depth: Cell::new(0),
        }
    }

    /// Runs `inside` one level deeper, if it may.
    fn deeper<T>(&self, inside: impl FnOnce() -> Result<T, ErrorCode>) -> Result<T, ErrorCode> {
        let left = self.left.get().checked_sub(1).ok_or(ErrorCode::General)?;
        if self.depth.get() >= DEPTH {
            return Err(ErrorCode::General);
        }
        self.left.set(left);
        self.depth.set(self.depth.get() + 1);
        let answer = inside();
        self.depth.set(self.depth.get() - 1);
        answer
    }
}

impl Scope<'_> {
    /// Whether a segment's condition holds.
    pub(super) fn segment(&self, key: &SegmentKey) -> Result<bool, ErrorCode> {
        let segment = self.compiled.segment(key).ok_or(ErrorCode::ParseError)?;
        let condition = segment.condition.as_ref().map_err(|_| ErrorCode::ParseError)?;
        self.limits.deeper(|| condition.holds(self))
    }

    /// What `look` makes of a segment's condition as it was written, where it can be read.
    pub(super) fn inside_segment<T>(&self, key: &SegmentKey, look: impl FnOnce(&source::Condition, &Self) -> T) -> Option<T> {
        let segment = self.compiled.segment(key)?.entry.value().ok()?;
        self.limits.deeper(|| Ok(look(&segment.when, self))).ok()
    }

    /// Whether a required flag serves what is required.
    fn meets(&self, requirement: &Requirement) -> Result<bool, ErrorCode> {
        let Some(slot) = self.compiled.slot(requirement.flag.as_str()) else {
            return Ok(false);
        };
        self.limits.deeper(|| {
            let outcome = decide_within(self.compiled, slot, self.context, self.unheard, self.limits);
            Ok(slot.flag.name(outcome.variant) == Some(&requirement.variant))
        })
    }
}

/// The answer of one evaluation, not yet read as a type.
#[derive(Debug, Clone, Copy)]
pub struct Evaluation<'c> {
    compiled: &'c Compiled,
    slot: Option<&'c Slot>,
    outcome: Outcome,
}

impl Compiled {
    /// Evaluates a flag. It never fails: what cannot be answered gives the caller's own default and says why.
    #[inline]
    pub fn evaluate<'c>(&'c self, key: &str, context: &Context<'_>, unheard: Unheard) -> Evaluation<'c> {
        match self.slot(key) {
            Some(slot) => Evaluation {
                compiled: self,
                slot: Some(slot),
                outcome: decide(self, slot, context, unheard),
            },
            None => Evaluation {
                compiled: self,
                slot: None,
                outcome: Outcome::error(ErrorCode::FlagNotFound),
            },
        }
    }

    /// A boolean flag, or `default` where it has nothing to say.
    #[inline]
    pub fn boolean(&self, key: &str, context: &Context<'_>, unheard: Unheard, default: bool) -> bool {
        self.evaluate(key, context, unheard).boolean().ok().flatten().unwrap_or(default)
    }

    /// A string flag, or `default` where it has nothing to say.
    #[inline]
    pub fn string<'c>(&'c self, key: &str, context: &Context<'_>, unheard: Unheard, default: &'c str) -> &'c str {
        self.evaluate(key, context, unheard).string().ok().flatten().unwrap_or(default)
    }

    /// A number flag, or `default` where it has nothing to say.
    #[inline]
    pub fn number(&self, key: &str, context: &Context<'_>, unheard: Unheard, default: f64) -> f64 {
        self.evaluate(key, context, unheard).number().ok().flatten().unwrap_or(default)
    }

    /// An object flag; `None` where it has nothing to say.
    #[inline]
    pub fn object<'c>(&'c self, key: &str, context: &Context<'_>, unheard: Unheard) -> Option<&'c serde_json::Map<String, serde_json::Value>> {
        self.evaluate(key, context, unheard).object().ok().flatten()
    }

    /// Evaluates a flag of any type.
    pub fn resolve<'c>(&'c self, key: &str, context: &Context<'_>, unheard: Unheard) -> Detail<'c> {
        self.evaluate(key, context, unheard).detail()
    }
}

impl<'c> Evaluation<'c> {
    /// The boolean; `None` = the caller's own default.
    #[inline]
    pub fn boolean(&self) -> Result<Option<bool>, TypeMismatch> {
        let Some((flag, index)) = self.served() else { return Ok(None) };
        if flag.value_type() == Some(ripcord_proto::value::ValueType::Boolean) {
            Ok(Some(flag.boolean(index)))
        } else {
            Err(TypeMismatch)
        }
    }

    /// The string; `None` = the caller's own default.
    #[inline]
    pub fn string(&self) -> Result<Option<&'c str>, TypeMismatch> {
        match self.value() {
            None => Ok(None),
            Some(Value::String(text)) => Ok(Some(text)),
            Some(Value::Boolean(_) | Value::Number(_) | Value::Object(_)) => Err(TypeMismatch),
        }
    }

    /// The number as a float; `None` = the caller's own default. [`Self::detail`] has it as it was spelled.
    #[inline]
    pub fn number(&self) -> Result<Option<f64>, TypeMismatch> {
        match self.value() {
            None => Ok(None),
            Some(Value::Number(number)) => Ok(number.as_f64()),
            Some(Value::Boolean(_) | Value::String(_) | Value::Object(_)) => Err(TypeMismatch),
        }
    }

    /// The object; `None` = the caller's own default.
    #[inline]
    pub fn object(&self) -> Result<Option<&'c serde_json::Map<String, serde_json::Value>>, TypeMismatch> {
        match self.value() {
            None => Ok(None),
            Some(Value::Object(members)) => Ok(Some(members)),
            Some(Value::Boolean(_) | Value::String(_) | Value::Number(_)) => Err(TypeMismatch),
        }
    }

    /// The value of any type; `None` = the caller's own default.
    #[inline]
    pub fn value(&self) -> Option<&'c Value> {
        self.slot?.flag.value(self.outcome.variant)
    }

    /// Why it answers so.
    #[inline]
    pub const fn reason(&self) -> Reason {
        self.outcome.reason
    }

    /// The flag; `None` where there is none of the key.
    #[inline]
    pub fn flag(&self) -> Option<&'c CompiledFlag> {
        self.slot.map(|slot| &*slot.flag)
    }

    /// The counter of what it serves, see [`CompiledFlag::counter_base`]; `None` where there is no flag of the key.
    #[inline]
    pub fn counter(&self) -> Option<usize> {
        let flag = self.flag()?;
        Some(flag.counter_base() + self.outcome.variant.index().unwrap_or(flag.variants().len()))
    }

    /// The whole answer.
    pub fn detail(&self) -> Detail<'c> {
        let killed = self.outcome.reason == Reason::Killed;
        Detail {
            value: self.value(),
            variant: self.slot.and_then(|slot| slot.flag.name(self.outcome.variant)),
            reason: self.outcome.reason,
            rule: self.rule(),
            kill: self.slot.filter(|_| killed).and_then(|slot| slot.kill.as_ref()).map(|kill| kill.key()),
            position: self.compiled.position(),
            value_type: self.slot.and_then(|slot| slot.flag.value_type()),
        }
    }

    /// The whole answer to somebody who asked for another type.
    pub fn mismatch(&self) -> Detail<'c> {
        Detail {
            value: None,
            variant: None,
            reason: Reason::Error(ErrorCode::TypeMismatch),
            rule: None,
            ..self.detail()
        }
    }

    fn rule(&self) -> Option<RuleRef<'c>> {
        let index = usize::from(self.outcome.rule);
        match &self.slot?.flag.plan {
            Plan::Rules { rules, .. } => rules.get(index).map(|rule| RuleRef { index, id: rule.id() }),
            Plan::Fixed(_) => None,
        }
    }

    #[inline]
    fn served(&self) -> Option<(&'c CompiledFlag, usize)> {
        Some((&*self.slot?.flag, self.outcome.variant.index()?))
    }
}

#[inline]
pub(super) fn decide(compiled: &Compiled, slot: &Slot, context: &Context<'_>, unheard: Unheard) -> Outcome {
    if let Some(forced) = forced(slot, unheard) {
        return forced;
    }
    match &slot.flag.plan {
        Plan::Fixed(outcome) => *outcome,
        Plan::Rules { .. } => decide_within(compiled, slot, context, unheard, &Limits::full()),
    }
}

/// What a kill or a lease that ran out forces.
#[inline]
fn forced(slot: &Slot, unheard: Unheard) -> Option<Outcome> {
    if slot.kill.is_some() {
        return Some(Outcome::new(slot.flag.safe, Reason::Killed));
    }
    unheard
        .reaches(slot.flag.lease_seconds)
        .then(|| Outcome::new(slot.flag.safe, Reason::LeaseExpired))
}

fn decide_within(compiled: &Compiled, slot: &Slot, context: &Context<'_>, unheard: Unheard, limits: &Limits) -> Outcome {
    if let Some(forced) = forced(slot, unheard) {
        return forced;
    }
    let flag = &*slot.flag;
    let (requires, rules) = match &flag.plan {
        Plan::Fixed(outcome) => return *outcome,
        Plan::Rules { requires, rules } => (requires, rules),
    };
    let scope = Scope {
        compiled,
        context,
        flag_key: flag.key().as_str(),
        unheard,
        limits,
    };
    decide_by_rules(flag, requires, rules, &scope).unwrap_or_else(Outcome::error)
}

#[inline]
fn decide_by_rules(flag: &CompiledFlag, requires: &[Requirement], rules: &[CompiledRule], scope: &Scope<'_>) -> Result<Outcome, ErrorCode> {
    for requirement in requires {
        if !scope.meets(requirement)? {
            return Ok(Outcome::new(flag.default, Reason::Prerequisite));
        }
    }
    for (index, rule) in rules.iter().enumerate() {
        let matches = match &rule.when {
            Some(when) => when.holds(scope)?,
            None => true,
        };
        if matches {
            return serve(flag, rule, index, scope);
        }
    }
    Ok(Outcome::new(flag.default, Reason::Default))
}

#[inline]
fn serve(flag: &CompiledFlag, rule: &CompiledRule, index: usize, scope: &Scope<'_>) -> Result<Outcome, ErrorCode> {
    match &rule.serve {
        CompiledServe::Variant(place) => Ok(Outcome::new(*place, Reason::TargetingMatch).by_rule(index)),
        CompiledServe::Split(split) => Ok(match bucket(split, scope.context) {
            Some(place) => Outcome::new(place, Reason::Split).by_rule(index),
            None => Outcome::new(flag.default, Reason::Default),
        }),
        CompiledServe::JsonLogic(program) => Ok(match program.name(scope, |name| flag.place(name))? {
            Named::Nothing => Outcome::new(flag.default, Reason::Default),
            Named::Name(place) => Outcome::new(place, Reason::TargetingMatch).by_rule(index),
        }),
    }
}

/// What a split serves; `None` where the attribute is missing, empty or no scalar.
#[inline]
fn bucket(split: &CompiledSplit, context: &Context<'_>) -> Option<Place> {
    with_text(split.by.find(context), |value| {
        let hash = bucket::hash_text(split.bucketing, &split.salt, value);
        (!value.is_empty()).then(|| split.at(bucket::project(hash, split.total)))
    })
    .flatten()
}
