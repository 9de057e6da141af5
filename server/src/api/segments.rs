//! `segments` and `segments/{key}`.

use std::collections::BTreeMap;
use std::sync::Arc;

use actix_web::HttpRequest;
use actix_web::http::StatusCode;
use ripcord_proto::rest::list::Page;
use ripcord_proto::rest::responses::WriteResponse;
use ripcord_proto::rest::segments::SegmentView;
use ripcord_proto::table::Entry;
use ripcord_proto::{FlagKey, Segment, SegmentKey};

use super::page;
use super::path::PathKey;
use super::preconditions::of_segment;
use super::services::confirmations::Confirmations;
use super::services::guarded::{EnvironmentReader, Guarded};
use super::write::{NO_BODY, PreparedWrite, Write, WriteRequest, reply, written};
use crate::access::permit::{Edit, Read};
use crate::commit::{CommitError, MissingItem, Operation};
use crate::http::documented::{MaybeProposed, Problems, WriteHeaders};
use crate::http::precondition::has_already;
use crate::http::query::{PageQuery, Query, Wait, WriteQuery};
use crate::http::{ApiError, ApiResponse, Body};
use crate::snapshot::publication::Served;

/// The flags whose rules name each segment.
fn users(served: &Served) -> BTreeMap<SegmentKey, Vec<FlagKey>> {
    let mut users: BTreeMap<SegmentKey, Vec<FlagKey>> = BTreeMap::new();
    for entry in &served.snapshot.flags {
        let whens = entry.value().into_iter().flat_map(|flag| &flag.rules).filter_map(|rule| rule.when.as_ref());
        for when in whens {
            when.segments(&mut |segment, _| {
                let flags = users.entry(segment.clone()).or_default();
                if flags.last() != Some(entry.key()) {
                    flags.push(entry.key().clone());
                }
            });
        }
    }
    users
}

fn view(entry: &Entry<Segment>, users: &BTreeMap<SegmentKey, Vec<FlagKey>>, stale: bool) -> SegmentView {
    SegmentView {
        key: entry.key().clone(),
        epoch: entry.changed().epoch,
        revision: entry.changed().revision,
        segment: entry.json().to_owned(),
        used_by: users.get(entry.key()).cloned().unwrap_or_default(),
        stale,
    }
}

/// The segments of an environment, by key.
#[utoipa::path(get, path = "/v1/environments/{env}/segments", tag = "segments", operation_id = "listSegments",
    params(crate::api::path::EnvironmentPath, PageQuery),
    responses((status = 200, description = "A page of segments", body = Page<SegmentView>), Problems))]
pub(super) async fn list(environment: Guarded<Read, EnvironmentReader>, query: Query<PageQuery>) -> Result<ApiResponse, ApiError> {
    let (served, stale, Query(query)) = (environment.served()?, environment.stale(), query);
    let users = users(&served);
    let view = |entry: &Arc<Entry<Segment>>| view(entry, &users, false);
    let page = page::by_name(served.snapshot.segments.iter(), |entry| entry.key().as_str(), view, &query, stale.is_some());
    Ok(ApiResponse::ok(&page)?.etag(served.snapshot.position).stale(stale))
}

/// One segment as it was sent, and the flags whose rules use it.
#[utoipa::path(get, path = "/v1/environments/{env}/segments/{key}", tag = "segments", operation_id = "getSegment",
    params(crate::api::path::EnvironmentPath, ("key" = String, Path, example = "beta")),
    responses((status = 200, description = "The segment; its ETag is for If-Match", body = SegmentView),
        (status = 304, description = "If-None-Match names its ETag"), Problems))]
pub(super) async fn get(environment: Guarded<Read, EnvironmentReader>, key: PathKey<SegmentKey>, request: HttpRequest) -> Result<ApiResponse, ApiError> {
    let (served, stale, PathKey(key)) = (environment.served()?, environment.stale(), key);
    let entry = served.snapshot.segments.get(key.as_str());
    let entry = entry.ok_or_else(|| CommitError::NotFound(MissingItem::segment(&key, &served.snapshot.segments)))?;
    if has_already(&request, entry.changed()) {
        return Ok(ApiResponse::unchanged(entry.changed()));
    }
    let view = view(entry, &users(&served), stale.is_some());
    Ok(ApiResponse::ok(&view)?.etag(entry.changed()).stale(stale))
}

/// Creates or replaces a segment.
#[utoipa::path(put, path = "/v1/environments/{env}/segments/{key}", tag = "segments", operation_id = "putSegment",
    params(crate::api::path::EnvironmentPath, ("key" = String, Path, example = "beta"), WriteQuery, WriteHeaders),
    request_body(content = Segment, example = json!({"attribute": "plan", "equals": "beta"})),
    responses((status = 200, description = "Changed, or unchanged", body = WriteResponse), (status = 201, description = "Created", body = WriteResponse), MaybeProposed, Problems))]
pub(super) async fn put(write: Write<Edit>, key: PathKey<SegmentKey>, body: Body<Segment>) -> Result<ApiResponse, ApiError> {
    let PathKey(key) = key;
    let environment = write.part::<EnvironmentReader>();
    let known = environment.served()?.snapshot.segments.get(key.as_str()).is_some();
    let status = if known { StatusCode::OK } else { StatusCode::CREATED };
    let asked = WriteRequest::one(Operation::PutSegment(key.clone(), Box::new(body.value))).under(of_segment(write.condition, &key));
    let (wait, confirmations) = (write.wait(), write.confirmations());
    let prepared = write.prepare(asked, &body.digest, move |made| written(made, status));
    commit(&confirmations, &environment, prepared, &key, wait).await
}

/// Deletes a segment that no flag uses.
#[utoipa::path(delete, path = "/v1/environments/{env}/segments/{key}", tag = "segments", operation_id = "deleteSegment",
    params(crate::api::path::EnvironmentPath, ("key" = String, Path, example = "beta"), WriteQuery, WriteHeaders),
    responses((status = 200, description = "Deleted", body = WriteResponse), MaybeProposed, Problems))]
pub(super) async fn delete(write: Write<Edit>, key: PathKey<SegmentKey>) -> Result<ApiResponse, ApiError> {
    let PathKey(key) = key;
    let environment = write.part::<EnvironmentReader>();
    let asked = WriteRequest::one(Operation::DeleteSegment(key.clone())).under(of_segment(write.condition, &key));
    let (wait, confirmations) = (write.wait(), write.confirmations());
    let prepared = write.prepare(asked, &NO_BODY, |made| written(made, StatusCode::OK));
    commit(&confirmations, &environment, prepared, &key, wait).await
}

async fn commit(
    confirmations: &Confirmations,
    environment: &EnvironmentReader,
    prepared: PreparedWrite<Edit>,
    key: &SegmentKey,
    wait: Option<Wait>,
) -> Result<ApiResponse, ApiError> {
    let committed = prepared.submit().await?;
    tracing::Span::current().record("revision", committed.position.revision.0);
    let confirmation = confirmations.of_revision(committed.position, wait).await;
    let reply = reply(&committed.answer, committed.replayed, confirmation)?;
    let last_change = environment.served()?.snapshot.segments.get(key.as_str()).map(|entry| entry.changed());
    Ok(match committed.etag(last_change) {
        Some(position) => reply.etag(position),
        None => reply,
    })
}
