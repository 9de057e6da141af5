//! `kills` and `kills/{id}`.

mod view;

use actix_web::http::StatusCode;
use ripcord_proto::problem::{Code, Problem};
use ripcord_proto::rest::kills::{KillRequest, KillResponse, KillView, NAMED_FLAGS, ReasonRequest, RestoreResponse};
use ripcord_proto::rest::list::Page;
use ripcord_proto::rest::responses::WriteResponse;
use ripcord_proto::{FlagKey, KillId};

use super::page;
use super::path::PathKey;
use super::services::guarded::{EnvironmentReader, Guarded};
use super::write::{Answered, RecordedBody, Write, WriteRequest, answer, renderer, replayed, reply, written};
use crate::access::permit::{Kill, Read, Restore};
use crate::commit::{KillStatus, Operation, RenderedAnswer};
use crate::fleet::ConfirmationTarget;
use crate::http::query::{PageQuery, Query, WriteQuery};
use crate::http::{ApiError, ApiResponse, Body, OptionalBody};
use crate::kill::{KillDurability, KillInForce, KillOrder, KillOutcome, Kills, RestoreOutcome};
use crate::snapshot::publication::Served;

/// The kills in force, newest first, including provisional ones.
#[utoipa::path(get, path = "/v1/environments/{env}/kills", tag = "kills",
    params(crate::api::path::EnvironmentPath, PageQuery),
    responses((status = 200, description = "A page of kills", body = Page<KillView>), (status = "4XX", body = Problem)))]
pub(super) async fn list(environment: Guarded<Read, EnvironmentReader>, query: Query<PageQuery>) -> Result<ApiResponse, ApiError> {
    let (served, stale, Query(query)) = (environment.served()?, environment.stale(), query);
    let mut kills = view::all(&served);
    kills.sort_by(|a, b| b.kill.id.cmp(&a.kill.id));
    let page = page::newest_first(kills.into_iter(), |view| view.kill.id.as_str(), |view| view, &query, stale.is_some());
    Ok(ApiResponse::ok(&page)?.stale(stale))
}

/// One kill in force.
#[utoipa::path(get, path = "/v1/environments/{env}/kills/{key}", tag = "kills",
    params(crate::api::path::EnvironmentPath, ("key" = String, Path, description = "The kill's id", example = "k_01jd3x7q8v9w0y2z4a6b8c0d2e")),
    responses((status = 200, description = "The kill", body = KillView), (status = "4XX", body = Problem)))]
pub(super) async fn get(environment: Guarded<Read, EnvironmentReader>, id: PathKey<KillId>) -> Result<ApiResponse, ApiError> {
    let (served, stale, PathKey(id)) = (environment.served()?, environment.stale(), id);
    let found = view::all(&served).into_iter().find(|view| view.kill.id == id);
    let view = found.ok_or_else(|| ApiError::new(Code::NotFound, format!("Kill {id} is not in force: it was lifted, or never existed.")))?;
    Ok(ApiResponse::ok(&view)?.stale(stale))
}

/// Forces flags to their safe variant at once. It never waits for a reason, an approval or the store.
#[utoipa::path(post, path = "/v1/environments/{env}/kills", tag = "kills",
    params(crate::api::path::EnvironmentPath, WriteQuery),
    request_body(content = KillRequest, example = json!({"scope": {"flag": "checkout-v2"}, "reason": "5xx spike"})),
    responses((status = 201, description = "Killed", body = KillResponse), (status = 200, description = "The scope was already killed", body = KillResponse), (status = "4XX", body = Problem)))]
