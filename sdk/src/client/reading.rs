//! One look at what is in force: what a client's and a view's evaluations have in common.

use std::sync::Arc;

use ripcord_proto::outcome::Traffic;
use ripcord_proto::{KillId, Position, VariantName};
use serde_json::{Map, Value};

use super::outcomes::{Ledger, Outcome};
use super::shared::InForce;
use crate::engine::{Context, ErrorCode, Evaluation, Reason, TypeMismatch, Unheard};

/// A value, and why it is this one.
#[derive(Debug, Clone)]
pub struct Answer<T> {
    /// What was served: a variant's value, or the caller's own default.
    pub value: T,
    /// The variant; `None` = the caller's own default.
    pub variant: Option<VariantName>,
    /// Why. [`Reason::NotReady`] before any data.
    pub reason: Reason,
    /// The rule that served, where one did: its id, else its place (`rules[0]`).
    pub rule: Option<String>,
    /// The kill that forces the safe variant, where one does.
    pub kill: Option<KillId>,
    /// The epoch and revision that answered; `None` before any data.
    pub position: Option<Position>,
    ticket: Option<Ticket>,
}

/// Where the outcome of an answer is counted.
#[derive(Debug, Clone)]
struct Ticket {
    ledger: Arc<Ledger>,
    counter: usize,
    traffic: Traffic,
}

impl<T> Answer<T> {
    /// What went wrong, where something did.
    pub fn error(&self) -> Option<ErrorCode> {
        self.reason.error_code()
    }

    pub(super) fn went(&self, outcome: Outcome) {
        if let Some(ticket) = &self.ticket {
            ticket.ledger.went(ticket.counter, ticket.traffic, outcome);
        }
    }
}

/// What evaluations read from.
#[derive(Clone, Copy)]
pub struct Reading<'r> {
    in_force: Option<&'r InForce>,
    unheard: Unheard,
}

impl std::fmt::Debug for Reading<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Reading").finish_non_exhaustive()
    }
}

impl<'r> Reading<'r> {
    #[inline]
    pub(super) fn new(in_force: Option<&'r InForce>, unheard: Unheard) -> Self {
        Self { in_force, unheard }
    }

    /// Evaluates and counts; `None` before any data.
    #[inline]
    fn evaluate(&self, key: &str, context: &Context<'_>) -> Option<Evaluation<'r>> {
        let in_force = self.in_force?;
        let evaluation = in_force.compiled.evaluate(key, context, self.unheard);
        if let (Some(ledger), Some(counter)) = (&in_force.ledger, evaluation.counter()) {
            ledger.evaluated(counter, context.traffic());
        }
        Some(evaluation)
    }

    /// Counts an outcome for what is served, without counting an evaluation.
    pub(super) fn went(&self, key: &str, context: &Context<'_>, outcome: Outcome) {
        let Some(in_force) = self.in_force else { return };
        let counter = in_force.compiled.evaluate(key, context, self.unheard).counter();
        if let (Some(ledger), Some(counter)) = (&in_force.ledger, counter) {
            ledger.went(counter, context.traffic(), outcome);
        }
    }

    #[inline]
    pub(super) fn bool(&self, key: &str, context: &Context<'_>, default: bool) -> bool {
        self.evaluate(key, context).and_then(|answer| answer.boolean().ok()?).unwrap_or(default)
    }

    #[inline]
    pub(super) fn string(&self, key: &str, context: &Context<'_>) -> Option<&'r str> {
        self.evaluate(key, context).and_then(|answer| answer.string().ok()?)
    }

    #[inline]
    pub(super) fn number(&self, key: &str, context: &Context<'_>, default: f64) -> f64 {
        self.evaluate(key, context).and_then(|answer| answer.number().ok()?).unwrap_or(default)
    }

    #[inline]
    pub(super) fn object(&self, key: &str, context: &Context<'_>) -> Option<&'r Map<String, Value>> {
        self.evaluate(key, context).and_then(|answer| answer.object().ok()?)
    }

    pub(super) fn bool_detail(&self, key: &str, context: &Context<'_>, default: bool) -> Answer<bool> {
        self.detail(key, context, Evaluation::boolean, |value| value.unwrap_or(default))
    }

    pub(super) fn string_detail(&self, key: &str, context: &Context<'_>, default: &str) -> Answer<String> {
        self.detail(key, context, Evaluation::string, |value| value.unwrap_or(default).to_owned())
    }

    pub(super) fn number_detail(&self, key: &str, context: &Context<'_>, default: f64) -> Answer<f64> {
        self.detail(key, context, Evaluation::number, |value| value.unwrap_or(default))
    }

    pub(super) fn object_detail(&self, key: &str, context: &Context<'_>, default: Map<String, Value>) -> Answer<Map<String, Value>> {
        self.detail(key, context, Evaluation::object, |value| value.cloned().unwrap_or(default))
    }

    fn detail<V, T>(
        &self,
        key: &str,
        context: &Context<'_>,
        read: impl FnOnce(&Evaluation<'r>) -> Result<Option<V>, TypeMismatch>,
        served: impl FnOnce(Option<V>) -> T,
    ) -> Answer<T> {
        let (Some(in_force), Some(evaluation)) = (self.in_force, self.evaluate(key, context)) else {
            return Answer {
                value: served(None),
                variant: None,
                reason: Reason::NotReady,
                rule: None,
                kill: None,
                position: None,
                ticket: None,
            };
        };
        let (value, detail) = match read(&evaluation) {
            Ok(value) => (value, evaluation.detail()),
            Err(TypeMismatch) => (None, evaluation.mismatch()),
        };
        let ticket = in_force.ledger.as_ref().zip(evaluation.counter()).map(|(ledger, counter)| Ticket {
            ledger: Arc::clone(ledger),
            counter,
            traffic: context.traffic(),
        });
        Answer {
            value: served(value),
            variant: detail.variant.cloned(),
            reason: detail.reason,
            rule: detail.rule.map(|rule| rule.to_string()),
            kill: detail.kill.cloned(),
            position: Some(detail.position),
            ticket,
        }
    }
}
