//! `ripcord apply`: makes an environment what a flags file says, in one atomic commit.

use std::path::{Path, PathBuf};

use clap::Args;
use ripcord_proto::digest::Digest;
use ripcord_proto::problem::Code;
use ripcord_proto::rest::commits::{ChangeRequest, CommitRequest};
use ripcord_proto::rest::flags::FlagView;
use ripcord_proto::rest::segments::SegmentView;
use ripcord_proto::rest::written::Written;
use ripcord_proto::{EnvironmentKey, FlagsFile, limits};

use super::client::{Answer, Call, ClientError};
use super::confirm::{self, Subject};
use super::exit::{Exit, Failure};
use super::input::{self, Write};
use super::invocation::{Invocation, path};
use super::output::{Format, note, print};
use super::{changes, plan};

/// How often the plan is made again when somebody else changed the same flags in between.
const TRIES: u32 = 3;

/// Make the environment what a flags file says, in one atomic commit
///
/// All of it, or nothing where one flag is bad. flagd's files are taken too (see `ripcord import flagd`). Flags and segments that the file does not have stay, unless --prune deletes them.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  ripcord apply -f flags.yaml --reason \"release 2.14\"
  ripcord apply -f flags.yaml --prune       delete what the file does not have
  ripcord apply -f flags.yaml --wait 5s     wait for the applications' proof
  ripcord apply -f flags.yaml --plan HASH   what `plan` showed, or nothing")]
pub(crate) struct Apply {
    /// The flags file, YAML or JSON; `-` reads the standard input
    #[arg(short, long, value_name = "FILE")]
    file: PathBuf,
    /// Delete what the file does not have
    #[arg(long)]
    prune: bool,
    /// The hash that `ripcord plan` printed: do exactly that, or refuse because the world has moved
    #[arg(long, value_name = "HASH")]
    plan: Option<Digest>,
    #[command(flatten)]
    write: Write,
}

/// What is to be applied, to which environment.
#[derive(Debug)]
pub(crate) struct Source {
    /// The file, as it is called in messages.
    pub(crate) name: String,
    /// The environment that it is for.
    pub(crate) environment: EnvironmentKey,
    changes: Vec<ChangeRequest>,
}

impl Source {
    /// Reads the file, and with `prune` looks up what it does not have.
    pub(crate) async fn read(call: &Invocation, file: &Path, prune: bool) -> Result<Self, Failure> {
        let name = input::name(file);
        let flags = input::flags_file(file)?;
        let environment = call.for_file(&name, flags.environment.as_ref())?;
        let gone = if prune { missing(call, &environment, &flags).await? } else { Vec::new() };
        Self::new(name, environment, changes_of(flags, gone))
    }

    /// What was read already.
    pub(crate) fn of(name: String, environment: EnvironmentKey, flags: FlagsFile) -> Result<Self, Failure> {
        Self::new(name, environment, changes_of(flags, Vec::new()))
    }

    fn new(name: String, environment: EnvironmentKey, changes: Vec<ChangeRequest>) -> Result<Self, Failure> {
        if changes.len() > limits::CHANGES {
            let most = limits::CHANGES;
            return Err(Failure::Usage(format!("{name} makes {} changes; a commit can have {most}.", changes.len())));
        }
        Ok(Self { name, environment, changes })
    }

    /// The commit that it asks for.
    pub(crate) fn request(&self, reason: Option<String>) -> CommitRequest {
        CommitRequest {
            reason,
            changes: self.changes.clone(),
            plan: None,
            changes_served: false,
        }
    }
}

/// The commit that puts all of a file.
pub(crate) fn whole(file: FlagsFile, reason: Option<String>) -> CommitRequest {
    CommitRequest {
        reason,
        changes: changes_of(file, Vec::new()),
        plan: None,
        changes_served: false,
    }
}

/// Segments first: that is how a person reads them. The server judges only the whole.
fn changes_of(file: FlagsFile, gone: Vec<ChangeRequest>) -> Vec<ChangeRequest> {
    let segments = file.segments.into_iter().map(|(key, segment)| ChangeRequest::PutSegment {
        key,
        segment: Box::new(segment),
    });
    let flags = file.flags.into_iter().map(|(key, flag)| ChangeRequest::PutFlag { key, flag: Box::new(flag) });
    segments.chain(flags).chain(gone).collect()
}

