//! Every route, in one place.

use actix_web::body::BoxBody;
use actix_web::dev::{ServiceFactory, ServiceRequest, ServiceResponse};
use actix_web::http::header::{ALLOW, HeaderValue};
use actix_web::middleware::{Compress, from_fn};
use actix_web::{App, Error, HttpRequest, Resource, Route, web};
use ripcord_proto::problem::Code;

use super::metrics::MetricsAccess;
use super::services::{AppState, Services};
use super::{
    audit, backup, checkpoints, commits, confirmations, connections, drills, environments, explain, flags, hooks, index_page, keys, kills, metrics, openapi,
    outcomes, peers, pings, policy, proposals, releases, revisions, rollbacks, rollouts, segments, sets, settings, stale_flags, triggers,
};
use crate::access::Access;
use crate::http::{ApiError, compress, error, request_tracing};
use crate::outbound::Outbound;
use crate::stream::Worker;

/// The REST API. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Api {
    app: web::Data<AppState>,
    access: web::Data<Access>,
    /// What checks and gates may call.
    outbound: web::Data<Outbound>,
    metrics: MetricsAccess,
}

impl Api {
    /// Over these parts, for the callers that `access` knows.
    pub fn new(parts: Services, access: Access) -> Self {
        Self {
            outbound: web::Data::new(parts.checks.outbound().clone()),
            app: web::Data::new(AppState::new(parts)),
            access: web::Data::new(access),
            metrics: MetricsAccess::WithKey,
        }
    }

    /// With `/metrics` open to these.
    #[must_use]
    pub fn with_metrics(self, metrics: MetricsAccess) -> Self {
        Self { metrics, ..self }
    }

    /// The application of the metrics' own listener: nothing but `/metrics`, for everyone who reaches it.
    pub fn metrics_app(
        &self,
    ) -> App<impl ServiceFactory<ServiceRequest, Config = (), Response = ServiceResponse<BoxBody>, Error = Error, InitError = ()> + use<>> {
        App::new()
            .app_data(web::Data::clone(&self.app))
            .app_data(web::Data::new(MetricsAccess::Open))
            .service(at("/metrics", "GET", [web::get().to(metrics::scrape)]))
            .default_service(web::to(error::no_such_path))
            .wrap(from_fn(request_tracing::around))
    }

    /// The application of one worker thread, its streams among it.
    pub fn app(
        &self,
        worker: &Worker,
    ) -> App<impl ServiceFactory<ServiceRequest, Config = (), Response = ServiceResponse<BoxBody>, Error = Error, InitError = ()> + use<>> {
        App::new()
            .configure(|config| worker.routes(config))
            .configure(|config| self.configure(config))
            .default_service(web::to(error::no_such_path))
            .wrap(from_fn(request_tracing::around))
    }

    /// Mounts all routes but the streams.
    pub fn configure(&self, config: &mut web::ServiceConfig) {
        config
            .app_data(web::Data::clone(&self.app))
            .app_data(web::Data::clone(&self.access))
            .app_data(web::Data::clone(&self.outbound))
            .app_data(web::Data::new(self.metrics))
            .service(at("/", "GET", [web::get().to(index_page::page)]))
            .service(at("/metrics", "GET", [web::get().to(metrics::scrape)]))
            .service(at("/openapi.json", "GET", [web::get().to(openapi::document)]))
            .service(at("/schema/flags.json", "GET", [web::get().to(openapi::flags_schema)]))
            .service(at("/v1/backup", "GET", [web::get().to(backup::download)]))
            .service(at("/v1/outcomes", "POST", [web::post().to(outcomes::report)]))
            .service(at("/v1/hooks/{hook}", "POST", [web::post().to(hooks::take)]))
            .service(at("/v1/keys", "GET, POST", [web::get().to(keys::list), web::post().to(keys::create)]))
            .service(at("/v1/keys/{key}", "DELETE", [web::delete().to(keys::revoke)]))
            .service(
                web::scope("/v1/peer")
                    .service(at("/sync", "POST", [web::post().to(peers::sync)]))
                    .service(at("/confirmations", "POST", [web::post().to(peers::confirmations)]))
                    .wrap(from_fn(peers::only_peers)),
            )
            .service(
                web::scope("/v1/audit")
                    .service(at("", "GET", [web::get().to(audit::list)]))
                    .service(at("/verify", "GET", [web::get().to(audit::verify)]))
                    .service(at("/orphans", "GET", [web::get().to(audit::orphans)]))
                    .wrap(from_fn(compress::spare_small))
                    .wrap(Compress::default()),
            )
            .service(
                web::scope("/v1/environments")
                    .configure(environment_routes)
                    .wrap(from_fn(compress::spare_small))
                    .wrap(Compress::default()),
            );
    }
}

