//! The evaluation, top to bottom.

use std::cell::Cell;

use ripcord_proto::condition as source;
use ripcord_proto::flag::Requirement;
use ripcord_proto::key::SegmentKey;
use ripcord_proto::value::Value;

use super::compile::{Compiled, Slot};
use super::context::Context;
use super::detail::{Detail, ErrorCode, Reason, RuleRef, TypeMismatch, Unheard};
use super::flag::{CompiledFlag, CompiledRule, CompiledServe, Plan};
use super::jsonlogic::Named;
use super::outcome::{Outcome, Truth};
use super::split::CompiledSplit;
use super::text::with_text;

/// How many required flags and segments one evaluation may look at, over all levels. Validation keeps nesting shallow; this
/// keeps what branches at every level from running away.
const BUDGET: u32 = 10_000;
/// How deep required flags and segments may stand within each other, whatever the snapshot says.
const DEPTH: u32 = 64;
/// What conditions see.
pub(super) struct Scope<'s> {
    pub(super) compiled: &'s Compiled,
    pub(super) context: &'s Context<'s>,
    pub(super) flag: &'s CompiledFlag,
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
    fn deeper<T>(&self, inside: impl FnOnce() -> T) -> Option<T> {
        let left = self.left.get().checked_sub(1)?;
        if self.depth.get() >= DEPTH {
            return None;
        }
        self.left.set(left);
        self.depth.set(self.depth.get() + 1);
        let answer = inside();
        self.depth.set(self.depth.get() - 1);
        Some(answer)
    }
}

impl Scope<'_> {
    /// Whether a segment's condition holds.
    pub(super) fn segment(&self, key: &SegmentKey) -> Truth {
        match self.compiled.segment(key).map(|segment| &segment.condition) {
            Some(Ok(condition)) => self.limits.deeper(|| condition.holds(self)).unwrap_or(Truth::Failed),
            Some(Err(_)) | None => Truth::Unreadable,
        }
    }

    /// What `look` makes of a segment's condition as it was written, where it can be read.
    pub(super) fn inside_segment<T>(&self, key: &SegmentKey, look: impl FnOnce(&source::Condition, &Self) -> T) -> Option<T> {
        let segment = self.compiled.segment(key)?.entry.value().ok()?;
        self.limits.deeper(|| look(&segment.when, self))
    }

    /// Whether a required flag serves what is required.
    fn meets(&self, requirement: &Requirement) -> Truth {
        let Some(slot) = self.compiled.slot(requirement.flag.as_str()) else {
            return Truth::False;
        };
        let outcome = self
            .limits
            .deeper(|| decide_within(self.compiled, slot, self.context, self.unheard, self.limits));
        outcome.map_or(Truth::Failed, |outcome| {
            Truth::from(slot.flag.name(outcome.variant()) == Some(&requirement.variant))
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
        self.slot?.flag.value(self.outcome.variant())
    }

    /// Why it answers so.
    #[inline]
    pub const fn reason(&self) -> Reason {
        self.outcome.reason()
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
        Some(flag.counter_base() + self.outcome.variant().index().unwrap_or(flag.variants().len()))
    }

    /// The whole answer.
    pub fn detail(&self) -> Detail<'c> {
        let killed = self.outcome.reason() == Reason::Killed;
        Detail {
            value: self.value(),
            variant: self.slot.and_then(|slot| slot.flag.name(self.outcome.variant())),
            reason: self.outcome.reason(),
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
        let index = self.outcome.rule()?;
        let rule = self.slot?.flag.rules.get(index)?;
        Some(RuleRef { index, id: rule.id() })
    }

    #[inline]
    fn served(&self) -> Option<(&'c CompiledFlag, usize)> {
        Some((&*self.slot?.flag, self.outcome.variant().index()?))
    }
}

#[inline]
fn decide(compiled: &Compiled, slot: &Slot, context: &Context<'_>, unheard: Unheard) -> Outcome {
    if let Some(outcome) = forced(slot, unheard) {
        return outcome;
    }
    match &slot.flag.plan {
        Plan::Fixed(outcome) => *outcome,
        Plan::Rollout(split) => serve_split(&slot.flag, split, 0, context),
        Plan::Rules => decide_by_rules(compiled, &slot.flag, context, unheard, &Limits::full()),
    }
}

/// The same below another evaluation, whose limits it shares.
fn decide_within(compiled: &Compiled, slot: &Slot, context: &Context<'_>, unheard: Unheard, limits: &Limits) -> Outcome {
    if let Some(outcome) = forced(slot, unheard) {
        return outcome;
    }
    match &slot.flag.plan {
        Plan::Fixed(outcome) => *outcome,
        Plan::Rollout(split) => serve_split(&slot.flag, split, 0, context),
        Plan::Rules => decide_by_rules(compiled, &slot.flag, context, unheard, limits),
    }
}

/// What a kill or a lease that ran out forces.
#[inline]
fn forced(slot: &Slot, unheard: Unheard) -> Option<Outcome> {
    if slot.kill.is_some() {
        return Some(Outcome::new(slot.flag.safe, Reason::Killed));
    }
    if unheard.reaches(slot.flag.lease_seconds) {
        return Some(Outcome::new(slot.flag.safe, Reason::LeaseExpired));
    }
    None
}

fn decide_by_rules(compiled: &Compiled, flag: &CompiledFlag, context: &Context<'_>, unheard: Unheard, limits: &Limits) -> Outcome {
    let scope = Scope {
        compiled,
        context,
        flag,
        unheard,
        limits,
    };
    for requirement in &flag.requires {
        match scope.meets(requirement) {
            Truth::True => {}
            Truth::False => return Outcome::new(flag.default, Reason::Prerequisite),
            Truth::Unreadable => return Outcome::error(ErrorCode::ParseError),
            Truth::Failed => return Outcome::error(ErrorCode::General),
        }
    }
    for (index, rule) in flag.rules.iter().enumerate() {
        match rule.when.as_ref().map_or(Truth::True, |when| when.holds(&scope)) {
            Truth::True => return serve(flag, rule, index, &scope),
            Truth::False => {}
            Truth::Unreadable => return Outcome::error(ErrorCode::ParseError),
            Truth::Failed => return Outcome::error(ErrorCode::General),
        }
    }
    Outcome::new(flag.default, Reason::Default)
}

#[inline]
fn serve(flag: &CompiledFlag, rule: &CompiledRule, index: usize, scope: &Scope<'_>) -> Outcome {
    match &rule.serve {
        CompiledServe::Variant(place) => Outcome::by_rule(*place, Reason::TargetingMatch, index),
        CompiledServe::Split(split) => serve_split(flag, split, index, scope.context),
        CompiledServe::JsonLogic(program) => match program.name(scope, |name| flag.place(name)) {
            Ok(Named::Nothing) => Outcome::new(flag.default, Reason::Default),
            Ok(Named::Name(place)) => Outcome::by_rule(place, Reason::TargetingMatch, index),
            Err(code) => Outcome::error(code),
        },
    }
}

/// What a split serves: the default variant where the attribute is missing, empty or no scalar.
#[inline]
fn serve_split(flag: &CompiledFlag, split: &CompiledSplit, index: usize, context: &Context<'_>) -> Outcome {
    match with_text(split.by.find(context), |value| split.bucket(value)).flatten() {
        Some(place) => Outcome::by_rule(place, Reason::Split, index),
        None => Outcome::new(flag.default, Reason::Default),
    }
}
