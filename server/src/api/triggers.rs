//! `triggers` and `triggers/{name}`: create, change, test and show triggers, without their secrets.

pub(super) mod firings;

use actix_web::http::StatusCode;
use ripcord_proto::TriggerName;
use ripcord_proto::problem::Code;
use ripcord_proto::record::{RecordKey, Records};
use ripcord_proto::rest::list::Page;
use ripcord_proto::rest::triggers::{
    FiringView, TriggerCreated, TriggerDetail, TriggerPatch, TriggerRequest, TriggerTestRequest, TriggerTestResponse, TriggerView,
};
use ripcord_proto::role::Action;
use ripcord_proto::table::Entry;
use ripcord_proto::trigger::Trigger;
use ripcord_proto::{EnvironmentKey, ValidationErrors};

use super::page;
use super::path::PathKey;
use super::records::{lost, read_before, reason, submit};
use super::services::guarded::{EnvironmentReader, Guarded};
use super::write::{NO_BODY, WriteRecord, reply};
use crate::access::permit::{ChangeTrigger, ManageTrigger, Read};
use crate::commit::{Applied, CommitError, MissingItem};
use crate::http::documented::{MaybeProposed, Problems, WriteHeaders};
use crate::http::query::{PageQuery, Query, WriteQuery};
use crate::http::{ApiError, ApiResponse, Body};
use crate::trigger::Triggers;
use crate::trigger::crud;

/// Firings shown with a trigger.
const SHOWN: usize = 10;

/// The triggers, by name.
#[utoipa::path(get, path = "/v1/environments/{env}/triggers", tag = "triggers", operation_id = "listTriggers",
    params(crate::api::path::EnvironmentPath, PageQuery),
    responses((status = 200, description = "A page of triggers", body = Page<TriggerView>), Problems))]
pub(super) async fn list(environment: Guarded<Read, EnvironmentReader>, query: Query<PageQuery>) -> Result<ApiResponse, ApiError> {
    let (records, stale, Query(query)) = (environment.records()?, environment.stale(), query);
    let triggers: Vec<&Trigger> = records.triggers.values().collect();
    let policy = records.policy();
    let view = |trigger: &&Trigger| TriggerView::of(environment.key(), trigger, &policy);
    let page = page::listed(&triggers, |trigger| trigger.name.to_string(), view, &query, stale.is_some());
    Ok(ApiResponse::ok(&page)?.stale(stale))
}

/// One trigger and its newest firings.
#[utoipa::path(get, path = "/v1/environments/{env}/triggers/{key}", tag = "triggers", operation_id = "getTrigger",
    params(crate::api::path::EnvironmentPath, ("key" = String, Path, description = "Its name", example = "error-rate")),
    responses((status = 200, description = "The trigger", body = TriggerDetail), Problems))]
pub(super) async fn get(guarded: Guarded<Read, (EnvironmentReader, Triggers)>, name: PathKey<TriggerName>) -> Result<ApiResponse, ApiError> {
    let (environment, triggers) = &*guarded;
    let (records, PathKey(name)) = (environment.records()?, name);
    let (entry, trigger) = find(&records, &name)?;
    let firings = firings::newest_first(triggers, &records);
    let own = firings.into_iter().filter(|firing| firing.trigger == name).take(SHOWN);
    let detail = TriggerDetail {
        trigger: TriggerView::of(environment.key(), trigger, &records.policy()),
        firings: own.map(|firing| FiringView::of(firing, environment.now())).collect(),
    };
    Ok(ApiResponse::ok(&detail)?.record_etag(entry.digest()).stale(environment.stale()))
}

/// Creates a trigger. The answer contains its secret, which is never shown again.
#[utoipa::path(post, path = "/v1/environments/{env}/triggers", tag = "triggers", operation_id = "createTrigger",
    params(crate::api::path::EnvironmentPath, WriteQuery, WriteHeaders),
    request_body(content = TriggerRequest, example = json!({"name": "error-rate", "source": "alertmanager", "credential": "bearer",
        "action": {"rollback": {"scope": "open_release"}}, "conditions": {"labels": {"severity": "page"}, "during": "open_release"}, "cooldown": "15m", "max_per_hour": 3})),
    responses((status = 201, description = "Created", body = TriggerCreated), MaybeProposed, Problems))]
pub(super) async fn create(write: WriteRecord<ManageTrigger>, body: Body<TriggerRequest>) -> Result<ApiResponse, ApiError> {
    let request = body.value;
    let made = crud::new_trigger(&request, write.permit.author().actor, write.now());
    let given = request.reason.clone().or_else(|| write.given_reason());
    let why = reason(&format!("created trigger {}: {}", request.name, request.action), given.as_deref());
    let (view, recorded_view) = (viewer(&write, request.name.clone()), viewer(&write, request.name));
    // What is recorded for a repeat of the call is everything but the secret.
    let recorded = move |applied: &Applied| {
        Ok(TriggerCreated {
            trigger: recorded_view(applied)?,
            secret: None,
        })
    };
    let (committed, reply) = submit(write, &body.digest, (crud::create(made.trigger), why), StatusCode::CREATED, recorded).await?;
    let (Some(applied), Some(secret)) = (&committed.applied, made.secret) else {
        return Ok(reply);
    };
    let created = TriggerCreated {
        trigger: view(applied)?,
        secret: Some(secret.expose().to_owned()),
    };
    ApiResponse::json(StatusCode::CREATED, &created)
}

