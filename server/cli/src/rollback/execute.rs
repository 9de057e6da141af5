//! Executes a rollback, waits for it, and shows the result.

use std::time::Duration;

use clap::Args;
use ripcord_proto::digest::Digest;
use ripcord_proto::rollback::Rollback;
use ripcord_proto::text::listed;

use super::args::RollbackArgs;
use super::{follow, plan};
use crate::answer::Answer;
use crate::client::Call;
use crate::confirm;
use crate::context::Context;
use crate::duration;
use crate::exit::{Exit, Failure};
use crate::output::{Format, print, print_data};
use ripcord_proto::rest::wait::Wait;

/// How long to wait if --wait is not given.
const WAIT: Duration = Duration::from_secs(30);
/// Flags that are named; of more, only the number is shown.
const NAMED: usize = 20;

/// A rollback to execute.
#[derive(Debug, Args)]
pub(super) struct Execute {
    #[command(flatten)]
    args: RollbackArgs,
    /// The hash that `rollback plan` printed: do exactly that, or refuse if anything has changed since
    #[arg(long, value_name = "HASH")]
    plan: Option<Digest>,
    /// Only show what it would do, like `rollback plan`
    #[arg(long, conflicts_with = "plan")]
    dry_run: bool,
    /// Wait for the applications to confirm, up to this long (30s, or seconds); exit code 4 if one does not [default: 30s]
    #[arg(long, value_name = "DURATION", value_parser = duration::wait)]
    wait: Option<Wait>,
}

pub(super) async fn run(call: &Context, command: Execute) -> Result<Exit, Failure> {
    if command.dry_run {
        return plan::show(call, &command.args, None, None).await;
    }
    command.args.check()?;
    let json = call.output.format() == Format::Json;
    let patience = match command.wait {
        Some(Wait(patience)) => patience,
        None if json => Duration::ZERO,
        None => WAIT,
    };
    let wait = confirm::asked_of_server(call.output, patience);
    let post = Call::post(call.path(&["rollbacks"])).query("wait", wait).urgent(patience);
    let answer: Answer<Rollback> = call.client.call(post.json(&command.args.request(command.plan))?).await?;
    if json {
        print_data(&answer.text);
        return Ok(follow::exit(&answer.value, patience));
    }
    if let Some(left) = left(&answer.value) {
        print(&call.output.paint().warn(&left));
    }
    follow::see(call, answer.value, patience).await
}

/// What a rollback keeps, although it is in its scope.
pub(super) fn left(rollback: &Rollback) -> Option<String> {
    if rollback.skipped.is_empty() {
        return None;
    }
    let kept = listed(&rollback.skipped, NAMED);
    Some(format!("Kept as they are, because others changed them: {kept}."))
}
