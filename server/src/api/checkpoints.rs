//! `checkpoints` and `checkpoints/{name}`. The name `last-known-good` stands for the newest known-good checkpoint.

use actix_web::http::StatusCode;
use ripcord_proto::change::Change;
use ripcord_proto::checkpoint::{Checkpoint, CheckpointVerdict, Judgement};
use ripcord_proto::digest::Digest;
use ripcord_proto::problem::Code;
use ripcord_proto::record::Record;
use ripcord_proto::rest::checkpoints::{CheckpointDetail, CheckpointRequest, CheckpointView, DoubtRequest, VouchRequest};
use ripcord_proto::rest::list::Page;
use ripcord_proto::settings::Settings;
use ripcord_proto::table::Table;
use ripcord_proto::{Flag, Kill, Segment, Snapshot, TargetName};
use serde_json::value::RawValue;

use super::page;
use super::path::PathKey;
use super::records::{lost, read_before, reason, submit};
use super::services::guarded::{EnvironmentReader, Guarded};
use super::write::{NO_BODY, WriteRecord};
use crate::access::permit::{Allows, Read, TakeCheckpoint, Vouch};
use crate::checkpoint::{self, NewCheckpoint};
use crate::commit::Applied;
use crate::http::documented::{MaybeProposed, Problems, WriteHeaders};
use crate::http::query::{PageQuery, Query, WriteQuery};
use crate::http::{ApiError, ApiResponse, Body, OptionalBody};

/// The checkpoints, newest first.
#[utoipa::path(get, path = "/v1/environments/{env}/checkpoints", tag = "checkpoints", operation_id = "listCheckpoints",
    params(crate::api::path::EnvironmentPath, PageQuery),
    responses((status = 200, description = "A page of checkpoints", body = Page<CheckpointView>), Problems))]
pub(super) async fn list(environment: Guarded<Read, EnvironmentReader>, query: Query<PageQuery>) -> Result<ApiResponse, ApiError> {
    let (state, stale, Query(query)) = (environment.state()?, environment.stale(), query);
    let mut checkpoints: Vec<&Checkpoint> = state.records.checkpoints.values().collect();
    checkpoints.sort_by(|a, b| (b.position(), b.sequence, &b.name).cmp(&(a.position(), a.sequence, &a.name)));
    let view = |checkpoint: &&Checkpoint| checkpoint::view(&state.records, checkpoint);
    let page = page::listed(&checkpoints, |checkpoint| checkpoint.name.to_string(), view, &query, stale.is_some());
    Ok(ApiResponse::ok(&page)?.stale(stale))
}

/// Query of `GET checkpoints/{name}`.
#[derive(Debug, Default, serde::Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct ShowQuery {
    /// Whether to include the whole state.
    #[serde(default)]
    #[param(value_type = Option<bool>)]
    state: bool,
}

/// One checkpoint: its state, verified against its hash, and how far the environment has moved since.
#[utoipa::path(get, path = "/v1/environments/{env}/checkpoints/{key}", tag = "checkpoints", operation_id = "getCheckpoint",
    params(crate::api::path::EnvironmentPath, ("key" = String, Path, description = "Its name, or last-known-good", example = "last-known-good"), ShowQuery),
    responses((status = 200, description = "The checkpoint", body = CheckpointDetail), Problems))]
pub(super) async fn get(environment: Guarded<Read, EnvironmentReader>, name: PathKey<TargetName>, query: Query<ShowQuery>) -> Result<ApiResponse, ApiError> {
    let (PathKey(name), Query(query), stale) = (name, query, environment.stale());
    let resolved = environment.prove(&name).await?;
    let state = environment.state()?;
    let found = resolved
        .target
        .checkpoint
        .as_ref()
        .and_then(|name| state.records.checkpoints.get(name.as_str()));
    let entry = found.ok_or_else(|| {
        ApiError::new(
            Code::NotFound,
            format!("{name} is a revision, not a checkpoint. Use GET diff to compare revisions."),
        )
    })?;
    let checkpoint = entry
        .value()
        .map_err(|faults| ApiError::new(Code::Internal, format!("The checkpoint cannot be read: {faults}.")))?;
    let then = &resolved.state.snapshot;
    let detail = CheckpointDetail {
        view: checkpoint::view(&state.records, checkpoint),
        proven: resolved.state.hash == checkpoint.hash,
        moved: checkpoint::distance(then, &state.snapshot),
        state: if query.state { Some(whole(then)?) } else { None },
    };
    Ok(ApiResponse::ok(&detail)?.record_etag(entry.digest()).stale(stale))
}

/// A snapshot as JSON, with its entries as they were sent.
fn whole(snapshot: &Snapshot) -> Result<Box<RawValue>, ApiError> {
    #[derive(serde::Serialize)]
    struct Whole<'a> {
        settings: &'a Settings,
        flags: &'a Table<Flag>,
        segments: &'a Table<Segment>,
        kills: &'a Table<Kill>,
    }
    let whole = Whole {
        settings: &snapshot.settings,
        flags: &snapshot.flags,
        segments: &snapshot.segments,
        kills: &snapshot.kills,
    };
    serde_json::value::to_raw_value(&whole).map_err(|error| ApiError::new(Code::Internal, format!("The state could not be written: {error}.")))
}

/// Takes a checkpoint of the current state.
#[utoipa::path(post, path = "/v1/environments/{env}/checkpoints", tag = "checkpoints", operation_id = "createCheckpoint",
    params(crate::api::path::EnvironmentPath, WriteQuery, WriteHeaders),
    request_body(content = CheckpointRequest, example = json!({"name": "before-web-12", "note": "the last quiet evening"})),
    responses((status = 201, description = "Taken", body = CheckpointView), MaybeProposed, Problems))]
