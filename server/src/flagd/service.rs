//! The three services behind one dispatcher: a call comes in by gRPC, gRPC-Web or Connect, in protobuf or JSON, and is answered by the same
//! code.

use std::sync::Arc;

use bytes::Bytes;
use connectrpc::dispatcher::{Dispatcher, MethodDescriptor, RequestStream, StreamingResult, UnaryResult};
use connectrpc::{CodecFormat, ConnectError, EncodedResponse, EncodedStream, ErrorCode, Payload, RequestContext, Response};
use ripcord_proto::grpc::evaluation_v2::EventStreamRequest;

use super::error::flagd_error;
use super::events;
use super::message::decode;
use super::method::{FlagdMethod, FlagdPort};
use super::state::FlagdState;
use super::sync;

/// What one listener serves.
#[derive(Debug, Clone)]
pub(super) struct FlagdService {
    pub(super) state: Arc<FlagdState>,
    pub(super) port: FlagdPort,
}

impl FlagdService {
    fn method(&self, path: &str) -> Option<FlagdMethod> {
        FlagdMethod::at(path).filter(|method| method.port() == self.port)
    }

    async fn unary(&self, method: FlagdMethod, call: &RequestContext, request: Bytes, format: CodecFormat) -> Result<EncodedResponse, ConnectError> {
        let body = match method {
            FlagdMethod::Resolve(version, kind) => self.state.resolve(version, kind, call.headers(), &request, format)?,
            FlagdMethod::ResolveAll => Arc::clone(&self.state).resolve_all(call.headers(), request, format).await?,
            FlagdMethod::FetchAllFlags => return sync::fetch(&self.state, call.headers(), &request, format).await.map(Response::new),
            FlagdMethod::GetMetadata => sync::metadata(&self.state, call.headers(), format)?,
            FlagdMethod::SyncFlags | FlagdMethod::EventStream => return Err(unknown()),
        };
        Ok(Response::new(body.into()))
    }

    fn streaming(&self, method: FlagdMethod, call: &RequestContext, request: &Bytes, format: CodecFormat) -> Result<EncodedStream, ConnectError> {
        match method {
            FlagdMethod::SyncFlags => sync::follow(&self.state, call.headers(), &decode(request, format)?, format),
            FlagdMethod::EventStream => {
                decode::<EventStreamRequest>(request, format)?;
                events::follow(&self.state, call.headers(), format)
            }
            FlagdMethod::FetchAllFlags | FlagdMethod::GetMetadata | FlagdMethod::Resolve(..) | FlagdMethod::ResolveAll => Err(unknown()),
        }
    }
}

fn unknown() -> ConnectError {
    flagd_error(ErrorCode::Unimplemented, "there is no such method")
}

impl Dispatcher for FlagdService {
    fn lookup(&self, path: &str) -> Option<MethodDescriptor> {
        self.method(path).map(FlagdMethod::descriptor)
    }

    fn call_unary(&self, path: &str, call: RequestContext, request: Payload, format: CodecFormat) -> UnaryResult {
        let (service, method) = (self.clone(), self.method(path));
        Box::pin(async move {
            let answer = service.unary(method.ok_or_else(unknown)?, &call, request.encoded()?, format).await;
            answer.map_err(|error| service.state.counted(error, &call))
        })
    }

    fn call_server_streaming(&self, path: &str, call: RequestContext, request: Bytes, format: CodecFormat) -> StreamingResult {
        let stream = self
            .method(path)
            .ok_or_else(unknown)
            .and_then(|method| self.streaming(method, &call, &request, format))
            .map_err(|error| self.state.counted(error, &call));
        Box::pin(std::future::ready(stream.map(Response::new)))
    }

    fn call_client_streaming(&self, _: &str, _: RequestContext, _: RequestStream, _: CodecFormat) -> UnaryResult {
        Box::pin(std::future::ready(Err(unknown())))
    }

    fn call_bidi_streaming(&self, _: &str, _: RequestContext, _: RequestStream, _: CodecFormat) -> StreamingResult {
        Box::pin(std::future::ready(Err(unknown())))
    }
}