fn environment_routes(config: &mut web::ServiceConfig) {
    config
        .service(at("", "GET, POST", [web::get().to(environments::list), web::post().to(environments::create)]))
        .service(at(
            "/{env}",
            "GET, DELETE",
            [web::get().to(environments::get), web::delete().to(environments::delete)],
        ))
        .service(at("/{env}/flags", "GET", [web::get().to(flags::list)]))
        .service(at(
            "/{env}/flags/{key}",
            "GET, PUT, PATCH, DELETE",
            [
                web::get().to(flags::get),
                web::put().to(flags::put),
                web::patch().to(flags::patch),
                web::delete().to(flags::delete),
            ],
        ))
        .service(at("/{env}/segments", "GET", [web::get().to(segments::list)]))
        .service(at(
            "/{env}/segments/{key}",
            "GET, PUT, DELETE",
            [web::get().to(segments::get), web::put().to(segments::put), web::delete().to(segments::delete)],
        ))
        .service(at("/{env}/stale-flags", "GET", [web::get().to(stale_flags::list)]))
        .service(at("/{env}/sets", "GET", [web::get().to(sets::list)]))
        .service(at("/{env}/commits", "POST", [web::post().to(commits::commit)]))
        .service(at("/{env}/commits/plan", "POST", [web::post().to(commits::plan)]))
        .service(at("/{env}/kills", "GET, POST", [web::get().to(kills::list), web::post().to(kills::kill)]))
        .service(at(
            "/{env}/kills/{key}",
            "GET, PATCH, DELETE",
            [web::get().to(kills::get), web::patch().to(kills::give_reason), web::delete().to(kills::restore)],
        ))
        .service(at("/{env}/settings", "GET, PUT", [web::get().to(settings::get), web::put().to(settings::put)]))
        .service(at("/{env}/policy", "GET, PUT", [web::get().to(policy::get), web::put().to(policy::put)]))
        .configure(proposal_routes)
        .configure(checkpoint_routes)
        .configure(release_routes)
        .configure(rollback_routes)
        .configure(rollout_routes)
        .configure(trigger_routes)
        .service(at("/{env}/revisions", "GET", [web::get().to(revisions::list)]))
        .service(at("/{env}/revisions/{key}", "GET", [web::get().to(revisions::get)]))
        .service(at("/{env}/diff", "GET", [web::get().to(revisions::diff)]))
        .service(at("/{env}/confirmations/{key}", "GET", [web::get().to(confirmations::get)]))
        .service(at("/{env}/connections", "GET", [web::get().to(connections::list)]))
        .service(at("/{env}/drills", "GET, POST", [web::get().to(drills::list), web::post().to(drills::keep)]))
        .service(at("/{env}/drills/{key}", "GET", [web::get().to(drills::get)]))
        .service(at("/{env}/pings", "GET, POST", [web::get().to(pings::list), web::post().to(pings::send)]))
        .service(at("/{env}/explain", "POST", [web::post().to(explain::explain)]));
}

fn proposal_routes(config: &mut web::ServiceConfig) {
    config
        .service(at("/{env}/proposals", "GET", [web::get().to(proposals::list)]))
        .service(at("/{env}/proposals/{key}", "GET", [web::get().to(proposals::get)]))
        .service(at("/{env}/proposals/{key}/approve", "POST", [web::post().to(proposals::approve)]))
        .service(at("/{env}/proposals/{key}/decline", "POST", [web::post().to(proposals::decline)]))
        .service(at("/{env}/proposals/{key}/withdraw", "POST", [web::post().to(proposals::withdraw)]));
}

fn checkpoint_routes(config: &mut web::ServiceConfig) {
    config
        .service(at(
            "/{env}/checkpoints",
            "GET, POST",
            [web::get().to(checkpoints::list), web::post().to(checkpoints::create)],
        ))
        .service(at(
            "/{env}/checkpoints/{key}",
            "GET, DELETE",
            [web::get().to(checkpoints::get), web::delete().to(checkpoints::delete)],
        ))
        .service(at("/{env}/checkpoints/{key}/vouch", "POST", [web::post().to(checkpoints::vouch)]))
        .service(at("/{env}/checkpoints/{key}/doubt", "POST", [web::post().to(checkpoints::doubt)]));
}

