//! `ripcord proposal`: what waits for a second person, and what the second person says.

mod messages;
mod wait;

use clap::{Args, Subcommand};
use jiff::Timestamp;
use ripcord_proto::ProposalId;
use ripcord_proto::proposal::{Proposal, ProposalState};
use ripcord_proto::rest::kills::ReasonRequest;

use super::answer::{Answer, DifferenceShown, Proposed};
use super::changes;
use super::client::Call;
use super::context::{Context, path};
use super::exit::{Exit, Failure};
use super::ids::{self, IdArg};
use super::output::{Format, print, print_data, short_moment};
use super::table::table;

/// Show, approve or decline changes that need a second person
///
/// If the policy of an environment requires a second person (`ripcord env policy set --second-person`), a change becomes a
/// proposal, and the command that asked for it ends with exit code 3. A different person with a different key approves it, and it
/// is applied exactly as it was shown, or refused as stale if anything has changed since. Kills never wait.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  ripcord proposal list
  ripcord proposal show pr_01jd3x7q8v9w0y2z4a6b8c0d2e
  ripcord proposal approve pr_01jd3x7q8v9w0y2z4a6b8c0d2e
  ripcord proposal decline pr_01jd3x7q8v9w0y2z4a6b8c0d2e --reason \"not today\"
  ripcord proposal wait pr_01jd3x7q8v9w0y2z4a6b8c0d2e --wait 1h

Exit codes of wait: 0 applied; 3 declined, withdrawn, expired or stale;
4 not decided in time.")]
pub(crate) struct ProposalCommand {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// List proposals, newest first
    List {
        /// List at most this many
        #[arg(long, value_name = "NUMBER", default_value_t = 50)]
        limit: usize,
        /// Only proposals that wait for a decision
        #[arg(long)]
        waiting: bool,
    },
    /// Show a proposal: its change, its impact and its state
    Show {
        /// The proposal's id, or the beginning of it
        #[arg(value_name = "PROPOSAL_ID")]
        id: IdArg<ProposalId>,
    },
    Wait(wait::WaitForProposal),
    /// Approve a proposal of another person: it is applied now, exactly as shown
    Approve(Decision),
    /// Decline a proposal of another person
    Decline(Decision),
    /// Withdraw a proposal of your own
    Withdraw(Decision),
}

/// Which proposal, and why.
#[derive(Debug, Args)]
struct Decision {
    /// The proposal's id, or the beginning of it
    #[arg(value_name = "PROPOSAL_ID")]
    id: IdArg<ProposalId>,
    /// Reason, recorded in the audit log
    #[arg(long, value_name = "TEXT")]
    reason: Option<String>,
}

pub(crate) async fn run(call: &Context, command: ProposalCommand) -> Result<Exit, Failure> {
    match command.command {
        Command::List { limit, waiting } => list(call, limit, waiting).await,
        Command::Show { id } => {
            let proposal = get(call, &id.resolved(call).await?).await?;
            call.output.answer(&proposal, |proposal| messages::whole(proposal, call.output.paint()));
            Ok(Exit::Done)
        }
        Command::Wait(command) => wait::run(call, command).await,
        Command::Approve(decision) => decide(call, "approve", decision).await,
        Command::Decline(decision) => decide(call, "decline", decision).await,
        Command::Withdraw(decision) => decide(call, "withdraw", decision).await,
    }
}

/// Reports a proposal that was made instead of the requested change. The change is not made: a script must not continue
/// unless it waits until the second person has approved it.
pub(crate) async fn made(call: &Context, proposed: Proposed) -> Result<Exit, Failure> {
    let (environment, id) = (proposed.proposal.environment.clone(), proposed.proposal.id.clone());
    match (call.await_approval, call.output.format()) {
        (None, Format::Json) => print_data(&proposed.text),
        (Some(_), Format::Json) => {}
        (_, Format::Text) => tell(call, proposed).await,
    }
    match call.await_approval {
        Some(patience) => wait::decided(call, &environment, &id, Some(patience)).await,
        None => Ok(Exit::Refused),
    }
}

async fn tell(call: &Context, proposed: Proposed) {
    if proposed.difference == DifferenceShown::Already {
        return print(&messages::made(&proposed.proposal, call));
    }
    // The figures take a call of their own; if it fails, the rest is still shown.
    let own = path(&proposed.proposal.environment, &["proposals", proposed.proposal.id.as_str()]);
    let asked: Result<Answer<Proposal>, _> = call.client.call(Call::get(own)).await;
    let proposal = asked.map_or(proposed.proposal, |answer| answer.value);
    let difference = changes::of_proposal(&proposal.diff, call.output.paint());
    if !difference.is_empty() {
        print(&difference);
        print("");
    }
    print(&messages::made(&proposal, call));
}

async fn list(call: &Context, limit: usize, waiting: bool) -> Result<Exit, Failure> {
    let state = [("state", ProposalState::Proposed.as_str())];
    let query = if waiting { &state[..] } else { &[] };
    let proposals: Answer<Vec<Proposal>> = call.client.list_with(&call.path(&["proposals"]), query, limit).await?;
    call.output.answer(&proposals, |proposals| {
        if proposals.is_empty() {
            return format!("Nothing waits for approval in {}.", call.environment());
        }
        let now = Timestamp::now();
        let ids = ids::short(proposals.iter().map(|proposal| proposal.id.as_str()));
        let rows = proposals.iter().zip(ids).map(|(proposal, id)| {
            [
                id.to_owned(),
                proposal.state.as_str().to_owned(),
                short_moment(proposal.at, now),
                proposal.by.name.clone(),
                proposal.summary.clone(),
            ]
        });
        table(["proposal", "state", "when", "who", "what"], rows)
    });
    Ok(Exit::Done)
}

async fn decide(call: &Context, name: &str, decision: Decision) -> Result<Exit, Failure> {
    let id = decision.id.resolved(call).await?;
    let mut post = Call::post(call.path(&["proposals", id.as_str(), name]));
    if let Some(reason) = decision.reason {
        post = post.json(&ReasonRequest { reason })?;
    }
    let answer: Answer<Proposal> = call.client.call(post).await?;
    call.output.answer(&answer, |proposal| messages::line(proposal, call.output.paint()));
    Ok(Exit::Done)
}

async fn get(call: &Context, id: &ProposalId) -> Result<Answer<Proposal>, Failure> {
    Ok(call.client.call(Call::get(call.path(&["proposals", id.as_str()]))).await?)
}
