//! `ripcord rollback`: puts flags back to a known state in one commit, and shows which applications have confirmed it.

mod args;
mod execute;
pub(crate) mod follow;
mod manage;
mod plan;

use clap::{Args, Subcommand};

use super::context::Context;
use super::exit::{Exit, Failure};

/// Return flags to a known state, in one commit
///
/// Covers the whole environment, unless --release, --flag or --tag narrow it down. It needs no approval; a review is due
/// afterwards. The answer says which applications have confirmed it.
#[derive(Debug, Args)]
#[command(
    args_conflicts_with_subcommands = true,
    subcommand_negates_reqs = true,
    after_help = "\
Examples:
  ripcord rollback plan --to last-known-good      preview
  ripcord rollback --to last-known-good --reason \"5xx since 14:02\"
  ripcord rollback --release web-2026.11.24       to before the release
  ripcord rollback --to quiet --flag checkout-v2,cart-v2 --wait 30
  ripcord rollback --to 41 --steps 50,25,5,0 --every 2m
  ripcord rollback --to quiet --segment eu        only for these users
  ripcord rollback undo rb_01jd3x7q8v9w0y2z4a6b8c0d2e             re-apply"
)]
pub(crate) struct RollbackCommand {
    #[command(subcommand)]
    action: Option<Action>,
    #[command(flatten)]
    execute: execute::Execute,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// Show what a rollback would change, who is affected, and what prevents it
    Plan(plan::RollbackPlanCommand),
    #[command(flatten)]
    Manage(manage::Manage),
}

pub(crate) async fn run(call: &Context, command: RollbackCommand) -> Result<Exit, Failure> {
    match command.action {
        Some(Action::Plan(command)) => plan::run(call, command).await,
        Some(Action::Manage(action)) => manage::run(call, action).await,
        None => execute::run(call, command.execute).await,
    }
}

#[cfg(test)]
mod tests;
