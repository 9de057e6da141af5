//! `ripcord promote`: flags of one environment, as they are there, into another.
//!
//! The plan's hash covers what each flag is in the target and would be: when either environment moves between the plan and its
//! execution, the execution is refused.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use clap::Args;
use ripcord_proto::digest::Digest;
use ripcord_proto::rest::commits::{ChangeRequest, CommitRequest};
use ripcord_proto::rest::plan::PlanResponse;
use ripcord_proto::rest::responses::WriteResponse;
use ripcord_proto::text::shell_word;
use ripcord_proto::{EnvironmentKey, Flag, FlagKey, FlagsFile, SegmentKey, Snapshot};

use super::answer::Answer;
use super::client::Call;
use super::context::{Context, path};
use super::exit::{Exit, Failure};
use super::output::Paint;
use super::write::{WriteArgs, wait_for_confirmations};
use super::{changes, confirm, snapshot};

/// Copy flags from one environment to another
///
/// Without --plan it only shows what would change, and the hash to do exactly that. Segments that the flags need and the target
/// lacks are copied too; segments that differ stay as they are, unless --with-segments is given.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  ripcord promote --from staging --to production --flag checkout-v2,theme
  ripcord promote --from staging --to production --flag checkout-v2 --plan HASH")]
pub(crate) struct Promote {
    /// The environment to copy from
    #[arg(long, value_name = "ENV")]
    from: EnvironmentKey,
    /// The environment to copy to
    #[arg(long, value_name = "ENV")]
    to: EnvironmentKey,
    /// A flag to copy; repeat or separate with commas
    #[arg(long = "flag", value_name = "FLAG", value_delimiter = ',', required = true)]
    flags: Vec<FlagKey>,
    /// Also overwrite segments that differ in the target
    #[arg(long)]
    with_segments: bool,
    /// The hash that a first run printed: do exactly that, or refuse if anything has changed since
    #[arg(long, value_name = "HASH", conflicts_with = "dry_run")]
    plan: Option<Digest>,
    /// Only show what would change; the default without --plan
    #[arg(long)]
    dry_run: bool,
    #[command(flatten)]
    write: WriteArgs,
}

/// What is brought, and what would have been but stays.
struct Promotion {
    request: CommitRequest,
    /// Segments that differ in the target, and are kept.
    differing: Vec<SegmentKey>,
}

pub(crate) async fn run(call: &Context, command: Promote) -> Result<Exit, Failure> {
    if command.from == command.to {
        return Err(Failure::Usage(format!("--from and --to are both {}.", command.from)));
    }
    let source = snapshot::snapshot(&call.client, &command.from).await?;
    let target = snapshot::snapshot(&call.client, &command.to).await?;
    let mut promotion = promotion(&command, &snapshot::flags_file(&source)?, &target)?;
    if command.plan.is_none() {
        let answer = changes::plan(call, &command.to, &promotion.request, command.write.release.as_ref()).await?;
        call.output
            .answer(&answer, |plan| describe(plan, &promotion.differing, &command, call, call.output.paint()));
        return Ok(Exit::Done);
    }
    let written = format!("promoted from {} at revision {}", command.from, source.position.revision);
    promotion.request.plan = command.plan;
    promotion.request.reason = Some(
        command
            .write
            .reason
            .as_ref()
            .map_or_else(|| written.clone(), |reason| format!("{reason} ({written})")),
    );
    promotion.request.allow_killed_edit = command.write.allow_killed_edit;
    let post = Call::post(path(&command.to, &["commits"]))
        .query("wait", confirm::asked_of_server(call.output, command.write.patience()))
        .query("release", command.write.release.as_ref())
        .json(&promotion.request)?;
    let answer: Answer<WriteResponse> = call.client.call(post).await?;
    call.output.answer(&answer, |written| {
        if !written.changed {
            return format!("Nothing changed in {}.", command.to);
        }
        let revision = written.revision.map_or_else(String::new, |revision| format!(", revision {revision}"));
        let flags = written.flags.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
        format!("Promoted {flags} from {} to {}{revision}.", command.from, command.to)
    });
    wait_for_confirmations(call, &command.to, &answer.value, &command.write).await
}

fn promotion(command: &Promote, source: &FlagsFile, target: &Snapshot) -> Result<Promotion, Failure> {
    let mut changes = Vec::new();
    let mut needed = BTreeSet::new();
    for key in &command.flags {
        let Some(flag) = source.flags.get(key) else {
            return Err(Failure::Local(format!(
                "{} has no flag {key}; `ripcord flags list --env {}` shows its flags.",
                command.from, command.from
            )));
        };
        segments_of(flag, source, &mut needed);
        changes.push(ChangeRequest::PutFlag {
            key: key.clone(),
            flag: Box::new(flag.clone()),
        });
    }
    let mut differing = Vec::new();
    let mut brought = Vec::new();
    for key in needed {
        let Some(segment) = source.segments.get(&key) else { continue };
        match target.segments.value(key.as_str()) {
            Some(there) if there == segment => {}
            Some(_) if !command.with_segments => differing.push(key),
            Some(_) | None => brought.push(ChangeRequest::PutSegment {
                key,
                segment: Box::new(segment.clone()),
            }),
        }
    }
    brought.extend(changes);
    Ok(Promotion {
        request: CommitRequest {
            reason: None,
            changes: brought,
            plan: None,
            allow_killed_edit: false,
        },
        differing,
    })
}

/// The segments that a flag names, and those that they name.
fn segments_of(flag: &Flag, source: &FlagsFile, needed: &mut BTreeSet<SegmentKey>) {
    let mut waiting: Vec<SegmentKey> = Vec::new();
    for when in flag.rules.iter().filter_map(|rule| rule.when.as_ref()) {
        when.segments(&mut |key, _| waiting.push(key.clone()));
    }
    while let Some(key) = waiting.pop() {
        if needed.insert(key.clone())
            && let Some(segment) = source.segments.get(&key)
        {
            segment.when.segments(&mut |inner, _| waiting.push(inner.clone()));
        }
    }
}

fn describe(plan: &PlanResponse, differing: &[SegmentKey], command: &Promote, call: &Context, paint: Paint) -> String {
    let mut text = changes::describe(plan, paint);
    for key in differing {
        let warning = format!(
            "! segment {key} differs in {} and is kept: the flags may match other users there. To overwrite it, add --with-segments.",
            command.to
        );
        // Writing to a String cannot fail.
        let _ = writeln!(text, "{}", paint.warn(&warning));
    }
    if changes::total(plan) == 0 {
        let _ = write!(text, "Nothing would change: these flags are the same in {} and {}.", command.to, command.from);
        return text;
    }
    let flags: Vec<_> = command.flags.iter().map(FlagKey::as_str).collect();
    let with = if command.with_segments { " --with-segments" } else { "" };
    let line = format!(
        "promote --from {} --to {} --flag {}{with} --plan {}",
        command.from,
        command.to,
        shell_word(&flags.join(",")),
        plan.hash
    );
    let _ = write!(
        text,
        "Would change {} of {}, planned at revision {}. Nothing is changed yet. To do exactly this:\n  {}",
        changes::summary(plan),
        command.to,
        plan.revision,
        call.command(&line)
    );
    text
}
