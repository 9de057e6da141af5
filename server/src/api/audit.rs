//! `/v1/audit` and `/v1/audit/verify`: the logs, and the verification of their hash chains.

use actix_web::web;
use ripcord_proto::Sequence;
use ripcord_proto::problem::Code;
use ripcord_proto::rest::list::Page;
use ripcord_proto::rest::log::{AuditReport, LogEntry};

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

fn all_readable(caller: &Caller, access: &Access, app: &AppState) -> Result<Vec<(LogName, Sequence)>, ApiError> {
    let system = Access::permit_globally::<Administer>(&caller.principal, caller.author.clone()).ok();
    let mut logs: Vec<_> = system.iter().map(|permit| app.system_log(permit)).collect();
    for permit in access.permits::<Read>(&caller.principal, &caller.author)? {
        logs.push(EnvironmentReader::open(app, &permit).log()?);
    }
    Ok(logs)
}
