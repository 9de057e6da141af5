//! `kills` and `kills/{id}`.

mod lenient;
mod view;

use actix_web::http::StatusCode;
use ripcord_proto::problem::Code;
use ripcord_proto::record::Records;
use ripcord_proto::rest::kills::{KillRequest, KillResponse, KillView, NAMED_FLAGS, ReasonRequest, RestoreResponse};
use ripcord_proto::rest::list::Page;
use ripcord_proto::rest::responses::WriteResponse;
use ripcord_proto::text::{counted_len, listed};
use ripcord_proto::{Epoch, FlagKey, Kill, KillId, KillScope, RolloutId};

use self::lenient::LenientKill;
use super::page;
use super::path::PathKey;
use super::services::guarded::{EnvironmentReader, Guarded};
use super::write::{Answered, RecordedBody, Write, WriteRequest, answer, renderer, replayed, reply, written};
use crate::access::permit::{Read, Restore};
use crate::commit::{KillStatus, Operation, RenderedAnswer};
use crate::fleet::ConfirmationTarget;
use crate::http::documented::{IdempotencyHeader, MaybeProposed, Problems, WriteHeaders};
use crate::http::query::{PageQuery, Query, WriteQuery};
use crate::http::{ApiError, ApiResponse, Body, OptionalBody};
use crate::kill::{KillDurability, KillInForce, KillOrder, KillOutcome, Kills, PeersTold, RestoreOutcome, Withdrawal};
use crate::snapshot::publication::Served;

/// Most rollouts that a warning names.
const NAMED: usize = 5;

/// The kills in force, newest first, including provisional ones.
#[utoipa::path(get, path = "/v1/environments/{env}/kills", tag = "kills", operation_id = "listKills",
    params(crate::api::path::EnvironmentPath, PageQuery),
    responses((status = 200, description = "A page of kills", body = Page<KillView>), Problems))]
pub(super) async fn list(environment: Guarded<Read, EnvironmentReader>, query: Query<PageQuery>) -> Result<ApiResponse, ApiError> {
    let (served, stale, Query(query)) = (environment.served()?, environment.stale(), query);
    let mut kills = view::all(&served);
    kills.sort_by(|a, b| b.kill.id.cmp(&a.kill.id));
    let page = page::newest_first(kills.into_iter(), |view| view.kill.id.as_str(), |view| view, &query, stale.is_some());
    Ok(ApiResponse::ok(&page)?.stale(stale))
}

/// One kill in force.
#[utoipa::path(get, path = "/v1/environments/{env}/kills/{key}", tag = "kills", operation_id = "getKill",
    params(crate::api::path::EnvironmentPath, ("key" = String, Path, description = "The kill's id", example = "k_01jd3x7q8v9w0y2z4a6b8c0d2e")),
    responses((status = 200, description = "The kill", body = KillView), Problems))]
pub(super) async fn get(environment: Guarded<Read, EnvironmentReader>, id: PathKey<KillId>) -> Result<ApiResponse, ApiError> {
    let (served, stale, PathKey(id)) = (environment.served()?, environment.stale(), id);
    let found = view::all(&served).into_iter().find(|view| view.kill.id == id);
    let view = found.ok_or_else(|| ApiError::new(Code::NotFound, format!("Kill {id} is not in force: it was lifted, or never existed.")))?;
    Ok(ApiResponse::ok(&view)?.stale(stale))
}

/// Forces flags to their safe variant at once. It never waits for a reason, an approval or the store, and nothing beside its scope can
/// refuse it: headers, query parameters and members that mean nothing are ignored, with a warning.
#[utoipa::path(post, path = "/v1/environments/{env}/kills", tag = "kills", operation_id = "createKill",
    params(crate::api::path::EnvironmentPath, IdempotencyHeader,
        ("wait" = Option<String>, Query, description = "How long to wait for the confirmations of all clients", example = "2s"),
        ("reason" = Option<String>, Query, description = "The reason, if the body has none", example = "5xx spike")),
    request_body(content = KillRequest, example = json!({"scope": {"flag": "checkout-v2"}, "reason": "5xx spike"})),
    responses((status = 201, description = "Killed", body = KillResponse), (status = 200, description = "The scope was already killed", body = KillResponse), Problems))]
