//! `connections`: who is connected to this node, and what each evaluates at.

use actix_web::web;
use ripcord_proto::flagd;
use ripcord_proto::problem::Problem;
use ripcord_proto::rest::connections::{ConnectionLevel, ConnectionView, Transport};
use ripcord_proto::rest::list::Page;

use super::services::AppState;
use crate::access::Permit;
use crate::access::permit::Read;
use crate::fleet::{self, Connected};
use crate::http::query::{PageQuery, Query};
use crate::http::{ApiError, ApiResponse};
use crate::snapshot::publication::Served;

/// The applications that are connected to this node, by instance.
#[utoipa::path(get, path = "/v1/environments/{env}/connections", tag = "confirmations",
    params(("env" = String, Path, example = "production"), PageQuery),
    responses((status = 200, description = "A page of connections", body = Page<ConnectionView>), (status = "4XX", body = Problem)))]
pub(super) async fn list(permit: Permit<Read>, query: Query<PageQuery>, app: web::Data<AppState>) -> Result<ApiResponse, ApiError> {
    let Query(query) = query;
    let mut connected = app.fleet().connections(permit.environment());
    connected.sort_by(|a, b| a.instance.id.cmp(&b.instance.id));
    let after = query.after.unwrap_or_default();
    let mut found = connected.into_iter().filter(|connected| connected.instance.id > after);
    let mut items: Vec<ConnectionView> = found.by_ref().take(query.limit.get()).map(view).collect();
    name_left_out(&mut items, &*app.served(&permit)?);
    let next = found.next().and(items.last().map(|item| item.instance.id.clone()));
    let stale = app.stale();
    let page = Page {
        items,
        next,
        stale: stale.is_some(),
    };
    Ok(ApiResponse::ok(&page)?.stale(stale))
}

/// Says of flagd's clients which flags they do not have.
fn name_left_out(items: &mut [ConnectionView], served: &Served) {
    let mut clients = items.iter_mut().filter(|item| item.transport == Transport::Flagd).peekable();
    if clients.peek().is_none() {
        return;
    }
    let left_out = flagd::export(&served.snapshot, served.overlay.kills.values()).left_out;
    clients.for_each(|client| client.left_out.clone_from(&left_out));
}

fn view(connected: Connected) -> ConnectionView {
    ConnectionView {
        instance: connected.instance,
        transport: match connected.transport {
            fleet::Transport::WebSocket => Transport::Websocket,
            fleet::Transport::Sse => Transport::Sse,
            fleet::Transport::Ofrep => Transport::Ofrep,
            fleet::Transport::Flagd => Transport::Flagd,
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
        left_out: Vec::new(),
    }
}
