//! `/v1/audit`, `/v1/audit/verify` and `/v1/audit/orphans`: the logs, the verification of their hash chains, and what they lost.

use actix_web::web;
use ripcord_proto::problem::Code;
use ripcord_proto::rest::list::Page;
use ripcord_proto::rest::log::{AuditReport, LogEntry, OrphanView};
use ripcord_proto::{Sequence, ValidationErrors};

use super::authorize::Caller;
use super::revisions::sequence;
use super::services::AppState;
use super::services::guarded::{EnvironmentReader, OpenedBy as _};
use crate::access::Access;
use crate::access::permit::{Administer, Read};
use crate::audit::{self, LogPage};
use crate::http::documented::Problems;
use crate::http::query::{Limit, Query};
use crate::http::{ApiError, ApiResponse, heavy};
use crate::store::LogName;

/// Query of `GET /v1/audit`.
#[derive(Debug, serde::Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct AuditQuery {
    /// An environment's name, or `system` for keys and environments.
    #[param(example = "production")]
    log: String,
    /// The `next` of the previous page.
    after: Option<String>,
    /// Items per page: 1 to 1,000, 100 by default.
    #[serde(default)]
    #[param(value_type = Option<u16>, minimum = 1, maximum = 1000)]
    limit: Limit,
}

/// The entries of a log, newest first, including those of records.
#[utoipa::path(get, path = "/v1/audit", tag = "history", operation_id = "listAudit", params(AuditQuery),
    responses((status = 200, description = "A page of entries", body = Page<LogEntry>), Problems))]
pub(super) async fn list(caller: Caller, access: web::Data<Access>, query: Query<AuditQuery>, app: web::Data<AppState>) -> Result<ApiResponse, ApiError> {
    let Query(query) = query;
    let (log, head) = readable(&caller, &access, &app, &query.log)?;
    let before = query.after.as_deref().map(sequence).transpose()?.unwrap_or(head.next());
    let LogPage { entries, next } = audit::newest_first(&**app.store(), &log, before, query.limit.get(), |_| true).await?;
    let stale = app.stale();
    let page = Page {
        items: entries.iter().map(|entry| audit::summary(&log, entry)).collect::<Vec<_>>(),
        next: next.map(|sequence| sequence.to_string()),
        stale: stale.is_some(),
    };
    Ok(ApiResponse::ok(&page)?.stale(stale))
}

/// The log of that name, if the caller may read it.
fn readable(caller: &Caller, access: &Access, app: &AppState, name: &str) -> Result<(LogName, Sequence), ApiError> {
    let log = LogName::parse(name).map_err(|faults| ApiError::bad_parameter("log", faults))?;
    match log {
        LogName::System => {
            let permit = Access::permit_globally::<Administer>(&caller.principal, caller.author.clone())?;
            Ok(app.system_log(&permit))
        }
        LogName::Environment(key) => {
            let permit = access.permit::<Read>(&caller.principal, caller.author.clone(), &key)?;
            EnvironmentReader::open(app, &permit).log()
        }
    }
}

/// Query of `GET /v1/audit/verify`.
#[derive(Debug, serde::Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct VerifyQuery {
    /// One log; by default, all that the key may read.
    log: Option<String>,
}

/// Verifies the hash chain of each log from its first entry, as stored.
#[utoipa::path(get, path = "/v1/audit/verify", tag = "history", operation_id = "verifyAudit", params(VerifyQuery),
    responses((status = 200, description = "Whether each log is intact", body = AuditReport), Problems))]
pub(super) async fn verify(caller: Caller, access: web::Data<Access>, query: Query<VerifyQuery>, app: web::Data<AppState>) -> Result<ApiResponse, ApiError> {
    let Query(query) = query;
    let logs = match query.log {
        Some(name) => vec![readable(&caller, &access, &app, &name)?],
        None => all_readable(&caller, &access, &app)?,
    };
    if logs.is_empty() {
        return Err(ApiError::new(Code::NotFound, "This key is not allowed to read any log."));
    }
    heavy(async move {
        let mut reports = Vec::with_capacity(logs.len());
        for (log, head) in &logs {
            reports.push(audit::verify(&**app.store(), log, *head).await);
        }
        let whole = reports.iter().all(|report| report.fault.is_none());
        ApiResponse::ok(&AuditReport { whole, logs: reports })
    })
    .await
}

/// Query of `GET /v1/audit/orphans`.
#[derive(Debug, serde::Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct OrphansQuery {
    /// One log; by default, all that the key may read.
    log: Option<String>,
    /// The `next` of the previous page.
    after: Option<String>,
    /// Items per page: 1 to 1,000, 100 by default.
    #[serde(default)]
    #[param(value_type = Option<u16>, minimum = 1, maximum = 1000)]
    limit: Limit,
}

/// Entries that this node had, but that its logs lack since another node filled the store again, newest first: at most the last 1,000.
/// Their kills and revocations were merged; the rest was not applied again. Each node lists its own.
#[utoipa::path(get, path = "/v1/audit/orphans", tag = "history", operation_id = "listOrphans", params(OrphansQuery),
    responses((status = 200, description = "The orphaned entries", body = Page<OrphanView>), Problems))]
pub(super) async fn orphans(caller: Caller, access: web::Data<Access>, query: Query<OrphansQuery>, app: web::Data<AppState>) -> Result<ApiResponse, ApiError> {
    let Query(query) = query;
    let logs = match query.log {
        Some(name) => vec![readable(&caller, &access, &app, &name)?],
        None => all_readable(&caller, &access, &app)?,
    };
    let logs = logs.into_iter().map(|(log, _)| log).collect();
    let orphans = app.environments().orphans().of(&logs);
    let seen: usize = match query.after.as_deref() {
        Some(after) => after
            .parse()
            .map_err(|_| ApiError::bad_parameter("after", ValidationErrors::one("", "is not the next of a page")))?,
        None => 0,
    };
    let until = seen.saturating_add(query.limit.get());
    ApiResponse::ok(&Page {
        items: orphans
            .iter()
            .skip(seen)
            .take(query.limit.get())
            .map(|orphan| audit::orphan(orphan, access.node()))
            .collect(),
        next: (until < orphans.len()).then(|| until.to_string()),
        stale: false,
    })
}

fn all_readable(caller: &Caller, access: &Access, app: &AppState) -> Result<Vec<(LogName, Sequence)>, ApiError> {
    let system = Access::permit_globally::<Administer>(&caller.principal, caller.author.clone()).ok();
    let mut logs: Vec<_> = system.iter().map(|permit| app.system_log(permit)).collect();
    for permit in access.permits::<Read>(&caller.principal, &caller.author)? {
        logs.push(EnvironmentReader::open(app, &permit).log()?);
    }
    Ok(logs)
}
