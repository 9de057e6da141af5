//! `ripcord audit`: who changed what, when and why; and the proof that the log is intact.

mod orphans;

use clap::{Args, Subcommand};
use jiff::Timestamp;
use ripcord_proto::rest::log::{AuditReport, LogEntry};
use ripcord_proto::text::grouped;

use super::answer::Answer;
use super::client::Call;
use super::context::Context;
use super::exit::{Exit, Failure};
use super::log_entry::{LogDetail, changes, is_of_people, who};
use super::output::{Format, Paint, count, reason, short_moment};
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
  ripcord audit verify                 verify every hash chain
  ripcord audit orphans                what a log lost when the store was filled again"
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
    /// List commits that the node had, but that its logs lack since another node filled the store again
    Orphans,
}

pub(crate) async fn run(call: &Context, command: Audit) -> Result<Exit, Failure> {
    match command.action {
        Some(Action::Verify) => verify(call).await,
        Some(Action::Orphans) => orphans::run(call).await,
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
            return nothing_shown(log, entries.len());
        }
        if command.system {
            of_system(&shown, Timestamp::now())
        } else {
            listed(&shown, detail, Timestamp::now())
        }
        .to_string()
    });
    Ok(Exit::Done)
}

/// Why the list is empty: `read` entries were looked at.
fn nothing_shown(log: &str, read: usize) -> String {
    match read {
        0 => format!("Nobody has changed anything in {log} yet."),
        _ => format!(
            "None of the newest {} of {log} is a change by people. To see them: ripcord audit --all; to look further back: --limit",
            count(read, "entry", "entries")
        ),
    }
}

fn listed(entries: &[&LogEntry], detail: LogDetail, now: Timestamp) -> Table {
    let rows = entries.iter().map(|entry| {
        [
            short_moment(entry.at, now),
            entry.revision.map_or_else(|| "-".to_owned(), |revision| revision.to_string()),
            who(entry),
            changes(entry, SHOWN, detail),
            reason(entry.reason.as_deref()),
        ]
    });
    Table::new(["when", "revision", "who", "what", "why"], rows)
}

/// The log of keys and environments, which has no revisions.
fn of_system(entries: &[&LogEntry], now: Timestamp) -> Table {
    let rows = entries.iter().map(|entry| {
        let what = changes(entry, SHOWN, LogDetail::Everything);
        [short_moment(entry.at, now), who(entry), what, reason(entry.reason.as_deref())]
    });
    Table::new(["when", "who", "what", "why"], rows)
}

async fn verify(call: &Context) -> Result<Exit, Failure> {
    let report: Answer<AuditReport> = call.client.call(Call::get(["v1", "audit", "verify"]).slow()).await?;
    call.output.answer(&report, |report| describe(report, call.output.paint()));
    Ok(match LogVerdict::of(&report.value) {
        LogVerdict::Verified => Exit::Done,
        LogVerdict::InPart | LogVerdict::Mended | LogVerdict::Failed => Exit::Failed,
    })
}

/// What a verification says of all logs together.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum LogVerdict {
    /// Every chain is unbroken, here and in the store.
    Verified,
    /// Every chain is unbroken here; a store could not be compared.
    InPart,
    /// Entries were missing or different in the store, and were written again.
    Mended,
    /// A chain is broken.
    Failed,
}

impl LogVerdict {
    fn of(report: &AuditReport) -> Self {
        if !report.whole {
            Self::Failed
        } else if report.logs.iter().any(|log| log.damaged_in_store.is_some()) {
            Self::Mended
        } else if report.logs.iter().any(|log| log.not_compared.is_some()) {
            Self::InPart
        } else {
            Self::Verified
        }
    }

    const fn describe(self) -> &'static str {
        match self {
            Self::Verified => {
                "Verified: every entry follows from the one before it, from the first to the last. Keep these digests elsewhere: only by \
                 comparing them later can you tell that nobody has replaced a whole log."
            }
            Self::InPart => "NOT VERIFIED IN FULL: this node's copy is intact, but the store could not be compared with it. Try again when it answers.",
            Self::Mended => {
                "DAMAGED AND REPAIRED: entries were missing or different in the store, and were written again from this node's copy, which \
                 is intact. Find out who writes to the store."
            }
            Self::Failed => "FAILED: a log was changed or damaged. Keep the data folder as it is, and compare it with a backup.",
        }
    }
}

fn describe(report: &AuditReport, paint: Paint) -> String {
    let rows = report.logs.iter().map(|log| {
        let state = match (&log.fault, log.damaged_in_store, &log.not_compared) {
            (Some(fault), ..) => fault.clone(),
            (None, Some(entry), _) => format!("intact here; damaged in the store from entry {entry} on, and written again"),
            (None, None, Some(why)) => format!("intact here; {why}"),
            (None, None, None) => "intact".to_owned(),
        };
        [log.log.clone(), grouped(log.entries), log.head.to_string(), state]
    });
    let logs = table(["log", "entries", "digest", "state"], rows);
    let verdict = LogVerdict::of(report);
    let told = verdict.describe();
    let painted = if verdict == LogVerdict::Verified { paint.good(told) } else { paint.bad(told) };
    format!("{logs}\n\n{painted}")
}

#[cfg(test)]
mod tests;
