//! `revisions`, `revisions/{n}` and `diff`: the history of an environment.

use actix_web::web;
use ripcord_proto::commit::Sealed;
use ripcord_proto::delta::{Delta, Urgency};
use ripcord_proto::digest::Digest;
use ripcord_proto::problem::{Code, Problem};
use ripcord_proto::rest::list::Page;
use ripcord_proto::rest::log::{LogEntry, LogEntryView, RevisionDiff};
use ripcord_proto::rest::plan::{FlagStep, SegmentStep, SettingsStep};
use ripcord_proto::table::{Entity, Entry, Table};
use ripcord_proto::{Kill, Position, Revision, Sequence, Snapshot, ValidationErrors};

use super::services::AppState;
use crate::access::Permit;
use crate::access::permit::Read;
use crate::audit::{self, LogPage};
use crate::http::query::{PageQuery, Query};
use crate::http::{ApiError, ApiResponse};

/// The commits that made a revision, newest first.
#[utoipa::path(get, path = "/v1/environments/{env}/revisions", tag = "history", params(("env" = String, Path, example = "production"), PageQuery),
    responses((status = 200, description = "A page of commits", body = Page<LogEntry>), (status = "4XX", body = Problem)))]
pub(super) async fn list(permit: Permit<Read>, query: Query<PageQuery>, app: web::Data<AppState>) -> Result<ApiResponse, ApiError> {
    let ((log, head), stale, Query(query)) = (app.log(&permit)?, app.stale(), query);
    let before = query.after.as_deref().map(sequence).transpose()?.unwrap_or(head.next());
    let makes_revision = |entry: &Sealed| entry.commit.revision.is_some();
    let LogPage { entries, next } = audit::newest_first(&**app.store(), &log, before, query.limit.get(), makes_revision).await?;
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
            ValidationErrors::one("", format!("{text:?} is no place in a log; give what `next` says")),
        )
    };
    text.parse().map(Sequence).map_err(|_| wrong())
}

/// One commit, whole, with the digests that chain it to the one before.
#[utoipa::path(get, path = "/v1/environments/{env}/revisions/{key}", tag = "history",
    params(("env" = String, Path, example = "production"), ("key" = String, Path, description = "The revision, or epoch:revision", example = "42")),
    responses((status = 200, description = "The commit", body = LogEntryView), (status = "4XX", body = Problem)))]
pub(super) async fn get(permit: Permit<Read>, path: web::Path<(String, String)>, app: web::Data<AppState>) -> Result<ApiResponse, ApiError> {
    let ((log, head), served) = (app.log(&permit)?, app.served(&permit)?);
    let (_, text) = path.into_inner();
    let position = position("revision", &text, served.snapshot.position)?;
    let found = audit::at(&**app.store(), &log, head, position).await?;
    let (previous, entry): (Digest, Sealed) = found.ok_or_else(|| no_revision(position, &served.snapshot))?;
    let commit = serde_json::value::RawValue::from_string(entry.body.to_string());
    let commit = commit.map_err(|error| ApiError::new(Code::Internal, format!("The commit could not be read: {error}.")))?;
    let view = LogEntryView {
        log: log.to_string(),
        commit,
        digest: entry.digest,
        previous,
    };
    Ok(ApiResponse::ok(&view)?.stale(app.stale()))
}

/// `42`, which is of the current epoch, or `1:42`.
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
        "There is no revision {position} in environment {}; the newest is {}.",
        snapshot.environment, snapshot.position
    );
    ApiError::new(Code::NotFound, detail)
}

/// `GET diff`: between what.
#[derive(Debug, serde::Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct DiffQuery {
    /// The older revision, or `epoch:revision`.
    from: String,
    /// The newer one; else the current one.
    to: Option<String>,
}

/// How two revisions differ: flags and segments before and after, kills pulled and lifted.
#[utoipa::path(get, path = "/v1/environments/{env}/diff", tag = "history", params(("env" = String, Path, example = "production"), DiffQuery),
    responses((status = 200, description = "The difference", body = RevisionDiff), (status = "4XX", body = Problem)))]
pub(super) async fn diff(permit: Permit<Read>, query: Query<DiffQuery>, app: web::Data<AppState>) -> Result<ApiResponse, ApiError> {
    let (served, Query(query)) = (app.served(&permit)?, query);
    let current = served.snapshot.position;
    let from = position("from", &query.from, current)?;
    let to = query.to.as_deref().map_or(Ok(current), |text| position("to", text, current))?;
    let old = app.state_at(&permit, from).await?.ok_or_else(|| no_revision(from, &served.snapshot))?;
    let new = app.state_at(&permit, to).await?.ok_or_else(|| no_revision(to, &served.snapshot))?;
    Ok(ApiResponse::ok(&between(&old, &new))?.stale(app.stale()))
}

fn between(old: &Snapshot, new: &Snapshot) -> RevisionDiff {
    let delta = Delta::between(old, new, new.content_hash(), Urgency::Ordinary);
    let flags = steps(&delta.changed.flags, &delta.removed.flags, &old.flags, |key, from, to| FlagStep {
        key,
        from,
        to,
    });
    let segments = steps(&delta.changed.segments, &delta.removed.segments, &old.segments, |key, from, to| SegmentStep {
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
        settings: delta.changed.settings.map(|to| SettingsStep { from: old.settings, to }),
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
