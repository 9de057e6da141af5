//! `rollouts` and `rollouts/{id}`: start, list and show rollouts, and replay one with a different threshold.

pub(super) mod actions;

use std::time::Duration;

use actix_web::http::StatusCode;
use ripcord_proto::RolloutId;
use ripcord_proto::change::Change;
use ripcord_proto::problem::Code;
use ripcord_proto::record::Record;
use ripcord_proto::rest::list::Page;
use ripcord_proto::rest::rollouts::{Replay, ReplayRequest};
use ripcord_proto::rollout::{Attribution, Rollout, RolloutPlan};

use super::page;
use super::path::PathKey;
use super::services::guarded::{EnvironmentReader, Guarded};
use super::write::{Write, WriteRequest, reply};
use crate::access::permit::{Read, RunRollout};
use crate::clock::new_id;
use crate::commit::{Applied, RenderedAnswer};
use crate::http::documented::{MaybeProposed, Problems, WriteHeaders};
use crate::http::query::{PageQuery, Query, Reason, Wait, WriteQuery};
use crate::http::{ApiError, ApiResponse, Body};
use crate::rollout::Rollouts;
use crate::rollout::{actions as done, replay as trial};

/// Starts a rollout. If the flag cannot follow the plan, every problem is reported with its field.
#[utoipa::path(post, path = "/v1/environments/{env}/rollouts", tag = "rollouts", operation_id = "createRollout",
    params(crate::api::path::EnvironmentPath, WriteQuery, WriteHeaders),
    request_body(content = Object, description = "The plan", example = json!({"flag": "checkout-v2", "variant": "on", "steps": [{"to": "10%", "hold": "1h"}, {"to": "100%", "hold": "24h"}], "gates": [{"name": "smoke", "probe": {"url": "http://127.0.0.1:9000/healthz"}, "on_fail": "rollback"}]})),
    responses((status = 201, description = "Started", body = Rollout), MaybeProposed, Problems))]
pub(super) async fn start(write: Write<RunRollout>, body: Body<RolloutPlan>) -> Result<ApiResponse, ApiError> {
    let now = write.now();
    let word = Attribution {
        by: write.permit.author().actor,
        at: now,
        reason: write.query.reason.clone().map(Reason::into_text),
    };
    let id = new_id(now, RolloutId::from_parts);
    let reason = word.reason.clone().or_else(|| Some(format!("started a rollout of {}", body.value.flag)));
    let rollout = done::begun(body.value, id, word).map_err(ApiError::invalid)?;
    let prepared = write.prepare(WriteRequest::one(done::start(rollout)).because(reason), &body.digest, |made| {
        recorded(made, StatusCode::CREATED)
    });
    let committed = prepared.submit().await?;
    reply(&committed.answer, committed.replayed, None)
}

/// The rollouts, newest first.
#[utoipa::path(get, path = "/v1/environments/{env}/rollouts", tag = "rollouts", operation_id = "listRollouts",
    params(crate::api::path::EnvironmentPath, PageQuery),
    responses((status = 200, description = "A page of rollouts", body = Page<Rollout>), Problems))]
pub(super) async fn list(guarded: Guarded<Read, (EnvironmentReader, Rollouts)>, query: Query<PageQuery>) -> Result<ApiResponse, ApiError> {
    let (environment, rollouts) = &*guarded;
    let (records, stale, Query(query)) = (environment.records()?, environment.stale(), query);
    let newest_first = records.rollouts.values().rev();
    let view = |rollout: &Rollout| rollouts.with_readings(rollout.clone());
    let page = page::newest_first(newest_first, |rollout| rollout.id.as_str(), view, &query, stale.is_some());
    Ok(ApiResponse::ok(&page)?.stale(stale))
}

/// Query of `GET rollouts/{id}`.
#[derive(Debug, serde::Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct RolloutQuery {
    /// How long to wait until it has ended: `30s`, at most `60s`.
    #[param(value_type = Option<String>, example = "30s")]
    wait: Option<Wait>,
}

/// One rollout: its state and why, its step, and the readings of its gates.
#[utoipa::path(get, path = "/v1/environments/{env}/rollouts/{key}", tag = "rollouts", operation_id = "getRollout",
    params(crate::api::path::EnvironmentPath, ("key" = String, Path, description = "The rollout's id", example = "ro_01jd3x7q8v9w0y2z4a6b8c0d2e"), RolloutQuery),
    responses((status = 200, description = "The rollout", body = Rollout), Problems))]
pub(super) async fn get(
    guarded: Guarded<Read, (EnvironmentReader, Rollouts)>,
    id: PathKey<RolloutId>,
    query: Query<RolloutQuery>,
) -> Result<ApiResponse, ApiError> {
    let (environment, rollouts) = &*guarded;
    let (PathKey(id), Query(query)) = (id, query);
    let patience = query.wait.map_or(Duration::ZERO, |Wait(patience)| patience);
    let rollout = rollouts.settled(environment.key(), &id, patience).await?;
    Ok(ApiResponse::ok(&rollout)?.stale(environment.stale()))
}

/// How a gate would have judged the past steps with a different threshold. Changes nothing.
#[utoipa::path(post, path = "/v1/environments/{env}/rollouts/{key}/replay", tag = "rollouts", operation_id = "replayRollout",
    params(crate::api::path::EnvironmentPath, ("key" = String, Path, description = "The rollout's id", example = "ro_01jd3x7q8v9w0y2z4a6b8c0d2e")),
    request_body(content = ReplayRequest, example = json!({"gate": "errors", "worse_by": "0.2%"})),
    responses((status = 200, description = "Step by step", body = Replay), Problems))]
pub(super) async fn replay(
    guarded: Guarded<Read, (EnvironmentReader, Rollouts)>,
    id: PathKey<RolloutId>,
    body: Body<ReplayRequest>,
) -> Result<ApiResponse, ApiError> {
    let (environment, rollouts) = &*guarded;
    let PathKey(id) = id;
    let rollout = rollouts.settled(environment.key(), &id, Duration::ZERO).await?;
    let replayed = trial::replay(&rollout, &body.value).map_err(ApiError::invalid)?;
    Ok(ApiResponse::ok(&replayed)?.stale(environment.stale()))
}

/// The first recorded rollout: the requested one comes before those bound to it.
fn recorded(made: &Applied, status: StatusCode) -> Result<RenderedAnswer, ApiError> {
    let record = made.changes.iter().find_map(|change| {
        let Change::PutRecord(Record::Rollout(entry)) = change else { return None };
        Some(entry.json().to_owned())
    });
    let body = record.ok_or_else(|| ApiError::new(Code::Internal, "Nothing was recorded."))?;
    Ok(RenderedAnswer { status: status.as_u16(), body })
}