pub(super) async fn kill(write: Write<Kill>, body: Body<KillRequest>) -> Result<ApiResponse, ApiError> {
    let (environment, wait, confirmations) = (write.permit.environment().clone(), write.wait(), write.confirmations());
    let (reader, kills) = write.part::<(EnvironmentReader, Kills)>();
    let served = reader.served()?;
    let renderer = renderer(move |killed| kill_answer(killed, &served));
    let order = KillOrder {
        id: None,
        environment: environment.clone(),
        author: write.permit.author(),
        scope: body.value.scope,
        call: write.call(&body.digest),
        reason: body.value.reason.or_else(|| write.query.reason()),
        renderer: renderer.clone(),
    };
    let (answer, subject, is_replayed) = match kills.kill(order).await? {
        KillOutcome::InForce(killed) => {
            let subject = match killed.durability {
                KillDurability::Committed(position) => {
                    tracing::Span::current().record("revision", position.revision.0);
                    ConfirmationTarget::Revision(position)
                }
                KillDurability::Journaled | KillDurability::Memory => ConfirmationTarget::Kill(killed.kill.id.clone()),
            };
            (renderer.render(&killed), Some(subject), false)
        }
        KillOutcome::Replayed(recorded) => {
            let body = RecordedBody::of(&recorded);
            let provisional = body.kill().filter(|id| kills.is_provisional(&environment, id).unwrap_or(false));
            let subject = provisional
                .map(ConfirmationTarget::Kill)
                .or_else(|| body.position().map(ConfirmationTarget::Revision));
            (replayed(recorded)?, subject, true)
        }
    };
    let confirmation = match subject {
        Some(subject) => confirmations.of(&subject, wait).await,
        None => None,
    };
    reply(&answer, is_replayed, confirmation)
}

fn kill_answer(killed: &KillInForce, served: &Served) -> Result<RenderedAnswer, ApiError> {
    let (epoch, revision) = match killed.durability {
        KillDurability::Committed(position) => (position.epoch, Some(position.revision)),
        KillDurability::Journaled | KillDurability::Memory => (served.snapshot.position.epoch, None),
    };
    // Nothing changes if the scope was killed already; the answer lists what the kill covers all the same.
    let covered: Vec<&FlagKey> = match killed.status {
        KillStatus::New => killed.flags.iter().collect(),
        KillStatus::Existing => {
            let keys = served.snapshot.flags.iter().map(|entry| entry.key());
            keys.filter(|key| killed.kill.covers(key.as_str())).collect()
        }
    };
    let body = KillResponse {
        id: killed.kill.id.clone(),
        epoch,
        revision,
        provisional: revision.is_none(),
        lost_on_restart: killed.durability == KillDurability::Memory,
        scope: killed.kill.scope.clone(),
        reason: killed.kill.reason.clone(),
        reason_missing: killed.kill.reason.is_none(),
        flags: view::serving(served, covered.iter().copied()),
        flags_total: covered.len(),
        warnings: warnings(killed, &covered),
        confirmation: None,
    };
    let status = match killed.status {
        KillStatus::New => StatusCode::CREATED,
        KillStatus::Existing => StatusCode::OK,
    };
    answer(status, &body)
}

fn warnings(killed: &KillInForce, covered: &[&FlagKey]) -> Vec<String> {
    let durability = match killed.durability {
        KillDurability::Committed(_) => None,
        KillDurability::Journaled => Some(
            "The store cannot be reached. The kill is in force on this node and on the peers that could be reached; it will be written to the log when the store is back.",
        ),
        KillDurability::Memory => Some(
            "Neither the store nor this node's journal could be written. The kill is in force, but a restart of this node would lose it. Leave the node running, and kill again when the store is back.",
        ),
    };
    let empty = covered
        .is_empty()
        .then_some("The kill covers no flags now. It will cover flags that match its scope later.");
    durability.into_iter().chain(empty).map(ToOwned::to_owned).collect()
}

/// Lifts one kill, and only that one. Requires a reason, in the body or as `?reason=`.
#[utoipa::path(delete, path = "/v1/environments/{env}/kills/{key}", tag = "kills",
    params(crate::api::path::EnvironmentPath, ("key" = String, Path, description = "The kill's id", example = "k_01jd3x7q8v9w0y2z4a6b8c0d2e"), WriteQuery),
    request_body(content = Option<ReasonRequest>, example = json!({"reason": "fixed in 2.1.1"})),
    responses((status = 200, description = "Lifted", body = RestoreResponse), (status = "4XX", body = Problem)))]
