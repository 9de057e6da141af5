//! The application's hook for evaluations.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use ripcord_proto::value::Value;
use ripcord_proto::{KillId, Position, VariantName};

use crate::engine::{Context, Evaluation, Reason, RuleRef};

/// One evaluation, for the hook of [`ClientBuilder::on_evaluation`](crate::ClientBuilder::on_evaluation). It borrows everything, so a
/// hook that copies nothing allocates nothing.
#[derive(Debug, Clone, Copy)]
#[non_exhaustive]
pub struct EvaluationEvent<'e> {
    /// The flag's key, as the application passed it.
    pub key: &'e str,
    /// The context, as the application passed it.
    pub context: &'e Context<'e>,
    /// The value of the variant, whatever type the application asked for; `None` means the caller's default.
    pub value: Option<&'e Value>,
    /// The variant; `None` means the caller's default.
    pub variant: Option<&'e VariantName>,
    /// Why it was served. [`Reason::NotReady`] before there is any data.
    pub reason: Reason,
    /// The rule that served, if one did.
    pub rule: Option<RuleRef<'e>>,
    /// The kill that forces the safe variant, if one does.
    pub kill: Option<&'e KillId>,
    /// The position that was evaluated; `None` before there is any data.
    pub position: Option<Position>,
}

impl<'e> EvaluationEvent<'e> {
    pub(super) fn new(key: &'e str, context: &'e Context<'e>, evaluation: Option<&Evaluation<'e>>) -> Self {
        Self {
            key,
            context,
            value: evaluation.and_then(Evaluation::value),
            variant: evaluation.and_then(Evaluation::variant),
            reason: evaluation.map_or(Reason::NotReady, Evaluation::reason),
            rule: evaluation.and_then(Evaluation::rule),
            kill: evaluation.and_then(Evaluation::kill),
            position: evaluation.map(Evaluation::position),
        }
    }
}

/// The hook.
#[derive(Clone)]
pub(super) struct Observer(Arc<dyn Fn(&EvaluationEvent<'_>) + Send + Sync>);

impl std::fmt::Debug for Observer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Observer")
    }
}

impl Observer {
    pub(super) fn new(hook: impl Fn(&EvaluationEvent<'_>) + Send + Sync + 'static) -> Self {
        Self(Arc::new(hook))
    }

    /// Calls the hook. An evaluation never fails, so a hook that panics is only logged.
    pub(super) fn call(&self, event: &EvaluationEvent<'_>) {
        if catch_unwind(AssertUnwindSafe(|| (self.0)(event))).is_err() {
            tracing::warn!(flag = event.key, "the evaluation hook panicked");
        }
    }
}
