//! Releases for people.

use std::fmt::Write as _;

use jiff::Timestamp;
use ripcord_proto::FlagKey;
use ripcord_proto::release::ReleaseState;
use ripcord_proto::rest::log::ChangedBy;
use ripcord_proto::rest::releases::{ReleaseDetail, ReleaseDiff, ReleaseView, ReleasedFlag, RollbackWindow};
use ripcord_proto::text::{counted, grouped};

use crate::changes;
use crate::context::Context;
use crate::duration::in_words;
use crate::output::{Paint, facts, indented, moment, short_moment};
use crate::table::Table;

/// Characters up to which a flag is shown before and after, beside what differs.
const SUMMARY: usize = 60;

/// The new release, and how to add changes to it.
pub(super) fn begun(call: &Context, view: &ReleaseView) -> String {
    let release = &view.release;
    let apply = call.command(&format!("apply -f flags.yaml --release {}", release.name));
    format!(
        "Began release {} of {}; checkpoint {} is its baseline.\n{}To add changes to it:\n  {apply}",
        release.name,
        call.environment(),
        release.baseline,
        missing(view, call.output.paint())
    )
}

/// What it says now.
pub(super) fn described(view: &ReleaseView, paint: Paint) -> String {
    format!("{}\n{}", head(view, paint), missing(view, paint))
}

/// The finished release, and how to roll it back.
pub(super) fn finished(call: &Context, view: &ReleaseView) -> String {
    let release = &view.release;
    let back = call.command(&format!("rollback plan --release {}", release.name));
    format!(
        "Finished release {} ({}). You can still roll it back:\n  {back}",
        release.name,
        counted(release.commits, "commit", "commits")
    )
}

/// All of them, one per line.
pub(super) fn list(releases: &[ReleaseView], now: Timestamp) -> Table {
    let rows = releases.iter().map(|view| {
        let release = &view.release;
        [
            release.name.to_string(),
            state(release.state).to_owned(),
            grouped(release.commits),
            short_moment(release.at, now),
            release.by.name.clone(),
            view.window.as_ref().map(window).unwrap_or_default(),
            deployed(view),
        ]
    });
    Table::new(["release", "state", "commits", "begun", "by", "window", "deployed"], rows)
}

const fn state(state: ReleaseState) -> &'static str {
    match state {
        ReleaseState::Open => "open",
        ReleaseState::Finished => "finished",
    }
}

fn window(window: &RollbackWindow) -> String {
    match window.remaining_seconds {
        0 => "over".to_owned(),
        seconds => format!("{} left", in_words(seconds)),
    }
}

fn deployed(view: &ReleaseView) -> String {
    let details = &view.release.details;
    let named = [("", &details.artifact), ("commit ", &details.commit), ("image ", &details.image)];
    let named = named.into_iter().filter_map(|(what, text)| Some(format!("{what}{}", text.as_ref()?)));
    named.collect::<Vec<_>>().join(", ")
}

/// Its description.
fn head(view: &ReleaseView, paint: Paint) -> String {
    let (release, details) = (&view.release, &view.release.details);
    let mut members = vec![
        (
            "state",
            format!("{}, begun {} by {}", state(release.state), moment(release.at), release.by.name),
        ),
        ("baseline", release.baseline.to_string()),
    ];
    if let Some(open) = &view.window {
        members.push(("window", format!("{} (until {})", window(open), moment(open.ends))));
    }
    let finished = release.finished.as_ref();
    members.extend(finished.map(|finished| ("finished", format!("{} by {}", moment(finished.at), finished.by.name))));
    let said = |name, text: String| (!text.is_empty()).then_some((name, text));
    members.extend(said("deployed", deployed(view)));
    members.extend(said("success", details.success.join("; ")));
    members.extend(said("failure", details.failure.join("; ")));
    let owners: Vec<_> = details.owners.iter().map(|(role, name)| format!("{role} {name}")).collect();
    members.extend(said("owners", owners.join(", ")));
    let data: Vec<_> = details.data.iter().map(|(flag, measure)| format!("{flag}: {measure}")).collect();
    members.extend(said("data", data.join("; ")));
    let checks: Vec<_> = details.checks.iter().map(|check| check.name.clone()).collect();
    members.extend(said("checks", checks.join(", ")));
    format!("{}\n{}", paint.strong(release.name.as_str()), indented(&facts(&members)))
}

