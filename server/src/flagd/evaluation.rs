//! Remote evaluation, the same for both versions of the service.

use std::sync::Arc;

use bytes::Bytes;
use connectrpc::{CodecFormat, ConnectError, ErrorCode};
use prost_types::Struct;
use ripcord_proto::grpc::evaluation_v1::any_flag::Value as AnyValue;
use ripcord_proto::grpc::evaluation_v1::{AnyFlag, ResolveAllRequest, ResolveAllResponse};
use ripcord_proto::grpc::evaluation_v2::{
    ResolveBooleanRequest, ResolveBooleanResponse, ResolveFloatResponse, ResolveIntResponse, ResolveObjectResponse, ResolveStringResponse,
};
use ripcord_proto::role::Role;
use ripcord_proto::value::{Value, ValueType};
use ripcord_sdk::Context;
use ripcord_sdk::engine::{CompiledFlag, ErrorCode as EvaluationError};
use tonic::codegen::http::HeaderMap;

use super::caller::header;
use super::context;
use super::error::flagd_error;
use super::message::{decode, encode};
use super::method::{EvaluationVersion, ValueKind};
use super::state::FlagdState;
use crate::remote::limits::{self, ContextLimits, Deadline, TooLong};
use crate::remote::{RemoteEvaluation, trace};
use crate::snapshot::publication::Served;
use crate::telemetry::export::Parent;

/// The largest integer that a double holds exactly.
const WHOLE: f64 = 9_007_199_254_740_991.0;

/// A value as the type that it was asked as.
enum TypedValue {
    Boolean(bool),
    String(String),
    Float(f64),
    Int(i64),
    Object(Struct),
}

/// An answer to a caller.
struct ResolvedFlag {
    /// The value and its variant; `None` means the caller's own default.
    served: Option<(TypedValue, String)>,
    reason: String,
    metadata: Struct,
}

impl FlagdState {
    /// Evaluates one flag.
    pub(super) fn resolve(
        &self,
        version: EvaluationVersion,
        kind: ValueKind,
        headers: &HeaderMap,
        request: &[u8],
        format: CodecFormat,
    ) -> Result<Bytes, ConnectError> {
        let _span = span(headers).entered();
        let caller = self.caller(headers, "")?;
        let request: ResolveBooleanRequest = decode(request, format)?;
        let served = caller.state.served();
        let attributes = attributes(request.context.as_ref(), &served, headers)?;
        let context = Context::from_json(&attributes).at(self.clock.now().as_second());
        trace::record_request(caller.environment.as_str(), &caller.selection, served.snapshot.position, &context);
        let answer = caller.selection.answer(&served.compiled, &request.flag_key, &context);
        trace::record_result(&request.flag_key, &answer);
        let resolved = resolved(&answer, &request.flag_key, kind)?;
        let resolved = match version {
            EvaluationVersion::V1 => resolved.with_value(kind)?,
            EvaluationVersion::V2 => resolved,
        };
        Ok(resolved.written(format))
    }

    /// Evaluates all flags that the caller sees, for version 1; elsewhere if it takes long.
    pub(super) async fn resolve_all(self: Arc<Self>, headers: &HeaderMap, request: Bytes, format: CodecFormat) -> Result<Bytes, ConnectError> {
        if let Ok(answer) = self.resolve_all_within(headers, &request, format, Deadline::on_worker())? {
            return Ok(answer);
        }
        let headers = headers.clone();
        let answer = limits::in_turn(move |deadline| self.resolve_all_within(&headers, &request, format, deadline)).await;
        match answer {
            Some(answer) => answer?.map_err(|error| flagd_error(ErrorCode::Unavailable, error.to_string())),
            None => Err(flagd_error(
                ErrorCode::Unavailable,
                "this node evaluates as much as it can; try again in a moment",
            )),
        }
    }