/// Deletions of what the environment has and the file has not.
async fn missing(call: &Invocation, environment: &EnvironmentKey, file: &FlagsFile) -> Result<Vec<ChangeRequest>, ClientError> {
    let flags: Answer<Vec<FlagView>> = call.client.list(&path(environment, &["flags"]), usize::MAX).await?;
    let segments: Answer<Vec<SegmentView>> = call.client.list(&path(environment, &["segments"]), usize::MAX).await?;
    let flags = flags.value.into_iter().map(|view| view.key).filter(|key| !file.flags.contains_key(key));
    let segments = segments.value.into_iter().map(|view| view.key).filter(|key| !file.segments.contains_key(key));
    Ok(flags.map(ChangeRequest::DeleteFlag).chain(segments.map(ChangeRequest::DeleteSegment)).collect())
}

/// Does it.
pub(crate) async fn run(call: &Invocation, command: Apply) -> Result<Exit, Failure> {
    let source = Source::read(call, &command.file, command.prune).await?;
    carry_out(call, source, command.plan, command.write).await
}

/// Shows what changes, commits it, and waits for the confirmations.
pub(crate) async fn carry_out(call: &Invocation, source: Source, plan: Option<Digest>, write: Write) -> Result<Exit, Failure> {
    if source.changes.is_empty() {
        note(&format!("{} has no flags and no segments; nothing to do.", source.name));
        return Ok(Exit::Done);
    }
    let mut request = source.request(write.reason.clone());
    request.changes_served = write.changes_served;
    let written = commit(call, &source, request, plan, &write).await?;
    let Some(written) = written else {
        call.output
            .text(&format!("Nothing to change: {} is as {} says.", source.environment, source.name));
        return Ok(Exit::Done);
    };
    call.output.answer(&written, |written| describe(written, &source));
    confirmed(call, &source.environment, &written.value, &write).await
}

/// Shows the plan, then commits exactly that. Without a hash of his own the caller is shown a new plan when the world moves.
async fn commit(
    call: &Invocation,
    source: &Source,
    mut request: CommitRequest,
    hash: Option<Digest>,
    write: &Write,
) -> Result<Option<Answer<Written>>, Failure> {
    for attempt in 1.. {
        request.plan = hash;
        if call.output.format() == Format::Text && hash.is_none() {
            let plan = plan::of(call, &source.environment, &request, write.release.as_ref()).await?.value;
            if changes::total(&plan) == 0 {
                return Ok(None);
            }
            print(&changes::describe(&plan, call.output.paint()));
            request.plan = Some(plan.hash);
        }
        let post = Call::post(path(&source.environment, &["commits"]))
            .query("wait", confirm::asked_of_server(call.output, write.patience()))
            .query("release", write.release.as_ref())
            .json(&request)?;
        match call.client.call(post).await {
            Ok(written) => return Ok(Some(written)),
            Err(ClientError::Problem { problem, .. }) if problem.code == Code::PlanStale && hash.is_none() && attempt < TRIES => {
                note("Somebody else changed some of it meanwhile; looking again.");
            }
            Err(error) => return Err(error.into()),
        }
    }
    Ok(None)
}

fn describe(written: &Written, source: &Source) -> String {
    let revision = written.revision.map_or_else(String::new, |revision| format!(", revision {revision}"));
    let mut text = if written.changed {
        format!("Applied {} to {}{revision}.", source.name, source.environment)
    } else {
        format!("Nothing to change: {} is as {} says.", source.environment, source.name)
    };
    for warning in &written.warnings {
        text.push_str("\nWarning: ");
        text.push_str(warning);
    }
    text
}

/// Waits for the confirmations of a write, says who has confirmed, and makes the exit code of it.
pub(crate) async fn confirmed(call: &Invocation, environment: &EnvironmentKey, written: &Written, write: &Write) -> Result<Exit, Failure> {
    let patience = write.patience();
    let mut confirmation = written.confirmation.clone();
    if call.output.format() == Format::Text
        && !patience.is_zero()
        && let Some(revision) = written.revision
    {
        confirmation = confirm::follow(&call.client, environment, &Subject::Revision(revision), confirmation, patience).await?;
        if let Some(confirmation) = &confirmation {
            print(&confirm::describe(confirmation, patience, call.output.paint()));
        }
    }
    Ok(confirm::exit(confirmation.as_ref(), patience))
}

#[cfg(test)]
mod tests;
