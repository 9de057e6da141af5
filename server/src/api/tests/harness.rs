//! A node over the memory store, and a caller with a key of each role.

use std::sync::Arc;

use actix_web::body::MessageBody as _;
use actix_web::http::Method;
use actix_web::http::header::HeaderMap;
use actix_web::middleware::from_fn;
use actix_web::test::{self, TestRequest};
use actix_web::{App, web};
use ripcord_proto::change::KeyRecord;
use ripcord_proto::role::Role;
use serde_json::{Value, json};

use crate::access::limits::{self, RateLimits};
use crate::access::{Access, keys};
use crate::api::{Api, MetricsAccess, Services};
use crate::check::Checks;
use crate::clock::{Clock as _, SystemClock};
use crate::environment::Orphans;
use crate::environment::fixture::{EnvironmentsBuilder, new_environment, production};
use crate::fleet::{Fleet, FleetSettings, NoPeers};
use crate::http::{error, request_tracing};
use crate::kill::Kills;
use crate::leader::LeaderLease;
use crate::leader::fixture::SingleNode;
use crate::outcome::reports::LocalReports;
use crate::outcome::{NoPeerOutcomes, Outcomes};
use crate::peer::Peers;
use crate::ping::Pings;
use crate::rollback::controller::{self, RollbackDeps};
use crate::rollout::Rollouts;
use crate::secret::Secret;
use crate::store::fault_injection::FaultyStore;
use crate::store::journal::Journal;
use crate::store::memory::MemoryStore;
use crate::system::SystemOperation;
use crate::telemetry::Metrics;
use crate::trigger::Triggers;

pub(super) const ADMIN: &str = "rc_admin_0123456789abcdef0123456789abcdef";
pub(super) const PEERS: &str = "a secret that peers share, and nobody else";
pub(super) const FLAG: &str = "/v1/environments/production/flags/checkout";

/// The key of each role; for `production`, where it needs an environment.
pub(super) fn key_of(role: Role) -> String {
    format!("rc_{role}_0123456789abcdef0123456789abcdef")
}

pub(super) fn flag() -> Value {
    json!({"variants": {"on": true, "off": false}, "default": "on", "safe": "off", "tags": ["payments"]})
}

pub(super) struct ApiNode {
    pub(super) store: Arc<FaultyStore<MemoryStore>>,
    api: Api,
}

/// An answer.
pub(super) struct Got {
    pub(super) status: u16,
    pub(super) headers: HeaderMap,
    pub(super) body: Value,
}

impl Got {
    pub(super) fn header(&self, name: &str) -> &str {
        self.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
    }

    pub(super) fn code(&self) -> &str {
        self.body["code"].as_str().unwrap_or_default()
    }

    /// The answer, where it is of this status.
    #[track_caller]
    pub(super) fn expect(self, status: u16) -> Self {
        assert_eq!(self.status, status, "{:#}", self.body);
        self
    }
}

/// A call on its way.
pub(super) struct Call<'a> {
    node: &'a ApiNode,
    request: TestRequest,
}

impl Call<'_> {
    pub(super) fn key(self, key: &str) -> Self {
        self.header("authorization", &format!("Bearer {key}"))
    }

    pub(super) fn header(self, name: &str, value: &str) -> Self {
        Self {
            request: self.request.insert_header((name, value)),
            ..self
        }
    }

    pub(super) fn json(self, body: &Value) -> Self {
        self.header("content-type", "application/json").raw(body.to_string())
    }

    pub(super) fn raw(self, body: impl Into<web::Bytes>) -> Self {
        Self {
            request: self.request.set_payload(body),
            ..self
        }
    }

    pub(super) async fn send(self) -> Got {
        let app = App::new()
            .configure(|config| self.node.api.configure(config))
            .default_service(web::to(error::no_such_path))
            .wrap(from_fn(request_tracing::around));
        let app = test::init_service(app).await;
        let response = test::call_service(&app, self.request.to_request()).await;
        let (status, headers) = (response.status().as_u16(), response.headers().clone());
        let bytes = response.into_body().try_into_bytes().unwrap_or_default();
        let body = serde_json::from_slice(&bytes).unwrap_or_else(|_| Value::String(String::from_utf8_lossy(&bytes).into_owned()));
        Got { status, headers, body }
    }
}

