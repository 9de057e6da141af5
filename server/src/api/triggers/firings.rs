//! `firings`: what triggers did, and what they ask.

use actix_web::http::StatusCode;
use actix_web::{HttpRequest, web};
use ripcord_proto::FiringId;
use ripcord_proto::change::Change;
use ripcord_proto::problem::Problem;
use ripcord_proto::record::{Record, RecordKey, Records};
use ripcord_proto::rest::kills::ReasonRequest;
use ripcord_proto::rest::list::Page;
use ripcord_proto::rest::triggers::FiringView;
use ripcord_proto::trigger::{Attribution, Firing};

use crate::access::Permit;
use crate::access::permit::{AnswerTrigger, Read};
use crate::api::path::PathKey;
use crate::api::records::{lost, page};
use crate::api::services::AppState;
use crate::api::write::{Write, WriteRequest, answer, reply};
use crate::commit::CommitError;
use crate::http::query::{PageQuery, Query, Reason, WriteQuery};
use crate::http::{ApiError, ApiResponse, Body};
use crate::trigger::FiringConfirmation;

/// The firings of all triggers, newest first; the newest 200 are kept.
#[utoipa::path(get, path = "/v1/environments/{env}/firings", tag = "triggers",
    params(("env" = String, Path, example = "production"), PageQuery),
    responses((status = 200, description = "A page of firings", body = Page<FiringView>), (status = "4XX", body = Problem)))]
pub(in crate::api) async fn list(permit: Permit<Read>, query: Query<PageQuery>, app: web::Data<AppState>) -> Result<ApiResponse, ApiError> {
    let (records, stale, Query(query)) = (app.records(&permit)?, app.stale(), query);
    let firings = newest_first(&app, &records);
    let now = app.now();
    let view = |firing: &Firing| FiringView::of(firing.clone(), now);
    let page = page(&firings, |firing| firing.id.to_string(), view, &query, stale.is_some());
    Ok(ApiResponse::ok(&page)?.stale(stale))
}

/// One firing.
#[utoipa::path(get, path = "/v1/environments/{env}/firings/{key}", tag = "triggers",
    params(("env" = String, Path, example = "production"), ("key" = String, Path, description = "The firing's id", example = "f_01jd3x7q8v9w0y2z4a6b8c0d2e")),
    responses((status = 200, description = "The firing", body = FiringView), (status = "4XX", body = Problem)))]
pub(in crate::api) async fn get(permit: Permit<Read>, id: PathKey<FiringId>, app: web::Data<AppState>) -> Result<ApiResponse, ApiError> {
    let (records, PathKey(id)) = (app.records(&permit)?, id);
    let found = records.firings.value(id.as_str()).cloned();
    let firing = found.ok_or_else(|| CommitError::NoRecord(RecordKey::Firing(id)))?;
    let view = FiringView::of(app.triggers().counted(firing), app.now());
    Ok(ApiResponse::ok(&view)?.stale(app.stale()))
}

/// Does what a firing asks for, on the caller's word.
#[utoipa::path(post, path = "/v1/environments/{env}/firings/{key}/confirm", tag = "triggers",
    params(("env" = String, Path, example = "production"), ("key" = String, Path, description = "The firing's id", example = "f_01jd3x7q8v9w0y2z4a6b8c0d2e"), WriteQuery),
    request_body(content = Option<ReasonRequest>, example = json!({"reason": "the graphs agree"})),
    responses((status = 200, description = "Done, or what stood in the way", body = FiringView), (status = "4XX", body = Problem)))]
pub(in crate::api) async fn confirm(
    write: Write<AnswerTrigger>,
    id: PathKey<FiringId>,
    request: HttpRequest,
    payload: web::Payload,
    app: web::Data<AppState>,
) -> Result<ApiResponse, ApiError> {
    let PathKey(id) = id;
    let (reason, digest) = given(&write, &request, payload).await?;
    let call = write.call(&digest);
    if let Some(call) = &call
        && let Some(answered) = app.answered(&write.permit, call)?
    {
        return reply(&answered, true, None);
    }
    let (environment, author) = (write.permit.environment(), write.permit.author());
    let firing = app.triggers().confirm(environment, &id, FiringConfirmation { author, reason, call }).await?;
    ApiResponse::ok(&FiringView::of(firing, app.now()))
}

/// Takes a firing's question away. Nothing is done.
#[utoipa::path(post, path = "/v1/environments/{env}/firings/{key}/decline", tag = "triggers",
    params(("env" = String, Path, example = "production"), ("key" = String, Path, description = "The firing's id", example = "f_01jd3x7q8v9w0y2z4a6b8c0d2e"), WriteQuery),
    request_body(content = Option<ReasonRequest>, example = json!({"reason": "it is the load test"})),
    responses((status = 200, description = "Declined", body = FiringView), (status = "4XX", body = Problem)))]
pub(in crate::api) async fn decline(
    write: Write<AnswerTrigger>,
    id: PathKey<FiringId>,
    request: HttpRequest,
    payload: web::Payload,
    app: web::Data<AppState>,
) -> Result<ApiResponse, ApiError> {
    let PathKey(id) = id;
    let (reason, digest) = given(&write, &request, payload).await?;
    let answered = Attribution {
        by: write.permit.author().actor,
        at: app.now(),
        reason: reason.clone(),
    };
    let why = format!("declined what {id} asked{}", reason.map(|reason| format!(": {reason}")).unwrap_or_default());
    let now = app.now();
    let asked = WriteRequest::one(app.triggers().decline(id, answered)).because(Some(why));
    let prepared = write.prepare(asked, &digest, move |made| {
        let put = made.changes.iter().find_map(|change| {
            let Change::PutRecord(Record::Firing(entry)) = change else { return None };
            entry.value().ok().cloned()
        });
        answer(StatusCode::OK, &FiringView::of(put.ok_or_else(lost)?, now))
    });
    let committed = app.submit(prepared).await?;
    reply(&committed.answer, committed.replayed, None)
}

/// Why, as the body or the query says, and the body's digest.
async fn given(
    write: &Write<AnswerTrigger>,
    request: &HttpRequest,
    payload: web::Payload,
) -> Result<(Option<String>, ripcord_proto::digest::Digest), ApiError> {
    let body = Body::<Option<ReasonRequest>>::optional(request, payload).await?;
    let reason = body.value.map(|body| body.reason).or_else(|| write.query.reason.clone().map(Reason::into_text));
    Ok((reason, body.digest))
}

/// All firings with what is counted of them here, newest first.
pub(super) fn newest_first(app: &AppState, records: &Records) -> Vec<Firing> {
    let firings = records.firings.iter().filter_map(|entry| entry.value().ok());
    let mut firings: Vec<Firing> = firings.map(|firing| app.triggers().counted(firing.clone())).collect();
    firings.sort_by(|a, b| (b.at, &b.id).cmp(&(a.at, &a.id)));
    firings
}
