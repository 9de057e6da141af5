//! `ripcord trigger confirm` and `decline`: what a person answers.

use clap::Args;
use ripcord_proto::FiringId;
use ripcord_proto::rest::kills::ReasonRequest;
use ripcord_proto::rest::triggers::FiringView;
use ripcord_proto::trigger::FiringState;

use super::messages;
use crate::answer::Answer;
use crate::client::Call;
use crate::context::Context;
use crate::exit::{Exit, Failure};
use crate::ids::IdArg;

/// Which firing, and why.
#[derive(Debug, Args)]
pub(super) struct Reply {
    /// The firing's id, or the beginning of it
    #[arg(value_name = "FIRING_ID")]
    id: IdArg<FiringId>,
    /// Reason, recorded in the audit log
    #[arg(long, value_name = "TEXT")]
    reason: Option<String>,
}

/// Answers. A rollback that was confirmed and refused ends in exit code 3.
pub(super) async fn run(call: &Context, name: &str, reply: Reply) -> Result<Exit, Failure> {
    let id = reply.id.resolved(call).await?;
    let mut post = Call::post(call.path(&["firings", id.as_str(), name]));
    if let Some(reason) = reply.reason {
        post = post.json(&ReasonRequest { reason })?;
    }
    let answer: Answer<FiringView> = call.client.call(post).await?;
    let state = answer.value.firing.state;
    call.output.answer(&answer, |view| messages::firing(call, view));
    Ok(if state == FiringState::Held { Exit::Refused } else { Exit::Done })
}