pub(super) async fn restore(write: Write<Restore>, id: PathKey<KillId>, body: OptionalBody<ReasonRequest>) -> Result<ApiResponse, ApiError> {
    let PathKey(id) = id;
    let (wait, confirmations) = (write.wait(), write.confirmations());
    let (reader, kills) = write.part::<(EnvironmentReader, Kills)>();
    let served = reader.served()?;
    let asked = WriteRequest::one(Operation::Restore(id.clone())).because(body.value.map(|body| body.reason));
    let lifted = restored(&id, &served);
    let withdrawn = RestoreResponse {
        withdrawn: true,
        epoch: served.snapshot.position.epoch,
        ..lifted.clone()
    };
    let prepared = write.prepare(asked, &body.digest, move |made| {
        let body = RestoreResponse {
            epoch: made.position.epoch,
            revision: Some(made.position.revision),
            ..lifted.clone()
        };
        answer(StatusCode::OK, &body)
    });
    let renderer = prepared.draft().renderer.clone();
    match kills.restore(id.clone(), prepared.into_draft()).await? {
        RestoreOutcome::Committed(outcome) => {
            let committed = Answered::of(outcome, &renderer)?;
            let confirmation = confirmations.of_revision(committed.position, wait).await;
            reply(&committed.answer, committed.replayed, confirmation)
        }
        RestoreOutcome::Withdrawn(id) => {
            let confirmation = confirmations.of(&ConfirmationTarget::Kill(id), wait).await;
            reply(&answer(StatusCode::OK, &withdrawn)?, false, confirmation)
        }
    }
}

/// The answer to a restore, without its position.
fn restored(id: &KillId, served: &Served) -> RestoreResponse {
    let kills = || {
        served
            .snapshot
            .kills
            .iter()
            .filter_map(|entry| entry.value().ok())
            .chain(served.overlay.kills.values())
    };
    let lifted = kills().find(|kill| kill.id == *id);
    let others = |key: &str| kills().any(|kill| kill.id != *id && kill.covers(key));
    let flags = served.snapshot.flags.iter().map(|entry| entry.key());
    let still = flags.filter(|key| lifted.is_some_and(|kill| kill.covers(key.as_str())) && others(key.as_str()));
    RestoreResponse {
        id: id.clone(),
        epoch: served.snapshot.position.epoch,
        revision: None,
        withdrawn: false,
        still_killed: still.take(NAMED_FLAGS).cloned().collect(),
        confirmation: None,
    }
}

/// Adds the reason for a kill afterwards.
#[utoipa::path(patch, path = "/v1/environments/{env}/kills/{key}", tag = "kills",
    params(crate::api::path::EnvironmentPath, ("key" = String, Path, description = "The kill's id", example = "k_01jd3x7q8v9w0y2z4a6b8c0d2e"), WriteQuery),
    request_body(content = ReasonRequest, example = json!({"reason": "5xx spike since 14:02"})),
    responses((status = 200, description = "Noted", body = WriteResponse), (status = "4XX", body = Problem)))]
pub(super) async fn give_reason(write: Write<Restore>, id: PathKey<KillId>, body: Body<ReasonRequest>) -> Result<ApiResponse, ApiError> {
    let PathKey(id) = id;
    let (wait, confirmations) = (write.wait(), write.confirmations());
    let asked = WriteRequest::one(Operation::GiveReason(id, body.value.reason.clone())).because(Some(body.value.reason));
    let prepared = write.prepare(asked, &body.digest, |made| written(made, StatusCode::OK));
    let committed = prepared.submit().await?;
    let confirmation = confirmations.of_revision(committed.position, wait).await;
    reply(&committed.answer, committed.replayed, confirmation)
}