pub(super) async fn kill(request: LenientKill, body: Body<KillRequest>) -> Result<ApiResponse, ApiError> {
    let LenientKill {
        write,
        reason,
        ignored: mut warnings,
    } = request;
    warnings.extend(body.value.ignored);
    let (environment, wait, confirmations) = (write.permit.environment().clone(), write.wait(), write.confirmations());
    warnings.extend(confirmations.too_large_for_flagd());
    let (reader, kills) = write.part::<(EnvironmentReader, Kills)>();
    let (served, records) = (reader.served()?, reader.records().unwrap_or_default());
    let renderer = renderer(move |killed| kill_answer(killed, &served, &records, &warnings));
    let order = KillOrder {
        id: None,
        environment: environment.clone(),
        author: write.permit.author(),
        scope: body.value.scope,
        call: write.call(&body.digest),
        future: body.value.future,
        reason: body.value.reason.or(reason),
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

fn kill_answer(killed: &KillInForce, served: &Served, records: &Records, more: &[String]) -> Result<RenderedAnswer, ApiError> {
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
    let live = records.rollouts.values().filter(|rollout| !rollout.state.is_final());
    let ended = live.filter(|rollout| killed.kill.covers(rollout.plan.flag.as_str()));
    let rollouts: Vec<RolloutId> = ended.map(|rollout| rollout.id.clone()).collect();
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
        warnings: warnings(killed, &covered, &rollouts).chain(more.iter().cloned()).collect(),
        rollouts,
        confirmation: None,
    };
    let status = match killed.status {
        KillStatus::New => StatusCode::CREATED,
        KillStatus::Existing => StatusCode::OK,
    };
    answer(status, &body)
}

fn warnings(killed: &KillInForce, covered: &[&FlagKey], rollouts: &[RolloutId]) -> impl Iterator<Item = String> + use<> {
    let durability = match killed.durability {
        KillDurability::Committed(_) => None,
        KillDurability::Journaled => Some(
            "The store cannot be reached. The kill is in force on this node and is being sent to the other nodes; it will be written to the log when the store is back.",
        ),
        KillDurability::Memory => Some(
            "Neither the store nor this node's journal could be written. The kill is in force, but a restart of this node would lose it now. Leave the node running: as soon as the disk or the store takes the kill, it is written.",
        ),
    };
    let empty = covered
        .is_empty()
        .then_some("The kill covers no flags now. It will cover flags that match its scope later.");
    let ended = (!rollouts.is_empty()).then(|| {
        let (count, ids) = (counted_len(rollouts.len(), "live rollout", "live rollouts"), listed(rollouts, NAMED));
        format!("It ends {count} ({ids}), with exposure as it is; lifting the kill does not continue them.")
    });
    durability.into_iter().chain(empty).map(ToOwned::to_owned).chain(ended)
}

/// Lifts one kill, and only that one. Requires a reason, in the body or as `?reason=`.
#[utoipa::path(delete, path = "/v1/environments/{env}/kills/{key}", tag = "kills", operation_id = "restoreKill",
    params(crate::api::path::EnvironmentPath, ("key" = String, Path, description = "The kill's id", example = "k_01jd3x7q8v9w0y2z4a6b8c0d2e"), WriteQuery, WriteHeaders),
    request_body(content = Option<ReasonRequest>, example = json!({"reason": "fixed in 2.1.1"})),
    responses((status = 200, description = "Lifted", body = RestoreResponse), MaybeProposed, Problems))]
pub(super) async fn restore(write: Write<Restore>, id: PathKey<KillId>, body: OptionalBody<ReasonRequest>) -> Result<ApiResponse, ApiError> {
    let PathKey(id) = id;
    let (wait, confirmations) = (write.wait(), write.confirmations());
    let (reader, kills) = write.part::<(EnvironmentReader, Kills)>();
    let served = reader.served()?;
    let lifted = {
        let mut in_force = served.snapshot.kills.values().chain(served.overlay.kills.values());
        in_force.find(|kill| kill.id == id).cloned()
    };
    let scope = lifted.as_ref().map(|kill| kill.scope.clone());
    let asked = WriteRequest::one(Operation::Restore(id.clone())).because(body.value.map(|body| body.reason));
    let target = id.clone();
    // What the flags answer is read from the state that the commit makes: another kill may have come meanwhile.
    let prepared = write.prepare(asked, &body.digest, move |made| {
        let is_killed = |key: &FlagKey| made.still_killed.binary_search(key).is_ok() || is_overlaid(&served, &target, key);
        let body = RestoreResponse {
            revision: Some(made.position.revision),
            ..restored(&target, made.position.epoch, scope.clone(), (made.flags.iter(), is_killed))
        };
        answer(StatusCode::OK, &body)
    });
    let renderer = prepared.draft().renderer.clone();
    match kills.restore(id, prepared.into_draft()).await? {
        RestoreOutcome::Committed(outcome) => {
            let committed = Answered::of(outcome, &renderer)?;
            let confirmation = confirmations.of_revision(committed.position, wait).await;
            reply(&committed.answer, committed.replayed, confirmation)
        }
        // Applications are not asked whether they have a withdrawal: those that confirmed its id confirmed the kill.
        RestoreOutcome::Withdrawn(withdrawal) => {
            let served = reader.served()?;
            let body = withdrawn(withdrawal, lifted.as_ref(), &served);
            reply(&answer(StatusCode::OK, &body)?, false, None)
        }
    }
}

