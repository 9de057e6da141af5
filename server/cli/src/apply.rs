//! `ripcord apply`: applies flags files to an environment, in one atomic commit.

use clap::Args;
use ripcord_proto::digest::Digest;

use super::context::Context;
use super::exit::{Exit, Failure};
use super::files::FileArgs;
use super::source::{self, FlagsSource};
use super::write::WriteArgs;

/// Apply flags files to the environment, in one atomic commit
///
/// All or nothing: one invalid flag rejects the whole apply. Flags and segments that are not in the files are kept, unless
/// --prune deletes those that the file set owns. Edits by hand since the last apply are kept too, unless the files changed the
/// same field; the plan lists them. flagd's files work as well (see `ripcord import flagd`).
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  ripcord apply -f flags.yaml --reason \"release 2.14\"
  ripcord apply -f flags/ --prune           also delete what was removed
  ripcord apply -f flags.yaml --wait 5s     wait for confirmations
  ripcord apply -f flags.yaml --plan HASH   exactly what `plan` showed
  ripcord apply -f flags.yaml --adopt       the files win over manual edits
  ripcord apply -f flags.yaml --dry-run     the same as `ripcord plan`")]
pub(crate) struct Apply {
    #[command(flatten)]
    which: FileArgs,
    /// The hash that `ripcord plan` printed: do exactly that, or refuse if anything has changed since
    #[arg(long, value_name = "HASH")]
    plan: Option<Digest>,
    /// Only show what would change, like `ripcord plan`
    #[arg(long, conflicts_with = "plan")]
    dry_run: bool,
    #[command(flatten)]
    write: WriteArgs,
}

pub(crate) async fn run(call: &Context, command: Apply) -> Result<Exit, Failure> {
    let source = FlagsSource::read(call, &command.which)?;
    if command.dry_run {
        return source::show_plan(call, &source, &command.which, command.write.release.as_ref()).await;
    }
    source::apply(call, source, command.plan, command.write).await
}
