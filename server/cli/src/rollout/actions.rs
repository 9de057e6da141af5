//! What is done to a rollout that was started.

use clap::Args;
use ripcord_proto::RolloutId;
use ripcord_proto::rest::kills::ReasonRequest;
use ripcord_proto::rollout::Rollout;

use super::messages;
use crate::answer::Answer;
use crate::client::Call;
use crate::context::Context;
use crate::exit::{Exit, Failure};
use crate::ids::IdArg;

/// Which rollout, and why.
#[derive(Debug, Args)]
pub(crate) struct Act {
    /// The rollout's id, or the beginning of it
    #[arg(value_name = "ROLLOUT_ID")]
    id: IdArg<RolloutId>,
    /// Reason, recorded in the audit log
    #[arg(long, value_name = "TEXT")]
    reason: Option<String>,
}

pub(super) async fn run(call: &Context, name: &str, command: Act) -> Result<Exit, Failure> {
    let answer = post(call, name, &command.id.resolved(call).await?, command.reason).await?;
    call.output.answer(&answer, |rollout| messages::line(rollout, call.output.paint()));
    Ok(Exit::Done)
}

pub(super) async fn post(call: &Context, name: &str, id: &RolloutId, reason: Option<String>) -> Result<Answer<Rollout>, Failure> {
    let mut post = Call::post(call.path(&["rollouts", id.as_str(), name]));
    if let Some(reason) = reason {
        post = post.json(&ReasonRequest { reason })?;
    }
    Ok(call.client.call(post).await?)
}

pub(super) async fn get(call: &Context, id: &RolloutId) -> Result<Answer<Rollout>, Failure> {
    Ok(call.client.call(Call::get(call.path(&["rollouts", id.as_str()]))).await?)
}