/// What the release still needs before a protected environment allows more exposure.
fn missing(view: &ReleaseView, paint: Paint) -> String {
    if view.missing.is_empty() {
        return String::new();
    }
    let mut text = paint.warn("The environment is protected; before exposure is raised, the release also needs:");
    text.push('\n');
    for fault in &view.missing {
        // Writing to a String cannot fail.
        let _ = writeln!(text, "  {fault}");
    }
    text
}

/// One of them, with what it changed.
pub(super) fn detail(call: &Context, detail: &ReleaseDetail) -> String {
    let (view, paint) = (&detail.view, call.output.paint());
    let mut text = format!("{}\n", head(view, paint));
    text.push_str(&diff(&detail.diff, paint));
    text.push_str(&missing(view, paint));
    if !detail.diff.flags.is_empty() || !detail.diff.segments.is_empty() {
        let back = call.command(&format!("rollback plan --release {}", view.release.name));
        // Writing to a String cannot fail.
        let _ = write!(text, "To see what a rollback of it would do:\n  {back}");
    }
    text
}

fn diff(diff: &ReleaseDiff, paint: Paint) -> String {
    if diff.flags.is_empty() && diff.segments.is_empty() {
        let back = if diff.back.is_empty() {
            "It has changed nothing yet."
        } else {
            "Everything that it changed is back to its earlier state."
        };
        return format!("{back}\n");
    }
    let mut text = String::from("Against its baseline:\n");
    for step in &diff.segments {
        text.push_str(&changes::segment(step, paint));
        others(&mut text, diff.foreign_segments.get(&step.key), paint);
    }
    for step in &diff.flags {
        text.push_str(&flag(step, paint));
        others(&mut text, diff.foreign_flags.get(&step.key), paint);
    }
    let back: Vec<_> = diff.back.iter().map(FlagKey::as_str).collect();
    if !back.is_empty() {
        // Writing to a String cannot fail.
        let _ = writeln!(text, "Back to their earlier state: {}", back.join(", "));
    }
    text
}

/// A flag before and after.
fn flag(step: &ReleasedFlag, paint: Paint) -> String {
    let head = match (&step.from, &step.to) {
        (None, _) => paint.good(&format!("+ flag {}", step.key)),
        (Some(_), None) => paint.bad(&format!("- flag {}", step.key)),
        (Some(_), Some(_)) => format!("{} flag {}", paint.warn("~"), step.key),
    };
    // If a flag's rules are long, only what differs is read.
    let is_short = |words: &String| words.chars().count() <= SUMMARY;
    let summary = step.differs.is_empty() || step.was.iter().chain(&step.is).all(is_short);
    let named = [("was", &step.was), ("is", &step.is)].into_iter().filter(|_| summary);
    let named = named.filter_map(|(name, words)| Some(format!("    {name:3}  {}", words.as_ref()?)));
    let differs = step.differs.iter().map(|line| format!("    {line}"));
    let lines: Vec<_> = std::iter::once(head).chain(named).chain(differs).collect();
    format!("{}\n", lines.join("\n"))
}

/// Who else has changed it.
fn others(text: &mut String, foreign: Option<&Vec<ChangedBy>>, paint: Paint) {
    for by in foreign.into_iter().flatten() {
        let of = by.release.as_ref().map(|release| format!(", release {release}")).unwrap_or_default();
        let why = by.reason.as_ref().map(|reason| format!(": {reason}")).unwrap_or_default();
        let line = format!("    also changed in revision {} by {}{of}{why}", by.revision, by.actor.name);
        // Writing to a String cannot fail.
        let _ = writeln!(text, "{}", paint.warn(&line));
    }
}

#[cfg(test)]
mod tests;