/// Changes the given members of a trigger. The role oncall may disarm it, and nothing else.
#[utoipa::path(patch, path = "/v1/environments/{env}/triggers/{key}", tag = "triggers", operation_id = "patchTrigger",
    params(crate::api::path::EnvironmentPath, ("key" = String, Path, description = "Its name", example = "error-rate"), WriteQuery, WriteHeaders),
    request_body(content = TriggerPatch, example = json!({"state": "disarmed", "reason": "it is the monitoring that fails"})),
    responses((status = 200, description = "Changed, or unchanged", body = TriggerView), MaybeProposed, Problems))]
pub(super) async fn change(write: WriteRecord<ChangeTrigger>, name: PathKey<TriggerName>, body: Body<TriggerPatch>) -> Result<ApiResponse, ApiError> {
    let (PathKey(name), patch) = (name, body.value);
    if !patch.only_disarms() {
        write.permit.also(&[Action::Trigger])?;
    }
    let expected = read_before(write.condition)?;
    let given = patch.reason.clone().or_else(|| write.given_reason());
    let what = patch.state.map_or("changed".to_owned(), |state| format!("set {state}"));
    let why = reason(&format!("trigger {name} {what}"), given.as_deref());
    let view = viewer(&write, name.clone());
    let (_, reply) = submit(write, &body.digest, (crud::change(name, patch, expected), why), StatusCode::OK, view).await?;
    Ok(reply)
}

/// Deletes a trigger. Its firings stay.
#[utoipa::path(delete, path = "/v1/environments/{env}/triggers/{key}", tag = "triggers", operation_id = "deleteTrigger",
    params(crate::api::path::EnvironmentPath, ("key" = String, Path, description = "Its name", example = "error-rate"), WriteQuery, WriteHeaders),
    responses((status = 200, description = "Deleted", body = Object), MaybeProposed, Problems))]
pub(super) async fn delete(write: WriteRecord<ManageTrigger>, name: PathKey<TriggerName>) -> Result<ApiResponse, ApiError> {
    let PathKey(name) = name;
    let expected = read_before(write.condition)?;
    let given = write.given_reason();
    let why = reason(&format!("deleted trigger {name}"), given.as_deref());
    let deleted = name.clone();
    let body = move |_: &Applied| Ok(serde_json::json!({"name": deleted, "revision": null}));
    let (committed, _) = submit(write, &NO_BODY, (crud::delete(name, expected), why), StatusCode::OK, body).await?;
    reply(&committed.answer, committed.replayed, None)
}

/// Tests a signal: whether the trigger would fire, why not, and what it would do. Changes nothing and needs no secret.
#[utoipa::path(post, path = "/v1/environments/{env}/triggers/{key}/test", tag = "triggers", operation_id = "testTrigger",
    params(crate::api::path::EnvironmentPath, ("key" = String, Path, description = "Its name", example = "error-rate")),
    request_body(content = TriggerTestRequest, example = json!({"payload": {"error_rate": 0.2}})),
    responses((status = 200, description = "What the signal would lead to", body = TriggerTestResponse), Problems))]
pub(super) async fn test(
    guarded: Guarded<Read, (EnvironmentReader, Triggers)>,
    name: PathKey<TriggerName>,
    body: Body<TriggerTestRequest>,
) -> Result<ApiResponse, ApiError> {
    let (environment, triggers) = &*guarded;
    let (records, PathKey(name)) = (environment.records()?, name);
    let (_, trigger) = find(&records, &name)?;
    let answer = triggers.test(environment.key(), trigger, &body.value.payload).await?;
    Ok(ApiResponse::ok(&answer)?.stale(environment.stale()))
}

fn find<'r>(records: &'r Records, name: &TriggerName) -> Result<(&'r Entry<Trigger>, &'r Trigger), ApiError> {
    let entry = records.triggers.get(name.as_str());
    let entry = entry.ok_or_else(|| CommitError::NotFound(MissingItem::Record(RecordKey::Trigger(name.clone()))))?;
    let unreadable = |faults: &ValidationErrors| ApiError::new(Code::Internal, format!("The trigger cannot be read: {faults}."));
    Ok((entry, entry.value().map_err(unreadable)?))
}

/// The view of a trigger as a commit wrote it.
fn viewer<A>(write: &WriteRecord<A>, name: TriggerName) -> impl Fn(&Applied) -> Result<TriggerView, ApiError> + use<A> {
    let environment: EnvironmentKey = write.permit.environment().clone();
    move |made: &Applied| {
        let trigger = made.records.triggers.value(name.as_str()).ok_or_else(lost)?;
        Ok(TriggerView::of(&environment, trigger, &made.records.policy()))
    }
}
