//! Waits for confirmations, shows them as they arrive, and reports which applications have confirmed.

use std::fmt::Write as _;
use std::io::IsTerminal as _;
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use ripcord_proto::confirmation::{Confirmation, LevelCounts};
use ripcord_proto::text::{counted, grouped};
use ripcord_proto::{EnvironmentKey, KillId, Revision};

use super::answer::ClientError;
use super::client::{Call, Client};
use super::context::path;
use super::duration::in_words;
use super::exit::Exit;
use super::output::{Format, Output, Paint, count, moment};
use super::table::indented_table;

/// How often the state is looked up.
const EVERY: Duration = Duration::from_millis(50);
/// After how long a progress bar appears.
const SOON: Duration = Duration::from_millis(150);
/// How long to keep looking after all applications have confirmed, so that sends to readers that cannot confirm are counted too.
const SENDING: Duration = Duration::from_millis(250);
/// Missing instances that are shown by name.
const NAMED: usize = 10;

/// What to wait for.
#[derive(Debug, Clone)]
pub(crate) enum Subject {
    /// A revision.
    Revision(Revision),
    /// A provisional kill, which has none.
    Kill(KillId),
}

impl std::fmt::Display for Subject {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Revision(revision) => revision.fmt(f),
            Self::Kill(id) => id.fmt(f),
        }
    }
}

/// How a write asks for confirmations: with `--json` the server waits and the answer holds them; if not, they are looked up, so
/// that they can be shown as they arrive.
pub(crate) fn asked_of_server(output: Output, patience: Duration) -> Option<String> {
    (output.format() == Format::Json && !patience.is_zero()).then(|| format!("{}ms", patience.as_millis()))
}

/// Waits until `subject` is confirmed or the time is up, and returns what is known then.
pub(crate) async fn follow(
    client: &Client,
    environment: &EnvironmentKey,
    subject: &Subject,
    known: Option<Confirmation>,
    patience: Duration,
) -> Result<Option<Confirmation>, ClientError> {
    let began = Instant::now();
    let text = subject.to_string();
    let mut bar: Option<ProgressBar> = None;
    let mut newest = known;
    while !newest.as_ref().is_some_and(|confirmation| is_settled(confirmation, began.elapsed())) && began.elapsed() < patience {
        let answer = client.call::<Confirmation>(Call::get(path(environment, &["confirmations", &text]))).await?;
        newest = Some(answer.value);
        if let Some(confirmation) = &newest {
            show(&mut bar, confirmation, began.elapsed());
            if is_settled(confirmation, began.elapsed()) {
                break;
            }
        }
        tokio::time::sleep(EVERY.min(patience.saturating_sub(began.elapsed()))).await;
    }
    if let Some(bar) = bar {
        bar.finish_and_clear();
    }
    Ok(newest)
}

/// Whether there is nothing left to wait for.
fn is_settled(confirmation: &Confirmation, waited: Duration) -> bool {
    let is_sent = confirmation.sent.confirmed >= confirmation.sent.connected;
    confirmation.is_settled() && (is_sent || waited >= SENDING)
}

/// Draws progress on a terminal's standard error.
pub(crate) fn show(bar: &mut Option<ProgressBar>, confirmation: &Confirmation, elapsed: Duration) {
    if elapsed < SOON || !std::io::stderr().is_terminal() {
        return;
    }
    let bar = bar.get_or_insert_with(|| {
        let bar = ProgressBar::with_draw_target(None, ProgressDrawTarget::stderr());
        if let Ok(style) = ProgressStyle::with_template("  {bar:30} {pos} of {len} applications have confirmed, {elapsed_precise}") {
            bar.set_style(style.progress_chars("=> "));
        }
        bar
    });
    bar.set_length(confirmation.applied.connected);
    bar.set_position(confirmation.applied.confirmed);
}

/// 0 if no application is missing or the caller did not wait, 4 if one is.
pub(crate) fn exit(confirmation: Option<&Confirmation>, patience: Duration) -> Exit {
    match confirmation {
        Some(confirmation) if !confirmation.is_settled() && !patience.is_zero() => Exit::Unconfirmed,
        _ => Exit::Done,
    }
}

