//! `ripcord proposal wait`: until a second person has decided, for pipelines.

use std::time::Duration;

use clap::Args;
use ripcord_proto::duration::HumanDuration;
use ripcord_proto::proposal::{Proposal, ProposalState};
use ripcord_proto::{EnvironmentKey, ProposalId};
use tokio::time::Instant;

use super::messages;
use crate::answer::{Answer, ClientError};
use crate::client::Call;
use crate::context::{Context, path};
use crate::duration;
use crate::exit::{Exit, Failure};
use crate::ids::IdArg;
use crate::output::note;

/// How long the server may hold one request.
const AT_ONCE: Duration = Duration::from_secs(20);
/// How long to keep trying a server that does not answer.
const PATIENCE: Duration = Duration::from_mins(1);
/// How long to pause between two tries.
const AGAIN: Duration = Duration::from_millis(500);

/// Wait until a proposal is decided
#[derive(Debug, Args)]
pub(super) struct WaitForProposal {
    /// The proposal's id, or the beginning of it
    #[arg(value_name = "PROPOSAL_ID")]
    id: IdArg<ProposalId>,
    /// How long to wait at most (30m, 2h, or seconds); exit code 4 then
    #[arg(long, value_name = "DURATION", value_parser = duration::long_wait)]
    wait: Option<HumanDuration>,
}

pub(super) async fn run(call: &Context, command: WaitForProposal) -> Result<Exit, Failure> {
    decided(call, call.environment(), &command.id.resolved(call).await?, command.wait).await
}

/// Waits until a proposal is decided on, or the time is up.
pub(super) async fn decided(call: &Context, environment: &EnvironmentKey, id: &ProposalId, timeout: Option<HumanDuration>) -> Result<Exit, Failure> {
    let deadline = timeout.map(|timeout| Instant::now() + timeout.duration());
    let mut heard = Instant::now();
    loop {
        let left = deadline.map_or(AT_ONCE, |deadline| deadline.saturating_duration_since(Instant::now()));
        match asked(call, environment, id, left.min(AT_ONCE)).await {
            Ok(answer) if answer.value.state.is_final() => {
                call.output.answer(&answer, |proposal| messages::line(proposal, call.output.paint()));
                return Ok(exit(answer.value.state));
            }
            Ok(_) => heard = Instant::now(),
            // Keep following the proposal while a node restarts.
            Err(ClientError::Unreachable { .. } | ClientError::Silent { .. }) if heard.elapsed() < PATIENCE => tokio::time::sleep(AGAIN).await,
            Err(error) => return Err(error.into()),
        }
        if deadline.is_some_and(|deadline| Instant::now() >= deadline) {
            let again = call.command_in(environment, &format!("proposal wait {id}"));
            note(&format!("Timed out: no one has decided on proposal {id} yet. To wait again: `{again}`"));
            return Ok(Exit::Unconfirmed);
        }
    }
}

async fn asked(call: &Context, environment: &EnvironmentKey, id: &ProposalId, patience: Duration) -> Result<Answer<Proposal>, ClientError> {
    let wait = format!("{}ms", patience.as_millis().max(1));
    let get = Call::get(path(environment, &["proposals", id.as_str()]));
    call.client.call(get.query("wait", Some(wait))).await
}

fn exit(state: ProposalState) -> Exit {
    match state {
        ProposalState::Applied => Exit::Done,
        ProposalState::Declined | ProposalState::Withdrawn | ProposalState::Expired | ProposalState::Stale => Exit::Refused,
        ProposalState::Proposed => Exit::Unconfirmed,
    }
}
