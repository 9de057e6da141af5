//! What a request asks: by whose key, and of which flags.

use std::sync::Arc;

use actix_http::RequestHead;
use actix_web::web;

use super::Service;
use super::error::OfrepError;
use crate::access::permit::Evaluate;
use crate::access::{Permit, keys};
use crate::remote::Selection;

/// Query parameters that every request takes; unknown ones are ignored.
#[derive(Debug, Default, serde::Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct RequestParams {
    environment: Option<String>,
    /// The configuration that the answer must be at least as new as.
    pub(super) flag_config_etag: Option<String>,
}

/// A caller who may ask, and what of.
pub(super) struct OfrepRequest {
    /// His permit.
    pub(super) permit: Arc<Permit<Evaluate>>,
    /// What he sees.
    pub(super) selection: Selection,
    /// What else he said.
    pub(super) query: RequestParams,
}

impl OfrepRequest {
    /// Reads everything but the body, so that nobody's body is read who may not send one.
    pub(super) fn of(head: &RequestHead, service: &Service) -> Result<Self, OfrepError> {
        let presented = keys::presented(&head.headers).map_err(|problem| OfrepError::Refused(problem.into()))?;
        let query = match head.uri.query() {
            Some(query) => web::Query::<RequestParams>::from_query(query).map(web::Query::into_inner).unwrap_or_default(),
            None => RequestParams::default(),
        };
        let selector = head.headers.get("flagd-selector").and_then(|value| value.to_str().ok()).unwrap_or_default();
        let selection = Selection::parse(selector).map_err(|error| OfrepError::request("GENERAL", format!("The header Flagd-Selector: {error}.")))?;
        let environment = selection.environment.as_deref().or(query.environment.as_deref());
        let permit = service.access.evaluator(presented, environment)?;
        Ok(Self {
            selection: selection.seen_by(permit.role()),
            permit,
            query,
        })
    }
}
