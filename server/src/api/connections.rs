//! `connections`: the applications connected to this node, and the revision of each.

use ripcord_proto::flagd::{self, EngineGeneration};
use ripcord_proto::rest::connections::{ConnectionLevel, ConnectionView, Transport};
use ripcord_proto::rest::list::Page;

use super::page;
use super::services::guarded::{EnvironmentReader, Guarded};
use crate::access::permit::Read;
use crate::fleet::{self, Connected, Fleet};
use crate::http::documented::Problems;
use crate::http::query::{PageQuery, Query};
use crate::http::{ApiError, ApiResponse};
use crate::snapshot::publication::Served;

/// The applications that are connected to this node, by instance.
#[utoipa::path(get, path = "/v1/environments/{env}/connections", tag = "confirmations", operation_id = "listConnections",
    params(crate::api::path::EnvironmentPath, PageQuery),
    responses((status = 200, description = "A page of connections", body = Page<ConnectionView>), Problems))]
pub(super) async fn list(guarded: Guarded<Read, (EnvironmentReader, Fleet)>, query: Query<PageQuery>) -> Result<ApiResponse, ApiError> {
    let (environment, fleet) = &*guarded;
    let Query(query) = query;
    let mut connected = fleet.connections(environment.key());
    connected.sort_by(|a, b| a.instance.id.cmp(&b.instance.id));
    let stale = environment.stale();
    let mut page = page::by_name(connected.into_iter(), |connected| connected.instance.id.as_str(), view, &query, stale.is_some());
    describe_flagd_clients(&mut page.items, &*environment.served()?);
    Ok(ApiResponse::ok(&page)?.stale(stale))
}

/// Adds to flagd clients with an engine of their own which flags they do not get, and whether they split differently.
fn describe_flagd_clients(items: &mut [ConnectionView], served: &Served) {
    let mut clients = items.iter_mut().filter(|item| item.transport == Transport::Flagd).peekable();
    if clients.peek().is_none() {
        return;
    }
    let left_out = flagd::export(&served.snapshot, served.overlay.kills.values()).left_out;
    for client in clients {
        client.left_out.clone_from(&left_out);
        client.bucketing = EngineGeneration::of_agent(&client.instance.sdk).to_vec();
        client.splits_differently = EngineGeneration::differ(&client.bucketing, served.snapshot.settings.bucketing);
    }
}

fn view(connected: Connected) -> ConnectionView {
    ConnectionView {
        instance: connected.instance,
        transport: match connected.transport {
            fleet::Transport::WebSocket => Transport::Websocket,
            fleet::Transport::Sse => Transport::Sse,
            fleet::Transport::Ofrep => Transport::Ofrep,
            fleet::Transport::Flagd => Transport::Flagd,
            fleet::Transport::FlagdRpc => Transport::FlagdRpc,
        },
        level: match connected.level {
            fleet::ConfirmationLevel::Applied => ConnectionLevel::Applied,
            fleet::ConfirmationLevel::Fetched => ConnectionLevel::Fetched,
            fleet::ConfirmationLevel::Sent => ConnectionLevel::Sent,
        },
        epoch: connected.confirmed.map(|position| position.epoch),
        revision: connected.confirmed.map(|position| position.revision),
        since: connected.since,
        lost: connected.lost,
        bucketing: Vec::new(),
        splits_differently: false,
        left_out: Vec::new(),
    }
}
