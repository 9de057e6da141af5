//! `ripcord audit`: who changed what, when and why; and the proof that the log is intact.

use clap::{Args, Subcommand};
use jiff::Timestamp;
use ripcord_proto::rest::log::{AuditReport, LogEntry};

use super::answer::Answer;
use super::client::Call;
use super::context::Context;
use super::exit::{Exit, Failure};
use super::log_entry::{LogDetail, changes, is_of_people, who};
use super::output::{Format, Paint, short_moment};
use super::table::{Table, table};

/// Changes of an entry that are shown.
const SHOWN: usize = 6;
/// Of so many entries, one at least is expected to be of people.
const AMONG: usize = 10;

/// Show who changed what, when and why
#[derive(Debug, Args)]
#[command(
    args_conflicts_with_subcommands = true,
    after_help = "\
Examples:
  ripcord audit                        what people changed, newest first
  ripcord audit --all                  also what the server recorded
  ripcord audit --limit 500
  ripcord audit --system               keys and environments
  ripcord audit verify                 verify every hash chain"
)]
pub(crate) struct Audit {
    #[command(subcommand)]
    action: Option<Action>,
    #[command(flatten)]
    entries: Entries,
}

#[derive(Debug, Args)]
struct Entries {
    /// List at most this many
    #[arg(long, default_value_t = 20, value_name = "NUMBER")]
    limit: usize,
    /// Also list what the server recorded for itself, such as pings and owners of flags
    #[arg(long)]
    all: bool,
    /// The log of keys and environments instead of the environment's
    #[arg(long)]
    system: bool,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// List the newest entries; the same as `ripcord audit` alone
    List(Entries),
    /// Verify the hash chains of all logs that the key may read
    Verify,
}

pub(crate) async fn run(call: &Context, command: Audit) -> Result<Exit, Failure> {
    match command.action {
        Some(Action::Verify) => verify(call).await,
        Some(Action::List(entries)) => list(call, &entries).await,
        None => list(call, &command.entries).await,
    }
}

async fn list(call: &Context, command: &Entries) -> Result<Exit, Failure> {
    let log = if command.system { "system" } else { call.environment().as_str() };
    let limit = command.limit.max(1);
    let detail = if command.all || command.system {
        LogDetail::Everything
    } else {
        LogDetail::People
    };
    let asked = match (call.output.format(), detail) {
        (Format::Text, LogDetail::People) => limit.saturating_mul(AMONG),
        (Format::Json, _) | (_, LogDetail::Everything) => limit,
    };
    let entries: Answer<Vec<LogEntry>> = call.client.list_with(&["v1", "audit"], &[("log", log)], asked).await?;
    call.output.answer(&entries, |entries| {
        let all = |entry: &&LogEntry| detail == LogDetail::Everything || is_of_people(entry);
        let shown: Vec<&LogEntry> = entries.iter().filter(all).take(limit).collect();
        if shown.is_empty() {
            return format!("Nobody has changed anything in {log} yet.");
        }
        listed(&shown, detail, Timestamp::now()).to_string()
    });
    Ok(Exit::Done)
}

fn listed(entries: &[&LogEntry], detail: LogDetail, now: Timestamp) -> Table {
    let rows = entries.iter().map(|entry| {
        [
            short_moment(entry.at, now),
            entry.revision.map_or_else(|| "-".to_owned(), |revision| revision.to_string()),
            who(entry),
            changes(entry, SHOWN, detail),
            entry.reason.clone().unwrap_or_default(),
        ]
    });
    Table::new(["when", "revision", "who", "what", "why"], rows)
}

async fn verify(call: &Context) -> Result<Exit, Failure> {
    let report: Answer<AuditReport> = call.client.call(Call::get(["v1", "audit", "verify"]).slow()).await?;
    call.output.answer(&report, |report| describe(report, call.output.paint()));
    Ok(if report.value.whole { Exit::Done } else { Exit::Failed })
}

fn describe(report: &AuditReport, paint: Paint) -> String {
    let rows = report.logs.iter().map(|log| {
        let state = match (&log.fault, log.damaged_in_store, &log.not_compared) {
            (Some(fault), ..) => fault.clone(),
            (None, Some(entry), _) => format!("intact here; damaged in the store from entry {entry} on, and written again"),
            (None, None, Some(why)) => format!("intact here; {why}"),
            (None, None, None) => "intact".to_owned(),
        };
        [log.log.clone(), log.entries.to_string(), log.head.to_string(), state]
    });
    let logs = table(["log", "entries", "digest of the last", "state"], rows);
    let verdict = if report.whole {
        paint.good("Verified: no entry was changed or removed. Keep these digests elsewhere to verify again later.")
    } else {
        paint.bad("FAILED: a log was changed or damaged. Keep the data folder as it is, and compare it with a backup.")
    };
    format!("{logs}\n\n{verdict}")
}

#[cfg(test)]
mod tests;