    fn resolve_all_within(&self, headers: &HeaderMap, request: &[u8], format: CodecFormat, deadline: Deadline) -> Result<Result<Bytes, TooLong>, ConnectError> {
        let _span = span(headers).entered();
        let caller = self.caller(headers, "")?;
        let request: ResolveAllRequest = decode(request, format)?;
        let served = caller.state.served();
        let attributes = attributes(request.context.as_ref(), &served, headers)?;
        let context = Context::from_json(&attributes).at(self.clock.now().as_second());
        trace::record_request(caller.environment.as_str(), &caller.selection, served.snapshot.position, &context);
        let shown = served
            .snapshot
            .flags
            .iter()
            .filter(|entry| entry.value().is_ok_and(|flag| caller.selection.shows(flag)));
        let mut flags = std::collections::HashMap::new();
        for entry in shown {
            if deadline.check().is_err() {
                return Ok(Err(TooLong));
            }
            let evaluation = caller.selection.evaluate(&served.compiled, entry.key().as_str(), &context);
            if let Some(flag) = any_flag(&evaluation.into(), evaluation.flag()) {
                flags.insert(entry.key().to_string(), flag);
            }
        }
        let response = ResolveAllResponse {
            flags,
            metadata: Some(context::write([])),
        };
        Ok(Ok(encode(&response, format)))
    }
}

/// The caller's attributes, under those that the environment reads from headers.
fn attributes(context: Option<&Struct>, served: &Served, headers: &HeaderMap) -> Result<serde_json::Map<String, serde_json::Value>, ConnectError> {
    let most = ContextLimits::of(Role::Sdk).attributes;
    if let Some(sent) = context.map(|context| context.fields.len()).filter(|sent| *sent > most) {
        let text = format!("the context has {sent} attributes; at most {most} are allowed");
        return Err(flagd_error(ErrorCode::InvalidArgument, text));
    }
    let mut attributes = context.map(context::read).unwrap_or_default();
    let from_headers = served.snapshot.settings.attributes_from(|name| header(headers, name));
    attributes.extend(from_headers.map(|(name, value)| (name.to_owned(), value.into())));
    Ok(attributes)
}

/// The span of a call, on the caller's trace.
fn span(headers: &HeaderMap) -> tracing::Span {
    let parent = Parent {
        traceparent: header(headers, "traceparent"),
        tracestate: header(headers, "tracestate"),
    };
    trace::span("flagd.evaluation", parent)
}

fn resolved(answer: &RemoteEvaluation<'_>, key: &str, kind: ValueKind) -> Result<ResolvedFlag, ConnectError> {
    if let Some(code) = answer.error() {
        return Err(failure(code, answer.error_text(key)));
    }
    let mismatch = || failure(EvaluationError::TypeMismatch, format!("Flag {key:?} has values of a different type."));
    let value = answer.value().map(|value| kind.read(value).ok_or_else(mismatch)).transpose()?;
    Ok(ResolvedFlag {
        served: value.zip(answer.variant().map(str::to_owned)),
        reason: answer.reason().to_owned(),
        metadata: context::write(answer.metadata().iter()),
    })
}

/// The error of an evaluation.
fn failure(code: EvaluationError, text: String) -> ConnectError {
    let code = match code.as_str() {
        "FLAG_NOT_FOUND" => ErrorCode::NotFound,
        "TYPE_MISMATCH" => ErrorCode::InvalidArgument,
        "PARSE_ERROR" => ErrorCode::DataLoss,
        _ => ErrorCode::Unknown,
    };
    flagd_error(code, text)
}

impl ResolvedFlag {
    /// For older clients, which must get a value: the zero value of a disabled flag; "not found" for a flag without a default variant, so
    /// that the client uses its own default.
    fn with_value(self, kind: ValueKind) -> Result<Self, ConnectError> {
        match self.served {
            Some(_) => Ok(self),
            None if self.reason == "DISABLED" => Ok(Self {
                served: Some((kind.zero(), String::new())),
                ..self
            }),
            None => Err(flagd_error(ErrorCode::NotFound, "the flag serves the caller's default")),
        }
    }

