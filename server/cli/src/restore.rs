//! `ripcord restore`: lifts a kill that is named.

use std::fmt::Write as _;

use clap::Args;
use ripcord_proto::KillId;
use ripcord_proto::rest::kills::{ReasonRequest, RestoreResponse};

use super::answer::Answer;
use super::client::Call;
use super::confirm::{self, Subject};
use super::context::Context;
use super::duration;
use super::exit::{Exit, Failure};
use super::output::{Format, print};
use ripcord_proto::rest::wait::Wait;

/// Lift a kill
///
/// The flags that it covered answer by their rules again, unless another kill covers them.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  ripcord restore k_01jd3x7q8v9w0y2z4a6b8c0d2e --reason \"fixed by 2.14.1\"
  ripcord kill list                    the kills in force, with their ids")]
pub(crate) struct Restore {
    /// The kill's id
    #[arg(value_name = "KILL_ID")]
    id: KillId,
    /// Why it is safe again
    #[arg(long, value_name = "TEXT", required = true)]
    reason: String,
    /// Wait for the applications to confirm, up to this long (2s, 500ms, or seconds); exit code 4 if one does not
    #[arg(long, value_name = "DURATION", default_value = "2s", value_parser = duration::wait)]
    wait: Wait,
}

pub(crate) async fn run(call: &Context, command: Restore) -> Result<Exit, Failure> {
    let request = ReasonRequest { reason: command.reason };
    let delete = Call::delete(call.path(&["kills", command.id.as_str()]))
        .query("wait", confirm::asked_of_server(call.output, command.wait.0))
        .urgent(command.wait.0)
        .json(&request)?;
    let answer: Answer<RestoreResponse> = call.client.call(delete).await?;
    call.output.answer(&answer, describe);
    let restored = &answer.value;
    let mut confirmation = restored.confirmation.clone();
    if call.output.format() == Format::Text
        && let Some(revision) = restored.revision
    {
        confirmation = confirm::follow(&call.client, call.environment(), &Subject::Revision(revision), confirmation, command.wait.0).await?;
        if let Some(confirmation) = &confirmation {
            print(&confirm::describe(confirmation, command.wait.0, call.output.paint()));
        }
    }
    Ok(confirm::exit(confirmation.as_ref(), command.wait.0))
}

fn describe(restored: &RestoreResponse) -> String {
    let mut text = match restored.revision {
        Some(revision) => format!("Lifted kill {}, revision {revision}.", restored.id),
        None if restored.withdrawn => format!("Lifted kill {} before it reached the log.", restored.id),
        None => format!("Lifted kill {}. This is written to the log when the store returns.", restored.id),
    };
    if !restored.still_killed.is_empty() {
        let flags: Vec<_> = restored.still_killed.iter().map(ToString::to_string).collect();
        // Writing to a String cannot fail.
        let _ = write!(text, "\nOther kills (`ripcord kill list`) still cover: {}.", flags.join(", "));
    }
    text
}
