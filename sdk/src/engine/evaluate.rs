//! The evaluation, top to bottom.

use std::fmt;

use ripcord_proto::flag::Requirement;
use ripcord_proto::key::VariantName;
use ripcord_proto::kill::KillId;
use ripcord_proto::revision::Position;
use ripcord_proto::value::{Value, ValueType};
use serde_json::Map;

use super::budget::Budget;
use super::compile::Compiled;
use super::context::Context;
use super::decision::{Decision, Truth};
use super::flag::{CompiledFlag, CompiledRule, CompiledServe, Plan};
use super::flag_table::Slot;
use super::reason::{ErrorCode, Reason, RuleRef, TypeMismatch};
use super::scalar_text::with_text;
use super::scope::Scope;
use super::since_contact::SinceContact;
use super::split::CompiledSplit;

/// The largest whole number that a float holds exactly, with all whole numbers below it: 2^53 - 1.
const EXACT: f64 = 9_007_199_254_740_991.0;

/// The result of one evaluation, borrowed from the compiled snapshot. Read the value with the method of its type.
#[derive(Clone, Copy)]
pub struct Evaluation<'c> {
    compiled: &'c Compiled,
    slot: Option<&'c Slot>,
    decision: Decision,
}

impl Compiled {
    /// Evaluates a flag. It never fails: a flag that cannot be evaluated leaves the value to the caller's default and gives the
    /// [`Reason`].
    #[inline]
    pub fn evaluate<'c>(&'c self, key: &str, context: &Context<'_>, since_contact: SinceContact) -> Evaluation<'c> {
        match self.slot(key) {
            Some(slot) => Evaluation {
                compiled: self,
                slot: Some(slot),
                decision: if self.context.is_empty() {
                    decide(self, slot, context, since_contact)
                } else {
                    decide_in_context(self, slot, context, since_contact)
                },
            },
            None => Evaluation {
                compiled: self,
                slot: None,
                decision: Decision::error(ErrorCode::FlagNotFound),
            },
        }
    }

    /// Evaluates a boolean flag; `default` if it has no boolean to serve.
    #[inline]
    pub fn boolean(&self, key: &str, context: &Context<'_>, since_contact: SinceContact, default: bool) -> bool {
        self.evaluate(key, context, since_contact).boolean().ok().flatten().unwrap_or(default)
    }

    /// Evaluates a string flag; `default` if it has no string to serve.
    #[inline]
    pub fn string<'c>(&'c self, key: &str, context: &Context<'_>, since_contact: SinceContact, default: &'c str) -> &'c str {
        self.evaluate(key, context, since_contact).string().ok().flatten().unwrap_or(default)
    }

    /// Evaluates a number flag; `default` if it has no number to serve.
    #[inline]
    pub fn number(&self, key: &str, context: &Context<'_>, since_contact: SinceContact, default: f64) -> f64 {
        self.evaluate(key, context, since_contact).number().ok().flatten().unwrap_or(default)
    }

    /// Evaluates an object flag; `None` if it has no object to serve.
    #[inline]
    pub fn object<'c>(&'c self, key: &str, context: &Context<'_>, since_contact: SinceContact) -> Option<&'c Map<String, serde_json::Value>> {
        self.evaluate(key, context, since_contact).object().ok().flatten()
    }
}

impl Compiled {
    /// A context under the attributes that the environment sets.
    pub(super) fn in_context<'m>(&'m self, context: &Context<'m>) -> Context<'m> {
        let mut context = context.clone();
        for (name, value) in &*self.context {
            context.set(name, value);
        }
        context
    }
}

impl fmt::Debug for Evaluation<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Evaluation")
            .field("value", &self.value())
            .field("variant", &self.variant())
            .field("reason", &self.reason())
            .field("rule", &self.rule())
            .field("kill", &self.kill())
            .field("position", &self.position())
            .finish_non_exhaustive()
    }
}

impl<'c> Evaluation<'c> {
    /// The boolean; `None` means the caller's default.
    ///
    /// # Errors
    ///
    /// [`TypeMismatch`] if the flag serves a value of a different type.
    #[inline]
    pub fn boolean(&self) -> Result<Option<bool>, TypeMismatch> {
        let Some((flag, index)) = self.served() else { return Ok(None) };
        if flag.value_type() == Some(ValueType::Boolean) {
            Ok(Some(flag.boolean(index)))
        } else {
            Err(TypeMismatch)
        }
    }

