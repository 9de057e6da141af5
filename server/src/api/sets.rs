//! `sets`: which file sets there are, and what each owns.

use std::collections::BTreeMap;

use actix_web::web;
use ripcord_proto::SetName;
use ripcord_proto::ownership::OwnedEntry;
use ripcord_proto::problem::Problem;
use ripcord_proto::rest::list::Page;
use ripcord_proto::rest::sets::SetView;

use super::services::AppState;
use crate::access::Permit;
use crate::access::permit::Read;
use crate::http::query::{PageQuery, Query};
use crate::http::{ApiError, ApiResponse};

/// The file sets of an environment, by name. The set `default` also owns whatever no other does; here it has what was applied.
#[utoipa::path(get, path = "/v1/environments/{env}/sets", tag = "flags",
    params(("env" = String, Path, example = "production"), PageQuery),
    responses((status = 200, description = "A page of sets", body = Page<SetView>), (status = "4XX", body = Problem)))]
pub(super) async fn list(permit: Permit<Read>, query: Query<PageQuery>, app: web::Data<AppState>) -> Result<ApiResponse, ApiError> {
    let Query(query) = query;
    let state = app.state(&permit)?;
    let mut sets: BTreeMap<SetName, SetView> = BTreeMap::new();
    for claim in &state.records.claims {
        let (Ok(value), Ok(claimed)) = (claim.value(), claim.key().claimed()) else {
            continue;
        };
        let view = sets.entry(value.set.clone()).or_insert_with(|| SetView {
            set: value.set.clone(),
            flags: Vec::new(),
            segments: Vec::new(),
        });
        match claimed {
            OwnedEntry::Flag(key) if state.snapshot.flags.get(key.as_str()).is_some() => view.flags.push(key),
            OwnedEntry::Segment(key) if state.snapshot.segments.get(key.as_str()).is_some() => view.segments.push(key),
            OwnedEntry::Flag(_) | OwnedEntry::Segment(_) => {}
        }
    }
    let after = query.after.unwrap_or_default();
    let mut sets = sets.into_values().filter(|view| view.set.as_str() > after.as_str());
    let items: Vec<SetView> = sets.by_ref().take(query.limit.get()).collect();
    let stale = app.stale();
    let page = Page {
        next: sets.next().and(items.last().map(|view| view.set.to_string())),
        items,
        stale: stale.is_some(),
    };
    Ok(ApiResponse::ok(&page)?.stale(stale))
}
