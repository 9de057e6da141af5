//! `ripcord watch`: revisions, kills and confirmations as they happen, over the stream that applications use.

mod events;
mod report;

use std::time::Duration;

use clap::Args;
use futures_util::StreamExt as _;
use jiff::Timestamp;
use ripcord_proto::frame::ServerFrame;
use ripcord_proto::rest::environments::EnvironmentView;
use ripcord_proto::rest::log::LogEntry;
use ripcord_proto::{Position, Revision};

use self::events::Events;
use super::answer::{Answer, ClientError};
use super::client::Call;
use super::confirm::{self, Subject};
use super::context::Context;
use super::environment_state::last_ping;
use super::exit::{Exit, Failure};
use super::output::{Format, indented, note, print, print_data};

/// How long confirmations of a revision are waited for before the next one is shown.
const CONFIRMED: Duration = Duration::from_secs(1);
/// Before a lost stream is opened again.
const AGAIN: Duration = Duration::from_secs(1);
/// Revisions of one delta that are shown one by one.
const SHOWN: u64 = 20;

/// Show revisions, kills and confirmations as they happen
///
/// Runs until Ctrl-C. It reads the same stream as applications and counts as a reader that cannot confirm.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  ripcord watch
  ripcord watch --env staging
  ripcord watch --json              the stream's frames, one per line")]
pub(crate) struct Watch {}

pub(crate) async fn run(call: &Context, _command: Watch) -> Result<Exit, Failure> {
    tokio::select! {
        ended = follow(call) => ended,
        _ = tokio::signal::ctrl_c() => Ok(Exit::Done),
    }
}

/// What was seen last, over all connections.
#[derive(Debug, Default)]
struct LastSeen {
    position: Option<Position>,
    fresh: Option<bool>,
}

async fn follow(call: &Context) -> Result<Exit, Failure> {
    let mut seen = LastSeen::default();
    loop {
        match stream(call, &mut seen).await {
            Ok(Some(ending)) => return Ok(ending),
            Ok(None) => note("The stream ended; reconnecting."),
            // An error at the first try is reported to the caller; later the server may just be away.
            Err(error) if seen.position.is_none() => return Err(error.into()),
            Err(error) => note(&format!("{error}; retrying.")),
        }
        tokio::time::sleep(AGAIN).await;
    }
}

async fn stream(call: &Context, seen: &mut LastSeen) -> Result<Option<Exit>, ClientError> {
    let open = Call::get(["v1", "stream"])
        .query("environment", Some(call.environment()))
        .query("sdk", Some(concat!("ripcord-cli/", env!("CARGO_PKG_VERSION"))))
        .query("instance", Some("ripcord watch"))
        .query("acknowledges", Some(false));
    let response = call.client.open(open, "text/event-stream").await?;
    let mut bytes = response.bytes_stream();
    let mut events = Events::default();
    while let Some(chunk) = bytes.next().await {
        let Ok(chunk) = chunk else { break };
        for data in events.push(&chunk) {
            if let Some(exit) = show(call, seen, &data).await? {
                return Ok(Some(exit));
            }
        }
    }
    Ok(None)
}

/// How fast a change reached every application when it was last measured; nothing if the key may not read it.
async fn propagation(call: &Context) {
    let answer: Result<Answer<EnvironmentView>, ClientError> = call.client.call(Call::get(call.path(&[]))).await;
    if let Ok(answer) = answer {
        let last = last_ping(answer.value.last_ping.as_ref(), Timestamp::now());
        call.output.text(&call.output.paint().faint(&format!("Last ping: {last}.")));
    }
}

/// Shows one frame; returns an exit if nothing more can come.
async fn show(call: &Context, seen: &mut LastSeen, data: &str) -> Result<Option<Exit>, ClientError> {
    let frame = match ServerFrame::parse(data) {
        Ok(frame) => frame,
        Err(faults) => {
            note(&format!("Cannot read a frame: {faults}"));
            return Ok(None);
        }
    };
    if call.output.format() == Format::Json {
        print_data(data);
    }
    let paint = call.output.paint();
    match frame {
        ServerFrame::Snapshot(snapshot, _, overlay) | ServerFrame::Superseding(snapshot, _, overlay, _) => {
            if seen.position != Some(snapshot.position) {
                call.output.text(&report::snapshot(&snapshot, &overlay, paint));
                propagation(call).await;
            }
            seen.position = Some(snapshot.position);
        }
        ServerFrame::Delta(delta) => {
            seen.position = Some(delta.to);
            if call.output.format() == Format::Text {
                revisions(call, delta.from, delta.to.revision).await?;
            }
        }
        ServerFrame::Overlay(overlay) => call.output.text(&report::overlay(&overlay, paint)),
        ServerFrame::Heartbeat(beat) => {
            if seen.fresh.is_some_and(|fresh| fresh != beat.fresh) || (seen.fresh.is_none() && !beat.fresh) {
                call.output.text(&report::freshness(beat.fresh, paint));
            }
            seen.fresh = Some(beat.fresh);
        }
        ServerFrame::Goodbye(goodbye) => {
            note(&format!("The server closed the stream: {}.", goodbye.why));
            if goodbye.retry == Some(false) {
                return Ok(Some(Exit::Failed));
            }
        }
    }
    Ok(None)
}

/// What the revisions after `from` are, and who has confirmed the last of them.
async fn revisions(call: &Context, from: Revision, to: Revision) -> Result<(), ClientError> {
    let many = to.0.saturating_sub(from.0);
    let shown = usize::try_from(many.min(SHOWN)).unwrap_or(1).max(1);
    let entries: Answer<Vec<LogEntry>> = call.client.list(&call.path(&["revisions"]), shown).await?;
    if many > SHOWN {
        print(&format!("{many} revisions at once; the newest:"));
    }
    let fresh = entries
        .value
        .iter()
        .rev()
        .filter(|entry| entry.revision.is_some_and(|revision| revision > from));
    for entry in fresh {
        print(&report::entry(entry, Timestamp::now(), call.output.paint()));
    }
    let confirmation = confirm::follow(&call.client, call.environment(), &Subject::Revision(to), None, CONFIRMED).await?;
    if let Some(confirmation) = confirmation.filter(|confirmation| confirmation.applied.connected > 0) {
        let text = confirm::applied(&confirmation, CONFIRMED, call.output.paint());
        print(&indented(&text));
    }
    Ok(())
}
