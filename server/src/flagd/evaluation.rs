//! Remote evaluation, shared by both versions of the service.

use prost_types::Struct;
use ripcord_proto::value::{Value, ValueType};
use ripcord_sdk::Context;
use ripcord_sdk::engine::ErrorCode;
use tonic::metadata::MetadataMap;
use tonic::{Request, Status};

use super::context;
use super::state::FlagdState;
use crate::remote::{RemoteEvaluation, trace};
use crate::telemetry::export::Parent;

/// The parts of a resolve request that do not depend on the type.
pub(super) struct ResolveRequest {
    pub(super) flag: String,
    pub(super) context: Option<Struct>,
}

/// The answer to a request for a value of one type.
pub(super) struct ResolvedFlag<T> {
    /// The value and its variant; `None` means the caller's own default.
    pub(super) served: Option<(T, String)>,
    pub(super) reason: String,
    pub(super) metadata: Struct,
}

/// Reads a value as a type; `None` if it has a different one.
pub(super) type ValueReader<T> = fn(&Value) -> Option<T>;

impl FlagdState {
    /// Evaluates one flag.
    pub(super) fn resolve<M, T>(
        &self,
        call: Request<M>,
        request: impl FnOnce(M) -> ResolveRequest,
        read_value: ValueReader<T>,
    ) -> Result<ResolvedFlag<T>, Status> {
        let _span = span(call.metadata()).entered();
        let caller = self.caller(call.metadata(), "")?;
        let request = request(call.into_inner());
        let attributes = context::read(request.context);
        let context = Context::from_json(&attributes).at(self.clock.now().as_second());
        let served = caller.state.served();
        trace::record_request(caller.environment.as_str(), &caller.selection, served.snapshot.position, &context);
        let answer = caller.selection.answer(&served.compiled, &request.flag, &context);
        trace::record_result(&request.flag, &answer);
        resolved(&answer, &request.flag, read_value)
    }
}

/// The span of a call, on the caller's trace.
pub(super) fn span(metadata: &MetadataMap) -> tracing::Span {
    let text = |name: &str| metadata.get(name).and_then(|value| value.to_str().ok());
    let (traceparent, tracestate) = (text("traceparent"), text("tracestate"));
    trace::span("flagd.evaluation", Parent { traceparent, tracestate })
}

fn resolved<T>(answer: &RemoteEvaluation<'_>, key: &str, reading: ValueReader<T>) -> Result<ResolvedFlag<T>, Status> {
    if let Some(code) = answer.error() {
        return Err(status(code, answer.error_text(key)));
    }
    let mismatch = || status(ErrorCode::TypeMismatch, format!("Flag {key:?} has values of a different type."));
    let value = answer.value().map(|value| reading(value).ok_or_else(mismatch)).transpose()?;
    Ok(ResolvedFlag {
        served: value.zip(answer.variant().map(str::to_owned)),
        reason: answer.reason().to_owned(),
        metadata: context::write(answer.metadata().iter()),
    })
}

/// The gRPC status of an error.
fn status(code: ErrorCode, text: String) -> Status {
    match code.as_str() {
        "FLAG_NOT_FOUND" => Status::not_found(text),
        "TYPE_MISMATCH" => Status::invalid_argument(text),
        "PARSE_ERROR" => Status::data_loss(text),
        _ => Status::unknown(text),
    }
}

/// The value for older clients, which must get one: the zero value of a disabled flag; "not found" for a flag without a default variant,
/// so that the client uses its own default.
pub(super) fn with_zero<T: Default>(resolved: ResolvedFlag<T>) -> Result<(T, String, String, Struct), Status> {
    match resolved.served {
        Some((value, variant)) => Ok((value, variant, resolved.reason, resolved.metadata)),
        None if resolved.reason == "DISABLED" => Ok((T::default(), String::new(), resolved.reason, resolved.metadata)),
        None => Err(Status::not_found("the flag serves the caller's default")),
    }
}

pub(super) fn boolean(value: &Value) -> Option<bool> {
    if let Value::Boolean(boolean) = value { Some(*boolean) } else { None }
}

pub(super) fn string(value: &Value) -> Option<String> {
    if let Value::String(text) = value { Some(text.clone()) } else { None }
}

/// Any number.
pub(super) fn float(value: &Value) -> Option<f64> {
    if let Value::Number(number) = value { number.as_f64() } else { None }
}

/// An integer, also if written as a float.
pub(super) fn integer(value: &Value) -> Option<i64> {
    let Value::Number(number) = value else { return None };
    let whole = |float: &f64| float.fract() == 0.0 && float.abs() <= 9_007_199_254_740_991.0;
    #[expect(clippy::cast_possible_truncation, reason = "checked to be whole and in range")]
    number.as_i64().or_else(|| number.as_f64().filter(whole).map(|float| float as i64))
}

pub(super) fn object(value: &Value) -> Option<Struct> {
    if let Value::Object(members) = value {
        Some(context::write_object(members))
    } else {
        None
    }
}

/// The zero value of a type.
pub(super) fn zero_of(value_type: ValueType) -> Value {
    match value_type {
        ValueType::Boolean => Value::Boolean(false),
        ValueType::String => Value::String(String::new()),
        ValueType::Number => Value::Number(0.into()),
        ValueType::Object => Value::Object(serde_json::Map::new()),
    }
}
