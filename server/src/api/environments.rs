//! `/v1/environments`: create, list, copy and delete environments.

use actix_web::http::StatusCode;
use actix_web::web;
use ripcord_proto::change::EnvironmentRecord;
use ripcord_proto::problem::Code;
use ripcord_proto::rest::environments::{EnvironmentRequest, EnvironmentResponse, EnvironmentView};
use ripcord_proto::rest::list::Page;
use ripcord_proto::rest::pings::LastPing;
use ripcord_proto::{EnvironmentKey, Kill};

use super::authorize::Caller;
use super::services::AppState;
use super::services::guarded::{Administration, EnvironmentReader, Guarded, OpenedBy as _};
use super::system;
use super::write::{Answered, NO_BODY, answer, renderer, reply};
use crate::access::permit::{Administer, Read};
use crate::access::{Access, Permit};
use crate::checkpoint;
use crate::commit::{Applied, Draft, Operation, RenderedAnswer};
use crate::fleet::Fleet;
use crate::http::documented::{IdempotencyHeader, Problems};
use crate::http::idempotency::Identity;
use crate::http::query::{Query, Reason};
use crate::http::{ApiError, ApiResponse, Body};
use crate::ping;
use crate::rollback::review;
use crate::system::SystemOperation;

/// The environments of the key.
#[utoipa::path(get, path = "/v1/environments", tag = "environments", operation_id = "listEnvironments",
    responses((status = 200, description = "All of them", body = Page<EnvironmentView>), Problems))]
pub(super) async fn list(caller: Caller, access: web::Data<Access>, app: web::Data<AppState>) -> Result<ApiResponse, ApiError> {
    let permits = access.permits::<Read>(&caller.principal, &caller.author)?;
    let items: Vec<_> = permits.iter().filter_map(|permit| view(&EnvironmentReader::open(&app, permit)).ok()).collect();
    let stale = app.stale();
    let page = Page {
        items,
        next: None,
        stale: stale.is_some(),
    };
    Ok(ApiResponse::ok(&page)?.stale(stale))
}

/// One environment. Its ETag is for `If-Match` of commits.
#[utoipa::path(get, path = "/v1/environments/{env}", tag = "environments", operation_id = "getEnvironment", params(crate::api::path::EnvironmentPath),
    responses((status = 200, description = "The environment", body = EnvironmentView), Problems))]
pub(super) async fn get(guarded: Guarded<Read, (EnvironmentReader, Fleet)>) -> Result<ApiResponse, ApiError> {
    let (environment, fleet) = &*guarded;
    let served = environment.served()?;
    let view = EnvironmentView {
        too_large_for_flagd: fleet.too_large_for_flagd(environment.key()),
        ..view(environment)?
    };
    Ok(ApiResponse::ok(&view)?.etag(served.snapshot.position).stale(environment.stale()))
}

fn view(environment: &EnvironmentReader) -> Result<EnvironmentView, ApiError> {
    let served = environment.served()?;
    let record = environment.description();
    let records = environment.records()?;
    Ok(EnvironmentView {
        key: environment.key().clone(),
        description: record.as_ref().and_then(|record| record.description.clone()),
        created: record.map_or_else(|| environment.now(), |record| record.created),
        epoch: served.snapshot.position.epoch,
        revision: served.snapshot.position.revision,
        flags: served.snapshot.flags.len(),
        segments: served.snapshot.segments.len(),
        kills: served.snapshot.kills.len() + served.overlay.kills.len(),
        protection: records.policy().protection,
        last_known_good: records.last_known_good().and_then(checkpoint::known_good),
        last_ping: ping::newest(&records).map(LastPing::from),
        reviews_overdue: review::overdue(&records, environment.now()).count(),
        too_large_for_flagd: None,
        stale: environment.stale().is_some(),
    })
}

/// Creates an environment, empty or with the flags, segments and settings of another one.
#[utoipa::path(post, path = "/v1/environments", tag = "environments", operation_id = "createEnvironment",
    params(IdempotencyHeader),
    request_body(content = EnvironmentRequest, example = json!({"key": "staging", "copy_of": "production"})),
    responses((status = 201, description = "Created", body = EnvironmentResponse), Problems))]
pub(super) async fn create(administration: Administration, identity: Identity, body: Body<EnvironmentRequest>) -> Result<ApiResponse, ApiError> {
    let EnvironmentRequest {
        key,
        description,
        copy_of,
        reason,
    } = body.value;
    let source = copy_of.map(|source| administration.source(&source)).transpose()?;
    let record = EnvironmentRecord {
        key: key.clone(),
        description,
        created: administration.now(),
    };
    let call = identity.call(administration.permit().caller(), &body.digest);
    let created = done(key.clone(), StatusCode::CREATED);
    let create = SystemOperation::CreateEnvironment(record);
    let draft = system::draft(administration.permit(), create, reason.clone(), call, created);
    let committed = Answered::to_system(draft, &administration).await?;
    let Some(source) = source.filter(|_| !committed.replayed) else {
        return reply(&committed.answer, committed.replayed, None);
    };
    copy(&administration, key, &source, reason).await
}

