//! `sets`: the file sets and what each owns.

use std::collections::BTreeMap;

use ripcord_proto::SetName;
use ripcord_proto::ownership::OwnedEntry;
use ripcord_proto::rest::list::Page;
use ripcord_proto::rest::sets::SetView;

use super::page;
use super::services::guarded::{EnvironmentReader, Guarded};
use crate::access::permit::Read;
use crate::http::documented::Problems;
use crate::http::query::{PageQuery, Query};
use crate::http::{ApiError, ApiResponse};

/// The file sets of an environment, by name. The set `default` also owns everything that no other set owns; here it lists what was
/// applied.
#[utoipa::path(get, path = "/v1/environments/{env}/sets", tag = "flags", operation_id = "listSets",
    params(crate::api::path::EnvironmentPath, PageQuery),
    responses((status = 200, description = "A page of sets", body = Page<SetView>), Problems))]
pub(super) async fn list(environment: Guarded<Read, EnvironmentReader>, query: Query<PageQuery>) -> Result<ApiResponse, ApiError> {
    let Query(query) = query;
    let state = environment.state()?;
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
    let stale = environment.stale();
    let page = page::by_name(sets.into_values(), |view| view.set.as_str(), |view| view, &query, stale.is_some());
    Ok(ApiResponse::ok(&page)?.stale(stale))
}