/// Which applications have confirmed, in words.
pub(crate) fn describe(confirmation: &Confirmation, patience: Duration, paint: Paint) -> String {
    let mut text = applied(confirmation, patience, paint);
    // Writing to a String cannot fail.
    if confirmation.fetched.connected > 0 {
        let LevelCounts { confirmed, connected, .. } = confirmation.fetched;
        let clients = counted(connected, "OFREP client", "OFREP clients");
        let _ = write!(text, "\nFetched by {} of {clients}.", grouped(confirmed));
    }
    if confirmation.sent.connected > 0 {
        let LevelCounts { confirmed, connected, .. } = confirmation.sent;
        let readers = counted(connected, "reader that cannot confirm", "readers that cannot confirm");
        let _ = write!(text, "\nSent to {} of {readers}.", grouped(confirmed));
    }
    if !confirmation.nodes_not_reached.is_empty() {
        let nodes = confirmation.nodes_not_reached.join(", ");
        let _ = write!(
            text,
            "\n{}",
            paint.warn(&format!(
                "The applications of these nodes are not counted, because the nodes could not be reached: {nodes}."
            ))
        );
    }
    if !confirmation.applied.missing.is_empty() {
        let _ = write!(text, "\n{}", missing(&confirmation.applied));
        let _ = write!(
            text,
            "\nThese may still serve the old variants. Restart them, or check again with `ripcord doctor`."
        );
    }
    if !confirmation.lost.is_empty() {
        let _ = write!(text, "\n{}", paint.warn(&lost(confirmation)));
    }
    text
}

/// The applications that were lost without a goodbye, and how long each may still serve what it last had.
fn lost(confirmation: &Confirmation) -> String {
    let mut text = format!(
        "Lost without a goodbye in the last 15 minutes: {}.",
        counted(confirmation.lost_total, "application", "applications")
    );
    for lost in confirmation.lost.iter().take(NAMED) {
        let until = match lost.lease_seconds {
            Some(lease) => format!("its lease ends {} after the loss", in_words(u64::from(lease))),
            None => "no lease: it may serve its last flags until it reconnects or is stopped".to_owned(),
        };
        // Writing to a String cannot fail.
        let _ = write!(text, "\n  {} (since {}): {until}", lost.instance.name, moment(lost.at));
    }
    text
}

/// The same for applications only.
pub(crate) fn applied(confirmation: &Confirmation, patience: Duration, paint: Paint) -> String {
    let level = &confirmation.applied;
    if level.connected == 0 {
        return "No application is connected, so none has confirmed it.".to_owned();
    }
    let applications = format!("{} of {}", grouped(level.confirmed), counted(level.connected, "application", "applications"));
    if level.confirmed < level.connected {
        let when = if patience.is_zero() {
            "confirmed so far".to_owned()
        } else {
            format!("confirmed within {}", seconds(patience))
        };
        return paint.warn(&format!("{applications} {when}."));
    }
    let mut text = paint.good(&format!("Confirmed by {applications}"));
    if let Some(slowest) = level.max_ms {
        text.push_str(&paint.good(&format!(" in {}", milliseconds(slowest))));
    }
    if let (Some(median), true) = (level.p50_ms, level.connected > 1) {
        let _ = write!(text, " (half of them in {})", milliseconds(median));
    }
    text.push('.');
    text
}

fn missing(level: &LevelCounts) -> String {
    let rows = level.missing.iter().take(NAMED).map(|missing| {
        let at = missing.revision.map_or_else(|| "unknown".to_owned(), |revision| format!("revision {revision}"));
        let state = if missing.lost { "lost" } else { "open" };
        [missing.instance.name.clone(), at, state.to_owned(), missing.instance.node.clone()]
    });
    let mut text = indented_table(["missing", "runs", "connection", "node"], rows);
    let unnamed = usize::try_from(level.connected - level.confirmed)
        .unwrap_or(usize::MAX)
        .saturating_sub(level.missing.len().min(NAMED));
    if unnamed > 0 {
        let _ = write!(text, "\n  and {}", count(unnamed, "more application", "more applications"));
    }
    text
}

/// `0.8 ms`, `12 ms`, `12.3 s`.
pub(crate) fn milliseconds(ms: f64) -> String {
    if ms < 10.0 {
        format!("{ms:.1} ms")
    } else if ms < 9_999.5 {
        format!("{ms:.0} ms")
    } else {
        let seconds = format!("{:.1}", ms / 1_000.0);
        format!("{} s", seconds.trim_end_matches(".0"))
    }
}

/// The same for a measured time.
pub(crate) fn in_milliseconds(time: Duration) -> String {
    milliseconds(time.as_secs_f64() * 1_000.0)
}

fn seconds(time: Duration) -> String {
    if time.subsec_millis() == 0 {
        format!("{} s", time.as_secs())
    } else {
        format!("{} ms", time.as_millis())
    }
}

#[cfg(test)]
mod tests;
