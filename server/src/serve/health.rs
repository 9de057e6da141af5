//! `/healthz`: the process is alive. `/readyz`: whether to send callers here, and if not, why (promise 5 of the design).
//!
//! Ready means fresh. A node that cannot reach its store is `degraded` and answers 200, because kills and streams must continue;
//! after `--stale-after` it is not ready. Nor is a node that has not loaded every environment yet, or that is shutting down.

#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use actix_web::http::StatusCode;
use actix_web::web;
use jiff::{SignedDuration, Timestamp};
use ripcord_proto::rest::health::{PartHealth, Readiness, ReadyState};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use crate::environment::Environments;
use crate::http::{ApiError, ApiResponse};
use crate::peer::{PeerReachability, Peers};
use crate::store::{StoreHealth, StoreState};

/// Everything that readiness depends on. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Health {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    environments: Environments,
    store: watch::Receiver<StoreHealth>,
    peers: Option<watch::Receiver<PeerReachability>>,
    stopping: CancellationToken,
    stale_after: Duration,
    node: String,
    started: Timestamp,
}

impl Health {
    /// For a node that has just started. It stops being ready when `stopping` fires.
    pub fn new(environments: Environments, peers: &Peers, stopping: CancellationToken, stale_after: Duration, node: String) -> Self {
        let inner = Inner {
            store: environments.store().health(),
            peers: (!peers.is_empty()).then(|| peers.reached()),
            started: environments.clock().now(),
            environments,
            stopping,
            stale_after,
            node,
        };
        Self { inner: Arc::new(inner) }
    }

    /// Mounts `/healthz` and `/readyz`.
    pub fn routes(&self, config: &mut web::ServiceConfig) {
        config
            .app_data(web::Data::new(self.clone()))
            .route("/healthz", web::get().to(alive))
            .route("/readyz", web::get().to(ready));
    }

    /// The state of each part, and of the node, which is the worst of them.
    pub fn readiness(&self) -> Readiness {
        let inner = &self.inner;
        let store = inner.store.borrow().clone();
        let mut parts = BTreeMap::from([
            ("environments".to_owned(), inner.environments_part()),
            ("store".to_owned(), store_part(&store, inner.environments.clock().now(), inner.stale_after)),
        ]);
        if let Some(peers) = &inner.peers {
            parts.insert("peers".to_owned(), inner.part(peers_part(&peers.borrow())));
        }
        if inner.stopping.is_cancelled() {
            let state = (ReadyState::NotReady, "the server is shutting down".to_owned());
            parts.insert("server".to_owned(), inner.part(state));
        }
        Readiness {
            status: parts.values().map(|part| part.state).max().unwrap_or(ReadyState::Ready),
            node: inner.node.clone(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            parts,
            warnings: store.warnings,
        }
    }
}

impl Inner {
    fn part(&self, (state, why): (ReadyState, String)) -> PartHealth {
        PartHealth {
            state,
            since: self.started,
            why,
        }
    }

    /// Whether every environment in the system log is served.
    fn environments_part(&self) -> PartHealth {
        let system = self.environments.system();
        let board = self.environments.board();
        let missing: Vec<&str> = system
            .environments
            .keys()
            .map(ripcord_proto::EnvironmentKey::as_str)
            .filter(|key| board.served(key).is_none())
            .collect();
        self.part(if system.environments.is_empty() {
            let why = "no environment is known yet: this node has no local copy and has not reached the store";
            (ReadyState::NotReady, why.to_owned())
        } else if missing.is_empty() {
            (ReadyState::Ready, String::new())
        } else {
            (ReadyState::NotReady, format!("not loaded yet: {}", missing.join(", ")))
        })
    }
}

fn store_part(health: &StoreHealth, now: Timestamp, stale_after: Duration) -> PartHealth {
    let away = now.duration_since(health.since);
    let too_long = SignedDuration::try_from(stale_after).is_ok_and(|limit| away > limit);
    let (state, why) = match health.state {
        StoreState::Available => (ReadyState::Ready, String::new()),
        StoreState::Unreachable | StoreState::Reseeding if too_long => (
            ReadyState::NotReady,
            format!("{}; this has lasted longer than --stale-after ({} s)", health.why, stale_after.as_secs()),
        ),
        StoreState::Unreachable => (
            ReadyState::Degraded,
            format!("{}. Flags are served from memory and kills work; other writes fail", health.why),
        ),
        StoreState::Reseeding => (ReadyState::Degraded, format!("the store lost its data and is being re-seeded: {}", health.why)),
    };
    PartHealth {
        state,
        since: health.since,
        why,
    }
}

fn peers_part(reached: &PeerReachability) -> (ReadyState, String) {
    if reached.not_reached.is_empty() {
        return (ReadyState::Ready, String::new());
    }
    let why = format!(
        "cannot reach: {}; they would miss a kill made while the store is down",
        reached.not_reached.join(", ")
    );
    (ReadyState::Degraded, why)
}

async fn alive() -> Result<ApiResponse, ApiError> {
    ApiResponse::ok(&serde_json::json!({ "status": "alive" }))
}

async fn ready(health: web::Data<Health>) -> Result<ApiResponse, ApiError> {
    let readiness = health.readiness();
    let status = match readiness.status {
        ReadyState::Ready | ReadyState::Degraded => StatusCode::OK,
        ReadyState::NotReady => StatusCode::SERVICE_UNAVAILABLE,
    };
    ApiResponse::json(status, &readiness)
}