/// Fills a new environment. If that fails, the environment is deleted again.
async fn copy(administration: &Administration, key: EnvironmentKey, source: &ripcord_proto::Snapshot, reason: Option<String>) -> Result<ApiResponse, ApiError> {
    let kills_not_copied = in_force(administration, source);
    let draft = Draft {
        reason: Some(reason.unwrap_or_else(|| format!("copy of {} at {}", source.environment, source.position))),
        renderer: renderer({
            let key = key.clone();
            move |made: &Applied| {
                let body = EnvironmentResponse {
                    key: key.clone(),
                    epoch: made.position.epoch,
                    revision: Some(made.position.revision),
                    kills_not_copied: kills_not_copied.clone(),
                };
                answer(StatusCode::CREATED, &body)
            }
        }),
        ..Draft::new(key.clone(), administration.permit().author(), contents(source))
    };
    match Answered::to(draft, administration.environments()).await {
        Ok(committed) => reply(&committed.answer, false, None),
        Err(refusal) => {
            let reason = Some("its copy could not be filled".to_owned());
            let undo = SystemOperation::DeleteEnvironment(key.clone());
            let undo = system::draft(administration.permit(), undo, reason, None, done(key, StatusCode::OK));
            if let Err(left) = Answered::to_system(undo, administration).await {
                tracing::warn!(%left, "copying an environment failed, and the empty environment could not be deleted");
            }
            Err(refusal)
        }
    }
}

/// The kills of the original, provisional ones included.
fn in_force(administration: &Administration, source: &ripcord_proto::Snapshot) -> Vec<Kill> {
    let served = administration.environments().board().served(source.environment.as_str());
    let provisional = served.iter().flat_map(|served| served.overlay.kills.values().cloned()).collect::<Vec<_>>();
    source.kills.values().cloned().chain(provisional).collect()
}

/// Everything but the kills, which concern the original only. The answer names them, because what they cover is live in the copy.
fn contents(source: &ripcord_proto::Snapshot) -> Vec<Operation> {
    let segments = source.segments.iter().filter_map(|entry| {
        let segment = entry.value().ok()?;
        Some(Operation::PutSegment(entry.key().clone(), Box::new(segment.clone())))
    });
    let flags = source.flags.iter().filter_map(|entry| {
        let flag = entry.value().ok()?;
        Some(Operation::PutFlag(entry.key().clone(), Box::new(flag.clone())))
    });
    std::iter::once(Operation::PutSettings(source.settings.clone()))
        .chain(segments)
        .chain(flags)
        .collect()
}

/// Query of `DELETE /v1/environments/{env}`.
#[derive(Debug, serde::Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct DeleteQuery {
    /// The environment's name again.
    confirm: Option<String>,
    /// The reason, for the log.
    #[param(value_type = Option<String>)]
    reason: Option<Reason>,
}

/// Permanently deletes an environment with its log. Repeat its name as `?confirm=`.
#[utoipa::path(delete, path = "/v1/environments/{env}", tag = "environments", operation_id = "deleteEnvironment", params(crate::api::path::EnvironmentPath, DeleteQuery, IdempotencyHeader),
    responses((status = 200, description = "Deleted", body = EnvironmentResponse), Problems))]
pub(super) async fn delete(
    administration: Administration,
    permit: Permit<Administer>,
    identity: Identity,
    query: Query<DeleteQuery>,
) -> Result<ApiResponse, ApiError> {
    let (key, Query(query)) = (permit.environment().clone(), query);
    if query.confirm.as_deref() != Some(key.as_str()) {
        return Err(ApiError::new(
            Code::BadRequest,
            format!("Nothing was deleted. Deleting {key} ends its streams and permanently removes its flags and history. Confirm with ?confirm={key}."),
        ));
    }
    let (call, reason) = (identity.call(administration.permit().caller(), &NO_BODY), query.reason.map(Reason::into_text));
    let delete = SystemOperation::DeleteEnvironment(key.clone());
    let draft = system::draft(administration.permit(), delete, reason, call, done(key, StatusCode::OK));
    let committed = Answered::to_system(draft, &administration).await?;
    reply(&committed.answer, committed.replayed, None)
}

/// The answer to the creation or deletion of an environment.
fn done(key: EnvironmentKey, status: StatusCode) -> impl Fn(&Applied) -> Result<RenderedAnswer, ApiError> {
    move |made| {
        let body = EnvironmentResponse {
            key: key.clone(),
            epoch: made.position.epoch,
            revision: None,
            kills_not_copied: Vec::new(),
        };
        answer(status, &body)
    }
}