impl ApiNode {
    pub(super) async fn start() -> Self {
        Self::limited(limits::Config::default()).await
    }

    pub(super) async fn limited(limits: limits::Config) -> Self {
        let store = FaultyStore::new(MemoryStore::new());
        let folder = std::env::temp_dir().join(format!("ripcord-api-{:x}", rand::random::<u64>()));
        let builder = EnvironmentsBuilder::new().store(Arc::clone(&store) as _).orphans(Orphans::kept_in(folder));
        let environments = builder.also(staging_and_keys()).start().await;
        let peers = Peers::new(Vec::new(), Some(Secret::new(PEERS)), None);
        let kills = Kills::start(environments.clone(), Journal::in_memory(), peers.clone(), "a".to_owned());
        let access = Access::new(environments.clone(), Some(&Secret::new(ADMIN)), "a".to_owned(), RateLimits::new(limits));
        let fleet = Fleet::new(environments.board(), FleetSettings::new("a"), Arc::new(NoPeers));
        let lease = LeaderLease::new(environments.clone(), Arc::new(SingleNode), "a", "id-a");
        let outcomes = Outcomes::new(jiff::Timestamp::now());
        let deps = RollbackDeps {
            environments: environments.clone(),
            fleet: fleet.clone(),
            outcomes: outcomes.clone(),
            elsewhere: Arc::new(NoPeerOutcomes),
            checks: Checks::new(Arc::new(SystemClock)),
            lease: lease.clone(),
        };
        let checks = deps.checks.clone();
        controller::start(deps);
        let reports = Arc::new(LocalReports::new(outcomes.clone(), "id-a"));
        let rollouts = Rollouts::start(environments.clone(), lease.clone(), kills.clone(), checks.clone(), reports);
        let parts = Services {
            triggers: Triggers::start(environments.clone(), kills.clone(), checks.clone(), rollouts.gate_events(), "a"),
            rollouts,
            checks,
            pings: Pings::new(environments.clone(), fleet.clone(), lease.clone()),
            fleet,
            environments,
            kills,
            peers,
            outcomes,
            metrics: Metrics::of_process().unwrap(),
            node: "a".to_owned(),
        };
        Self {
            store,
            api: Api::new(parts, access).with_metrics(MetricsAccess::Open),
        }
    }

    pub(super) fn with_metrics(self, metrics: MetricsAccess) -> Self {
        Self {
            api: self.api.with_metrics(metrics),
            ..self
        }
    }

    pub(super) fn call(&self, method: Method, path: &str) -> Call<'_> {
        Call {
            node: self,
            request: TestRequest::default().method(method).uri(path),
        }
    }

    pub(super) async fn get(&self, path: &str) -> Got {
        self.call(Method::GET, path).key(ADMIN).send().await
    }

    pub(super) async fn put(&self, path: &str, body: &Value) -> Got {
        self.call(Method::PUT, path).key(ADMIN).json(body).send().await
    }

    pub(super) async fn post(&self, path: &str, body: &Value) -> Got {
        self.call(Method::POST, path).key(ADMIN).json(body).send().await
    }

    pub(super) async fn patch(&self, path: &str, body: &Value) -> Got {
        self.call(Method::PATCH, path).key(ADMIN).json(body).send().await
    }

    pub(super) async fn delete(&self, path: &str) -> Got {
        self.call(Method::DELETE, path).key(ADMIN).send().await
    }
}

/// Another environment, and a key of each role.
fn staging_and_keys() -> impl Iterator<Item = SystemOperation> {
    let keys = Role::ALL.map(|role| {
        SystemOperation::CreateKey(KeyRecord {
            id: format!("key_{role}"),
            name: format!("the {role} key"),
            role,
            environments: if role == Role::Admin { Vec::new() } else { vec![production()] },
            hash: keys::hash(&key_of(role)),
            created: SystemClock.now(),
        })
    });
    std::iter::once(new_environment("staging", &SystemClock)).chain(keys)
}
