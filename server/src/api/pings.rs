//! `pings`: send a ping, and list the newest measurements.

use std::time::Duration;

use actix_web::http::StatusCode;
use actix_web::http::header::HeaderName;
use ripcord_proto::ping::Ping;
use ripcord_proto::rest::list::Page;
use ripcord_proto::rest::pings::PingView;

use super::page;
use super::services::guarded::{EnvironmentReader, Guarded};
use super::write::{NO_BODY, Write};
use crate::access::permit::{Read, SendPing};
use crate::http::documented::{Problems, WriteHeaders};
use crate::http::query::{PageQuery, Query, Wait, WriteQuery};
use crate::http::{ApiError, ApiResponse};
use crate::ping::{self, PingRequest, Pings};

/// The measurements, newest first: the environment's propagation history.
#[utoipa::path(get, path = "/v1/environments/{env}/pings", tag = "pings", operation_id = "listPings",
    params(crate::api::path::EnvironmentPath, PageQuery),
    responses((status = 200, description = "A page of pings", body = Page<PingView>), Problems))]
pub(super) async fn list(environment: Guarded<Read, EnvironmentReader>, query: Query<PageQuery>) -> Result<ApiResponse, ApiError> {
    let (records, stale, Query(query)) = (environment.records()?, environment.stale(), query);
    let view = |ping: &Ping| PingView::from(ping.clone());
    let page = page::newest_first(ping::newest_first(&records), |ping| ping.id.as_str(), view, &query, stale.is_some());
    Ok(ApiResponse::ok(&page)?.stale(stale))
}

/// Sends a revision with identical content, which changes no evaluation, and measures how fast applications confirm it.
#[utoipa::path(post, path = "/v1/environments/{env}/pings", tag = "pings", operation_id = "createPing",
    params(crate::api::path::EnvironmentPath, WriteQuery, WriteHeaders),
    responses((status = 201, description = "Sent", body = PingView), Problems))]
pub(super) async fn send(write: Write<SendPing>) -> Result<ApiResponse, ApiError> {
    let order = PingRequest {
        environment: write.permit.environment().clone(),
        author: write.permit.author(),
        call: write.call(&NO_BODY),
        wait: write.wait().map_or(Duration::ZERO, |Wait(patience)| patience),
        reason: write.query.reason.clone().map(crate::http::query::Reason::into_text),
    };
    let sent = write.part::<Pings>().send(order).await?;
    tracing::Span::current().record("revision", sent.ping.revision.0);
    let reply = ApiResponse::json(StatusCode::CREATED, &PingView::from(sent.ping))?;
    Ok(if sent.replayed {
        reply.header(HeaderName::from_static("idempotency-replayed"), "true")
    } else {
        reply
    })
}
