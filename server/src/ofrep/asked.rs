//! What a request asks: by whose key, and of which flags.

use std::sync::Arc;

use actix_http::RequestHead;
use actix_web::web;

use super::Room;
use super::fault::Fault;
use crate::access::permit::Evaluate;
use crate::access::{Permit, keys};
use crate::remote::Selection;

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
    pub(super) permit: Arc<Permit<Evaluate>>,
    /// What he sees.
    pub(super) selection: Selection,
    /// What else he said.
    pub(super) query: Query,
}

impl Asked {
    /// Reads everything but the body, so that nobody's body is read who may not send one.
    pub(super) fn of(head: &RequestHead, room: &Room) -> Result<Self, Fault> {
        let presented = keys::presented(&head.headers).map_err(|problem| Fault::Refused(problem.into()))?;
        let query = match head.uri.query() {
            Some(query) => web::Query::<Query>::from_query(query).map(web::Query::into_inner).unwrap_or_default(),
            None => Query::default(),
        };
        let selector = head.headers.get("flagd-selector").and_then(|value| value.to_str().ok()).unwrap_or_default();
        let selection = Selection::parse(selector).map_err(|error| Fault::request("GENERAL", format!("The header Flagd-Selector: {error}.")))?;
        let environment = selection.environment.as_deref().or(query.environment.as_deref());
        let permit = room.access.evaluator(presented, environment)?;
        Ok(Self {
            selection: selection.seen_by(permit.role()),
            permit,
            query,
        })
    }
}
