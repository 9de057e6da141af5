//! `drills`: reports of rehearsed rollbacks. A drill runs on the machine that starts it; the server only keeps its report.

use std::borrow::Borrow as _;

use actix_web::http::StatusCode;
use ripcord_proto::drill::{Drill, DrillId};
use ripcord_proto::limits;
use ripcord_proto::problem::Code;
use ripcord_proto::record::RecordKey;
use ripcord_proto::rest::drills::{DrillRecorded, DrillRequest};
use ripcord_proto::rest::list::Page;
use ripcord_proto::table::Table;

use super::page;
use super::path::PathKey;
use super::services::guarded::{EnvironmentReader, Guarded};
use super::write::{Write, WriteRequest, answer, reply};
use crate::access::permit::{KeepDrill, Read};
use crate::clock::new_id;
use crate::commit::{Expected, Operation};
use crate::http::documented::{Problems, WriteHeaders};
use crate::http::query::{PageQuery, Query, WriteQuery};
use crate::http::{ApiError, ApiResponse, Body};

/// The stored reports, newest first.
#[utoipa::path(get, path = "/v1/environments/{env}/drills", tag = "drills", operation_id = "listDrills",
    params(crate::api::path::EnvironmentPath, PageQuery),
    responses((status = 200, description = "A page of reports", body = Page<Drill>), Problems))]
pub(super) async fn list(environment: Guarded<Read, EnvironmentReader>, query: Query<PageQuery>) -> Result<ApiResponse, ApiError> {
    let (records, stale, Query(query)) = (environment.records()?, environment.stale(), query);
    // An id sorts by its time of making.
    let newest_first = records.drills.values().rev();
    let page = page::newest_first(newest_first, |drill| drill.id.as_str(), Drill::clone, &query, stale.is_some());
    Ok(ApiResponse::ok(&page)?.stale(stale))
}

/// One report.
#[utoipa::path(get, path = "/v1/environments/{env}/drills/{key}", tag = "drills", operation_id = "getDrill",
    params(crate::api::path::EnvironmentPath, ("key" = String, Path, description = "The drill's id", example = "d_01jd3x7q8v9w0y2z4a6b8c0d2e")),
    responses((status = 200, description = "The report", body = Drill), Problems))]
pub(super) async fn get(environment: Guarded<Read, EnvironmentReader>, id: PathKey<DrillId>) -> Result<ApiResponse, ApiError> {
    let (records, PathKey(id)) = (environment.records()?, id);
    let found = records.drills.value(id.borrow());
    let drill = found.ok_or_else(|| {
        let kept = limits::DRILLS;
        ApiError::new(
            Code::NotFound,
            format!("No drill {id}. The newest {kept} are kept; list them with `ripcord drill list`."),
        )
    })?;
    Ok(ApiResponse::ok(drill)?.stale(environment.stale()))
}

/// Stores the report of a drill. The newest 200 are kept.
#[utoipa::path(post, path = "/v1/environments/{env}/drills", tag = "drills", operation_id = "createDrill",
    params(crate::api::path::EnvironmentPath, WriteQuery, WriteHeaders),
    request_body(content = DrillRequest, example = json!({"scenario": "happy-path", "store": "embedded", "fork": "production at 1:41", "applications": 5,
        "verdicts": [{"name": "every application is back at known-good", "passed": true, "detail": "5 of 5"}], "figures": {"back_ms": 12.4}})),
    responses((status = 201, description = "Kept", body = DrillRecorded), Problems))]
pub(super) async fn keep(write: Write<KeepDrill>, body: Body<DrillRequest>) -> Result<ApiResponse, ApiError> {
    let kept = write.part::<EnvironmentReader>().records()?.drills.clone();
    let now = write.now();
    let drill = Drill {
        id: new_id(now, DrillId::from_parts),
        scenario: body.value.scenario,
        store: body.value.store,
        fork: body.value.fork,
        passed: body.value.verdicts.iter().all(|verdict| verdict.passed),
        by: write.permit.author().actor,
        at: now,
        applications: body.value.applications,
        verdicts: body.value.verdicts,
        figures: body.value.figures,
    };
    let put = Operation::put_record(drill.id.clone(), drill.clone(), Expected::Absent)?;
    let asked = WriteRequest {
        operations: std::iter::once(put).chain(surplus(&kept)).collect(),
        ..WriteRequest::default()
    };
    let kept = DrillRecorded { drill, revision: None };
    let prepared = write.prepare(asked, &body.digest, move |_| answer(StatusCode::CREATED, &kept));
    let committed = prepared.submit().await?;
    reply(&committed.answer, committed.replayed, None)
}

/// Deletes the oldest reports to make room for one more.
fn surplus(kept: &Table<Drill>) -> impl Iterator<Item = Operation> {
    let oldest = kept.iter().take((kept.len() + 1).saturating_sub(limits::DRILLS));
    oldest.map(|entry| Operation::DeleteRecord(RecordKey::Drill(entry.key().clone()), Expected::Anything))
}
