//! A pinned state: everything that is evaluated through one view answers from one revision.

use std::sync::Arc;

use ripcord_proto::Position;
use serde_json::{Map, Value};

use super::handle::Handle;
use super::outcomes::Outcome;
use super::reading::{Answer, Reading};
use super::shared::{InForce, Shared};
use crate::engine::{Context, Explanation};

/// What was in force at some moment, or nothing before any data.
pub(super) type Pinned = Option<InForce>;

/// What was in force when it was made, for a request or a session: its flags never disagree about the revision.
///
/// Two things still reach a view that is held for long: a lease that runs out, and nothing else. A kill does not, so take a new
/// view for each request, and for a session now and then.
#[derive(Debug, Clone)]
pub struct View {
    pinned: Arc<Pinned>,
    shared: Arc<Shared>,
}

impl View {
    pub(super) fn new(shared: Arc<Shared>) -> Self {
        Self { pinned: shared.pin(), shared }
    }

    /// The epoch and revision that answer; `None` before any data.
    pub fn position(&self) -> Option<Position> {
        (*self.pinned).as_ref().map(|in_force| in_force.compiled.position())
    }

    /// A boolean flag.
    #[inline]
    pub fn bool(&self, key: &str, context: &Context<'_>, default: bool) -> bool {
        self.read().bool(key, context, default)
    }

    /// A string flag, lent.
    #[inline]
    pub fn string<'v>(&'v self, key: &str, context: &Context<'_>, default: &'v str) -> &'v str {
        self.read().string(key, context).unwrap_or(default)
    }

    /// A number flag.
    #[inline]
    pub fn number(&self, key: &str, context: &Context<'_>, default: f64) -> f64 {
        self.read().number(key, context, default)
    }

    /// An object flag, lent; `None` = the caller's own default.
    #[inline]
    pub fn object(&self, key: &str, context: &Context<'_>) -> Option<&Map<String, Value>> {
        self.read().object(key, context)
    }

    /// A boolean flag, and why.
    pub fn bool_detail(&self, key: &str, context: &Context<'_>, default: bool) -> Answer<bool> {
        self.read().bool_detail(key, context, default)
    }

    /// A string flag, and why.
    pub fn string_detail(&self, key: &str, context: &Context<'_>, default: &str) -> Answer<String> {
        self.read().string_detail(key, context, default)
    }

    /// A number flag, and why.
    pub fn number_detail(&self, key: &str, context: &Context<'_>, default: f64) -> Answer<f64> {
        self.read().number_detail(key, context, default)
    }

    /// An object flag, and why.
    pub fn object_detail(&self, key: &str, context: &Context<'_>, default: Map<String, Value>) -> Answer<Map<String, Value>> {
        self.read().object_detail(key, context, default)
    }

    /// A flag that was declared once, with its type and default.
    #[inline]
    pub fn get<H: Handle>(&self, flag: &H, context: &Context<'_>) -> H::Value {
        flag.read(self.read(), context)
    }

    /// Says how something that was served went; it is counted for the variant that `answer` names.
    #[expect(clippy::unused_self, reason = "an answer knows where it is counted; it is the client that is told")]
    pub fn outcome<T>(&self, answer: &Answer<T>, outcome: Outcome) {
        answer.went(outcome);
    }

    /// The evaluation of a flag rule by rule, with what each condition saw; `None` before any data. Not counted.
    pub fn explain(&self, key: &str, context: &Context<'_>) -> Option<Explanation> {
        let in_force = (*self.pinned).as_ref()?;
        Some(in_force.compiled.explain(key, context, self.shared.unheard()))
    }

    #[inline]
    fn read(&self) -> Reading<'_> {
        Reading::new((*self.pinned).as_ref(), self.shared.unheard())
    }
}
