//! `/healthz`: the process is alive. `/readyz`: whether to send callers here, and if not, why (promise 5 of the design).
//!
//! - *ready*: everything is loaded, and this node is not known to be behind.
//! - *degraded*: the store cannot be reached or takes no writes. It answers 200, because kills and streams must go on, as long as no
//!   fresher node is known.
//! - *not ready*: something is not loaded; another node has commits that this one lacks; this node's own copy cannot be written; the
//!   store has been away for `--stale-after` while another node reaches it; or the server is shutting down.

#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use actix_web::http::StatusCode;
use actix_web::web;
use jiff::{SignedDuration, Timestamp};
use ripcord_proto::rest::health::{HealthCode, PartHealth, Readiness, ReadyState};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use super::freshness::Freshness;
use crate::environment::Environments;
use crate::http::{ApiError, ApiResponse};
use crate::peer::{PeerReachability, Peers, Verdict};
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
    freshness: Freshness,
    stopping: CancellationToken,
    stale_after: Duration,
    node: String,
    started: Timestamp,
}

impl Health {
    /// For a node that has just started. It stops being ready when `stopping` fires.
    pub(super) fn new(environments: Environments, peers: &Peers, stopping: CancellationToken, stale_after: Duration, node: String) -> Self {
        let inner = Inner {
            store: environments.store().health(),
            peers: (!peers.is_empty()).then(|| peers.reached()),
            freshness: Freshness::new(environments.clone(), peers.clone()),
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
        let verdict = inner.freshness.verdict();
        let mut parts = BTreeMap::from([
            ("environments".to_owned(), inner.environments_part()),
            (
                "store".to_owned(),
                store_part(&store, verdict.fresher.as_deref(), inner.environments.clock().now(), inner.stale_after),
            ),
        ]);
        if let Some(peers) = &inner.peers {
            parts.insert("peers".to_owned(), inner.part(peers_part(&peers.borrow())));
        }
        if let Some(behind) = behind_part(&verdict, &store) {
            parts.insert("commits".to_owned(), inner.part(behind));
        }
        if let Some(why) = &store.mirror {
            parts.insert("mirror".to_owned(), inner.part(mirror_part(why)));
        }
        if inner.stopping.is_cancelled() {
            let state = PartState::not_ready(HealthCode::ShuttingDown, "the server is shutting down".to_owned());
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

/// The state of a part, and what is wrong with it.
#[derive(Debug)]
struct PartState {
    state: ReadyState,
    code: Option<HealthCode>,
    why: String,
}

impl PartState {
    const READY: Self = Self {
        state: ReadyState::Ready,
        code: None,
        why: String::new(),
    };

    fn degraded(code: HealthCode, why: String) -> Self {
        Self {
            state: ReadyState::Degraded,
            code: Some(code),
            why,
        }
    }

    fn not_ready(code: HealthCode, why: String) -> Self {
        Self {
            state: ReadyState::NotReady,
            ..Self::degraded(code, why)
        }
    }

    fn since(self, since: Timestamp) -> PartHealth {
        PartHealth {
            state: self.state,
            since,
            code: self.code,
            why: self.why,
        }
    }
}

impl Inner {
    fn part(&self, state: PartState) -> PartHealth {
        state.since(self.started)
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
            let store = self.store.borrow().why.clone();
            let why = format!("no environment is known yet: this node has no local copy and has not reached the store ({store})");
            PartState::not_ready(HealthCode::NotHydrated, why)
        } else if missing.is_empty() {
            PartState::READY
        } else {
            PartState::not_ready(HealthCode::NotHydrated, format!("not loaded yet: {}", missing.join(", ")))
        })
    }
}

/// A node without its store stays in service, with its kills, unless a fresher one is known and it has been so for long.
fn store_part(health: &StoreHealth, fresher: Option<&str>, now: Timestamp, stale_after: Duration) -> PartHealth {
    let away = now.duration_since(health.since);
    let too_long = SignedDuration::try_from(stale_after).is_ok_and(|limit| away > limit);
    let (code, why) = match health.state {
        StoreState::Available => return PartState::READY.since(health.since),
        StoreState::Unreachable => (
            HealthCode::StoreUnreachable,
            format!("{}. Flags are served from memory and kills work; other writes fail", health.why),
        ),
        StoreState::RefusesWrites => (
            HealthCode::StoreRefusesWrites,
            format!("{}. Flags are served and kills work; other writes fail", health.why),
        ),
        StoreState::Reseeding => (
            HealthCode::StoreReseeding,
            format!("the store lost its data and is being re-seeded: {}", health.why),
        ),
    };
    let code = health.code.unwrap_or(code);
    let state = match fresher.filter(|_| too_long) {
        Some(node) => PartState::not_ready(
            code,
            format!(
                "{why}. This has lasted longer than --stale-after ({} s), and node {node} reaches the store",
                stale_after.as_secs()
            ),
        ),
        None => PartState::degraded(code, why),
    };
    state.since(health.since)
}

fn behind_part(verdict: &Verdict, store: &StoreHealth) -> Option<PartState> {
    if let Some(behind) = &verdict.behind {
        let why = format!(
            "the log {} is at {} here and at {} on node {}; kills that this node has not seen may be in force",
            behind.log,
            behind.own.position(),
            behind.theirs.position(),
            behind.node
        );
        return Some(PartState::not_ready(HealthCode::Behind, why));
    }
    let why = "the store has commits that this node is still fetching";
    store.behind.then(|| PartState::not_ready(HealthCode::Behind, why.to_owned()))
}

fn mirror_part(why: &str) -> PartState {
    let why = format!("this node's copy of the store cannot be written ({why}); it could neither start without the store nor fill it again");
    PartState::not_ready(HealthCode::MirrorUnwritable, why)
}

fn peers_part(reached: &PeerReachability) -> PartState {
    if reached.not_reached.is_empty() {
        return PartState::READY;
    }
    let why = format!(
        "cannot reach: {}; they would miss a kill made while the store is down",
        reached.not_reached.join(", ")
    );
    PartState::degraded(HealthCode::PeerUnreachable, why)
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
