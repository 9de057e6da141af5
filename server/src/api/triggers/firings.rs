//! `firings`: what triggers did, and the approvals that they wait for.

use actix_web::http::StatusCode;
use ripcord_proto::FiringId;
use ripcord_proto::change::Change;
use ripcord_proto::record::{Record, RecordKey, Records};
use ripcord_proto::rest::kills::ReasonRequest;
use ripcord_proto::rest::list::Page;
use ripcord_proto::rest::triggers::FiringView;
use ripcord_proto::trigger::{Attribution, Firing};

use crate::access::permit::{AnswerTrigger, Read};
use crate::api::page;
use crate::api::path::PathKey;
use crate::api::records::lost;
use crate::api::services::guarded::{EnvironmentReader, Guarded};
use crate::api::write::{Write, WriteRequest, answer, reply};
use crate::commit::{CommitError, MissingItem};
use crate::http::documented::{MaybeProposed, Problems, WriteHeaders};
use crate::http::query::{PageQuery, Query, WriteQuery};
use crate::http::{ApiError, ApiResponse, OptionalBody};
use crate::trigger::{FiringConfirmation, Triggers};

/// The firings of all triggers, newest first; the newest 200 are kept.
#[utoipa::path(get, path = "/v1/environments/{env}/firings", tag = "triggers", operation_id = "listFirings",
    params(crate::api::path::EnvironmentPath, PageQuery),
    responses((status = 200, description = "A page of firings", body = Page<FiringView>), Problems))]
pub(in crate::api) async fn list(guarded: Guarded<Read, (EnvironmentReader, Triggers)>, query: Query<PageQuery>) -> Result<ApiResponse, ApiError> {
    let (environment, triggers) = &*guarded;
    let (records, stale, Query(query)) = (environment.records()?, environment.stale(), query);
    let firings = newest_first(triggers, &records);
    let now = environment.now();
    let view = |firing: &Firing| FiringView::of(firing.clone(), now);
    let page = page::listed(&firings, |firing| firing.id.to_string(), view, &query, stale.is_some());
    Ok(ApiResponse::ok(&page)?.stale(stale))
}

/// One firing.
#[utoipa::path(get, path = "/v1/environments/{env}/firings/{key}", tag = "triggers", operation_id = "getFiring",
    params(crate::api::path::EnvironmentPath, ("key" = String, Path, description = "The firing's id", example = "f_01jd3x7q8v9w0y2z4a6b8c0d2e")),
    responses((status = 200, description = "The firing", body = FiringView), Problems))]
pub(in crate::api) async fn get(guarded: Guarded<Read, (EnvironmentReader, Triggers)>, id: PathKey<FiringId>) -> Result<ApiResponse, ApiError> {
    let (environment, triggers) = &*guarded;
    let (records, PathKey(id)) = (environment.records()?, id);
    let found = records.firings.value(id.as_str()).cloned();
    let firing = found.ok_or_else(|| CommitError::NotFound(MissingItem::Record(RecordKey::Firing(id))))?;
    let view = FiringView::of(triggers.counted(firing), environment.now());
    Ok(ApiResponse::ok(&view)?.stale(environment.stale()))
}

/// Approves a pending firing: its action is taken.
#[utoipa::path(post, path = "/v1/environments/{env}/firings/{key}/confirm", tag = "triggers", operation_id = "confirmFiring",
    params(crate::api::path::EnvironmentPath, ("key" = String, Path, description = "The firing's id", example = "f_01jd3x7q8v9w0y2z4a6b8c0d2e"), WriteQuery, WriteHeaders),
    request_body(content = Option<ReasonRequest>, example = json!({"reason": "the graphs agree"})),
    responses((status = 200, description = "Done, or why it was not possible", body = FiringView), MaybeProposed, Problems))]
pub(in crate::api) async fn confirm(write: Write<AnswerTrigger>, id: PathKey<FiringId>, body: OptionalBody<ReasonRequest>) -> Result<ApiResponse, ApiError> {
    let PathKey(id) = id;
    let (reason, digest) = given(&write, body);
    let call = write.call(&digest);
    if let Some(call) = &call
        && let Some(answered) = write.answered(call)?
    {
        return reply(&answered, true, None);
    }
    let (environment, author) = (write.permit.environment(), write.permit.author());
    let confirmation = FiringConfirmation { author, reason, call };
    let firing = write.part::<Triggers>().confirm(environment, &id, confirmation).await?;
    ApiResponse::ok(&FiringView::of(firing, write.now()))
}

/// Declines a pending firing: no action is taken.
#[utoipa::path(post, path = "/v1/environments/{env}/firings/{key}/decline", tag = "triggers", operation_id = "declineFiring",
    params(crate::api::path::EnvironmentPath, ("key" = String, Path, description = "The firing's id", example = "f_01jd3x7q8v9w0y2z4a6b8c0d2e"), WriteQuery, WriteHeaders),
    request_body(content = Option<ReasonRequest>, example = json!({"reason": "it is the load test"})),
    responses((status = 200, description = "Declined", body = FiringView), MaybeProposed, Problems))]
pub(in crate::api) async fn decline(write: Write<AnswerTrigger>, id: PathKey<FiringId>, body: OptionalBody<ReasonRequest>) -> Result<ApiResponse, ApiError> {
    let PathKey(id) = id;
    let (reason, digest) = given(&write, body);
    let answered = Attribution {
        by: write.permit.author().actor,
        at: write.now(),
        reason: reason.clone(),
    };
    let why = format!("declined firing {id}{}", reason.map(|reason| format!(": {reason}")).unwrap_or_default());
    let now = write.now();
    let asked = WriteRequest::one(write.part::<Triggers>().decline(id, answered)).because(Some(why));
    let prepared = write.prepare(asked, &digest, move |made| {
        let put = made.changes.iter().find_map(|change| {
            let Change::PutRecord(Record::Firing(entry)) = change else { return None };
            entry.value().ok().cloned()
        });
        answer(StatusCode::OK, &FiringView::of(put.ok_or_else(lost)?, now))
    });
    let committed = prepared.submit().await?;
    reply(&committed.answer, committed.replayed, None)
}

/// The reason from the body or the query, and the digest of the body.
fn given(write: &Write<AnswerTrigger>, body: OptionalBody<ReasonRequest>) -> (Option<String>, ripcord_proto::digest::Digest) {
    let reason = body.value.map(|body| body.reason).or_else(|| write.given_reason());
    (reason, body.digest)
}

/// All firings with the counts of this node, newest first.
pub(super) fn newest_first(triggers: &Triggers, records: &Records) -> Vec<Firing> {
    let firings = records.firings.values();
    let mut firings: Vec<Firing> = firings.map(|firing| triggers.counted(firing.clone())).collect();
    firings.sort_by(|a, b| (b.at, &b.id).cmp(&(a.at, &a.id)));
    firings
}
