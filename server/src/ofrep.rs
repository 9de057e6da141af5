//! OFREP: remote evaluation over HTTP, for OpenFeature's clients of any language and for browsers.
//!
//! ```text
//! POST /ofrep/v1/evaluate/flags/{key}   evaluate    one flag
//! POST /ofrep/v1/evaluate/flags         bulk        all flags that the key sees, with an ETag over the answers
//! GET  /ofrep/v1/events                 events      "fetch again", over server-sent events
//! ```
//!
//! Every error carries `errorDetails`, which clients read without looking. What is answered comes from the board and nothing else.

mod asked;
mod bulk;
mod cors;
mod evaluate;
mod events;
mod fault;
mod front;
mod heads;
mod subject;

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

use self::front::{Meters, Route};
use self::heads::Heads;
use crate::access::Access;
use crate::clock::Clock;
use crate::environment::Environments;
use crate::fleet::Fleet;
use crate::http::Refusal;
use crate::snapshot::board::Board;
use crate::snapshot::publication::Served;
use crate::store::{StoreHealth, StoreState};

/// The room. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Ofrep(Arc<Room>);

#[derive(Debug)]
struct Room {
    access: Access,
    board: Arc<Board>,
    clock: Arc<dyn Clock>,
    health: watch::Receiver<StoreHealth>,
    fleet: Fleet,
    heads: Arc<Heads>,
    meters: Meters,
    /// Open event streams.
    streams: AtomicUsize,
    stop: CancellationToken,
}

impl Ofrep {
    /// Opens it. Its streams end when `stop` fires.
    pub fn new(environments: &Environments, access: Access, fleet: Fleet, stop: CancellationToken) -> Self {
        let (board, clock) = (Arc::clone(environments.board()), Arc::clone(environments.clock()));
        let heads = Arc::new(Heads::new(Arc::clone(&clock)));
        board.listen(Arc::clone(&heads) as Arc<_>);
        Self(Arc::new(Room {
            access,
            board,
            clock,
            health: environments.store().health(),
            fleet,
            heads,
            meters: Meters::new(),
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
        let room = Arc::clone(&self.0);
        apply_fn_factory(app, move |request: Request, app: &S::Service| match Route::of(&request) {
            Some(route) => Either::Left(front::answer(Arc::clone(&room), route, request).map(Ok)),
            None => Either::Right(app.call(request).map_ok(Response::from)),
        })
    }
}

impl Room {
    fn served(&self, environment: &EnvironmentKey) -> Result<Arc<Served>, Refusal> {
        let served = self.board.served(environment.as_str());
        served.ok_or_else(|| Refusal::new(Code::NotReady, format!("Environment {environment} is being loaded.")).retry_after(1))
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
