//! `ripcord plan`: what an apply would change, and the hash that holds it to that.

use clap::Args;
use ripcord_proto::ReleaseName;

use super::changes;
use super::context::Context;
use super::exit::{Exit, Failure};
use super::files::FileArgs;
use super::source::FlagsSource;

/// Show what `apply` would change, with a hash that holds it to that
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  ripcord plan -f flags/
  ripcord plan -f flags.yaml --prune        also what the file gave up
  ripcord apply -f flags.yaml --plan HASH   does exactly that, or refuses")]
pub(crate) struct Plan {
    #[command(flatten)]
    which: FileArgs,
    /// The release that the change would belong to
    #[arg(long, value_name = "NAME")]
    release: Option<ReleaseName>,
}

/// Does it.
pub(crate) async fn run(call: &Context, command: Plan) -> Result<Exit, Failure> {
    let source = FlagsSource::read(call, &command.which)?;
    let answer = changes::plan(call, &source.environment, &source.request(None), command.release.as_ref()).await?;
    call.output.answer(&answer, |plan| {
        let told = changes::describe(plan, call.output.paint());
        if changes::total(plan) == 0 {
            return format!("{told}Nothing would change in what {} answers.", source.environment);
        }
        let release = command.release.as_ref().map(|release| format!(" --release {release}")).unwrap_or_default();
        let apply = call.command(&format!("apply {}{release} --plan {}", command.which.options(), plan.hash));
        format!(
            "{}\n\nWould change {} of {}, planned at revision {}. Nothing is changed yet; do exactly this with\n  {apply}",
            told.trim_end(),
            changes::summary(plan),
            source.environment,
            plan.revision,
        )
    });
    Ok(Exit::Done)
}
