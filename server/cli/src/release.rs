//! `ripcord release`: what one deployment changes, as one unit that can be rolled back.

mod details;
mod text;

use clap::{Args, Subcommand};
use jiff::Timestamp;
use ripcord_proto::ReleaseName;
use ripcord_proto::rest::releases::{ReleaseDetail, ReleaseView};
use serde_json::{Map, Value};

use self::details::Details;
use super::answer::Answer;
use super::client::Call;
use super::context::Context;
use super::exit::{Exit, Failure};
use super::input::ListArgs;

/// Group the changes of one deployment, to roll them back as one
///
/// A release starts with a checkpoint. Changes made with `--release RELEASE` belong to it.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  ripcord release begin web-12 --artifact \"web 12\" --window 2h
  ripcord apply -f flags.yaml --release web-12 --reason \"web 12\"
  ripcord release set web-12 --owner commander=ana --data cart=\"both are read\"
  ripcord release show web-12
  ripcord release finish web-12")]
pub(crate) struct Release {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// Open a release, with a checkpoint of the state before it
    Begin(Described),
    /// Change the description of a release: lists are replaced, data and owners merged
    Set(Described),
    /// List the releases, newest first
    List(ListArgs),
    /// Show what a release changed since its checkpoint
    Show {
        /// The release's name
        #[arg(value_name = "RELEASE")]
        name: ReleaseName,
    },
    /// Close a release: no further changes can join it
    Finish {
        /// The release's name
        #[arg(value_name = "RELEASE")]
        name: ReleaseName,
        /// Reason, recorded in the audit log
        #[arg(long, value_name = "TEXT")]
        reason: Option<String>,
    },
}

#[derive(Debug, Args)]
struct Described {
    /// The release's name
    #[arg(value_name = "RELEASE")]
    name: ReleaseName,
    #[command(flatten)]
    details: Box<Details>,
}

pub(crate) async fn run(call: &Context, command: Release) -> Result<Exit, Failure> {
    match command.action {
        Action::Begin(begin) => {
            let mut body = begin.details.members()?;
            body.insert("name".to_owned(), Value::String(begin.name.to_string()));
            let post = Call::post(call.path(&["releases"])).json(&body)?;
            written(call, post, |view| text::begun(call, view)).await
        }
        Action::Set(set) => {
            let body = set.details.members()?;
            if body.is_empty() {
                return Err(Failure::Usage(format!(
                    "Say what changes, as in: ripcord release set {} --artifact \"web 12\"",
                    set.name
                )));
            }
            describe(call, &set.name, &body).await
        }
        Action::List(arguments) => list(call, arguments).await,
        Action::Show { name } => show(call, &name).await,
        Action::Finish { name, reason } => {
            let post = Call::post(call.path(&["releases", name.as_str(), "finish"])).query("reason", reason);
            written(call, post, |view| text::finished(call, view)).await
        }
    }
}

async fn describe(call: &Context, name: &ReleaseName, body: &Map<String, Value>) -> Result<Exit, Failure> {
    let patch = Call::patch(call.path(&["releases", name.as_str()])).json(body)?;
    written(call, patch, |view| text::described(view, call.output.paint())).await
}

async fn written(call: &Context, write: Call, text: impl FnOnce(&ReleaseView) -> String) -> Result<Exit, Failure> {
    let answer: Answer<ReleaseView> = call.client.call(write).await?;
    call.output.answer(&answer, text);
    Ok(Exit::Done)
}

async fn list(call: &Context, arguments: ListArgs) -> Result<Exit, Failure> {
    let releases: Answer<Vec<ReleaseView>> = call.client.list(&call.path(&["releases"]), arguments.most()).await?;
    call.output.answer(&releases, |releases| {
        if releases.is_empty() {
            let begin = call.command("release begin NAME");
            return format!("{} has no releases. To begin one:\n  {begin}", call.environment());
        }
        text::list(releases, Timestamp::now()).to_string()
    });
    Ok(Exit::Done)
}

async fn show(call: &Context, name: &ReleaseName) -> Result<Exit, Failure> {
    let answer: Answer<ReleaseDetail> = call.client.call(Call::get(call.path(&["releases", name.as_str()]))).await?;
    call.output.answer(&answer, |detail| text::detail(call, detail));
    Ok(Exit::Done)
}
