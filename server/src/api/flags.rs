//! `flags` and `flags/{key}`.

use std::sync::Arc;

use actix_web::HttpRequest;
use actix_web::http::StatusCode;
use ripcord_proto::flag::Flag;
use ripcord_proto::key::Tag;
use ripcord_proto::rest::flags::{FlagKill, FlagPatch, FlagView};
use ripcord_proto::rest::list::Page;
use ripcord_proto::rest::responses::WriteResponse;
use ripcord_proto::table::Entry;
use ripcord_proto::{FlagKey, Position};

use super::page;
use super::path::PathKey;
use super::preconditions::of_flag;
use super::services::confirmations::Confirmations;
use super::services::guarded::{EnvironmentReader, Guarded};
use super::write::{Answered, Write, WriteRequest, reply, written};
use crate::access::permit::{Edit, Read};
use crate::commit::{CommitError, MissingItem, Operation};
use crate::http::documented::{MaybeProposed, Problems, WriteHeaders};
use crate::http::precondition::has_already;
use crate::http::query::{Limit, PageQuery, Query, Wait};
use crate::http::{ApiError, ApiResponse, Body};
use crate::snapshot::publication::Served;

/// Query of `GET flags`.
#[derive(Debug, serde::Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct FlagsQuery {
    /// The `next` of the previous page.
    after: Option<String>,
    /// Items per page: 1 to 1,000, 100 by default.
    #[serde(default)]
    #[param(value_type = Option<u16>, minimum = 1, maximum = 1000)]
    limit: Limit,
    /// Only flags with this tag.
    #[param(value_type = Option<String>)]
    tag: Option<Tag>,
    /// Only flags whose key, description or owner contains this text, ignoring case.
    search: Option<String>,
    /// Only flags that are killed, or only those that are not.
    killed: Option<bool>,
    /// Only flags that are enabled, or only those that are not.
    enabled: Option<bool>,
}

impl FlagsQuery {
    fn takes(&self, entry: &Entry<Flag>, served: &Served) -> bool {
        let flag = entry.value().ok();
        let tag = |tag: &Tag| flag.is_some_and(|flag| flag.tags.contains(tag));
        self.tag.as_ref().is_none_or(tag)
            && self.enabled.is_none_or(|enabled| flag.is_some_and(|flag| flag.enabled == enabled))
            && self.killed.is_none_or(|killed| killed == is_killed(served, entry.key()))
            && self.search.as_ref().is_none_or(|text| found_in(&text.to_lowercase(), entry))
    }
}

fn found_in(text: &str, entry: &Entry<Flag>) -> bool {
    let flag = entry.value().ok();
    let prose = flag.into_iter().flat_map(|flag| [flag.description.as_deref(), flag.owner.as_deref()]).flatten();
    std::iter::once(entry.key().as_str())
        .chain(prose)
        .any(|candidate| candidate.to_lowercase().contains(text))
}

fn is_killed(served: &Served, key: &FlagKey) -> bool {
    served.snapshot.kills_of(key.as_str()).next().is_some() || served.overlay.kills.values().any(|kill| kill.covers(key.as_str()))
}

fn view(entry: &Entry<Flag>, served: &Served, stale: bool) -> FlagView {
    let key = entry.key();
    let committed = served.snapshot.kills_of(key.as_str()).map(|kill| (kill, false));
    let provisional = served.overlay.kills.values().filter(|kill| kill.covers(key.as_str())).map(|kill| (kill, true));
    let kills = committed.chain(provisional).map(|(kill, provisional)| FlagKill {
        id: kill.id.clone(),
        reason: kill.reason.clone(),
        provisional,
    });
    FlagView {
        key: key.clone(),
        epoch: entry.changed().epoch,
        revision: entry.changed().revision,
        flag: entry.json().to_owned(),
        kills: kills.collect(),
        stale,
    }
}

/// The flags of an environment, by key.
#[utoipa::path(get, path = "/v1/environments/{env}/flags", tag = "flags", operation_id = "listFlags",
    params(crate::api::path::EnvironmentPath, FlagsQuery),
    responses((status = 200, description = "A page of flags", body = Page<FlagView>), Problems))]
pub(super) async fn list(environment: Guarded<Read, EnvironmentReader>, query: Query<FlagsQuery>) -> Result<ApiResponse, ApiError> {
    let (served, stale, Query(query)) = (environment.served()?, environment.stale(), query);
    let found = served.snapshot.flags.iter().filter(|entry| query.takes(entry, &served));
    let view = |entry: &Arc<Entry<Flag>>| view(entry, &served, false);
    let pages = PageQuery {
        after: query.after.clone(),
        limit: query.limit,
    };
    let page = page::by_name(found, |entry| entry.key().as_str(), view, &pages, stale.is_some());
    Ok(ApiResponse::ok(&page)?.etag(served.snapshot.position).stale(stale))
}

/// One flag as it was sent, and the kills that cover it.
#[utoipa::path(get, path = "/v1/environments/{env}/flags/{key}", tag = "flags", operation_id = "getFlag",
    params(crate::api::path::EnvironmentPath, ("key" = String, Path, description = "Its key; send / as %2F", example = "checkout-v2")),
    responses((status = 200, description = "The flag; its ETag is for If-Match", body = FlagView), (status = 304, description = "If-None-Match names its ETag"),
        Problems))]
