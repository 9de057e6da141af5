//! A request without its body: the permit of its key, and the flags that it may see.

use std::sync::Arc;

use actix_http::RequestHead;
use actix_web::web;
use ripcord_proto::role::Action;
use ripcord_sdk::Context;

use super::error::OfrepError;
use super::service::Service;
use crate::access::permit::Evaluate;
use crate::access::{AccessError, Permit, keys};
use crate::http::credentials;
use crate::remote::{ContextLimits, Selection};
use crate::snapshot::publication::Served;

/// Query parameters that every request takes; unknown ones are ignored.
#[derive(Debug, Default, serde::Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct RequestParams {
    environment: Option<String>,
    /// The answer must be at least as new as this configuration.
    pub(super) flag_config_etag: Option<String>,
}

/// A permitted request.
pub(super) struct OfrepRequest {
    pub(super) permit: Arc<Permit<Evaluate>>,
    /// The flags that the caller sees.
    pub(super) selection: Selection,
    pub(super) query: RequestParams,
}

impl OfrepRequest {
    /// Reads everything but the body, so that no body is read for a caller without a permit.
    pub(super) fn of(head: &RequestHead, service: &Service) -> Result<Self, OfrepError> {
        let presented = keys::presented(credentials::presented(&head.headers)).map_err(AccessError::from)?;
        let query = match head.uri.query() {
            Some(query) => web::Query::<RequestParams>::from_query(query).map(web::Query::into_inner).unwrap_or_default(),
            None => RequestParams::default(),
        };
        let selector = head.headers.get("flagd-selector").and_then(|value| value.to_str().ok()).unwrap_or_default();
        let selection = Selection::parse(selector).map_err(|error| OfrepError::request("GENERAL", format!("The header Flagd-Selector: {error}.")))?;
        let environment = selection.environment.as_deref().or(query.environment.as_deref());
        let address = head.peer_addr.map(|address| address.ip());
        let permit = service.access.evaluator(Some(presented), environment);
        let permit = permit.map_err(|error| service.access.counted_by_address(error, address))?;
        service.access.limits().check(permit.caller(), Action::Evaluate)?;
        Ok(Self {
            selection: selection.seen_by(permit.role()),
            permit,
            query,
        })
    }
}

impl OfrepRequest {
    /// How large its context may be.
    pub(super) fn context_limits(&self) -> ContextLimits {
        ContextLimits::of(self.permit.role())
    }
}

/// The attributes that the environment reads from headers, as texts of their own.
pub(super) fn attributes_of_headers(served: &Served, head: &RequestHead) -> Vec<(String, String)> {
    let text = |name: &str| head.headers.get(name).and_then(|value| value.to_str().ok());
    let attributes = served.snapshot.settings.attributes_from(text);
    attributes.map(|(name, value)| (name.to_owned(), value.to_owned())).collect()
}

/// A context under the attributes that the environment reads from headers.
pub(super) fn under_headers<'r>(mut context: Context<'r>, served: &'r Served, head: &'r RequestHead) -> Context<'r> {
    let text = |name: &str| head.headers.get(name).and_then(|value| value.to_str().ok());
    for (attribute, value) in served.snapshot.settings.attributes_from(text) {
        context.set(attribute, value);
    }
    context
}
