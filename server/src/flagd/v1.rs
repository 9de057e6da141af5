//! Version 1 of the evaluation service, for older clients: an answer always has a value.

use std::sync::Arc;

use ripcord_proto::grpc::evaluation_v1::any_flag::Value as AnyValue;
use ripcord_proto::grpc::evaluation_v1::service_server::Service;
use ripcord_proto::grpc::evaluation_v1::{
    AnyFlag, EventStreamRequest, EventStreamResponse, ResolveAllRequest, ResolveAllResponse, ResolveBooleanRequest, ResolveBooleanResponse,
    ResolveFloatRequest, ResolveFloatResponse, ResolveIntRequest, ResolveIntResponse, ResolveObjectRequest, ResolveObjectResponse, ResolveStringRequest,
    ResolveStringResponse,
};
use ripcord_proto::value::Value;
use ripcord_sdk::Context;
use ripcord_sdk::engine::CompiledFlag;
use tonic::{Request, Response, Status};

use super::context;
use super::evaluation::{ResolveRequest, boolean, float, integer, object, span, string, with_zero, zero_of};
use super::events::{self, Event, Events};
use super::state::FlagdState;
use crate::remote::{RemoteEvaluation, trace};

/// The service.
pub(super) struct EvaluationV1(pub(super) Arc<FlagdState>);

/// The answer of one type, with the zero value if there is none.
macro_rules! resolve {
    ($self:ident, $request:ident, $reading:path, $response:ident) => {{
        let resolved = $self.0.resolve(
            $request,
            |request| ResolveRequest {
                flag: request.flag_key,
                context: request.context,
            },
            $reading,
        )?;
        let (value, variant, reason, metadata) = with_zero(resolved)?;
        Ok(Response::new($response {
            value: value.into(),
            reason,
            variant,
            metadata: Some(metadata),
        }))
    }};
}

#[tonic::async_trait]
impl Service for EvaluationV1 {
    type EventStreamStream = Events<EventStreamResponse>;

    async fn resolve_all(&self, request: Request<ResolveAllRequest>) -> Result<Response<ResolveAllResponse>, Status> {
        let _span = span(request.metadata()).entered();
        let caller = self.0.caller(request.metadata(), "")?;
        let attributes = context::read(request.into_inner().context);
        let context = Context::from_json(&attributes).at(self.0.clock.now().as_second());
        let served = caller.state.served();
        trace::record_request(caller.environment.as_str(), &caller.selection, served.snapshot.position, &context);
        let shown = served
            .snapshot
            .flags
            .iter()
            .filter(|entry| entry.value().is_ok_and(|flag| caller.selection.shows(flag)));
        let flags = shown.filter_map(|entry| {
            let evaluation = caller.selection.evaluate(&served.compiled, entry.key().as_str(), &context);
            Some((entry.key().to_string(), any_flag(&evaluation.into(), evaluation.flag())?))
        });
        Ok(Response::new(ResolveAllResponse {
            flags: flags.collect(),
            metadata: Some(context::write([])),
        }))
    }

    async fn resolve_boolean(&self, request: Request<ResolveBooleanRequest>) -> Result<Response<ResolveBooleanResponse>, Status> {
        resolve!(self, request, boolean, ResolveBooleanResponse)
    }

    async fn resolve_string(&self, request: Request<ResolveStringRequest>) -> Result<Response<ResolveStringResponse>, Status> {
        resolve!(self, request, string, ResolveStringResponse)
    }

    async fn resolve_float(&self, request: Request<ResolveFloatRequest>) -> Result<Response<ResolveFloatResponse>, Status> {
        resolve!(self, request, float, ResolveFloatResponse)
    }

    async fn resolve_int(&self, request: Request<ResolveIntRequest>) -> Result<Response<ResolveIntResponse>, Status> {
        resolve!(self, request, integer, ResolveIntResponse)
    }

    async fn resolve_object(&self, request: Request<ResolveObjectRequest>) -> Result<Response<ResolveObjectResponse>, Status> {
        resolve!(self, request, object, ResolveObjectResponse)
    }

    async fn event_stream(&self, request: Request<EventStreamRequest>) -> Result<Response<Self::EventStreamStream>, Status> {
        let caller = self.0.caller(request.metadata(), "")?;
        Ok(Response::new(events::follow(caller, self.0.stop.clone(), message)))
    }
}

fn message((kind, data): Event) -> EventStreamResponse {
    EventStreamResponse { r#type: kind.to_owned(), data }
}

/// One flag of all; `None` if it leaves the value to the caller's default.
fn any_flag(answer: &RemoteEvaluation<'_>, flag: Option<&CompiledFlag>) -> Option<AnyFlag> {
    let value = match (answer.value(), answer.error()) {
        (Some(value), _) => Some(any_value(value)),
        (None, Some(_)) => None,
        (None, None) if answer.reason() == "DISABLED" => flag.and_then(CompiledFlag::value_type).map(|of| any_value(&zero_of(of))),
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
