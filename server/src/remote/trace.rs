//! Evaluations as attributes of the request's span, by OpenTelemetry's conventions for feature flags.
//!
//! The spans have level `DEBUG`, because there is one per evaluation. If no subscriber takes them, they cost one comparison.

use ripcord_proto::Position;
use ripcord_sdk::Context;
use tracing::Span;
use tracing::field::{Empty, display};

use super::{RemoteEvaluation, Selection};
use crate::telemetry::export::{self, Parent};

/// The provider name of the conventions.
const PROVIDER: &str = "ripcord";

/// The span of an evaluation request. `name` is its route or method. It continues the caller's trace, if there is one.
pub fn span(name: &'static str, parent: Parent<'_>) -> Span {
    let span = tracing::debug_span!(
        "evaluation",
        otel.name = name,
        otel.kind = "server",
        request_id = Empty,
        env = Empty,
        feature_flag.key = Empty,
        feature_flag.provider.name = PROVIDER,
        feature_flag.context.id = Empty,
        feature_flag.set.id = Empty,
        feature_flag.version = Empty,
        feature_flag.result.variant = Empty,
        feature_flag.result.reason = Empty,
        feature_flag.error.message = Empty,
        error.r#type = Empty,
    );
    export::follow(&span, parent);
    span
}

/// Records the state, the targeting key and the flag set in the current span.
pub fn record_request(environment: &str, selection: &Selection, at: Position, context: &Context<'_>) {
    let span = Span::current();
    if span.is_disabled() {
        return;
    }
    span.record("env", environment);
    span.record("feature_flag.version", display(at));
    if let Some(set) = &selection.set {
        span.record("feature_flag.set.id", set);
    }
    if let Some(id) = context.targeting_key() {
        span.record("feature_flag.context.id", id);
    }
}

/// Records the answer of one flag in the current span.
pub fn record_result(key: &str, answer: &RemoteEvaluation<'_>) {
    let span = Span::current();
    if span.is_disabled() {
        return;
    }
    span.record("feature_flag.key", key);
    span.record("feature_flag.result.reason", answer.reason().to_ascii_lowercase());
    if let Some(variant) = answer.variant() {
        span.record("feature_flag.result.variant", variant);
    }
    if let Some(code) = answer.error() {
        span.record("error.type", code.as_str().to_ascii_lowercase());
        span.record("feature_flag.error.message", answer.error_text(key));
    }
}
