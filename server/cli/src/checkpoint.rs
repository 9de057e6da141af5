//! `ripcord checkpoint`: states to go back to, and whether they are known to be good.

mod text;

use clap::{Args, Subcommand};
use jiff::Timestamp;
use ripcord_proto::rest::checkpoints::{CheckpointDetail, CheckpointRequest, CheckpointView, DoubtRequest, VouchRequest};
use ripcord_proto::{CheckpointName, TargetName};
use serde::de::IgnoredAny;
use serde_json::Value;

use super::answer::Answer;
use super::client::Call;
use super::context::Context;
use super::exit::{Exit, Failure};
use super::input::ListArgs;

/// Name states to return to, and mark the good ones
///
/// `last-known-good` names the newest checkpoint that is marked known-good.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  ripcord checkpoint create quiet --note \"the last quiet evening\"
  ripcord checkpoint vouch quiet --evidence \"an hour at full traffic\"
  ripcord checkpoint vouch quiet --evidence soaked --figure error_rate=0.002
  ripcord checkpoint show last-known-good
  ripcord checkpoint doubt quiet --reason \"orders of that day were lost\"")]
pub(crate) struct Checkpoint {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// Name the current state
    Create {
        /// The name of the checkpoint
        #[arg(value_name = "CHECKPOINT")]
        name: CheckpointName,
        /// A note for people
        #[arg(long, value_name = "TEXT")]
        note: Option<String>,
        /// Reason, recorded in the audit log
        #[arg(long, value_name = "TEXT")]
        reason: Option<String>,
    },
    /// List the checkpoints, newest first
    List(ListArgs),
    /// Show a checkpoint, verify its state, and show what has changed since
    Show {
        /// The name of the checkpoint, or last-known-good
        #[arg(value_name = "CHECKPOINT")]
        name: TargetName,
        /// With --json: include the whole state
        #[arg(long)]
        state: bool,
    },
    /// Mark a checkpoint known-good, with evidence
    Vouch {
        /// The name of the checkpoint
        #[arg(value_name = "CHECKPOINT")]
        name: TargetName,
        /// Why it is known to be good
        #[arg(long, value_name = "TEXT")]
        evidence: String,
        /// A figure of the evidence; repeat for several
        #[arg(long = "figure", value_name = "NAME=VALUE", value_parser = figure)]
        figures: Vec<(String, Value)>,
    },
    /// Withdraw the known-good mark of a checkpoint
    Doubt {
        /// The name of the checkpoint, or last-known-good
        #[arg(value_name = "CHECKPOINT")]
        name: TargetName,
        /// Reason, recorded in the audit log
        #[arg(long, value_name = "TEXT")]
        reason: Option<String>,
    },
    /// Delete a checkpoint that no release started with
    Delete {
        /// The name of the checkpoint
        #[arg(value_name = "CHECKPOINT")]
        name: TargetName,
        /// Reason, recorded in the audit log
        #[arg(long, value_name = "TEXT")]
        reason: Option<String>,
    },
}

/// `error_rate=0.002`: a number, true or false, else a text.
fn figure(text: &str) -> Result<(String, Value), String> {
    let (name, value) = text
        .split_once('=')
        .ok_or_else(|| format!("{text:?} is not a figure; write it as error_rate=0.002"))?;
    if name.is_empty() {
        return Err(format!("{text:?} has no name; write it as error_rate=0.002"));
    }
    let read = serde_json::from_str(value).ok().filter(|value: &Value| value.is_number() || value.is_boolean());
    Ok((name.to_owned(), read.unwrap_or_else(|| Value::String(value.to_owned()))))
}

pub(crate) async fn run(call: &Context, command: Checkpoint) -> Result<Exit, Failure> {
    match command.action {
        Action::Create { name, note, reason } => create(call, &CheckpointRequest { name, note, reason }).await,
        Action::List(arguments) => list(call, arguments).await,
        Action::Show { name, state } => show(call, &name, state).await,
        Action::Vouch { name, evidence, figures } => {
            let figures = figures.into_iter().collect();
            vouch(call, &name, &VouchRequest { evidence, figures }).await
        }
        Action::Doubt { name, reason } => doubt(call, &name, &DoubtRequest { reason }).await,
        Action::Delete { name, reason } => delete(call, &name, reason.as_deref()).await,
    }
}