    fn written(self, format: CodecFormat) -> Bytes {
        let Self { served, reason, metadata } = self;
        let (value, variant) = served.unzip();
        macro_rules! response {
            ($message:ident, $value:expr) => {
                encode(
                    &$message {
                        value: $value,
                        reason,
                        variant,
                        metadata: Some(metadata),
                    },
                    format,
                )
            };
        }
        match value {
            // Without a value the messages of all types are the same.
            None => response!(ResolveBooleanResponse, None),
            Some(TypedValue::Boolean(value)) => response!(ResolveBooleanResponse, Some(value)),
            Some(TypedValue::String(value)) => response!(ResolveStringResponse, Some(value)),
            Some(TypedValue::Float(value)) => response!(ResolveFloatResponse, Some(value)),
            Some(TypedValue::Int(value)) => response!(ResolveIntResponse, Some(value)),
            Some(TypedValue::Object(value)) => response!(ResolveObjectResponse, Some(value)),
        }
    }
}

impl ValueKind {
    /// A value as this type; `None` if it has a different one.
    fn read(self, value: &Value) -> Option<TypedValue> {
        match (self, value) {
            (Self::Boolean, Value::Boolean(boolean)) => Some(TypedValue::Boolean(*boolean)),
            (Self::String, Value::String(text)) => Some(TypedValue::String(text.clone())),
            (Self::Float, Value::Number(number)) => number.as_f64().map(TypedValue::Float),
            (Self::Int, Value::Number(number)) => integer(number).map(TypedValue::Int),
            (Self::Object, Value::Object(members)) => Some(TypedValue::Object(context::write_object(members))),
            (Self::Boolean | Self::String | Self::Float | Self::Int | Self::Object, _) => None,
        }
    }

    fn zero(self) -> TypedValue {
        match self {
            Self::Boolean => TypedValue::Boolean(false),
            Self::String => TypedValue::String(String::new()),
            Self::Float => TypedValue::Float(0.0),
            Self::Int => TypedValue::Int(0),
            Self::Object => TypedValue::Object(Struct::default()),
        }
    }
}

/// An integer, also if written as a float.
fn integer(number: &serde_json::Number) -> Option<i64> {
    let whole = |float: &f64| float.fract() == 0.0 && float.abs() <= WHOLE;
    #[expect(clippy::cast_possible_truncation, reason = "checked to be whole and in range")]
    number.as_i64().or_else(|| number.as_f64().filter(whole).map(|float| float as i64))
}

/// One flag of all; `None` if it leaves the value to the caller's default.
fn any_flag(answer: &RemoteEvaluation<'_>, flag: Option<&CompiledFlag>) -> Option<AnyFlag> {
    let value = match (answer.value(), answer.error()) {
        (Some(value), _) => Some(any_value(value)),
        (None, Some(_)) => None,
        (None, None) if answer.reason() == "DISABLED" => flag.and_then(CompiledFlag::value_type).map(any_zero),
        (None, None) => return None,
    };
    Some(AnyFlag {
        reason: answer.reason().to_owned(),
        variant: answer.variant().unwrap_or_default().to_owned(),
        metadata: Some(context::write(answer.metadata().iter())),
        value,
    })
}

fn any_value(value: &Value) -> AnyValue {
    match value {
        Value::Boolean(boolean) => AnyValue::BoolValue(*boolean),
        Value::String(text) => AnyValue::StringValue(text.clone()),
        Value::Number(number) => AnyValue::DoubleValue(number.as_f64().unwrap_or_default()),
        Value::Object(members) => AnyValue::ObjectValue(context::write_object(members)),
    }
}

/// The zero value of a type.
fn any_zero(value_type: ValueType) -> AnyValue {
    match value_type {
        ValueType::Boolean => AnyValue::BoolValue(false),
        ValueType::String => AnyValue::StringValue(String::new()),
        ValueType::Number => AnyValue::DoubleValue(0.0),
        ValueType::Object => AnyValue::ObjectValue(Struct::default()),
    }
}
