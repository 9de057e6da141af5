//! `releases` and `releases/{name}`.

use std::collections::BTreeSet;
use std::sync::Arc;

use actix_web::http::StatusCode;
use ripcord_proto::problem::Code;
use ripcord_proto::release::Release;
use ripcord_proto::rest::list::Page;
use ripcord_proto::rest::releases::{ReleaseDetail, ReleasePatch, ReleaseRequest, ReleaseView};
use ripcord_proto::{ReleaseName, TargetName};

use super::page;
use super::path::PathKey;
use super::records::{lost, read_before, reason, submit};
use super::services::guarded::{EnvironmentReader, Guarded};
use super::write::{NO_BODY, WriteRecord};
use crate::access::permit::{ManageRelease, Read};
use crate::commit::state::EnvironmentState;
use crate::commit::{Applied, CommitError, MissingItem};
use crate::http::documented::{MaybeProposed, Problems, WriteHeaders};
use crate::http::query::{PageQuery, Query, WriteQuery};
use crate::http::{ApiError, ApiResponse, Body};
use crate::release::{self, NewRelease};

/// The releases, newest first, with what is still missing in a protected environment.
#[utoipa::path(get, path = "/v1/environments/{env}/releases", tag = "releases", operation_id = "listReleases",
    params(crate::api::path::EnvironmentPath, PageQuery),
    responses((status = 200, description = "A page of releases", body = Page<ReleaseView>), Problems))]
pub(super) async fn list(environment: Guarded<Read, EnvironmentReader>, query: Query<PageQuery>) -> Result<ApiResponse, ApiError> {
    let (state, stale, Query(query)) = (environment.state()?, environment.stale(), query);
    let mut releases: Vec<&Release> = state.records.releases.values().collect();
    releases.sort_by(|a, b| (b.at, &b.name).cmp(&(a.at, &a.name)));
    let now = environment.now();
    let view = |release: &&Release| release::view(&state, release, &BTreeSet::new(), now);
    let page = page::listed(&releases, |release| release.name.to_string(), view, &query, stale.is_some());
    Ok(ApiResponse::ok(&page)?.stale(stale))
}

/// One release: its changes against the baseline, how long it can still be rolled back as planned, and what is still missing.
#[utoipa::path(get, path = "/v1/environments/{env}/releases/{key}", tag = "releases", operation_id = "getRelease",
    params(crate::api::path::EnvironmentPath, ("key" = String, Path, description = "Its name", example = "web-2026.11.24")),
    responses((status = 200, description = "The release", body = ReleaseDetail), Problems))]
pub(super) async fn get(environment: Guarded<Read, EnvironmentReader>, name: PathKey<ReleaseName>) -> Result<ApiResponse, ApiError> {
    let (PathKey(name), stale) = (name, environment.stale());
    let touched = environment.changes_of(&name).await?;
    let state = environment.state()?;
    let entry = state.records.releases.get(name.as_str());
    let entry = entry.ok_or_else(|| CommitError::NotFound(MissingItem::release(&name, &state.records.releases)))?;
    let release = entry
        .value()
        .map_err(|faults| ApiError::new(Code::Internal, format!("The release cannot be read: {faults}.")))?;
    let baseline = environment.resolve(&TargetName::Checkpoint(release.baseline.clone())).await?;
    let flags = touched.flags.keys().cloned().collect();
    let detail = ReleaseDetail {
        view: release::view(&state, release, &flags, environment.now()),
        diff: release::diff(&baseline.state.snapshot, &state.snapshot, &touched),
    };
    Ok(ApiResponse::ok(&detail)?.record_etag(entry.digest()).stale(stale))
}

/// Begins a release and takes its baseline checkpoint, in one commit.
#[utoipa::path(post, path = "/v1/environments/{env}/releases", tag = "releases", operation_id = "createRelease",
    params(crate::api::path::EnvironmentPath, WriteQuery, WriteHeaders),
    request_body(content = ReleaseRequest, example = json!({"name": "web-2026.11.24", "artifact": "web 2026.11.24", "failure": ["more than 1% of checkouts fail"], "window_seconds": 7200, "owners": {"commander": "ana"}})),
    responses((status = 201, description = "Begun", body = ReleaseView), MaybeProposed, Problems))]
