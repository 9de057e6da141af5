//! Frames and log entries in words.

use std::fmt::Write as _;

use jiff::Timestamp;
use ripcord_proto::Snapshot;
use ripcord_proto::frame::{KillEnd, Overlay};
use ripcord_proto::rest::log::LogEntry;

use crate::log_entry::{LogDetail, changes, who};
use crate::output::{Paint, count, short_moment};
use crate::{terminal, wrap};

/// Changes of an entry that are shown.
const SHOWN: usize = 5;

/// Columns by which the lines after the first are moved in.
const MARGIN: usize = 17;

/// Where the environment is when the watch begins, or after it was re-seeded.
pub(super) fn snapshot(snapshot: &Snapshot, overlay: &Overlay, paint: Paint) -> String {
    let kills = snapshot.kills.len() + overlay.kills.len();
    let text = format!(
        "{} is at revision {}: {}, {} in force.",
        paint.strong(snapshot.environment.as_str()),
        snapshot.position.revision,
        count(snapshot.flags.len(), "flag", "flags"),
        count(kills, "kill", "kills")
    );
    if overlay.kills.is_empty() {
        return text;
    }
    format!("{text}\n{}", self::overlay(overlay, paint))
}

/// One commit: when, which revision, what, who and why.
pub(super) fn entry(entry: &LogEntry, now: Timestamp, paint: Paint) -> String {
    let revision = entry.revision.map_or_else(|| "-".to_owned(), |revision| revision.to_string());
    let what = changes(entry, SHOWN, LogDetail::People);
    let what = if entry.urgent { paint.bad(&what) } else { what };
    let when = paint.faint(&short_moment(entry.at, now));
    let mut text = format!("{when}  {revision:>5}  {what}, by {}", who(entry));
    if let Some(reason) = &entry.reason {
        let _ = write!(text, ": {reason}");
    }
    terminal::width().map_or_else(|| text.clone(), |width| wrap::hanging(&text, MARGIN, width))
}

/// The provisional kills in force, and those that ended.
pub(super) fn overlay(overlay: &Overlay, paint: Paint) -> String {
    let mut lines: Vec<_> = overlay
        .kills
        .values()
        .map(|kill| {
            let reason = kill.reason.as_deref().unwrap_or("no reason given");
            paint.bad(&format!("provisional kill {} of {} in force: {reason}", kill.id, kill.scope))
        })
        .collect();
    lines.extend(overlay.ended.iter().map(|(id, ended)| {
        let how = match ended {
            KillEnd::Merged => "is now in the log",
            KillEnd::Restored => "was restored",
            KillEnd::Withdrawn => "was withdrawn",
        };
        format!("provisional kill {id} {how}")
    }));
    if lines.is_empty() {
        return "no provisional kills are in force any more".to_owned();
    }
    lines.join("\n")
}

/// Whether the node can be behind.
pub(super) fn freshness(fresh: bool, paint: Paint) -> String {
    if fresh {
        return paint.good("The server can reach its store again.");
    }
    paint.warn("The server cannot reach its store: flags are served from memory and kills work; other writes do not.")
}
