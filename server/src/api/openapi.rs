//! `/openapi.json`, generated from the handlers.

use std::sync::LazyLock;

use actix_web::HttpResponse;
use actix_web::web::Bytes;
use ripcord_proto::flags_file::schema;
use ripcord_proto::kill::Kill;
use ripcord_proto::problem::Problem;
use ripcord_proto::proposal::Proposal;
use ripcord_proto::rest::health::Readiness;
use ripcord_proto::settings::Settings;
use serde_json::{Map, Value};
use utoipa::openapi::security::{ApiKey, ApiKeyValue, Http, HttpAuthScheme, SecurityScheme};
use utoipa::{Modify, OpenApi};

use super::{
    audit, backup, checkpoints, commits, confirmations, connections, drills, environments, explain, flags, hooks, index_page, keys, kills, metrics, outcomes,
    pings, policy, proposals, releases, revisions, rollbacks, rollouts, segments, sets, settings, stale_flags, triggers,
};
use crate::http::documented::Problems;
use crate::stream;

#[derive(OpenApi)]
#[openapi(
    info(
        title = "Ripcord",
        description = "Feature flags that you can roll back in one atomic revision, with proof. Every error is a problem document (RFC 9457) with a stable code. \
            Every write takes an Idempotency-Key, an If-Match with the ETag of what you change, ?wait= for confirmations, and a reason. If the environment's \
            policy requires a second person, a write returns 202 with {\"proposal\": {…}} and a Location, and nothing changes until a different person approves it.",
        license(name = "Apache-2.0")
    ),
    paths(
        index_page::page, metrics::scrape, document, flags_schema, outcomes::report,
        environments::list, environments::get, environments::create, environments::delete,
        flags::list, flags::get, flags::put, flags::patch, flags::delete,
        segments::list, segments::get, segments::put, segments::delete,
        sets::list, stale_flags::list,
        commits::commit, commits::plan,
        kills::list, kills::get, kills::kill, kills::restore, kills::give_reason,
        settings::get, settings::put,
        policy::get, policy::put,
        proposals::list, proposals::get, proposals::approve, proposals::decline, proposals::withdraw,
        checkpoints::list, checkpoints::get, checkpoints::create, checkpoints::delete, checkpoints::vouch, checkpoints::doubt,
        releases::list, releases::get, releases::begin, releases::set, releases::finish,
        rollbacks::create::create, rollbacks::create::plan,
        revisions::list, revisions::get, revisions::diff,
        confirmations::get, connections::list, explain::explain,
        drills::list, drills::get, drills::keep,
        rollbacks::read::list, rollbacks::read::get,
        rollbacks::actions::stop, rollbacks::actions::resume, rollbacks::actions::review, rollbacks::undo::create, rollbacks::undo::plan,
        pings::list, pings::send,
        rollouts::list, rollouts::start, rollouts::get, rollouts::actions::pause, rollouts::actions::resume, rollouts::actions::advance,
        rollouts::actions::abort, rollouts::actions::rollback, rollouts::actions::approve, rollouts::replay,
        triggers::list, triggers::get, triggers::create, triggers::change, triggers::delete, triggers::test,
        triggers::firings::list, triggers::firings::get, triggers::firings::confirm, triggers::firings::decline, hooks::take,
        keys::list, keys::create, keys::revoke,
        audit::list, audit::verify, audit::orphans, backup::download,
    ),
    components(schemas(Kill, Problem, Proposal, Readiness, Settings)),
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

/// What is served beside the REST API: OFREP, health, and the frames of streams.
const PROTOCOLS: &str = include_str!("openapi/protocols.json");

#[derive(serde::Deserialize)]
struct Protocols {
    paths: Map<String, Value>,
    schemas: Map<String, Value>,
}

