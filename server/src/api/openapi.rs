//! `/openapi.json`, generated from the handlers.

use std::sync::LazyLock;

use actix_web::HttpResponse;
use actix_web::web::Bytes;
use utoipa::openapi::security::{ApiKey, ApiKeyValue, Http, HttpAuthScheme, SecurityScheme};
use utoipa::{Modify, OpenApi};

use super::{
    audit, backup, checkpoints, commits, confirmations, connections, drills, environments, explain, flags, front, keys, kills, metrics, outcomes, pings,
    policy, releases, revisions, rollbacks, segments, settings,
};
use crate::stream;

#[derive(OpenApi)]
#[openapi(
    info(
        title = "Ripcord",
        description = "Feature flags that can be taken back in one atomic revision, with proof. Every error is a problem document (RFC 9457) with a stable code. \
            Every write takes an Idempotency-Key, an If-Match with the thing's ETag, ?wait= for confirmations, and a reason.",
        license(name = "Apache-2.0")
    ),
    paths(
        front::page, metrics::scrape, document, outcomes::report,
        environments::list, environments::get, environments::create, environments::delete,
        flags::list, flags::get, flags::put, flags::patch, flags::delete,
        segments::list, segments::get, segments::put, segments::delete,
        commits::commit, commits::plan,
        kills::list, kills::get, kills::kill, kills::restore, kills::give_reason,
        settings::get, settings::put,
        policy::get, policy::put,
        checkpoints::list, checkpoints::get, checkpoints::create, checkpoints::delete, checkpoints::vouch, checkpoints::doubt,
        releases::list, releases::get, releases::begin, releases::set, releases::finish,
        rollbacks::made::create, rollbacks::made::plan,
        revisions::list, revisions::get, revisions::diff,
        confirmations::get, connections::list, explain::explain,
        drills::list, drills::get, drills::keep,
        rollbacks::kept::list, rollbacks::kept::get,
        rollbacks::acts::stop, rollbacks::acts::resume, rollbacks::acts::review, rollbacks::undo::create, rollbacks::undo::plan,
        pings::list, pings::send,
        keys::list, keys::create, keys::revoke,
        audit::list, audit::verify, backup::download,
    ),
    modifiers(&Keys),
    security(("bearer" = []), ("header" = []))
)]
struct Document;

/// How keys are sent.
struct Keys;

impl Modify for Keys {
    fn modify(&self, document: &mut utoipa::openapi::OpenApi) {
        let components = document.components.get_or_insert_default();
        components.add_security_scheme("bearer", SecurityScheme::Http(Http::new(HttpAuthScheme::Bearer)));
        components.add_security_scheme("header", SecurityScheme::ApiKey(ApiKey::Header(ApiKeyValue::new("X-API-Key"))));
    }
}

static TEXT: LazyLock<Bytes> = LazyLock::new(|| {
    let mut document = Document::openapi();
    document.merge(stream::Paths::openapi());
    document.to_json().unwrap_or_default().into()
});

/// This document.
#[utoipa::path(get, path = "/openapi.json", tag = "operation", security(()), responses((status = 200, description = "OpenAPI 3.1")))]
pub(super) async fn document() -> HttpResponse {
    HttpResponse::Ok().content_type("application/json").body(TEXT.clone())
}

#[cfg(test)]
pub(super) mod tests {
    use utoipa::OpenApi as _;

    use super::Document;

    /// The document.
    pub(in crate::api) fn document() -> serde_json::Value {
        serde_json::to_value(Document::openapi()).unwrap()
    }

    /// Every operation that needs a key, as `GET /v1/keys`.
    pub(in crate::api) fn operations() -> Vec<String> {
        let document = document();
        let mut operations = Vec::new();
        for (path, methods) in document["paths"].as_object().unwrap() {
            let needs_key = methods.as_object().unwrap().iter().filter(|(_, operation)| operation.get("security").is_none());
            operations.extend(needs_key.map(|(method, _)| format!("{} {path}", method.to_uppercase())));
        }
        operations.sort();
        operations
    }
}
