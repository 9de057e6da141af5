//! `ripcord ping`: how fast a change reaches every application, measured with a revision that changes nothing.

use std::fmt::Write as _;
use std::time::Duration;

use clap::{Args, Subcommand};
use jiff::Timestamp;
use ripcord_proto::rest::pings::PingView;
use ripcord_proto::text::grouped;

use super::answer::Answer;
use super::client::Call;
use super::confirm::{self, milliseconds};
use super::context::Context;
use super::duration;
use super::environment_state::spread;
use super::exit::{Exit, Failure};
use super::input::ListArgs;
use super::output::short_moment;
use super::table::table;
use ripcord_proto::rest::wait::Wait;

/// Measure how fast a change reaches every application
///
/// Publishes a revision that changes nothing, and measures how long every connected application takes to confirm it.
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
    /// Wait for the applications to confirm, up to this long (2s, 500ms, or seconds); exit code 4 if one does not
    #[arg(long, value_name = "DURATION", default_value = "5s", value_parser = duration::wait)]
    wait: Wait,
    /// Reason, recorded in the audit log
    #[arg(long, value_name = "TEXT")]
    reason: Option<String>,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// List past pings, newest first
    List(ListArgs),
}

pub(crate) async fn run(call: &Context, command: Ping) -> Result<Exit, Failure> {
    match command.action {
        Some(Action::List(arguments)) => list(call, arguments).await,
        None => send(call, command.wait.0, command.reason).await,
    }
}

async fn send(call: &Context, patience: Duration, reason: Option<String>) -> Result<Exit, Failure> {
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

async fn list(call: &Context, arguments: ListArgs) -> Result<Exit, Failure> {
    let pings: Answer<Vec<PingView>> = call.client.list(&call.path(&["pings"]), arguments.most()).await?;
    call.output.answer(&pings, |pings| {
        if pings.is_empty() {
            return format!("{} was never pinged. To ping it: `{}`", call.environment(), call.command("ping"));
        }
        let now = Timestamp::now();
        let ms = |value: Option<f64>| value.map_or_else(|| "-".to_owned(), milliseconds);
        table(
            ["when", "revision", "confirmed", "p50", "p99", "last", "by"],
            pings.iter().map(|view| {
                let figures = &view.figures;
                [
                    short_moment(view.ping.at, now),
                    view.ping.revision.to_string(),
                    format!("{} of {}", grouped(figures.confirmed), grouped(figures.connected)),
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
