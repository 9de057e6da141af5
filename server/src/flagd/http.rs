//! Everything that one listener serves: flagd's services by gRPC, gRPC-Web and Connect, and beside them gRPC health and reflection.

use std::convert::Infallible;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use connectrpc::{CompressionRegistry, ConnectRpcService, DeadlinePolicy, Limits};
use ripcord_proto::grpc::DESCRIPTORS;
use tonic::body::Body;
use tonic::codegen::http::{Request, Response};
use tonic::codegen::{BoxFuture, Service};
use tonic_health::ServingStatus;
use tonic_health::pb::health_server::HealthServer;
use tonic_health::server::{HealthReporter, HealthService};
use tonic_reflection::server::{Builder, v1, v1alpha};

use super::cors::AllowedOrigins;
use super::method::FlagdPort;
use super::service::FlagdService;
use super::state::FlagdState;

/// Largest request, in bytes.
const REQUEST: usize = 1024 * 1024;
/// How long a request may take to arrive and be answered; of a stream, its first message.
const DEADLINE: Duration = Duration::from_secs(30);

type RequestOf = Request<Body>;
type ResponseFuture = BoxFuture<Response<Body>, Infallible>;

/// The service of a listener.
#[derive(Clone)]
pub(super) struct FlagdHttp {
    flagd: ConnectRpcService<FlagdService>,
    health: HealthServer<HealthService>,
    reflection: Reflection,
    origins: Arc<AllowedOrigins>,
}

impl FlagdHttp {
    /// What `port` serves, and the way to say that it stops.
    ///
    /// # Errors
    /// The compiled `.proto` files cannot be read.
    pub(super) async fn new(
        state: Arc<FlagdState>,
        port: FlagdPort,
        origins: Arc<AllowedOrigins>,
    ) -> Result<(Self, FlagdHealth), tonic_reflection::server::Error> {
        let limits = Limits::default().with_max_request_body_size(REQUEST).with_max_message_size(REQUEST);
        // No compression: nothing here needs it, and a small compressed request could become a large one.
        let flagd = ConnectRpcService::new(FlagdService { state, port })
            .with_limits(limits)
            .with_compression(CompressionRegistry::new())
            .with_deadline_policy(DeadlinePolicy::new().with_default_timeout(DEADLINE).with_max(DEADLINE));
        let reporter = HealthReporter::new();
        for service in port.services() {
            reporter.set_service_status(*service, ServingStatus::Serving).await;
        }
        let http = Self {
            flagd,
            health: HealthServer::new(HealthService::from_health_reporter(reporter.clone())),
            reflection: Reflection::new(port)?,
            origins,
        };
        Ok((http, FlagdHealth { reporter, port }))
    }
}

/// What gRPC health tells of a listener.
pub(super) struct FlagdHealth {
    reporter: HealthReporter,
    port: FlagdPort,
}

impl FlagdHealth {
    /// Callers learn that this node is about to go.
    pub(super) async fn stopping(&self) {
        for service in self.port.services().iter().chain([&""]) {
            self.reporter.set_service_status(*service, ServingStatus::NotServing).await;
        }
    }
}

impl Service<RequestOf> for FlagdHttp {
    type Response = Response<Body>;
    type Error = Infallible;
    type Future = ResponseFuture;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: RequestOf) -> ResponseFuture {
        let path = request.uri().path();
        if path.starts_with("/grpc.health.v1.") {
            return self.health.call(request);
        }
        if path.starts_with("/grpc.reflection.") {
            return self.reflection.call(request);
        }
        let origin = self.origins.granted(request.headers());
        if let Some(preflight) = origin.as_ref().and_then(|origin| origin.preflight(&request)) {
            return Box::pin(std::future::ready(Ok(preflight)));
        }
        let answer = self.flagd.call(request);
        Box::pin(async move {
            let mut response = answer.await?.map(Body::new);
            if let Some(origin) = origin {
                origin.grant(response.headers_mut());
            }
            Ok(response)
        })
    }
}

/// Both versions of the service that describes the others.
#[derive(Clone)]
struct Reflection {
    v1: Arc<dyn Fn(RequestOf) -> ResponseFuture + Send + Sync>,
    v1alpha: Arc<dyn Fn(RequestOf) -> ResponseFuture + Send + Sync>,
}

impl Reflection {
    fn new(port: FlagdPort) -> Result<Self, tonic_reflection::server::Error> {
        let builder = || {
            let builder = Builder::configure()
                .register_encoded_file_descriptor_set(DESCRIPTORS)
                .register_encoded_file_descriptor_set(tonic_health::pb::FILE_DESCRIPTOR_SET);
            let names = port.services().iter().copied();
            let names = names.chain([
                "grpc.health.v1.Health",
                "grpc.reflection.v1.ServerReflection",
                "grpc.reflection.v1alpha.ServerReflection",
            ]);
            names.fold(builder, Builder::with_service_name)
        };
        let (v1, v1alpha) = (builder().build_v1()?, builder().build_v1alpha()?);
        Ok(Self {
            v1: Arc::new(move |request| v1::ServerReflectionServer::call(&mut v1.clone(), request)),
            v1alpha: Arc::new(move |request| v1alpha::ServerReflectionServer::call(&mut v1alpha.clone(), request)),
        })
    }

    fn call(&self, request: RequestOf) -> ResponseFuture {
        if request.uri().path().starts_with("/grpc.reflection.v1alpha.") {
            (self.v1alpha)(request)
        } else {
            (self.v1)(request)
        }
    }
}
