//! `/v1/audit` and `/v1/audit/verify`: the logs as they stand, and the proof that they are whole.

use actix_web::web;
use ripcord_proto::Sequence;
use ripcord_proto::problem::{Code, Problem};
use ripcord_proto::rest::list::Page;
use ripcord_proto::rest::log::{AuditReport, LogEntry};

use super::revisions::sequence;
use super::rooms::Rooms;
use crate::access::Access;
use crate::access::extract::Caller;
use crate::access::permit::{Administer, Read};
use crate::audit::{self, LogPage};
use crate::http::query::{Limit, Query};
use crate::http::{Refusal, Reply};
use crate::store::LogName;

/// `GET /v1/audit`: of which log.
#[derive(Debug, serde::Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct AuditQuery {
    /// An environment's name, or `system` for keys and environments.
    #[param(example = "production")]
    log: String,
    /// The `next` of the page before.
    after: Option<String>,
    /// Items of a page: 1 to 1,000, else 100.
    #[serde(default)]
    #[param(value_type = Option<u16>, minimum = 1, maximum = 1000)]
    limit: Limit,
}

/// A log's entries, newest first, records among them.
#[utoipa::path(get, path = "/v1/audit", tag = "history", params(AuditQuery),
    responses((status = 200, description = "A page of entries", body = Page<LogEntry>), (status = "4XX", body = Problem)))]
pub(super) async fn list(caller: Caller, access: web::Data<Access>, query: Query<AuditQuery>, rooms: web::Data<Rooms>) -> Result<Reply, Refusal> {
    let Query(query) = query;
    let (log, head) = readable(&caller, &access, &rooms, &query.log)?;
    let before = query.after.as_deref().map(sequence).transpose()?.unwrap_or(head.next());
    let LogPage { entries, next } = audit::newest_first(&**rooms.store(), &log, before, query.limit.get(), |_| true).await?;
    let stale = rooms.stale();
    let page = Page {
        items: entries.iter().map(|entry| audit::summary(&log, entry)).collect::<Vec<_>>(),
        next: next.map(|sequence| sequence.to_string()),
        stale: stale.is_some(),
    };
    Ok(Reply::ok(&page)?.stale(stale))
}

/// The log of that name, where the caller may read it.
fn readable(caller: &Caller, access: &Access, rooms: &Rooms, name: &str) -> Result<(LogName, Sequence), Refusal> {
    let log = LogName::parse(name).map_err(|faults| Refusal::bad_parameter("log", faults))?;
    match log {
        LogName::System => {
            let clearance = Access::clear::<Administer>(&caller.holder, caller.author.clone())?;
            Ok(rooms.system_log(&clearance))
        }
        LogName::Environment(key) => {
            let permit = access.permit::<Read>(&caller.holder, caller.author.clone(), &key)?;
            rooms.log(&permit)
        }
    }
}

/// `GET /v1/audit/verify`: of which log.
#[derive(Debug, serde::Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct VerifyQuery {
    /// One log; else all that the key may read.
    log: Option<String>,
}

/// Proves the hash chains from the first entry on, out of what is stored.
#[utoipa::path(get, path = "/v1/audit/verify", tag = "history", params(VerifyQuery),
    responses((status = 200, description = "Log by log, whether it is whole", body = AuditReport), (status = "4XX", body = Problem)))]
pub(super) async fn verify(caller: Caller, access: web::Data<Access>, query: Query<VerifyQuery>, rooms: web::Data<Rooms>) -> Result<Reply, Refusal> {
    let Query(query) = query;
    let logs = match query.log {
        Some(name) => vec![readable(&caller, &access, &rooms, &name)?],
        None => all_readable(&caller, &access, &rooms)?,
    };
    if logs.is_empty() {
        return Err(Refusal::new(Code::NotFound, "There is no log that this key may read."));
    }
    let mut reports = Vec::with_capacity(logs.len());
    for (log, head) in &logs {
        reports.push(audit::verify(&**rooms.store(), log, *head).await);
    }
    let whole = reports.iter().all(|report| report.fault.is_none());
    Reply::ok(&AuditReport { whole, logs: reports })
}

fn all_readable(caller: &Caller, access: &Access, rooms: &Rooms) -> Result<Vec<(LogName, Sequence)>, Refusal> {
    let system = Access::clear::<Administer>(&caller.holder, caller.author.clone()).ok();
    let mut logs: Vec<_> = system.iter().map(|clearance| rooms.system_log(clearance)).collect();
    for permit in access.permits::<Read>(&caller.holder, &caller.author)? {
        logs.push(rooms.log(&permit)?);
    }
    Ok(logs)
}
