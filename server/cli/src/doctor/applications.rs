//! The connected applications and other clients.

use ripcord_proto::Revision;
use ripcord_proto::rest::connections::{ConnectionLevel, ConnectionView};
use ripcord_proto::rest::environments::EnvironmentView;

use super::finding::Finding;
use crate::answer::Answer;
use crate::bucketing;
use crate::client::Call;
use crate::context::Context;
use crate::output::count;

/// Applications that are named.
const NAMED: usize = 5;

/// The connected applications, those that are behind, and the readers that split users differently.
pub(super) async fn all(call: &Context) -> Vec<Finding> {
    let connections: Result<Answer<Vec<ConnectionView>>, _> = call.client.list(&call.path(&["connections"]), usize::MAX).await;
    let view: Result<Answer<EnvironmentView>, _> = call.client.call(Call::get(call.path(&[]))).await;
    let (connections, newest) = match (connections, view) {
        (Ok(connections), Ok(view)) => (connections.value, view.value.revision),
        (Err(error), _) | (_, Err(error)) => return vec![Finding::unread("applications", "the connected applications", &error)],
    };
    let splitting = bucketing::told(&connections).map(|told| Finding::warning("bucketing", told, bucketing::ADVICE));
    std::iter::once(connected(&connections, newest))
        .chain(lost(&connections))
        .chain(splitting)
        .collect()
}

/// Applications that were lost without a goodbye.
fn lost(connections: &[ConnectionView]) -> Option<Finding> {
    let lost: Vec<_> = connections
        .iter()
        .filter(|connection| connection.lost && connection.level == ConnectionLevel::Applied)
        .collect();
    let named: Vec<_> = lost.iter().take(NAMED).map(|connection| connection.instance.name.as_str()).collect();
    (!lost.is_empty()).then(|| {
        let lost = count(lost.len(), "application was lost", "applications were lost");
        Finding::warning(
            "lost",
            format!("{lost} without a goodbye in the last 15 minutes: {}", named.join(", ")),
            "They may serve what they last had until they are back, stopped, or their leases expire.",
        )
    })
}

/// Clients that cannot confirm, and the flags that flagd's clients do not get.
fn others(connections: &[ConnectionView]) -> String {
    let at = |level: ConnectionLevel| connections.iter().filter(|connection| connection.level == level && !connection.lost).count();
    let mut text = String::new();
    for (level, one, several) in [
        (ConnectionLevel::Fetched, "client fetches answers", "clients fetch answers"),
        (ConnectionLevel::Sent, "reader only receives states", "readers only receive states"),
    ] {
        if at(level) > 0 {
            text.push_str("; ");
            text.push_str(&count(at(level), one, several));
        }
    }
    let left_out = connections.iter().map(|connection| &connection.left_out).find(|left_out| !left_out.is_empty());
    if let Some(left_out) = left_out {
        let flags: Vec<_> = left_out.iter().map(|out| out.flag.as_str()).collect();
        text.push_str("; flagd's clients do not get ");
        text.push_str(&flags.join(", "));
    }
    text
}

fn connected(connections: &[ConnectionView], newest: Revision) -> Finding {
    let acknowledging: Vec<_> = connections
        .iter()
        .filter(|connection| connection.level == ConnectionLevel::Applied && !connection.lost)
        .collect();
    let behind: Vec<_> = acknowledging
        .iter()
        .filter(|connection| connection.revision.is_none_or(|revision| revision < newest))
        .map(|connection| connection.instance.name.clone())
        .collect();
    let others = others(connections);
    if acknowledging.is_empty() {
        return Finding::well("applications", format!("none connected to this node{others}"));
    }
    let connected = count(acknowledging.len(), "application", "applications");
    if behind.is_empty() {
        return Finding::well("applications", format!("{connected} connected to this node, none behind{others}"));
    }
    Finding::warning(
        "applications",
        format!("{connected} connected to this node, {} behind: {}", behind.len(), behind.join(", ")),
        "They are connected but have not applied the newest revision; check their own logs.",
    )
}
