//! The same interface in a build without JSONLogic: no rule compiles.

use ripcord_proto::settings::Bucketing;
use serde_json::Value;

use crate::engine::budget::Budget;
use crate::engine::context::Context;
use crate::engine::decision::Truth;
use crate::engine::reason::ErrorCode;

/// Keeps the bucketing generation and compiles nothing.
#[derive(Debug, Clone)]
pub(in crate::engine) struct Interpreter {
    bucketing: Bucketing,
}

/// A rule cannot exist in this build.
#[derive(Debug)]
pub(in crate::engine) enum Program {}

impl Interpreter {
    pub(in crate::engine) fn new(bucketing: Bucketing) -> Self {
        Self { bucketing }
    }

    pub(in crate::engine) const fn bucketing(&self) -> Bucketing {
        self.bucketing
    }

    #[expect(clippy::unused_self, reason = "the interface of the build with JSONLogic")]
    pub(in crate::engine) fn compile(&self, _: &Value) -> Result<Program, String> {
        Err("this build of ripcord-sdk has no JSONLogic; enable its feature `jsonlogic`".to_owned())
    }
}

impl Program {
    pub(in crate::engine) fn excess(&self, _: &Context<'_>) -> Option<String> {
        match *self {}
    }

    pub(in crate::engine) fn is_truthy(&self, _: &Context<'_>, _: &str, _: &Budget) -> Truth {
        match *self {}
    }

    pub(in crate::engine) fn variant<T>(&self, _: &Context<'_>, _: &str, _: &Budget, _: impl FnOnce(&str) -> Option<T>) -> Result<Option<T>, ErrorCode> {
        match *self {}
    }
}

pub(super) const fn over_budget(_: &Value) -> Option<String> {
    None
}