pub(super) async fn begin(write: WriteRecord<ManageRelease>, body: Body<ReleaseRequest>) -> Result<ApiResponse, ApiError> {
    let ReleaseRequest { name, details, reason: given } = body.value;
    let given = given.or_else(|| write.given_reason());
    let why = reason(&format!("began release {name}"), given.as_deref());
    let (by, at) = (write.permit.author().actor, write.now());
    let view = viewer(&write, name.clone())?;
    let asked = (release::begin(NewRelease { name, details, by, at }), why);
    let (_, reply) = submit(write, &body.digest, asked, StatusCode::CREATED, view).await?;
    Ok(reply)
}

/// Changes the description of a release: a given member replaces the old one, `null` removes it; `data` and `owners` are changed entry by
/// entry.
#[utoipa::path(patch, path = "/v1/environments/{env}/releases/{key}", tag = "releases", operation_id = "patchRelease",
    params(crate::api::path::EnvironmentPath, ("key" = String, Path, description = "Its name", example = "web-2026.11.24"), WriteQuery, WriteHeaders),
    request_body(content = Object, description = "The members of POST but the name", example = json!({"success": ["orders as before"], "data": {"checkout-v2": "both formats are read"}})),
    responses((status = 200, description = "Changed, or unchanged", body = ReleaseView), MaybeProposed, Problems))]
pub(super) async fn set(write: WriteRecord<ManageRelease>, name: PathKey<ReleaseName>, body: Body<ReleasePatch>) -> Result<ApiResponse, ApiError> {
    let PathKey(name) = name;
    let expected = read_before(write.condition)?;
    let given = body.value.reason.clone().or_else(|| write.given_reason());
    let why = reason(&format!("changed the description of release {name}"), given.as_deref());
    let view = viewer(&write, name.clone())?;
    let asked = (release::set(name, body.value, expected), why);
    let (_, reply) = submit(write, &body.digest, asked, StatusCode::OK, view).await?;
    Ok(reply)
}

/// Finishes a release: no more changes can join it. It can still be rolled back.
#[utoipa::path(post, path = "/v1/environments/{env}/releases/{key}/finish", tag = "releases", operation_id = "finishRelease",
    params(crate::api::path::EnvironmentPath, ("key" = String, Path, description = "Its name", example = "web-2026.11.24"), WriteQuery, WriteHeaders),
    responses((status = 200, description = "Finished", body = ReleaseView), MaybeProposed, Problems))]
pub(super) async fn finish(write: WriteRecord<ManageRelease>, name: PathKey<ReleaseName>) -> Result<ApiResponse, ApiError> {
    let PathKey(name) = name;
    let expected = read_before(write.condition)?;
    let given = write.given_reason();
    let why = reason(&format!("finished release {name}"), given.as_deref());
    let view = viewer(&write, name.clone())?;
    let asked = (release::finish(name, write.permit.author().actor, write.now(), expected), why);
    let (_, reply) = submit(write, &NO_BODY, asked, StatusCode::OK, view).await?;
    Ok(reply)
}

/// The view of a release as a commit wrote it.
fn viewer(write: &WriteRecord<ManageRelease>, name: ReleaseName) -> Result<impl Fn(&Applied) -> Result<ReleaseView, ApiError> + use<>, ApiError> {
    let (state, now) = (write.part::<EnvironmentReader>().state()?, write.now());
    Ok(move |made: &Applied| {
        let state = EnvironmentState {
            records: Arc::clone(&made.records),
            ..EnvironmentState::clone(&state)
        };
        let release = state.records.releases.value(name.as_str()).ok_or_else(lost)?;
        Ok(release::view(&state, release, &BTreeSet::new(), now))
    })
}