async fn create(call: &Context, request: &CheckpointRequest) -> Result<Exit, Failure> {
    let post = Call::post(call.path(&["checkpoints"])).json(request)?;
    let answer: Answer<CheckpointView> = call.client.call(post).await?;
    call.output.answer(&answer, |taken| {
        let vouch = call.command(&format!("checkpoint vouch {} --evidence \"…\"", taken.checkpoint.name));
        format!("{}\nWhen you are sure that it is good:\n  {vouch}", text::taken(taken, call.environment()))
    });
    Ok(Exit::Done)
}

async fn list(call: &Context, arguments: ListArgs) -> Result<Exit, Failure> {
    let checkpoints: Answer<Vec<CheckpointView>> = call.client.list(&call.path(&["checkpoints"]), arguments.most()).await?;
    call.output.answer(&checkpoints, |checkpoints| {
        if checkpoints.is_empty() {
            let create = call.command("checkpoint create NAME");
            return format!("{} has no checkpoints. Create one with\n  {create}", call.environment());
        }
        text::list(checkpoints, Timestamp::now()).to_string()
    });
    Ok(Exit::Done)
}

async fn show(call: &Context, name: &TargetName, whole: bool) -> Result<Exit, Failure> {
    let get = Call::get(call.path(&["checkpoints", &name.to_string()])).query("state", whole.then_some(true));
    let answer: Answer<CheckpointDetail> = call.client.call(get).await?;
    call.output.answer(&answer, |detail| text::detail(detail, call.output.paint()));
    Ok(Exit::Done)
}

async fn vouch(call: &Context, name: &TargetName, request: &VouchRequest) -> Result<Exit, Failure> {
    let post = Call::post(call.path(&["checkpoints", &name.to_string(), "vouch"])).json(request)?;
    let answer: Answer<CheckpointView> = call.client.call(post).await?;
    call.output.answer(&answer, |view| {
        let good = if view.last_known_good {
            "It is now last-known-good."
        } else {
            "A newer checkpoint remains last-known-good."
        };
        format!(
            "Marked checkpoint {} (revision {}) known-good. {good}",
            view.checkpoint.name, view.checkpoint.revision
        )
    });
    Ok(Exit::Done)
}

async fn doubt(call: &Context, name: &TargetName, request: &DoubtRequest) -> Result<Exit, Failure> {
    let post = Call::post(call.path(&["checkpoints", &name.to_string(), "doubt"])).json(request)?;
    let answer: Answer<CheckpointView> = call.client.call(post).await?;
    call.output.answer(&answer, |view| {
        let shown = call.command("checkpoint show last-known-good");
        format!(
            "Checkpoint {} is no longer known-good. To see which one is now:\n  {shown}",
            view.checkpoint.name
        )
    });
    Ok(Exit::Done)
}

async fn delete(call: &Context, name: &TargetName, reason: Option<&str>) -> Result<Exit, Failure> {
    let delete = Call::delete(call.path(&["checkpoints", &name.to_string()])).query("reason", reason);
    let answer: Answer<IgnoredAny> = call.client.call(delete).await?;
    call.output.answer(&answer, |_| {
        format!("Deleted checkpoint {name}. Its revision stays in the log, and you can still roll back to it by its number.")
    });
    Ok(Exit::Done)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::figure;

    #[test]
    fn a_figure_is_a_number_where_it_looks_like_one() {
        assert_eq!(figure("error_rate=0.002"), Ok(("error_rate".to_owned(), json!(0.002))));
        assert_eq!(figure("by=load test=3"), Ok(("by".to_owned(), json!("load test=3"))));
        assert_eq!(figure("green=true"), Ok(("green".to_owned(), json!(true))));
        assert!(figure("0.002").is_err());
        assert!(figure("=1").is_err());
    }
}
