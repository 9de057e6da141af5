//! `ripcord rollback`: back to a known state, with proof.

pub(crate) mod follow;
mod kept;

use clap::Args;

use super::exit::{Exit, Failure};
use super::invocation::Invocation;

/// Look at rollbacks, stop, hurry, undo and review them
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  ripcord rollback list
  ripcord rollback show rb_01jd3x7q8v9w0y2z4a6b8c0d2e
  ripcord rollback resume rb_01jd3x7q8v9w0y2z4a6b8c0d2e --now     all steps left, at once
  ripcord rollback undo rb_01jd3x7q8v9w0y2z4a6b8c0d2e             forward again")]
pub(crate) struct RollbackCommand {
    #[command(subcommand)]
    action: kept::Kept,
}

/// Does it.
pub(crate) async fn run(call: &Invocation, command: RollbackCommand) -> Result<Exit, Failure> {
    kept::run(call, command.action).await
}
