//! What an apply or an import writes to an environment: it shows the plan, then commits exactly that.

use ripcord_proto::digest::Digest;
use ripcord_proto::file_set::{FileSet, OnAbsent, Takeover};
use ripcord_proto::problem::Code;
use ripcord_proto::rest::commits::{ChangeRequest, CommitRequest};
use ripcord_proto::rest::responses::WriteResponse;
use ripcord_proto::{EnvironmentKey, FlagsFile, ReleaseName, SetName};

use super::answer::{Answer, ClientError, DifferenceShown, Proposed};
use super::bucketing;
use super::changes;
use super::client::Call;
use super::confirm;
use super::context::{Context, path};
use super::exit::{Exit, Failure};
use super::files::{FileArgs, Files};
use super::output::{Format, note};
use super::write::{WriteArgs, wait_for_confirmations};

/// How often the plan is made again if someone else changes the same flags in between.
const TRIES: u32 = 3;

/// What is to be applied, to which environment.
#[derive(Debug)]
pub(crate) struct FlagsSource {
    /// The files, as they are called in messages.
    pub(crate) name: String,
    /// The environment that they are for.
    pub(crate) environment: EnvironmentKey,
    set: FileSet,
}

impl FlagsSource {
    /// Reads the files.
    pub(crate) fn read(call: &Context, which: &FileArgs) -> Result<Self, Failure> {
        let files = Files::read(&which.file)?;
        let environment = call.for_file(&files.name, files.environment.as_ref())?;
        let set = files.set(which.set.as_ref())?;
        Ok(Self {
            environment,
            set: FileSet {
                absent: if which.prune { OnAbsent::Delete } else { OnAbsent::Stay },
                takeover: if which.adopt { Takeover::Adopt } else { Takeover::Refuse },
                ..file_set(set, files.whole())
            },
            name: files.name,
        })
    }

    /// What was read already, of the set that files without a name make.
    pub(crate) fn of(name: String, environment: EnvironmentKey, file: FlagsFile, takeover: Takeover) -> Self {
        Self {
            name,
            environment,
            set: FileSet {
                takeover,
                ..file_set(SetName::default(), file)
            },
        }
    }

    /// The commit that it asks for.
    pub(crate) fn request(&self, reason: Option<String>) -> CommitRequest {
        of(self.set.clone(), reason)
    }

    /// Whether a flag in it has a percentage.
    fn has_splits(&self) -> bool {
        self.set.flags.values().any(bucketing::is_split)
    }

    /// Whether there is nothing in it that could change anything.
    fn is_empty(&self) -> bool {
        self.set.flags.is_empty() && self.set.segments.is_empty() && self.set.absent == OnAbsent::Stay
    }
}

fn file_set(set: SetName, file: FlagsFile) -> FileSet {
    FileSet {
        set,
        segments: file.segments,
        flags: file.flags,
        absent: OnAbsent::Stay,
        takeover: Takeover::Refuse,
    }
}

fn of(set: FileSet, reason: Option<String>) -> CommitRequest {
    CommitRequest {
        reason,
        changes: vec![ChangeRequest::ApplySet(Box::new(set))],
        plan: None,
        allow_killed_edit: false,
    }
}

/// The commit that applies a file that names no set.
pub(crate) fn commit_of(file: FlagsFile, reason: Option<String>) -> CommitRequest {
    of(file_set(SetName::default(), file), reason)
}

/// Shows what changes, commits it, and waits for the confirmations.
pub(crate) async fn apply(call: &Context, source: FlagsSource, plan: Option<Digest>, write: WriteArgs) -> Result<Exit, Failure> {
    if source.is_empty() {
        note(&format!("{} has no flags and no segments; nothing to do.", source.name));
        return Ok(Exit::Done);
    }
    let mut request = source.request(write.reason.clone());
    request.allow_killed_edit = write.allow_killed_edit;
    let written = commit(call, &source, request, plan, &write).await?;
    call.output.answer(&written, |written| describe(written, &source, call.server()));
    wait_for_confirmations(call, &source.environment, &written.value, &write).await
}

/// Shows what an apply would change, and the command that does exactly that.
pub(crate) async fn show_plan(call: &Context, source: &FlagsSource, which: &FileArgs, release: Option<&ReleaseName>) -> Result<Exit, Failure> {
    let answer = changes::plan(call, &source.environment, &source.request(None), release).await?;
    call.output.answer(&answer, |plan| {
        let told = changes::describe(plan, call.output.paint());
        if changes::total(plan) == 0 {
            return format!("{told}Nothing would change for the users of {}.", source.environment);
        }
        let option = release.map(|release| format!(" --release {release}")).unwrap_or_default();
        let apply = call.command(&format!("apply {}{option} --plan {}", which.options(), plan.hash));
        format!(
            "{}\n\nWould change {} of {}, planned at revision {}. Nothing is changed yet. To do exactly this:\n  {apply}",
            told.trim_end(),
            changes::summary(plan),
            source.environment,
            plan.revision,
        )
    });
    if changes::total(&answer.value) > 0 && source.has_splits() {
        bucketing::warn(call, &source.environment).await;
    }
    Ok(Exit::Done)
}

/// Shows the plan, then commits exactly that. A caller without a plan hash is shown a new plan if the environment changes.
///
/// A plan that changes no flag is committed too: the set may own more than before, and its files may have changed.
async fn commit(
    call: &Context,
    source: &FlagsSource,
    mut request: CommitRequest,
    hash: Option<Digest>,
    write: &WriteArgs,
) -> Result<Answer<WriteResponse>, Failure> {
    request.plan = hash;
    let mut tries = TRIES;
    loop {
        if call.output.format() == Format::Text && hash.is_none() {
            let plan = changes::plan(call, &source.environment, &request, write.release.as_ref()).await?.value;
            call.output.text(&changes::describe(&plan, call.output.paint()));
            request.plan = Some(plan.hash);
        }
        let post = Call::post(path(&source.environment, &["commits"]))
            .query("wait", confirm::asked_of_server(call.output, write.patience()))
            .query("release", write.release.as_ref())
            .json(&request)?;
        tries -= 1;
        match call.client.call(post).await {
            Ok(written) => return Ok(written),
            Err(ClientError::Problem(refusal)) if refusal.problem.code == Code::PlanStale && hash.is_none() && tries > 0 => {
                note("Someone else changed the same flags or segments; making a new plan.");
                request.plan = None;
            }
            // The plan that was shown just now is what waits.
            Err(ClientError::Proposed(proposed)) if hash.is_none() && call.output.format() == Format::Text => {
                let difference = DifferenceShown::Already;
                return Err(ClientError::Proposed(Box::new(Proposed { difference, ..*proposed })).into());
            }
            Err(error) => return Err(error.into()),
        }
    }
}

fn describe(written: &WriteResponse, source: &FlagsSource, server: &str) -> String {
    let revision = written.revision.map_or_else(String::new, |revision| format!(", revision {revision}"));
    let mut text = if written.changed {
        format!("Applied {} to {} on {server}{revision}.", source.name, source.environment)
    } else {
        // It may still differ from the files: what people changed by hand, or a live rollout moves, is kept.
        format!(
            "Nothing changed: {} has no change for the flags and segments of {}.",
            source.name, source.environment
        )
    };
    for warning in &written.warnings {
        text.push_str("\nWarning: ");
        text.push_str(warning);
    }
    text
}

#[cfg(test)]
mod tests;