    /// The string; `None` means the caller's default.
    ///
    /// # Errors
    ///
    /// [`TypeMismatch`] if the flag serves a value of a different type.
    #[inline]
    pub fn string(&self) -> Result<Option<&'c str>, TypeMismatch> {
        match self.value() {
            None => Ok(None),
            Some(Value::String(text)) => Ok(Some(text)),
            Some(Value::Boolean(_) | Value::Number(_) | Value::Object(_)) => Err(TypeMismatch),
        }
    }

    /// The number as a float; `None` means the caller's default. [`Self::value`] has it as it was written.
    ///
    /// # Errors
    ///
    /// [`TypeMismatch`] if the flag serves a value of a different type.
    #[inline]
    pub fn number(&self) -> Result<Option<f64>, TypeMismatch> {
        match self.value() {
            None => Ok(None),
            Some(Value::Number(number)) => Ok(number.as_f64()),
            Some(Value::Boolean(_) | Value::String(_) | Value::Object(_)) => Err(TypeMismatch),
        }
    }

    /// The number as an integer; `None` means the caller's default. `29.0` is the integer 29.
    ///
    /// # Errors
    ///
    /// [`TypeMismatch`] if the flag serves a number with a fraction or beyond 64 bits, or a value of a different type.
    #[inline]
    pub fn integer(&self) -> Result<Option<i64>, TypeMismatch> {
        match self.value() {
            None => Ok(None),
            Some(Value::Number(number)) => number.as_i64().or_else(|| whole(number.as_f64()?)).map(Some).ok_or(TypeMismatch),
            Some(Value::Boolean(_) | Value::String(_) | Value::Object(_)) => Err(TypeMismatch),
        }
    }

    /// The object; `None` means the caller's default.
    ///
    /// # Errors
    ///
    /// [`TypeMismatch`] if the flag serves a value of a different type.
    #[inline]
    pub fn object(&self) -> Result<Option<&'c Map<String, serde_json::Value>>, TypeMismatch> {
        match self.value() {
            None => Ok(None),
            Some(Value::Object(members)) => Ok(Some(members)),
            Some(Value::Boolean(_) | Value::String(_) | Value::Number(_)) => Err(TypeMismatch),
        }
    }

    /// The value, whatever its type; `None` means the caller's default.
    #[inline]
    pub fn value(&self) -> Option<&'c Value> {
        self.slot?.flag.value(self.decision.variant())
    }

    /// The variant; `None` means the caller's default.
    pub fn variant(&self) -> Option<&'c VariantName> {
        self.slot?.flag.name(self.decision.variant())
    }

    /// Why this was served.
    #[inline]
    pub const fn reason(&self) -> Reason {
        self.decision.reason()
    }

    /// The rule that served, if one did.
    pub fn rule(&self) -> Option<RuleRef<'c>> {
        let index = self.decision.rule()?;
        let rule = self.slot?.flag.rules.get(index)?;
        Some(RuleRef { index, id: rule.id() })
    }

    /// The kill that forces the safe variant, if one does.
    pub fn kill(&self) -> Option<&'c KillId> {
        self.slot?.kill.as_ref().map(|kill| kill.key())
    }

    /// The position of the snapshot that was evaluated.
    pub const fn position(&self) -> Position {
        self.compiled.position()
    }

    /// The type of the flag's values; `None` if there is no such flag or it cannot be read.
    pub fn value_type(&self) -> Option<ValueType> {
        self.slot?.flag.value_type()
    }

    /// The flag; `None` if there is no flag with this key.
    #[inline]
    pub fn flag(&self) -> Option<&'c CompiledFlag> {
        self.slot.map(|slot| &*slot.flag)
    }

    /// The number of the counter for what was served, see [`CompiledFlag::counter_base`]; `None` if there is no flag with this key.
    #[inline]
    pub fn counter(&self) -> Option<usize> {
        let flag = self.flag()?;
        Some(flag.counter_base() + self.decision.variant().get().unwrap_or(flag.variants().len()))
    }

    /// The same evaluation for a caller that asked for a different type: an error without value, variant and rule.
    #[must_use]
    pub const fn mismatched(self) -> Self {
        Self {
            decision: Decision::error(ErrorCode::TypeMismatch),
            ..self
        }
    }

    #[inline]
    fn served(&self) -> Option<(&'c CompiledFlag, usize)> {
        Some((&*self.slot?.flag, self.decision.variant().get()?))
    }
}

#[inline]
fn whole(number: f64) -> Option<i64> {
    #[expect(clippy::cast_possible_truncation, reason = "checked to be whole and in range")]
    (number.fract() == 0.0 && number.abs() <= EXACT).then_some(number as i64)
}

