//! `ripcord plan`: what an apply would change, and the hash that holds it to that.

use clap::Args;
use ripcord_proto::rest::commits::CommitRequest;
use ripcord_proto::rest::plan::PlanResponse;
use ripcord_proto::{EnvironmentKey, ReleaseName};

use super::apply::Source;
use super::changes;
use super::client::{Answer, Call, ClientError};
use super::exit::{Exit, Failure};
use super::files::Which;
use super::invocation::{Invocation, path};

/// Show what `apply` would change, with a hash that holds it to that
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  ripcord plan -f flags/
  ripcord plan -f flags.yaml --prune        also what the file gave up
  ripcord apply -f flags.yaml --plan HASH   does exactly that, or refuses")]
pub(crate) struct Plan {
    #[command(flatten)]
    which: Which,
    /// The release that the change would belong to
    #[arg(long, value_name = "NAME")]
    release: Option<ReleaseName>,
}

/// Does it.
pub(crate) async fn run(call: &Invocation, command: Plan) -> Result<Exit, Failure> {
    let source = Source::read(call, &command.which)?;
    let answer = of(call, &source.environment, &source.request(None), command.release.as_ref()).await?;
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

/// Asks what a commit would do.
pub(crate) async fn of(
    call: &Invocation,
    environment: &EnvironmentKey,
    request: &CommitRequest,
    release: Option<&ReleaseName>,
) -> Result<Answer<PlanResponse>, ClientError> {
    let post = Call::post(path(environment, &["commits", "plan"])).query("release", release);
    call.client.call(post.json(request)?).await
}
