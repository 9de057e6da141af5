//! `rollouts` and `rollouts/{id}`: started, listed, looked at, and replayed with another threshold.

pub(super) mod acts;

use std::time::Duration;

use actix_web::http::StatusCode;
use actix_web::web;
use ripcord_proto::RolloutId;
use ripcord_proto::change::Change;
use ripcord_proto::problem::{Code, Problem};
use ripcord_proto::record::Record;
use ripcord_proto::rest::list::Page;
use ripcord_proto::rest::rollouts::{Replay, ReplayRequest};
use ripcord_proto::rollout::{RolloutPlan, Rollout, Attribution};

use super::named::Named;
use super::rooms::Rooms;
use super::write::{Asked, Write, reply};
use crate::access::Permit;
use crate::access::permit::{Read, RunRollout};
use crate::commit::{Answer, Made};
use crate::http::query::{PageQuery, Query, Reason, Wait, WriteQuery};
use crate::http::{Body, Refusal, Reply};
use crate::rollout::{acts as done, replay as trial};

/// Starts a rollout of a plan. It is refused where the flag cannot follow it: every problem is named with its field.
#[utoipa::path(post, path = "/v1/environments/{env}/rollouts", tag = "rollouts",
    params(("env" = String, Path, example = "production"), WriteQuery),
    request_body(content = Object, description = "The plan", example = json!({"flag": "checkout-v2", "variant": "on", "steps": [{"to": "10%", "hold": "1h"}, {"to": "100%", "hold": "24h"}], "gates": [{"name": "smoke", "probe": {"url": "http://127.0.0.1:9000/healthz"}, "on_fail": "rollback"}]})),
    responses((status = 201, description = "Started", body = Rollout), (status = "4XX", body = Problem)))]
pub(super) async fn start(write: Write<RunRollout>, body: Body<RolloutPlan>, rooms: web::Data<Rooms>) -> Result<Reply, Refusal> {
    let now = rooms.now();
    let word = Attribution {
        by: write.permit.author().actor,
        at: now,
        reason: write.query.reason.clone().map(Reason::into_text),
    };
    let id = RolloutId::from_parts(u64::try_from(now.as_millisecond()).unwrap_or_default(), rand::random());
    let reason = word.reason.clone().or_else(|| Some(format!("rollout of {} is started", body.value.flag)));
    let rollout = done::begun(body.value, id, word).map_err(Refusal::invalid)?;
    let prepared = write.prepare(Asked::one(done::start(rollout)).because(reason), &body.digest, |made| {
        recorded(made, StatusCode::CREATED)
    });
    let committed = rooms.submit(prepared).await?;
    reply(&committed.answer, committed.replayed, None)
}

/// The rollouts, newest first.
#[utoipa::path(get, path = "/v1/environments/{env}/rollouts", tag = "rollouts",
    params(("env" = String, Path, example = "production"), PageQuery),
    responses((status = 200, description = "A page of rollouts", body = Page<Rollout>), (status = "4XX", body = Problem)))]
pub(super) async fn list(permit: Permit<Read>, query: Query<PageQuery>, rooms: web::Data<Rooms>) -> Result<Reply, Refusal> {
    let (records, stale, Query(query)) = (rooms.records(&permit)?, rooms.stale(), query);
    let mut rollouts: Vec<&Rollout> = records.rollouts.iter().filter_map(|entry| entry.value().ok()).collect();
    rollouts.reverse();
    let before = |id: &RolloutId| query.after.as_deref().is_none_or(|after| id.as_str() < after);
    let mut found = rollouts.into_iter().filter(|rollout| before(&rollout.id));
    let items: Vec<Rollout> = found
        .by_ref()
        .take(query.limit.get())
        .map(|rollout| rooms.rollouts().with_readings(rollout.clone()))
        .collect();
    let next = found.next().and(items.last().map(|rollout| rollout.id.to_string()));
    let page = Page {
        items,
        next,
        stale: stale.is_some(),
    };
    Ok(Reply::ok(&page)?.stale(stale))
}

/// `GET rollouts/{id}`: whether to wait.
#[derive(Debug, serde::Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct RolloutQuery {
    /// How long to wait until it is over: `30s`, at most `60s`.
    #[param(value_type = Option<String>, example = "30s")]
    wait: Option<Wait>,
}

/// One rollout: how it stands and why, its step, and what its gates say.
#[utoipa::path(get, path = "/v1/environments/{env}/rollouts/{key}", tag = "rollouts",
    params(("env" = String, Path, example = "production"), ("key" = String, Path, description = "The rollout's id", example = "ro_01jd3x7q8v9w0y2z4a6b8c0d2e"), RolloutQuery),
    responses((status = 200, description = "The rollout", body = Rollout), (status = "4XX", body = Problem)))]
pub(super) async fn get(permit: Permit<Read>, id: Named<RolloutId>, query: Query<RolloutQuery>, rooms: web::Data<Rooms>) -> Result<Reply, Refusal> {
    let (Named(id), Query(query)) = (id, query);
    let patience = query.wait.map_or(Duration::ZERO, |Wait(patience)| patience);
    let rollout = rooms.rollouts().settled(permit.environment(), &id, patience).await?;
    Ok(Reply::ok(&rollout)?.stale(rooms.stale()))
}

/// What a gate would have said of the past steps with another threshold. Changes nothing.
#[utoipa::path(post, path = "/v1/environments/{env}/rollouts/{key}/replay", tag = "rollouts",
    params(("env" = String, Path, example = "production"), ("key" = String, Path, description = "The rollout's id", example = "ro_01jd3x7q8v9w0y2z4a6b8c0d2e")),
    request_body(content = ReplayRequest, example = json!({"gate": "errors", "worse_by": "0.2%"})),
    responses((status = 200, description = "Step by step", body = Replay), (status = "4XX", body = Problem)))]
pub(super) async fn replay(permit: Permit<Read>, id: Named<RolloutId>, body: Body<ReplayRequest>, rooms: web::Data<Rooms>) -> Result<Reply, Refusal> {
    let Named(id) = id;
    let rollout = rooms.rollouts().settled(permit.environment(), &id, Duration::ZERO).await?;
    let replayed = trial::replay(&rollout, &body.value).map_err(Refusal::invalid)?;
    Ok(Reply::ok(&replayed)?.stale(rooms.stale()))
}

/// The first rollout that was recorded: the one that was asked for stands before those that are bound to it.
fn recorded(made: &Made, status: StatusCode) -> Result<Answer, Refusal> {
    let record = made.changes.iter().find_map(|change| {
        let Change::PutRecord(Record::Rollout(entry)) = change else { return None };
        Some(entry.json().to_owned())
    });
    let body = record.ok_or_else(|| Refusal::new(Code::Internal, "Nothing was recorded."))?;
    Ok(Answer { status: status.as_u16(), body })
}
