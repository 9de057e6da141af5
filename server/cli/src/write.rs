//! What every write of flags, segments and settings has in common: its arguments, its answer, and the wait for confirmations.

use std::time::Duration;

use clap::Args;
use ripcord_proto::rest::responses::WriteResponse;
use ripcord_proto::rest::wait::Wait;
use ripcord_proto::{EnvironmentKey, ReleaseName};

use super::answer::Answer;
use super::client::Call;
use super::confirm::{self, Subject};
use super::context::Context;
use super::duration;
use super::exit::{Exit, Failure};
use super::output::{Format, print};

/// The arguments of every write.
#[derive(Debug, Clone, Args)]
pub(crate) struct WriteArgs {
    /// Reason, recorded in the audit log
    #[arg(long, value_name = "TEXT")]
    pub(crate) reason: Option<String>,
    /// Wait for the applications to confirm, up to this long (2s, 500ms, or seconds); exit code 4 if one does not
    #[arg(long, value_name = "DURATION", value_parser = duration::wait)]
    wait: Option<Wait>,
    /// The release that this change belongs to
    #[arg(long, value_name = "RELEASE")]
    pub(crate) release: Option<ReleaseName>,
    /// Allow edits that change what a killed flag serves
    #[arg(long)]
    pub(crate) allow_killed_edit: bool,
}

impl WriteArgs {
    /// How long to wait; not at all by default.
    pub(crate) fn patience(&self) -> Duration {
        self.wait.map_or(Duration::ZERO, |Wait(wait)| wait)
    }
}

/// Makes a write, says what it did, and waits for its confirmations.
pub(crate) async fn send(call: &Context, write_call: Call, done: &str, write: &WriteArgs) -> Result<Exit, Failure> {
    let write_call = write_call
        .query("wait", confirm::asked_of_server(call.output, write.patience()))
        .query("release", write.release.as_ref())
        .query("allow_killed_edit", write.allow_killed_edit.then_some(true));
    let answer: Answer<WriteResponse> = call.client.call(write_call).await?;
    call.output.answer(&answer, |written| describe(call, written, done));
    wait_for_confirmations(call, call.environment(), &answer.value, write).await
}

fn describe(call: &Context, written: &WriteResponse, done: &str) -> String {
    let revision = written.revision.map_or_else(String::new, |revision| format!(", revision {revision}"));
    let mut text = if written.changed {
        format!("{done} in {}{revision}.", call.place())
    } else {
        format!("Nothing changed in {}: it is already in this state{revision}.", call.place())
    };
    for warning in &written.warnings {
        text.push('\n');
        text.push_str(&call.output.paint().warn(warning));
    }
    text
}

/// Waits for the confirmations of a write, shows which applications have confirmed, and returns the exit code.
pub(crate) async fn wait_for_confirmations(call: &Context, environment: &EnvironmentKey, written: &WriteResponse, write: &WriteArgs) -> Result<Exit, Failure> {
    let patience = write.patience();
    let mut confirmation = written.confirmation.clone();
    if call.output.format() == Format::Text
        && !patience.is_zero()
        && let Some(revision) = written.revision
    {
        confirmation = confirm::follow(&call.client, environment, &Subject::Revision(revision), confirmation, patience).await?;
        if let Some(confirmation) = &confirmation {
            print(&confirm::describe(confirmation, patience, call.output.paint()));
        }
    }
    Ok(confirm::exit(confirmation.as_ref(), patience))
}
