//! `ripcord audit`: who changed what, when and why; and the proof that the log is intact.

use clap::{Args, Subcommand};
use ripcord_proto::rest::log::{AuditReport, LogEntry};

use super::answer::Answer;
use super::client::Call;
use super::context::Context;
use super::exit::{Exit, Failure};
use super::log_entry::{changes, who};
use super::output::{Paint, moment, table};

/// Changes of an entry that are shown.
const SHOWN: usize = 4;

/// Show who changed what, when and why
#[derive(Debug, Args)]
#[command(
    args_conflicts_with_subcommands = true,
    after_help = "\
Examples:
  ripcord audit                        the newest entries of the environment
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
    let path = ["v1", "audit"];
    let entries: Answer<Vec<LogEntry>> = call.client.list_with(&path, &[("log", log)], command.limit.max(1)).await?;
    call.output.answer(&entries, |entries| {
        table(
            ["entry", "revision", "when", "who", "what", "why"],
            entries.iter().map(|entry| {
                [
                    entry.sequence.to_string(),
                    entry.revision.map_or_else(|| "-".to_owned(), |revision| revision.to_string()),
                    moment(entry.at),
                    who(entry),
                    changes(entry, SHOWN),
                    entry.reason.clone().unwrap_or_default(),
                ]
            }),
        )
    });
    Ok(Exit::Done)
}

async fn verify(call: &Context) -> Result<Exit, Failure> {
    let report: Answer<AuditReport> = call.client.call(Call::get(["v1", "audit", "verify"])).await?;
    call.output.answer(&report, |report| describe(report, call.output.paint()));
    Ok(if report.value.whole { Exit::Done } else { Exit::Failed })
}

fn describe(report: &AuditReport, paint: Paint) -> String {
    let rows = report.logs.iter().map(|log| {
        let state = log.fault.clone().unwrap_or_else(|| "intact".to_owned());
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
