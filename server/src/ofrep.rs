//! OFREP: remote evaluation over HTTP, for OpenFeature clients in any language and for browsers.
//!
//! ```text
//! POST /ofrep/v1/evaluate/flags/{key}   evaluate    one flag
//! POST /ofrep/v1/evaluate/flags         bulk        all flags that the key sees, with an ETag over the answers
//! GET  /ofrep/v1/events                 events      "fetch again", over server-sent events
//! ```
//!
//! Every error carries `errorDetails`, because clients read it unconditionally. All answers come from the board.

mod bulk;
mod client;
mod context_body;
mod cors;
mod error;
mod evaluate;
mod events;
mod fast_path;
mod request;
mod route;
mod service;
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
use tokio_util::sync::CancellationToken;

pub use self::context_body::is_context;
use self::route::{EvaluationMetrics, Route};
use self::service::Service;
use self::versions::Versions;
use crate::access::Access;
use crate::environment::Environments;
use crate::fleet::Fleet;
use crate::http::public_url::PublicUrl;

/// The OFREP service. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Ofrep(Arc<Service>);

impl Ofrep {
    /// The endpoints over what the board serves. Streams end when `stop` fires.
    pub fn new(environments: &Environments, access: Access, fleet: Fleet, public_url: PublicUrl, stop: CancellationToken) -> Self {
        let (board, clock) = (Arc::clone(environments.board()), Arc::clone(environments.clock()));
        let versions = Arc::new(Versions::new(Arc::clone(&clock)));
        board.listen(Arc::clone(&versions) as Arc<_>);
        Self(Arc::new(Service {
            access,
            board,
            clock,
            health: environments.store().health(),
            fleet,
            public_url,
            versions,
            metrics: EvaluationMetrics::new(),
            streams: AtomicUsize::new(0),
            stop,
        }))
    }

    /// Handles OFREP requests in front of `app`, which gets all others.
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