/// The document of the handlers, with the definitions of the schema of flags files, and with the other protocols.
fn defined(document: &utoipa::openapi::OpenApi) -> Result<Value, serde_json::Error> {
    let mut document = serde_json::to_value(document)?;
    let definitions = schema::definitions().to_string().replace("#/$defs/", "#/components/schemas/");
    let mut definitions: Map<String, Value> = serde_json::from_str(&definitions)?;
    definitions.values_mut().for_each(without_unicode_patterns);
    definitions.insert("Condition".to_owned(), condition());
    let protocols: Protocols = serde_json::from_str(PROTOCOLS)?;
    if let Some(Value::Object(schemas)) = document.pointer_mut("/components/schemas") {
        schemas.extend(definitions);
        schemas.extend(protocols.schemas);
    }
    if let Some(Value::Object(paths)) = document.get_mut("paths") {
        paths.values_mut().for_each(without_null_bodies);
        paths.extend(protocols.paths);
    }
    Ok(document)
}

/// A condition, which contains conditions: few generators can express that.
fn condition() -> Value {
    serde_json::json!({
        "type": "object",
        "additionalProperties": true,
        "description": "A condition: one attribute with one operator, or `all`, `any`, `not`, `segment` or `jsonlogic`. Exactly: /schema/flags.json.",
        "example": {"attribute": "country", "equals": "NO"}
    })
}

/// Leaves out patterns with classes of Unicode, which are no regular expressions to many validators.
fn without_unicode_patterns(schema: &mut Value) {
    match schema {
        Value::Object(members) => {
            members.retain(|name, value| name != "pattern" || value.as_str().is_none_or(|pattern| !pattern.contains("\\p{")));
            members.values_mut().for_each(without_unicode_patterns);
        }
        Value::Array(items) => items.iter_mut().for_each(without_unicode_patterns),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

/// A body that may be left out is not one that may be null.
fn without_null_bodies(operations: &mut Value) {
    let operations = operations.as_object_mut().into_iter().flat_map(Map::values_mut);
    for schema in operations.filter_map(|operation| operation.pointer_mut("/requestBody/content/application~1json/schema")) {
        let Some(choices) = schema.get_mut("oneOf").and_then(Value::as_array_mut) else {
            continue;
        };
        choices.retain(|choice| choice["type"] != "null");
        if let [one] = choices.as_mut_slice() {
            *schema = one.take();
        }
    }
}

/// Of the handlers and of the streams.
fn handlers() -> utoipa::openapi::OpenApi {
    let mut document = Document::openapi();
    document.merge(stream::Paths::openapi());
    document
}

static TEXT: LazyLock<Bytes> = LazyLock::new(|| defined(&handlers()).map(|document| document.to_string()).unwrap_or_default().into());

static FLAGS: LazyLock<Bytes> = LazyLock::new(|| schema::schema().to_string().into());

/// This document.
#[utoipa::path(get, path = "/openapi.json", tag = "operation", operation_id = "getOpenApi", security(()),
    responses((status = 200, description = "OpenAPI 3.1", body = Object), Problems))]
pub(super) async fn document() -> HttpResponse {
    HttpResponse::Ok().content_type("application/json").body(TEXT.clone())
}

/// The JSON Schema of flags files.
#[utoipa::path(get, path = "/schema/flags.json", tag = "operation", operation_id = "getFlagsSchema", security(()),
    responses((status = 200, description = "JSON Schema, draft 2020-12", body = Object, content_type = "application/schema+json"), Problems))]
pub(super) async fn flags_schema() -> HttpResponse {
    HttpResponse::Ok()
        .content_type("application/schema+json")
        .insert_header(("access-control-allow-origin", "*"))
        .body(FLAGS.clone())
}

#[cfg(test)]
pub(super) mod tests {
    /// The document.
    pub(in crate::api) fn document() -> serde_json::Value {
        super::defined(&super::handlers()).unwrap()
    }

    /// Every operation that needs a key, as `GET /v1/keys`.
    pub(in crate::api) fn operations() -> Vec<String> {
        let document = document();
        let mut operations = Vec::new();
        for (path, methods) in document["paths"].as_object().unwrap() {
            // Streams are another room's, and not mounted beside the API alone.
            if path.starts_with("/v1/stream") || path == "/v1/snapshot" {
                continue;
            }
            let needs_key = methods.as_object().unwrap().iter().filter(|(_, operation)| operation.get("security").is_none());
            operations.extend(needs_key.map(|(method, _)| format!("{} {path}", method.to_uppercase())));
        }
        operations.sort();
        operations
    }
}
