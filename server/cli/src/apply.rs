//! `ripcord apply`: makes what a file set owns as its files say, in one atomic commit.

use clap::Args;
use ripcord_proto::digest::Digest;

use super::context::Context;
use super::exit::{Exit, Failure};
use super::files::FileArgs;
use super::source::{self, FlagsSource};
use super::write::WriteArgs;

/// Make the environment what flags files say, in one atomic commit
///
/// All of it, or nothing where one flag is bad. Flags and segments that the files do not have stay, unless --prune deletes those
/// that the file set owns. What was changed by hand since the last apply stays too, unless the files changed just that; the plan
/// names it. flagd's files are taken too (see `ripcord import flagd`).
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  ripcord apply -f flags.yaml --reason \"release 2.14\"
  ripcord apply -f flags/ --prune           a folder; delete what it gave up
  ripcord apply -f flags.yaml --wait 5s     wait for the applications' proof
  ripcord apply -f flags.yaml --plan HASH   what `plan` showed, or nothing
  ripcord apply -f flags.yaml --adopt       the files win over everybody")]
pub(crate) struct Apply {
    #[command(flatten)]
    which: FileArgs,
    /// The hash that `ripcord plan` printed: do exactly that, or refuse because the world has moved
    #[arg(long, value_name = "HASH")]
    plan: Option<Digest>,
    #[command(flatten)]
    write: WriteArgs,
}

/// Does it.
pub(crate) async fn run(call: &Context, command: Apply) -> Result<Exit, Failure> {
    let source = FlagsSource::read(call, &command.which)?;
    source::apply(call, source, command.plan, command.write).await
}