pub(super) async fn create(write: WriteRecord<TakeCheckpoint>, body: Body<CheckpointRequest>) -> Result<ApiResponse, ApiError> {
    let CheckpointRequest { name, note, reason: given } = body.value;
    let given = given.or_else(|| write.given_reason());
    let why = reason(&format!("took checkpoint {name}"), given.as_deref());
    let taking = NewCheckpoint {
        name,
        note,
        by: write.permit.author().actor,
        at: write.now(),
        judgement: None,
    };
    let asked = (checkpoint::take(taking), why);
    let (_, reply) = submit(write, &body.digest, asked, StatusCode::CREATED, put).await?;
    Ok(reply)
}

/// Marks a checkpoint as known-good, with evidence.
#[utoipa::path(post, path = "/v1/environments/{env}/checkpoints/{key}/vouch", tag = "checkpoints", operation_id = "vouchCheckpoint",
    params(crate::api::path::EnvironmentPath, ("key" = String, Path, description = "Its name", example = "before-web-12"), WriteQuery, WriteHeaders),
    request_body(content = VouchRequest, example = json!({"evidence": "an hour at full traffic", "figures": {"error_rate": 0.002}})),
    responses((status = 200, description = "Vouched for", body = CheckpointView), MaybeProposed, Problems))]
pub(super) async fn vouch(write: WriteRecord<Vouch>, name: PathKey<TargetName>, body: Body<VouchRequest>) -> Result<ApiResponse, ApiError> {
    let PathKey(name) = name;
    let VouchRequest { evidence, figures } = body.value;
    let judgement = Judgement {
        verdict: CheckpointVerdict::Vouched,
        by: write.permit.author().actor,
        at: write.now(),
        evidence: Some(evidence.clone()),
        figures,
    };
    let own = format!("vouched for checkpoint {name}");
    judge(write, name, judgement, reason(&own, Some(&evidence)), &body.digest).await
}

/// Marks a checkpoint as doubted: no longer known-good.
#[utoipa::path(post, path = "/v1/environments/{env}/checkpoints/{key}/doubt", tag = "checkpoints", operation_id = "doubtCheckpoint",
    params(crate::api::path::EnvironmentPath, ("key" = String, Path, description = "Its name", example = "before-web-12"), WriteQuery, WriteHeaders),
    request_body(content = Option<DoubtRequest>, example = json!({"reason": "orders of that evening were lost"})),
    responses((status = 200, description = "Doubted", body = CheckpointView), MaybeProposed, Problems))]
pub(super) async fn doubt(write: WriteRecord<Vouch>, name: PathKey<TargetName>, body: OptionalBody<DoubtRequest>) -> Result<ApiResponse, ApiError> {
    let PathKey(name) = name;
    let given = body.value.unwrap_or_default().reason;
    let given = given.or_else(|| write.given_reason());
    let judgement = Judgement {
        verdict: CheckpointVerdict::Doubted,
        by: write.permit.author().actor,
        at: write.now(),
        evidence: given.clone(),
        figures: serde_json::Map::new(),
    };
    let why = reason(&format!("doubted checkpoint {name}"), given.as_deref());
    judge(write, name, judgement, why, &body.digest).await
}

async fn judge<A: Allows>(write: WriteRecord<A>, name: TargetName, judgement: Judgement, why: String, digest: &Digest) -> Result<ApiResponse, ApiError> {
    let expected = read_before(write.condition)?;
    let asked = (checkpoint::judge(name, judgement, expected), why);
    let (_, reply) = submit(write, digest, asked, StatusCode::OK, put).await?;
    Ok(reply)
}

/// Deletes a checkpoint. The baseline of a release cannot be deleted.
#[utoipa::path(delete, path = "/v1/environments/{env}/checkpoints/{key}", tag = "checkpoints", operation_id = "deleteCheckpoint",
    params(crate::api::path::EnvironmentPath, ("key" = String, Path, description = "Its name", example = "before-web-12"), WriteQuery, WriteHeaders),
    responses((status = 200, description = "Deleted; its revision stays in the log", body = Object), MaybeProposed, Problems))]
pub(super) async fn delete(write: WriteRecord<TakeCheckpoint>, name: PathKey<TargetName>) -> Result<ApiResponse, ApiError> {
    let PathKey(name) = name;
    let expected = read_before(write.condition)?;
    let given = write.given_reason();
    let why = reason(&format!("deleted checkpoint {name}"), given.as_deref());
    let asked = (checkpoint::delete(name, expected), why);
    let deleted = |made: &Applied| {
        let name = made.changes.iter().find_map(deleted_name);
        Ok(serde_json::json!({"name": name, "revision": null}))
    };
    let (_, reply) = submit(write, &NO_BODY, asked, StatusCode::OK, deleted).await?;
    Ok(reply)
}

fn deleted_name(change: &Change) -> Option<&str> {
    if let Change::DeleteRecord(key) = change { Some(key.as_str()) } else { None }
}

/// The checkpoint that a commit wrote.
fn put(made: &Applied) -> Result<CheckpointView, ApiError> {
    let checkpoint = made.changes.iter().find_map(|change| {
        let Change::PutRecord(Record::Checkpoint(entry)) = change else { return None };
        entry.value().ok()
    });
    checkpoint.map(|checkpoint| checkpoint::view(&made.records, checkpoint)).ok_or_else(lost)
}
