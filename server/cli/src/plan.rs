//! `ripcord plan`: what an apply would change, and the hash that holds it to that.

use clap::Args;
use ripcord_proto::ReleaseName;

use super::context::Context;
use super::exit::{Exit, Failure};
use super::files::FileArgs;
use super::source::{self, FlagsSource};

/// Show what `apply` would change, and the hash to apply exactly that
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  ripcord plan -f flags/
  ripcord plan -f flags.yaml --prune        also what would be deleted
  ripcord apply -f flags.yaml --plan HASH   do exactly that, or refuse")]
pub(crate) struct PlanCommand {
    #[command(flatten)]
    which: FileArgs,
    /// The release that the change would belong to
    #[arg(long, value_name = "RELEASE")]
    release: Option<ReleaseName>,
}

pub(crate) async fn run(call: &Context, command: PlanCommand) -> Result<Exit, Failure> {
    let source = FlagsSource::read(call, &command.which)?;
    source::show_plan(call, &source, &command.which, command.release.as_ref()).await
}
