//! Evaluates flags of one loaded state: what `Client` and `View` have in common.

use std::collections::BTreeMap;
use std::sync::Arc;

use ripcord_proto::FlagKey;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

use super::detail::{CounterRef, Detail};
use super::observer::EvaluationEvent;
use super::outcomes::Outcome;
use super::shared::{CurrentState, Recording, Shared};
use crate::engine::{Context, Evaluation, Reason, TypeMismatch};

/// A loaded state, ready to be evaluated. Part of the interface of [`TypedFlag`](crate::TypedFlag), which is sealed.
#[derive(Clone, Copy)]
pub struct Evaluator<'r> {
    current: Option<&'r CurrentState>,
    shared: &'r Shared,
}

impl std::fmt::Debug for Evaluator<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Evaluator").finish_non_exhaustive()
    }
}

impl<'r> Evaluator<'r> {
    #[inline]
    pub(super) fn new(current: Option<&'r CurrentState>, shared: &'r Shared) -> Self {
        Self { current, shared }
    }

    /// Evaluates, counts and tells the observer; `None` before there is any data.
    #[inline]
    fn evaluate(&self, key: &str, context: &Context<'_>) -> Option<Evaluation<'r>> {
        let Some(current) = self.current else {
            self.observe(key, context, None);
            return None;
        };
        let evaluation = current.compiled.evaluate(key, context, self.shared.since_contact());
        match &current.recording {
            Recording::Off => {}
            Recording::Counted(counters) => {
                if let Some(counter) = evaluation.counter() {
                    counters.evaluated(counter, context.traffic());
                }
            }
            Recording::Observed { counters, .. } => {
                if let (Some(counters), Some(counter)) = (counters, evaluation.counter()) {
                    counters.evaluated(counter, context.traffic());
                }
                self.observe(key, context, Some(&evaluation));
            }
        }
        Some(evaluation)
    }

    #[cold]
    fn observe(&self, key: &str, context: &Context<'_>, evaluation: Option<&Evaluation<'_>>) {
        if let Some(observer) = self.shared.observer() {
            observer.call(&EvaluationEvent::new(key, context, evaluation));
        }
    }

    /// Counts an outcome for the variant that would be served, without counting an evaluation.
    pub(super) fn record(&self, key: &str, context: &Context<'_>, outcome: Outcome) {
        let Some(current) = self.current else { return };
        let counter = current.compiled.evaluate(key, context, self.shared.since_contact()).counter();
        if let (Some(counters), Some(counter)) = (current.recording.counters(), counter) {
            counters.record(counter, context.traffic(), outcome);
        }
    }

    #[inline]
    pub(super) fn bool(&self, key: &str, context: &Context<'_>, default: bool) -> bool {
        self.evaluate(key, context).and_then(|evaluation| evaluation.boolean().ok()?).unwrap_or(default)
    }

    #[inline]
    pub(super) fn string(&self, key: &str, context: &Context<'_>) -> Option<&'r str> {
        self.evaluate(key, context).and_then(|evaluation| evaluation.string().ok()?)
    }

    #[inline]
    pub(super) fn number(&self, key: &str, context: &Context<'_>, default: f64) -> f64 {
        self.evaluate(key, context).and_then(|evaluation| evaluation.number().ok()?).unwrap_or(default)
    }

    #[inline]
    pub(super) fn integer(&self, key: &str, context: &Context<'_>, default: i64) -> i64 {
        self.evaluate(key, context).and_then(|evaluation| evaluation.integer().ok()?).unwrap_or(default)
    }

    #[inline]
    pub(super) fn object(&self, key: &str, context: &Context<'_>) -> Option<&'r Map<String, Value>> {
        self.evaluate(key, context).and_then(|evaluation| evaluation.object().ok()?)
    }

    pub(super) fn json<T: DeserializeOwned>(&self, key: &str, context: &Context<'_>, default: impl FnOnce() -> T) -> T {
        self.evaluate(key, context)
            .and_then(|evaluation| deserialized(&evaluation).ok()?)
            .unwrap_or_else(default)
    }

    pub(super) fn bool_detail(&self, key: &str, context: &Context<'_>, default: bool) -> Detail<bool> {
        self.detail(key, context, Evaluation::boolean, |value| value.unwrap_or(default))
    }

    pub(super) fn string_detail(&self, key: &str, context: &Context<'_>, default: &str) -> Detail<String> {
        self.detail(key, context, Evaluation::string, |value| value.unwrap_or(default).to_owned())
    }

    pub(super) fn number_detail(&self, key: &str, context: &Context<'_>, default: f64) -> Detail<f64> {
        self.detail(key, context, Evaluation::number, |value| value.unwrap_or(default))
    }

    pub(super) fn integer_detail(&self, key: &str, context: &Context<'_>, default: i64) -> Detail<i64> {
        self.detail(key, context, Evaluation::integer, |value| value.unwrap_or(default))
    }

    pub(super) fn object_detail(&self, key: &str, context: &Context<'_>, default: impl FnOnce() -> Map<String, Value>) -> Detail<Map<String, Value>> {
        self.detail(key, context, Evaluation::object, |value| value.cloned().unwrap_or_else(default))
    }

    pub(super) fn json_detail<T: DeserializeOwned>(&self, key: &str, context: &Context<'_>, default: impl FnOnce() -> T) -> Detail<T> {
        self.detail(key, context, deserialized, |value| value.unwrap_or_else(default))
    }

    /// Every flag, neither counted nor observed.
    pub(super) fn all(&self, context: &Context<'_>) -> BTreeMap<FlagKey, Detail<Value>> {
        let Some(current) = self.current else { return BTreeMap::new() };
        let flags = current.compiled.flags().map(|flag| {
            let evaluation = current.compiled.evaluate(flag.key().as_str(), context, self.shared.since_contact());
            let value = evaluation.value().and_then(|value| serde_json::to_value(value).ok());
            (
                flag.key().clone(),
                described(current, &evaluation, &evaluation, context, value.unwrap_or_default()),
            )
        });
        flags.collect()
    }

    fn detail<V, T>(
        &self,
        key: &str,
        context: &Context<'_>,
        read: impl FnOnce(&Evaluation<'r>) -> Result<Option<V>, TypeMismatch>,
        served: impl FnOnce(Option<V>) -> T,
    ) -> Detail<T> {
        let (Some(current), Some(evaluation)) = (self.current, self.evaluate(key, context)) else {
            return Detail {
                value: served(None),
                variant: None,
                reason: Reason::NotReady,
                rule: None,
                kill: None,
                position: None,
                counter: None,
            };
        };
        match read(&evaluation) {
            Ok(value) => described(current, &evaluation, &evaluation, context, served(value)),
            Err(TypeMismatch) => described(current, &evaluation, &evaluation.mismatched(), context, served(None)),
        }
    }
}

/// The detail of `evaluation`, counted where `counted` is.
fn described<T>(current: &CurrentState, counted: &Evaluation<'_>, evaluation: &Evaluation<'_>, context: &Context<'_>, value: T) -> Detail<T> {
    let counter = current.recording.counters().zip(counted.counter());
    Detail {
        value,
        variant: evaluation.variant().cloned(),
        reason: evaluation.reason(),
        rule: evaluation.rule().map(|rule| rule.to_string()),
        kill: evaluation.kill().cloned(),
        position: Some(evaluation.position()),
        counter: counter.map(|(counters, counter)| CounterRef {
            counters: Arc::clone(counters),
            counter,
            traffic: context.traffic(),
        }),
    }
}

/// The object as a `T`.
fn deserialized<T: DeserializeOwned>(evaluation: &Evaluation<'_>) -> Result<Option<T>, TypeMismatch> {
    let Some(members) = evaluation.object()? else { return Ok(None) };
    let members = members.iter().map(|(name, value)| (name.as_str(), value.clone()));
    let object = serde::de::value::MapDeserializer::<_, serde_json::Error>::new(members);
    T::deserialize(object).map(Some).map_err(|_| TypeMismatch)
}