#[inline]
fn decide(compiled: &Compiled, slot: &Slot, context: &Context<'_>, since_contact: SinceContact) -> Decision {
    if let Some(decision) = forced(slot, since_contact) {
        return decision;
    }
    match &slot.flag.plan {
        Plan::Fixed(decision) => *decision,
        Plan::Rollout(split) => serve_split(&slot.flag, split, 0, context),
        Plan::Rules => decide_by_rules(compiled, &slot.flag, context, since_contact, &Budget::full()),
    }
}

/// The same in an environment that sets attributes. Not inlined, as it would double the code of every other environment's evaluations.
#[inline(never)]
fn decide_in_context(compiled: &Compiled, slot: &Slot, context: &Context<'_>, since_contact: SinceContact) -> Decision {
    decide(compiled, slot, &compiled.in_context(context), since_contact)
}

/// The same for a prerequisite, on the budget of the evaluation that it belongs to.
fn decide_nested(compiled: &Compiled, slot: &Slot, context: &Context<'_>, since_contact: SinceContact, budget: &Budget) -> Decision {
    if let Some(decision) = forced(slot, since_contact) {
        return decision;
    }
    match &slot.flag.plan {
        Plan::Fixed(decision) => *decision,
        Plan::Rollout(split) => serve_split(&slot.flag, split, 0, context),
        Plan::Rules => decide_by_rules(compiled, &slot.flag, context, since_contact, budget),
    }
}

/// The safe variant, if a kill or an expired lease forces it.
#[inline]
fn forced(slot: &Slot, since_contact: SinceContact) -> Option<Decision> {
    if slot.kill.is_some() {
        return Some(Decision::new(slot.flag.safe, Reason::Killed));
    }
    if since_contact.reaches(slot.flag.lease_seconds) {
        return Some(Decision::new(slot.flag.safe, Reason::LeaseExpired));
    }
    None
}

fn decide_by_rules(compiled: &Compiled, flag: &CompiledFlag, context: &Context<'_>, since_contact: SinceContact, budget: &Budget) -> Decision {
    let scope = Scope {
        compiled,
        context,
        flag,
        since_contact,
        budget,
    };
    for requirement in &flag.requires {
        match is_met(requirement, &scope) {
            Truth::True => {}
            Truth::False => return Decision::new(flag.default, Reason::Prerequisite),
            Truth::Unreadable => return Decision::error(ErrorCode::ParseError),
            Truth::Failed => return Decision::error(ErrorCode::General),
        }
    }
    for (index, rule) in flag.rules.iter().enumerate() {
        match rule.when.as_ref().map_or(Truth::True, |when| when.holds(&scope)) {
            Truth::True => return serve(rule, index, &scope),
            Truth::False => {}
            Truth::Unreadable => return Decision::error(ErrorCode::ParseError),
            Truth::Failed => return Decision::error(ErrorCode::General),
        }
    }
    Decision::new(flag.default, Reason::Default)
}

/// Whether a prerequisite serves the variant that the flag requires.
fn is_met(requirement: &Requirement, scope: &Scope<'_>) -> Truth {
    let Some(slot) = scope.compiled.slot(requirement.flag.as_str()) else {
        return Truth::False;
    };
    let decision = scope
        .budget
        .descend(|| decide_nested(scope.compiled, slot, scope.context, scope.since_contact, scope.budget));
    decision.map_or(Truth::Failed, |decision| {
        Truth::from(slot.flag.name(decision.variant()) == Some(&requirement.variant))
    })
}

#[inline]
fn serve(rule: &CompiledRule, index: usize, scope: &Scope<'_>) -> Decision {
    let (flag, context) = (scope.flag, scope.context);
    match &rule.serve {
        CompiledServe::Variant(variant) => Decision::by_rule(*variant, Reason::TargetingMatch, index),
        CompiledServe::Split(split) => serve_split(flag, split, index, context),
        CompiledServe::JsonLogic(program) => match program.variant(context, flag.key().as_str(), scope.budget, |name| flag.find(name)) {
            Ok(None) => Decision::new(flag.default, Reason::Default),
            Ok(Some(variant)) => Decision::by_rule(variant, Reason::TargetingMatch, index),
            Err(code) => Decision::error(code),
        },
    }
}

/// What a split serves: the default variant if the attribute is missing, empty or not a scalar.
#[inline]
fn serve_split(flag: &CompiledFlag, split: &CompiledSplit, index: usize, context: &Context<'_>) -> Decision {
    match with_text(split.by.find(context), |value| split.bucket(value)).flatten() {
        Some(variant) => Decision::by_rule(variant, Reason::Split, index),
        None => Decision::new(flag.default, Reason::Default),
    }
}
