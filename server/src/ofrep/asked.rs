//! What a request asks: by whose key, of which flags, for whom.

use actix_web::http::header::{CONTENT_LENGTH, CONTENT_TYPE};
use actix_web::{HttpRequest, web};
use serde_json::{Map, Value};

use super::Room;
use super::fault::Fault;
use crate::access::permit::Evaluate;
use crate::access::{Permit, keys};
use crate::remote::Selection;

/// Bytes of a body, at most.
const BODY: usize = 1024 * 1024;

/// Query parameters of all requests; others are passed over.
#[derive(Debug, Default, serde::Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Query {
    environment: Option<String>,
    /// The configuration that the answer must be at least as new as.
    pub(super) flag_config_etag: Option<String>,
}

/// A caller who may ask, and what of.
pub(super) struct Asked {
    /// His permit.
    pub(super) permit: Permit<Evaluate>,
    /// What he sees.
    pub(super) selection: Selection,
    /// What else he said.
    pub(super) query: Query,
}

/// Whom flags are to be evaluated for.
pub(super) struct Subject(Map<String, Value>);

impl Asked {
    /// Reads everything but the body, so that nobody's body is read who may not send one.
    pub(super) fn of(request: &HttpRequest, room: &Room) -> Result<Self, Fault> {
        let presented = keys::presented(request.headers()).map_err(|problem| Fault::Refused(problem.into()))?;
        let query = web::Query::<Query>::from_query(request.query_string())
            .map(web::Query::into_inner)
            .unwrap_or_default();
        let selector = request
            .headers()
            .get("flagd-selector")
            .and_then(|value| value.to_str().ok())
            .unwrap_or_default();
        let selection = Selection::parse(selector).map_err(|error| Fault::request("GENERAL", format!("The header Flagd-Selector: {error}.")))?;
        let environment = selection.environment.as_deref().or(query.environment.as_deref());
        let permit = room.access.evaluator(presented, environment)?;
        tracing::Span::current().record("env", permit.environment().as_str());
        Ok(Self {
            selection: selection.seen_by(permit.role()),
            permit,
            query,
        })
    }
}

impl Subject {
    /// Reads the body: nothing at all, `{}` and an empty context are contexts too.
    pub(super) async fn read(request: &HttpRequest, payload: web::Payload) -> Result<Self, Fault> {
        let stated = request
            .headers()
            .get(CONTENT_LENGTH)
            .and_then(|value| value.to_str().ok()?.parse::<usize>().ok());
        if stated.is_some_and(|stated| stated > BODY) {
            return Err(Fault::TooLarge(BODY));
        }
        let bytes = match payload.to_bytes_limited(BODY).await {
            Ok(Ok(bytes)) => bytes,
            Ok(Err(error)) => return Err(Fault::request("PARSE_ERROR", format!("The body could not be read to its end: {error}."))),
            Err(_) => return Err(Fault::TooLarge(BODY)),
        };
        if bytes.iter().all(u8::is_ascii_whitespace) {
            return Ok(Self(Map::new()));
        }
        check_kind(request)?;
        Self::parse(&bytes)
    }

    fn parse(bytes: &[u8]) -> Result<Self, Fault> {
        let body: Value = serde_json::from_slice(bytes).map_err(|error| Fault::request("PARSE_ERROR", format!("The body is no valid JSON: {error}.")))?;
        let Value::Object(mut body) = body else {
            return Err(Fault::request(
                "PARSE_ERROR",
                "The body must be an object such as {\"context\": {\"targetingKey\": \"user-7\"}}.",
            ));
        };
        match body.remove("context") {
            None | Some(Value::Null) => Ok(Self(Map::new())),
            Some(Value::Object(context)) => Ok(Self(context)),
            Some(Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Array(_)) => Err(Fault::request(
                "INVALID_CONTEXT",
                "\"context\" must be an object such as {\"targetingKey\": \"user-7\"}.",
            )),
        }
    }

    /// The attributes.
    pub(super) const fn attributes(&self) -> &Map<String, Value> {
        &self.0
    }
}

fn check_kind(request: &HttpRequest) -> Result<(), Fault> {
    let stated = request
        .headers()
        .get(CONTENT_TYPE)
        .map(|kind| String::from_utf8_lossy(kind.as_bytes()).to_ascii_lowercase());
    let is_json = |kind: &str| {
        let essence = kind.split(';').next().unwrap_or_default().trim();
        essence == "application/json" || essence.ends_with("+json")
    };
    match stated {
        Some(kind) if !is_json(&kind) => Err(Fault::request(
            "PARSE_ERROR",
            format!("The body is said to be {kind:?}; send JSON, with the header Content-Type: application/json."),
        )),
        Some(_) | None => Ok(()),
    }
}
