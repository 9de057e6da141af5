//! `ripcord ping`: how fast a change reaches every application, measured with a revision that changes nothing.

use std::fmt::Write as _;
use std::time::Duration;

use clap::{Args, Subcommand};
use jiff::Timestamp;
use ripcord_proto::rest::pings::{LastPing, PingFigures, PingView};

use super::client::{Answer, Call};
use super::confirm::{self, milliseconds};
use super::exit::{Exit, Failure};
use super::invocation::Invocation;
use super::output::{moment, table};
use ripcord_proto::rest::wait::Wait;

/// Measure how fast a change reaches every application
///
/// It sends a revision with identical content, which changes no answer, and waits until every connected application has confirmed
/// it.
#[derive(Debug, Args)]
#[command(
    args_conflicts_with_subcommands = true,
    after_help = "\
Examples:
  ripcord ping
  ripcord ping --wait 10s --json
  ripcord ping list                    the propagation history"
)]
pub(crate) struct Ping {
    #[command(subcommand)]
    action: Option<Action>,
    /// Wait until every application has confirmed, up to this long; exit code 4 where one has not
    #[arg(long, value_name = "TIME", default_value = "5s", value_parser = confirm::patience)]
    wait: Wait,
    /// Why
    #[arg(long, value_name = "TEXT")]
    reason: Option<String>,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// List what was measured, newest first
    List,
}

/// Does it.
pub(crate) async fn run(call: &Invocation, command: Ping) -> Result<Exit, Failure> {
    match command.action {
        Some(Action::List) => list(call).await,
        None => send(call, command.wait.0, command.reason).await,
    }
}

async fn send(call: &Invocation, patience: Duration, reason: Option<String>) -> Result<Exit, Failure> {
    let wait = (!patience.is_zero()).then(|| format!("{}ms", patience.as_millis()));
    let post = Call::post(call.path(&["pings"])).query("wait", wait).query("reason", reason).urgent(patience);
    let answer: Answer<PingView> = call.client.call(post).await?;
    call.output.answer(&answer, |view| {
        let confirmation = &view.ping.confirmation;
        let mut text = format!("Ping of {}, revision {}.", call.environment(), view.ping.revision);
        // Writing to a String cannot fail.
        let _ = write!(text, "\n{}", confirm::describe(confirmation, patience, call.output.paint()));
        let spread = spread(&view.figures);
        if !spread.is_empty() {
            let _ = write!(text, "\n{spread}");
        }
        text
    });
    Ok(confirm::exit(Some(&answer.value.ping.confirmation), patience))
}

async fn list(call: &Invocation) -> Result<Exit, Failure> {
    let pings: Answer<Vec<PingView>> = call.client.list(&call.path(&["pings"]), usize::MAX).await?;
    call.output.answer(&pings, |pings| {
        if pings.is_empty() {
            return format!("{} was never pinged. `{}` measures it.", call.environment(), call.command("ping"));
        }
        let ms = |value: Option<f64>| value.map_or_else(|| "-".to_owned(), milliseconds);
        table(
            ["when", "revision", "confirmed", "p50", "p99", "last", "by"],
            pings.iter().map(|view| {
                let figures = &view.figures;
                [
                    moment(view.ping.at),
                    view.ping.revision.to_string(),
                    format!("{} of {}", figures.confirmed, figures.connected),
                    ms(figures.p50_ms),
                    ms(figures.p99_ms),
                    ms(figures.max_ms),
                    view.ping.by.name.clone(),
                ]
            }),
        )
    });
    Ok(Exit::Done)
}

fn spread(figures: &PingFigures) -> String {
    match (figures.p50_ms, figures.p99_ms, figures.max_ms) {
        (Some(p50), Some(p99), Some(last)) => format!("{} p50, {} p99, {} last", milliseconds(p50), milliseconds(p99), milliseconds(last)),
        _ => String::new(),
    }
}

/// The newest ping as an environment's state shows it: `12 min ago: 40 of 40, 4.1 ms p50, 9.0 ms p99, 11 ms last`.
pub(crate) fn last(last: Option<&LastPing>, now: Timestamp) -> String {
    let Some(last) = last else { return "never".to_owned() };
    let figures = &last.figures;
    let spread = spread(figures);
    let comma = if spread.is_empty() { "" } else { ", " };
    format!(
        "{} ago: {} of {} confirmed{comma}{spread}",
        age(last.at, now),
        figures.confirmed,
        figures.connected
    )
}

fn age(at: Timestamp, now: Timestamp) -> String {
    let seconds = now.duration_since(at).as_secs().max(0);
    match seconds {
        0..=119 => format!("{seconds} s"),
        120..=7_199 => format!("{} min", seconds / 60),
        7_200..=172_799 => format!("{} h", seconds / 3_600),
        _ => format!("{} days", seconds / 86_400),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_newest_ping_is_told_with_its_age() {
        let now = Timestamp::from_second(1_790_000_000).unwrap();
        assert_eq!(last(None, now), "never");
        let ping = LastPing {
            at: now - jiff::SignedDuration::from_mins(12),
            figures: PingFigures {
                connected: 40,
                confirmed: 39,
                p50_ms: Some(4.1),
                p99_ms: Some(9.0),
                max_ms: Some(11.2),
            },
        };
        assert_eq!(last(Some(&ping), now), "12 min ago: 39 of 40 confirmed, 4.1 ms p50, 9.0 ms p99, 11 ms last");
    }
}
