//! `revisions`, `revisions/{n}` and `diff`: the history of an environment.

use actix_web::web;
use ripcord_proto::commit::Sealed;
use ripcord_proto::delta::{Delta, Urgency};
use ripcord_proto::digest::Digest;
use ripcord_proto::problem::Code;
use ripcord_proto::rest::list::Page;
use ripcord_proto::rest::log::{LogEntry, LogEntryView, RevisionDiff};
use ripcord_proto::rest::plan::{FlagDiff, SegmentDiff, SettingsDiff};
use ripcord_proto::table::{Entity, Entry, Table};
use ripcord_proto::{Kill, Position, Revision, Sequence, Snapshot, ValidationErrors};

use super::services::guarded::{EnvironmentReader, Guarded};
use crate::access::permit::Read;
use crate::audit::{self, LogPage};
use crate::http::documented::Problems;
use crate::http::query::{PageQuery, Query};
use crate::http::{ApiError, ApiResponse, heavy};

/// The commits that have a revision, newest first.
#[utoipa::path(get, path = "/v1/environments/{env}/revisions", tag = "history", operation_id = "listRevisions", params(crate::api::path::EnvironmentPath, PageQuery),
    responses((status = 200, description = "A page of commits", body = Page<LogEntry>), Problems))]
pub(super) async fn list(environment: Guarded<Read, EnvironmentReader>, query: Query<PageQuery>) -> Result<ApiResponse, ApiError> {
    let ((log, head), stale, Query(query)) = (environment.log()?, environment.stale(), query);
    let before = query.after.as_deref().map(sequence).transpose()?.unwrap_or(head.next());
    let makes_revision = |entry: &Sealed| entry.commit.revision.is_some();
    let LogPage { entries, next } = audit::newest_first(environment.store(), &log, before, query.limit.get(), makes_revision).await?;
    let page = Page {
        items: entries.iter().map(|entry| audit::summary(&log, entry)).collect::<Vec<_>>(),
        next: next.map(|sequence| sequence.to_string()),
        stale: stale.is_some(),
    };
    Ok(ApiResponse::ok(&page)?.stale(stale))
}

/// The sequence that `after` names.
pub(super) fn sequence(text: &str) -> Result<Sequence, ApiError> {
    let wrong = || {
        ApiError::bad_parameter(
            "after",
            ValidationErrors::one("", format!("invalid cursor {text:?}; pass the `next` of the previous page")),
        )
    };
    text.parse().map(Sequence).map_err(|_| wrong())
}

/// One commit in full, with the digests that chain it to the previous one.
#[utoipa::path(get, path = "/v1/environments/{env}/revisions/{key}", tag = "history", operation_id = "getRevision",
    params(crate::api::path::EnvironmentPath, ("key" = String, Path, description = "The revision, or epoch:revision", example = "42")),
    responses((status = 200, description = "The commit", body = LogEntryView), Problems))]
pub(super) async fn get(environment: Guarded<Read, EnvironmentReader>, path: web::Path<(String, String)>) -> Result<ApiResponse, ApiError> {
    let ((log, head), served) = (environment.log()?, environment.served()?);
    let (_, text) = path.into_inner();
    let position = position("revision", &text, served.snapshot.position)?;
    let found = audit::at(environment.store(), &log, head, position).await?;
    let (previous, entry): (Digest, Sealed) = found.ok_or_else(|| no_revision(position, &served.snapshot))?;
    let commit = serde_json::value::RawValue::from_string(entry.body.to_string());
    let commit = commit.map_err(|error| ApiError::new(Code::Internal, format!("The commit could not be read: {error}.")))?;
    let view = LogEntryView {
        log: log.to_string(),
        commit,
        digest: entry.digest,
        previous,
    };
    Ok(ApiResponse::ok(&view)?.stale(environment.stale()))
}

/// Parses `42` (of the current epoch) or `1:42`.
pub(super) fn position(name: &str, text: &str, current: Position) -> Result<Position, ApiError> {
    if let Ok(revision) = text.parse() {
        return Ok(Position {
            epoch: current.epoch,
            revision: Revision(revision),
        });
    }
    text.parse().map_err(|faults| ApiError::bad_parameter(name, faults))
}

fn no_revision(position: Position, snapshot: &Snapshot) -> ApiError {
    let detail = format!(
        "No revision {position} in environment {}; the newest is {}.",
        snapshot.environment, snapshot.position
    );
    ApiError::new(Code::NotFound, detail)
}

/// Query of `GET diff`.
#[derive(Debug, serde::Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct DiffQuery {
    /// The older revision, or `epoch:revision`.
    from: String,
    /// The newer revision; the current one by default.
    to: Option<String>,
}

/// How two revisions differ: flags and segments before and after, kills pulled and lifted.
#[utoipa::path(get, path = "/v1/environments/{env}/diff", tag = "history", operation_id = "diffRevisions", params(crate::api::path::EnvironmentPath, DiffQuery),
    responses((status = 200, description = "The difference", body = RevisionDiff), Problems))]
pub(super) async fn diff(environment: Guarded<Read, EnvironmentReader>, query: Query<DiffQuery>) -> Result<ApiResponse, ApiError> {
    let (served, Query(query)) = (environment.served()?, query);
    let current = served.snapshot.position;
    let from = position("from", &query.from, current)?;
    let to = query.to.as_deref().map_or(Ok(current), |text| position("to", text, current))?;
    heavy(async move {
        let old = environment.state_at(from).await?.ok_or_else(|| no_revision(from, &served.snapshot))?;
        let new = environment.state_at(to).await?.ok_or_else(|| no_revision(to, &served.snapshot))?;
        Ok(ApiResponse::ok(&between(&old, &new))?.stale(environment.stale()))
    })
    .await
}

fn between(old: &Snapshot, new: &Snapshot) -> RevisionDiff {
    let delta = Delta::between(old, new, new.content_hash(), Urgency::Ordinary);
    let flags = steps(&delta.changed.flags, &delta.removed.flags, &old.flags, |key, from, to| FlagDiff {
        key,
        from,
        to,
    });
    let segments = steps(&delta.changed.segments, &delta.removed.segments, &old.segments, |key, from, to| SegmentDiff {
        key,
        from,
        to,
    });
    let pulled = delta.changed.kills.iter().filter(|entry| old.kills.get(entry.key().as_str()).is_none());
    let restored = delta.removed.kills.iter().filter_map(|id| old.kills.value(id.as_str()));
    RevisionDiff {
        epoch: new.position.epoch,
        from: old.position.revision,
        to: new.position.revision,
        flags,
        segments,
        killed: pulled.filter_map(|entry| entry.value().ok()).cloned().collect::<Vec<Kill>>(),
        restored: restored.cloned().collect(),
        settings: delta.changed.settings.clone().map(|to| SettingsDiff {
            from: old.settings.clone(),
            to,
        }),
    }
}

type Json = Option<Box<serde_json::value::RawValue>>;

fn steps<M: Entity, S>(changed: &Table<M>, removed: &[M::Key], old: &Table<M>, step: impl Fn(M::Key, Json, Json) -> S) -> Vec<S> {
    let json = |entry: &Entry<M>| entry.json().to_owned();
    let was = |key: &M::Key| old.get(std::borrow::Borrow::borrow(key)).map(|entry| json(entry));
    let put = changed.iter().map(|entry| step(entry.key().clone(), was(entry.key()), Some(json(entry))));
    let gone = removed.iter().map(|key| step(key.clone(), was(key), None));
    put.chain(gone).collect()
}