fn rollback_routes(config: &mut web::ServiceConfig) {
    config
        .service(at(
            "/{env}/rollbacks",
            "GET, POST",
            [web::get().to(rollbacks::read::list), web::post().to(rollbacks::create::create)],
        ))
        .service(at("/{env}/rollbacks/plan", "POST", [web::post().to(rollbacks::create::plan)]))
        .service(at("/{env}/rollbacks/{key}", "GET", [web::get().to(rollbacks::read::get)]))
        .service(at("/{env}/rollbacks/{key}/stop", "POST", [web::post().to(rollbacks::actions::stop)]))
        .service(at("/{env}/rollbacks/{key}/resume", "POST", [web::post().to(rollbacks::actions::resume)]))
        .service(at("/{env}/rollbacks/{key}/undo", "POST", [web::post().to(rollbacks::undo::create)]))
        .service(at("/{env}/rollbacks/{key}/undo/plan", "POST", [web::post().to(rollbacks::undo::plan)]))
        .service(at("/{env}/rollbacks/{key}/review", "POST", [web::post().to(rollbacks::actions::review)]));
}

fn release_routes(config: &mut web::ServiceConfig) {
    config
        .service(at(
            "/{env}/releases",
            "GET, POST",
            [web::get().to(releases::list), web::post().to(releases::begin)],
        ))
        .service(at(
            "/{env}/releases/{key}",
            "GET, PATCH",
            [web::get().to(releases::get), web::patch().to(releases::set)],
        ))
        .service(at("/{env}/releases/{key}/finish", "POST", [web::post().to(releases::finish)]));
}

fn rollout_routes(config: &mut web::ServiceConfig) {
    config
        .service(at(
            "/{env}/rollouts",
            "GET, POST",
            [web::get().to(rollouts::list), web::post().to(rollouts::start)],
        ))
        .service(at("/{env}/rollouts/{key}", "GET", [web::get().to(rollouts::get)]))
        .service(at("/{env}/rollouts/{key}/pause", "POST", [web::post().to(rollouts::actions::pause)]))
        .service(at("/{env}/rollouts/{key}/resume", "POST", [web::post().to(rollouts::actions::resume)]))
        .service(at("/{env}/rollouts/{key}/advance", "POST", [web::post().to(rollouts::actions::advance)]))
        .service(at("/{env}/rollouts/{key}/abort", "POST", [web::post().to(rollouts::actions::abort)]))
        .service(at("/{env}/rollouts/{key}/rollback", "POST", [web::post().to(rollouts::actions::rollback)]))
        .service(at("/{env}/rollouts/{key}/approve", "POST", [web::post().to(rollouts::actions::approve)]))
        .service(at("/{env}/rollouts/{key}/replay", "POST", [web::post().to(rollouts::replay)]));
}

fn trigger_routes(config: &mut web::ServiceConfig) {
    config
        .service(at(
            "/{env}/triggers",
            "GET, POST",
            [web::get().to(triggers::list), web::post().to(triggers::create)],
        ))
        .service(at(
            "/{env}/triggers/{key}",
            "GET, PATCH, DELETE",
            [
                web::get().to(triggers::get),
                web::patch().to(triggers::change),
                web::delete().to(triggers::delete),
            ],
        ))
        .service(at("/{env}/triggers/{key}/test", "POST", [web::post().to(triggers::test)]))
        .service(at("/{env}/firings", "GET", [web::get().to(triggers::firings::list)]))
        .service(at("/{env}/firings/{key}", "GET", [web::get().to(triggers::firings::get)]))
        .service(at("/{env}/firings/{key}/confirm", "POST", [web::post().to(triggers::firings::confirm)]))
        .service(at("/{env}/firings/{key}/decline", "POST", [web::post().to(triggers::firings::decline)]));
}

/// A path and its methods. Any other method gets an error that lists them.
fn at(path: &str, methods: &'static str, routes: impl IntoIterator<Item = Route>) -> Resource {
    let refuse = move |request: HttpRequest| async move {
        let detail = format!("{} does not support {}. Supported methods: {methods}.", request.path(), request.method());
        let refusal = ApiError::new(Code::MethodNotAllowed, detail).with_header(ALLOW, HeaderValue::from_static(methods));
        Err::<actix_web::HttpResponse, _>(refusal)
    };
    routes
        .into_iter()
        .fold(web::resource(path.to_owned()), Resource::route)
        .default_service(web::to(refuse))
}
