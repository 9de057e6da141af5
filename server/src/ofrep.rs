//! OFREP: remote evaluation over HTTP, for OpenFeature's clients of any language and for browsers.
//!
//! ```text
//! POST /ofrep/v1/evaluate/flags/{key}   evaluate    one flag
//! POST /ofrep/v1/evaluate/flags         bulk        all flags that the key sees, with an ETag over the answers
//! GET  /ofrep/v1/events                 events      "fetch again", over server-sent events
//! ```
//!
//! Every error carries `errorDetails`, which clients read without looking. What is answered comes from the board and nothing else.

mod bulk;
mod context_body;
mod cors;
mod error;
mod evaluate;
mod events;
mod fast_path;
mod request;
mod versions;

use std::sync::Arc;
use std::sync::atomic::AtomicUsize;

use actix_http::body::BoxBody;
use actix_http::{Request, Response};
use actix_service::{IntoServiceFactory, Service as _, ServiceFactory, apply_fn_factory};
use actix_web::Error;
use actix_web::dev::{AppConfig, ServiceResponse};
use futures_util::future::Either;
use futures_util::{FutureExt as _, TryFutureExt as _};
use ripcord_proto::EnvironmentKey;
use ripcord_proto::problem::Code;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use self::fast_path::{EvaluationMetrics, Route};
use self::versions::Versions;
use crate::access::Access;
use crate::clock::Clock;
use crate::environment::Environments;
use crate::fleet::Fleet;
use crate::http::ApiError;
use crate::snapshot::board::Board;
use crate::snapshot::publication::Served;
use crate::store::{StoreHealth, StoreState};

/// The OFREP service. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Ofrep(Arc<Service>);

#[derive(Debug)]
struct Service {
    access: Access,
    board: Arc<Board>,
    clock: Arc<dyn Clock>,
    health: watch::Receiver<StoreHealth>,
    fleet: Fleet,
    versions: Arc<Versions>,
    metrics: EvaluationMetrics,
    /// Open event streams.
    streams: AtomicUsize,
    stop: CancellationToken,
}

impl Ofrep {
    /// Opens it. Its streams end when `stop` fires.
    pub fn new(environments: &Environments, access: Access, fleet: Fleet, stop: CancellationToken) -> Self {
        let (board, clock) = (Arc::clone(environments.board()), Arc::clone(environments.clock()));
        let versions = Arc::new(Versions::new(Arc::clone(&clock)));
        board.listen(Arc::clone(&versions) as Arc<_>);
        Self(Arc::new(Service {
            access,
            board,
            clock,
            health: environments.store().health(),
            fleet,
            versions,
            metrics: EvaluationMetrics::new(),
            streams: AtomicUsize::new(0),
            stop,
        }))
    }

    /// Puts it in front of `app`, which gets what is not for it.
    pub fn before<A, S>(
        &self,
        app: A,
    ) -> impl ServiceFactory<Request, Config = AppConfig, Response = Response<BoxBody>, Error = Error, InitError = ()> + use<A, S>
    where
        A: IntoServiceFactory<S, Request>,
        S: ServiceFactory<Request, Config = AppConfig, Response = ServiceResponse<BoxBody>, Error = Error, InitError = ()> + 'static,
    {
        let service = Arc::clone(&self.0);
        apply_fn_factory(app, move |request: Request, app: &S::Service| match Route::of(&request) {
            Some(route) => Either::Left(fast_path::answer(Arc::clone(&service), route, request).map(Ok)),
            None => Either::Right(app.call(request).map_ok(Response::from)),
        })
    }
}

impl Service {
    fn served(&self, environment: &EnvironmentKey) -> Result<Arc<Served>, ApiError> {
        let served = self.board.served(environment.as_str());
        served.ok_or_else(|| ApiError::new(Code::NotReady, format!("Environment {environment} is being loaded.")).retry_after(1))
    }

    /// Since when answers are stale, where they are.
    fn stale(&self) -> Option<jiff::Timestamp> {
        let health = self.health.borrow();
        match health.state {
            StoreState::Available => None,
            StoreState::Unreachable | StoreState::Reseeding => Some(health.since),
        }
    }
}
