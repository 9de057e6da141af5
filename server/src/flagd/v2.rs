//! Version 2 of the evaluation service: an answer may have no value.

use std::sync::Arc;

use ripcord_proto::grpc::evaluation_v2::service_server::Service;
use ripcord_proto::grpc::evaluation_v2::{
    EventStreamRequest, EventStreamResponse, ResolveBooleanRequest, ResolveBooleanResponse, ResolveFloatRequest, ResolveFloatResponse, ResolveIntRequest,
    ResolveIntResponse, ResolveObjectRequest, ResolveObjectResponse, ResolveStringRequest, ResolveStringResponse,
};
use tonic::{Request, Response, Status};

use super::evaluation::{ResolveRequest, boolean, float, integer, object, string};
use super::events::{self, Event, Events};
use super::state::FlagdState;

/// The service.
pub(super) struct EvaluationV2(pub(super) Arc<FlagdState>);

/// An answer of one type.
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
        let (value, variant) = resolved.served.unzip();
        Ok(Response::new($response {
            value,
            reason: resolved.reason,
            variant,
            metadata: Some(resolved.metadata),
        }))
    }};
}

#[tonic::async_trait]
impl Service for EvaluationV2 {
    type EventStreamStream = Events<EventStreamResponse>;

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