pub(super) async fn get(environment: Guarded<Read, EnvironmentReader>, key: PathKey<FlagKey>, request: HttpRequest) -> Result<ApiResponse, ApiError> {
    let (served, stale, PathKey(key)) = (environment.served()?, environment.stale(), key);
    let entry = served.snapshot.flags.get(key.as_str()).ok_or_else(|| no_flag(&served, &key))?;
    let kills_since = served.snapshot.kills.iter().map(|kill| kill.changed()).max().unwrap_or(Position::START);
    // The kills are part of the answer and not of the ETag: a 304 must not hide one that came since.
    if kills_since <= entry.changed() && served.overlay.kills.is_empty() && has_already(&request, entry.changed()) {
        return Ok(ApiResponse::unchanged(entry.changed()));
    }
    Ok(ApiResponse::ok(&view(entry, &served, stale.is_some()))?.etag(entry.changed()).stale(stale))
}

/// The problem of an unknown flag, with the most similar key.
pub(super) fn no_flag(served: &Served, key: &FlagKey) -> ApiError {
    CommitError::NotFound(MissingItem::flag(key, &served.snapshot.flags)).into()
}

/// Creates or replaces a flag.
#[utoipa::path(put, path = "/v1/environments/{env}/flags/{key}", tag = "flags", operation_id = "putFlag",
    params(crate::api::path::EnvironmentPath, ("key" = String, Path, example = "checkout-v2"), crate::http::query::WriteQuery, WriteHeaders),
    request_body(content = Flag, example = json!({"description": "New checkout", "variants": {"on": true, "off": false}, "default": "off", "safe": "off",
        "rules": [{"serve": {"split": [{"variant": "on", "weight": 25}, {"variant": "off", "weight": 75}]}}]})),
    responses((status = 200, description = "Changed, or unchanged", body = WriteResponse), (status = 201, description = "Created", body = WriteResponse), MaybeProposed, Problems))]
pub(super) async fn put(write: Write<Edit>, key: PathKey<FlagKey>, body: Body<Flag>) -> Result<ApiResponse, ApiError> {
    let PathKey(key) = key;
    let environment = write.part::<EnvironmentReader>();
    let status = if environment.served()?.snapshot.flags.get(key.as_str()).is_some() {
        StatusCode::OK
    } else {
        StatusCode::CREATED
    };
    let asked = WriteRequest::one(Operation::PutFlag(key.clone(), Box::new(body.value))).under(of_flag(write.condition, &key));
    let (wait, confirmations) = (write.wait(), write.confirmations());
    let prepared = write.prepare(asked, &body.digest, move |made| written(made, status));
    let committed = prepared.submit().await?;
    answer(&confirmations, &environment, &key, &committed, wait).await
}

/// Enables or disables a flag.
#[utoipa::path(patch, path = "/v1/environments/{env}/flags/{key}", tag = "flags", operation_id = "patchFlag",
    params(crate::api::path::EnvironmentPath, ("key" = String, Path, example = "checkout-v2"), crate::http::query::WriteQuery, WriteHeaders),
    request_body(content = FlagPatch, example = json!({"enabled": false, "reason": "not ready"})),
    responses((status = 200, description = "Changed, or unchanged", body = WriteResponse), MaybeProposed, Problems))]
pub(super) async fn patch(write: Write<Edit>, key: PathKey<FlagKey>, body: Body<FlagPatch>) -> Result<ApiResponse, ApiError> {
    let PathKey(key) = key;
    let environment = write.part::<EnvironmentReader>();
    let asked = WriteRequest::one(Operation::SetEnabled(key.clone(), body.value.enabled))
        .under(of_flag(write.condition, &key))
        .because(body.value.reason);
    let (wait, confirmations) = (write.wait(), write.confirmations());
    let prepared = write.prepare(asked, &body.digest, |made| written(made, StatusCode::OK));
    let committed = prepared.submit().await?;
    answer(&confirmations, &environment, &key, &committed, wait).await
}

/// Deletes a flag. Kills that cover it stay in force and cover a new flag with the same key.
#[utoipa::path(delete, path = "/v1/environments/{env}/flags/{key}", tag = "flags", operation_id = "deleteFlag",
    params(crate::api::path::EnvironmentPath, ("key" = String, Path, example = "checkout-v2"), crate::http::query::WriteQuery, WriteHeaders),
    responses((status = 200, description = "Deleted", body = WriteResponse), MaybeProposed, Problems))]
pub(super) async fn delete(write: Write<Edit>, key: PathKey<FlagKey>) -> Result<ApiResponse, ApiError> {
    let PathKey(key) = key;
    let environment = write.part::<EnvironmentReader>();
    let asked = WriteRequest::one(Operation::DeleteFlag(key.clone())).under(of_flag(write.condition, &key));
    let (wait, confirmations) = (write.wait(), write.confirmations());
    let prepared = write.prepare(asked, &super::write::NO_BODY, |made| written(made, StatusCode::OK));
    let committed = prepared.submit().await?;
    answer(&confirmations, &environment, &key, &committed, wait).await
}

async fn answer(
    confirmations: &Confirmations,
    environment: &EnvironmentReader,
    key: &FlagKey,
    committed: &Answered,
    wait: Option<Wait>,
) -> Result<ApiResponse, ApiError> {
    let span = tracing::Span::current();
    span.record("flag", key.as_str()).record("revision", committed.position.revision.0);
    let confirmation = confirmations.of_revision(committed.position, wait).await;
    let reply = reply(&committed.answer, committed.replayed, confirmation)?;
    let last_change = environment.served()?.snapshot.flags.get(key.as_str()).map(|entry| entry.changed());
    Ok(match committed.etag(last_change) {
        Some(position) => reply.etag(position),
        None => reply,
    })
}