/// What is known of a withdrawal: the store may hold the kill all the same, and nodes that were not reached keep it in force.
fn withdrawn(withdrawal: Withdrawal, lifted: Option<&Kill>, served: &Served) -> RestoreResponse {
    let Withdrawal { id, nodes } = withdrawal;
    let PeersTold { told, not_reached } = nodes;
    let mut warnings = vec!["The store cannot be reached, so the log does not know yet that the kill has ended; it will when the store is back.".to_owned()];
    if !not_reached.is_empty() {
        warnings.push(format!(
            "Not reached: {}. The kill stays in force there, and in the log if one of them has written it, until they learn of it.",
            not_reached.join(", ")
        ));
    }
    let covered = lifted.map(|kill| kill.covered(&served.snapshot.flags)).unwrap_or_default();
    let is_killed = |key: &FlagKey| served.snapshot.kills_of(key.as_str()).next().is_some() || is_overlaid(served, &id, key);
    let scope = lifted.map(|kill| kill.scope.clone());
    RestoreResponse {
        withdrawn: true,
        nodes_told: told,
        nodes_not_reached: not_reached,
        warnings,
        ..restored(&id, served.snapshot.position.epoch, scope, (covered.iter(), is_killed))
    }
}

/// Whether a provisional kill other than `id` covers the flag.
fn is_overlaid(served: &Served, id: &KillId, key: &FlagKey) -> bool {
    served.overlay.kills.values().any(|kill| kill.id != *id && kill.covers(key.as_str()))
}

/// What lifting a kill frees of the flags that it covered.
fn restored<'a>(
    id: &KillId,
    epoch: Epoch,
    scope: Option<KillScope>,
    (covered, is_killed): (impl Iterator<Item = &'a FlagKey>, impl Fn(&FlagKey) -> bool),
) -> RestoreResponse {
    let (still, free): (Vec<&FlagKey>, Vec<&FlagKey>) = covered.partition(|key| is_killed(key));
    let named = |keys: Vec<&FlagKey>| keys.into_iter().take(NAMED_FLAGS).cloned().collect();
    RestoreResponse {
        id: id.clone(),
        epoch,
        revision: None,
        withdrawn: false,
        scope,
        restored: named(free),
        still_killed: named(still),
        nodes_told: Vec::new(),
        nodes_not_reached: Vec::new(),
        warnings: Vec::new(),
        confirmation: None,
    }
}

/// Adds the reason for a kill afterwards.
#[utoipa::path(patch, path = "/v1/environments/{env}/kills/{key}", tag = "kills", operation_id = "giveKillReason",
    params(crate::api::path::EnvironmentPath, ("key" = String, Path, description = "The kill's id", example = "k_01jd3x7q8v9w0y2z4a6b8c0d2e"), WriteQuery, WriteHeaders),
    request_body(content = ReasonRequest, example = json!({"reason": "5xx spike since 14:02"})),
    responses((status = 200, description = "Noted", body = WriteResponse), MaybeProposed, Problems))]
pub(super) async fn give_reason(write: Write<Restore>, id: PathKey<KillId>, body: Body<ReasonRequest>) -> Result<ApiResponse, ApiError> {
    let PathKey(id) = id;
    let (wait, confirmations) = (write.wait(), write.confirmations());
    let asked = WriteRequest::one(Operation::GiveReason(id, body.value.reason.clone())).because(Some(body.value.reason));
    let prepared = write.prepare(asked, &body.digest, |made| written(made, StatusCode::OK));
    let committed = prepared.submit().await?;
    let confirmation = confirmations.of_revision(committed.position, wait).await;
    reply(&committed.answer, committed.replayed, confirmation)
}
