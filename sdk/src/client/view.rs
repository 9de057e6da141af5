//! A pinned revision.

use std::collections::BTreeMap;
use std::sync::Arc;

use ripcord_proto::{FlagKey, Position};
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

use super::detail::Detail;
use super::evaluator::Evaluator;
use super::outcomes::Outcome;
use super::shared::{Loaded, Shared};
use super::typed_flag::TypedFlag;
use crate::engine::{Context, Explanation};

/// The revision that was current when the view was made. All flags that are evaluated through one view agree on it, for the length of
/// a request or a session.
///
/// The one thing that still changes in a view is an expired lease. A kill does not reach it, so make a new view for each request, and in
/// a long session from time to time.
#[derive(Debug, Clone)]
pub struct View {
    pinned: Arc<Loaded>,
    shared: Arc<Shared>,
}

impl View {
    pub(super) fn new(shared: Arc<Shared>) -> Self {
        Self { pinned: shared.pin(), shared }
    }

    /// The position that is evaluated; `None` before there is any data.
    pub fn position(&self) -> Option<Position> {
        (*self.pinned).as_ref().map(|current| current.compiled.position())
    }

    /// Evaluates a boolean flag.
    #[inline]
    pub fn bool(&self, key: &str, context: &Context<'_>, default: bool) -> bool {
        self.evaluator().bool(key, context, default)
    }

    /// Evaluates a string flag, without a copy.
    #[inline]
    pub fn string<'v>(&'v self, key: &str, context: &Context<'_>, default: &'v str) -> &'v str {
        self.evaluator().string(key, context).unwrap_or(default)
    }

    /// Evaluates a number flag as a float.
    #[inline]
    pub fn number(&self, key: &str, context: &Context<'_>, default: f64) -> f64 {
        self.evaluator().number(key, context, default)
    }

    /// Evaluates a number flag as an integer. A number with a fraction is a type mismatch, which gives `default`.
    #[inline]
    pub fn integer(&self, key: &str, context: &Context<'_>, default: i64) -> i64 {
        self.evaluator().integer(key, context, default)
    }

    /// Evaluates an object flag, without a copy; `None` means the caller's default.
    #[inline]
    pub fn object(&self, key: &str, context: &Context<'_>) -> Option<&Map<String, Value>> {
        self.evaluator().object(key, context)
    }

    /// Evaluates an object flag and deserializes the object. An object that does not fit `T` is a type mismatch, which gives
    /// `default`.
    pub fn json<T: DeserializeOwned>(&self, key: &str, context: &Context<'_>, default: T) -> T {
        self.evaluator().json(key, context, || default)
    }

    /// Evaluates a boolean flag and says why it serves this value.
    pub fn bool_detail(&self, key: &str, context: &Context<'_>, default: bool) -> Detail<bool> {
        self.evaluator().bool_detail(key, context, default)
    }

    /// Evaluates a string flag and says why it serves this value.
    pub fn string_detail(&self, key: &str, context: &Context<'_>, default: &str) -> Detail<String> {
        self.evaluator().string_detail(key, context, default)
    }

    /// Evaluates a number flag as a float and says why it serves this value.
    pub fn number_detail(&self, key: &str, context: &Context<'_>, default: f64) -> Detail<f64> {
        self.evaluator().number_detail(key, context, default)
    }

    /// Evaluates a number flag as an integer and says why it serves this value.
    pub fn integer_detail(&self, key: &str, context: &Context<'_>, default: i64) -> Detail<i64> {
        self.evaluator().integer_detail(key, context, default)
    }

    /// Evaluates an object flag and says why it serves this value.
    pub fn object_detail(&self, key: &str, context: &Context<'_>, default: Map<String, Value>) -> Detail<Map<String, Value>> {
        self.evaluator().object_detail(key, context, || default)
    }

    /// Evaluates an object flag, deserializes the object, and says why it serves this value.
    pub fn json_detail<T: DeserializeOwned>(&self, key: &str, context: &Context<'_>, default: T) -> Detail<T> {
        self.evaluator().json_detail(key, context, || default)
    }

    /// Evaluates a flag that was declared once with its type and default.
    #[inline]
    pub fn get<F: TypedFlag>(&self, flag: &F, context: &Context<'_>) -> F::Value {
        flag.value(self.evaluator(), context)
    }

    /// Evaluates a declared flag and says why it serves this value.
    pub fn detail<F: TypedFlag>(&self, flag: &F, context: &Context<'_>) -> Detail<F::Value> {
        flag.detail(self.evaluator(), context)
    }

    /// Evaluates every flag. A value is null if the flag leaves it to the caller's default. These evaluations are neither counted nor
    /// observed.
    pub fn all_flags(&self, context: &Context<'_>) -> BTreeMap<FlagKey, Detail<Value>> {
        self.evaluator().all(context)
    }

    /// Reports how it went for a user who was served `detail`. It is counted for the variant that `detail` names.
    #[expect(clippy::unused_self, reason = "the detail knows its counter, but the outcome is reported to the client")]
    pub fn outcome<T>(&self, detail: &Detail<T>, outcome: Outcome) {
        detail.record(outcome);
    }

    /// Explains an evaluation rule by rule, with what each condition saw; `None` before there is any data. It is neither counted nor
    /// observed.
    pub fn explain(&self, key: &str, context: &Context<'_>) -> Option<Explanation> {
        let current = (*self.pinned).as_ref()?;
        Some(current.compiled.explain(key, context, self.shared.since_contact()))
    }

    /// The flag's own metadata; `None` if there is no such flag, or no data yet.
    pub fn metadata(&self, key: &str) -> Option<&Map<String, Value>> {
        let flag = (*self.pinned).as_ref()?.compiled.flag(key)?;
        flag.entry().value().ok().map(|flag| &flag.metadata)
    }

    #[inline]
    fn evaluator(&self) -> Evaluator<'_> {
        Evaluator::new((*self.pinned).as_ref(), &self.shared)
    }
}
