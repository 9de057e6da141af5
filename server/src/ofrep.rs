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
mod heads;

use std::sync::Arc;
use std::sync::atomic::AtomicUsize;

use actix_web::middleware::from_fn;
use actix_web::web;
use ripcord_proto::EnvironmentKey;
use ripcord_proto::problem::Code;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

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
pub struct Ofrep(web::Data<Room>);

#[derive(Debug)]
struct Room {
    access: Access,
    board: Arc<Board>,
    clock: Arc<dyn Clock>,
    health: watch::Receiver<StoreHealth>,
    fleet: Fleet,
    heads: Arc<Heads>,
    /// Open event streams.
    streams: AtomicUsize,
    stop: CancellationToken,
}

impl Ofrep {
    /// Opens it. Its streams end when `stop` fires.
    pub fn new(environments: &Environments, access: Access, fleet: Fleet, stop: CancellationToken) -> Self {
        let (board, clock) = (Arc::clone(environments.board()), Arc::clone(environments.clock()));
        let heads = Arc::new(Heads::of(&board, Arc::clone(&clock)));
        board.listen(Arc::clone(&heads) as Arc<_>);
        Self(web::Data::new(Room {
            access,
            board,
            clock,
            health: environments.store().health(),
            fleet,
            heads,
            streams: AtomicUsize::new(0),
            stop,
        }))
    }

    /// Mounts it.
    pub fn routes(&self, config: &mut web::ServiceConfig) {
        config.service(
            web::scope("/ofrep/v1")
                .app_data(web::Data::clone(&self.0))
                .service(web::resource("/evaluate/flags").route(web::post().to(bulk::evaluate)))
                .service(web::resource("/evaluate/flags/{key}").route(web::post().to(evaluate::evaluate)))
                .service(web::resource("/events").route(web::get().to(events::listen)))
                .wrap(from_fn(cors::around)),
        );
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
