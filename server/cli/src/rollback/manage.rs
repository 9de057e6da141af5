//! What is done to a rollback that was made: `list`, `show`, `wait`, `stop`, `resume`, `undo`, `review`.

use std::fmt::Write as _;
use std::time::Duration;

use clap::{Args, Subcommand};
use jiff::Timestamp;
use ripcord_proto::rest::kills::ReasonRequest;
use ripcord_proto::rest::rollback_acts::{ResumeRequest, ReviewRequest, UndoRequest};
use ripcord_proto::rest::rollbacks::{ExecutionOptions, RollbackPlan};
use ripcord_proto::rollback::{Rollback, RollbackOptions, RollbackScope};
use ripcord_proto::{FlagKey, RollbackId};

use super::{follow, plan};
use crate::answer::Answer;
use crate::client::Call;
use crate::confirm;
use crate::context::Context;
use crate::duration;
use crate::exit::{Exit, Failure};
use crate::ids::{self, IdArg};
use crate::input::ListArgs;
use crate::output::{Format, count, facts, moment, print, print_data, short_moment};
use crate::table::Table;
use ripcord_proto::rest::wait::Wait;

#[derive(Debug, Subcommand)]
pub(crate) enum Manage {
    /// List the rollbacks, newest first
    List(ListArgs),
    /// Show a rollback: its phases, confirmations, checks and next steps
    Show {
        /// The rollback's id, or the beginning of it
        #[arg(value_name = "ROLLBACK_ID")]
        id: IdArg<RollbackId>,
    },
    /// Wait until it is confirmed; exit code 4 on timeout, 1 on failure
    Wait {
        /// The rollback's id, or the beginning of it
        #[arg(value_name = "ROLLBACK_ID")]
        id: IdArg<RollbackId>,
        /// How long to wait at most (30s, or seconds)
        #[arg(long, value_name = "DURATION", default_value = "30s", value_parser = duration::wait)]
        wait: Wait,
    },
    /// Stop a staged rollback where it is
    Stop {
        /// The rollback's id, or the beginning of it
        #[arg(value_name = "ROLLBACK_ID")]
        id: IdArg<RollbackId>,
        /// Reason, recorded in the audit log
        #[arg(long, value_name = "TEXT")]
        reason: Option<String>,
    },
    /// Continue a staged rollback, or repeat the checks of one that failed
    Resume(Resume),
    /// Undo a rollback: return to the state before it
    Undo(Undo),
    /// Record the review of a rollback
    Review {
        /// The rollback's id, or the beginning of it
        #[arg(value_name = "ROLLBACK_ID")]
        id: IdArg<RollbackId>,
        /// What the review found
        #[arg(long, value_name = "TEXT")]
        note: String,
    },
}

#[derive(Debug, Args)]
pub(crate) struct Resume {
    /// The rollback's id, or the beginning of it
    #[arg(value_name = "ROLLBACK_ID")]
    id: IdArg<RollbackId>,
    /// Do all remaining steps at once
    #[arg(long)]
    now: bool,
    /// Reason, recorded in the audit log
    #[arg(long, value_name = "TEXT")]
    reason: Option<String>,
    /// With --now: wait for the applications to confirm, up to this long
    #[arg(long, value_name = "DURATION", default_value = "30s", value_parser = duration::wait)]
    wait: Wait,
}

#[derive(Debug, Args)]
#[expect(clippy::struct_excessive_bools, reason = "these are options of a command line")]
pub(crate) struct Undo {
    /// The rollback's id, or the beginning of it
    #[arg(value_name = "ROLLBACK_ID")]
    id: IdArg<RollbackId>,
    /// Reason, recorded in the audit log
    #[arg(long, value_name = "TEXT")]
    reason: Option<String>,
    /// Only show what it would do, and the hash for --plan
    #[arg(long, conflicts_with = "plan")]
    dry_run: bool,
    /// The hash of a --dry-run: do exactly that, or refuse if anything has changed since
    #[arg(long, value_name = "HASH")]
    plan: Option<ripcord_proto::digest::Digest>,
    /// Also undo flags that others have changed since
    #[arg(long)]
    include_conflicts: bool,
    /// Also undo segments that differ
    #[arg(long)]
    with_segments: bool,
    /// Allow edits that change what a killed flag serves
    #[arg(long)]
    allow_killed_edit: bool,
    /// Confirm that irreversible changes of this flag are understood; repeat or separate with commas
    #[arg(long, value_name = "FLAG", value_delimiter = ',')]
    acknowledge_one_way: Vec<FlagKey>,
    /// Roll back although this check fails beforehand, since the check is what is broken; repeat or separate with commas
    #[arg(long = "acknowledge-check", value_name = "CHECK", value_delimiter = ',')]
    acknowledge_checks: Vec<String>,
    /// Wait for the applications to confirm, up to this long; exit code 4 if one does not
    #[arg(long, value_name = "DURATION", default_value = "30s", value_parser = duration::wait)]
    wait: Wait,
}

pub(crate) async fn run(call: &Context, action: Manage) -> Result<Exit, Failure> {
    match action {
        Manage::List(arguments) => list(call, arguments).await,
        Manage::Show { id } => show(call, &id.resolved(call).await?).await,
        Manage::Wait { id, wait } => waited(call, &id.resolved(call).await?, wait.0).await,
        Manage::Stop { id, reason } => stop(call, &id.resolved(call).await?, reason).await,
        Manage::Resume(resume) => self::resume(call, resume).await,
        Manage::Undo(undo) => self::undo(call, undo).await,
        Manage::Review { id, note } => review(call, &id.resolved(call).await?, note).await,
    }
}

async fn list(call: &Context, arguments: ListArgs) -> Result<Exit, Failure> {
    let rollbacks: Answer<Vec<Rollback>> = call.client.list(&call.path(&["rollbacks"]), arguments.most()).await?;
    call.output.answer(&rollbacks, |rollbacks| {
        if rollbacks.is_empty() {
            return format!("{} has no rollbacks.", call.environment());
        }
        overview(rollbacks, Timestamp::now()).to_string()
    });
    Ok(Exit::Done)
}

fn overview(rollbacks: &[Rollback], now: Timestamp) -> Table {
    let ids = ids::short(rollbacks.iter().map(|rollback| rollback.id.as_str()));
    let rows = rollbacks.iter().zip(ids).map(|(rollback, id)| {
        [
            id.to_owned(),
            rollback.state.as_str().to_owned(),
            rollback.phases.decided.map(|at| short_moment(at, now)).unwrap_or_default(),
            rollback.revision.to_string(),
            rollback.by.name.clone(),
            format!("{}{}", scope(&rollback.scope), follow::limits(rollback)),
            follow::target(rollback),
            review_of(rollback, now),
        ]
    });
    Table::new(["rollback", "state", "when", "revision", "by", "scope", "to", "review"], rows)
}

fn review_of(rollback: &Rollback, now: Timestamp) -> String {
    match &rollback.review.done {
        Some(_) => "done".to_owned(),
        None if rollback.review.is_overdue(now) => format!("OVERDUE since {}", short_moment(rollback.review.due, now)),
        None => format!("due {}", short_moment(rollback.review.due, now)),
    }
}

fn scope(scope: &RollbackScope) -> String {
    match scope {
        RollbackScope::Environment => "environment".to_owned(),
        RollbackScope::Release(name) => format!("release {name}"),
        RollbackScope::Flags(flags) if flags.len() == 1 => flags.iter().map(ToString::to_string).collect(),
        RollbackScope::Flags(flags) => count(flags.len(), "flag", "flags"),
        RollbackScope::Tags(tags) => {
            let tags: Vec<_> = tags.iter().map(ToString::to_string).collect();
            format!("tags {}", tags.join(", "))
        }
        RollbackScope::Rollback(id) => format!("undoes {id}"),
        RollbackScope::Rollout(id) => format!("rollout {id}"),
    }
}

async fn show(call: &Context, id: &RollbackId) -> Result<Exit, Failure> {
    let answer: Answer<Rollback> = call.client.call(Call::get(call.path(&["rollbacks", id.as_str()]))).await?;
    call.output.answer(&answer, |rollback| {
        let mut text = follow::describe(call, rollback);
        let mut rest = vec![
            ("scope", scope(&rollback.scope)),
            ("by", rollback.by.name.clone()),
            ("review", review_of(rollback, Timestamp::now())),
        ];
        if let Some(reason) = &rollback.reason {
            rest.push(("reason", reason.clone()));
        }
        if let Some(done) = &rollback.review.done {
            rest.push(("found", format!("{} ({}, {})", done.note, done.by.name, moment(done.at))));
        }
        // Writing to a String cannot fail.
        let _ = write!(text, "\n\n{}", facts(&rest));
        text
    });
    Ok(Exit::Done)
}

async fn waited(call: &Context, id: &RollbackId, patience: Duration) -> Result<Exit, Failure> {
    if call.output.format() == Format::Json {
        let get = Call::get(call.path(&["rollbacks", id.as_str()])).query("wait", Some(format!("{}ms", patience.as_millis())));
        let answer: Answer<Rollback> = call.client.call(get).await?;
        print_data(&answer.text);
        return Ok(follow::exit(&answer.value, patience));
    }
    let rollback = follow::follow(call, id, follow::Until::Settled, patience).await?;
    print(&follow::describe(call, &rollback));
    Ok(follow::exit(&rollback, patience))
}

async fn stop(call: &Context, id: &RollbackId, reason: Option<String>) -> Result<Exit, Failure> {
    let mut post = Call::post(call.path(&["rollbacks", id.as_str(), "stop"]));
    if let Some(reason) = reason {
        post = post.json(&ReasonRequest { reason })?;
    }
    let answer: Answer<Rollback> = call.client.call(post).await?;
    call.output.answer(&answer, |rollback| follow::state(rollback, call.output.paint()));
    Ok(Exit::Done)
}

async fn resume(call: &Context, resume: Resume) -> Result<Exit, Failure> {
    let id = resume.id.resolved(call).await?;
    let request = ResumeRequest {
        now: resume.now,
        reason: resume.reason,
    };
    let patience = if resume.now { resume.wait.0 } else { Duration::ZERO };
    let post = Call::post(call.path(&["rollbacks", id.as_str(), "resume"]))
        .query("wait", confirm::asked_of_server(call.output, patience))
        .json(&request)?;
    let answer: Answer<Rollback> = call.client.call(post).await?;
    if call.output.format() == Format::Json {
        print_data(&answer.text);
        return Ok(follow::exit(&answer.value, patience));
    }
    if !resume.now {
        print(&follow::state(&answer.value, call.output.paint()));
        return Ok(Exit::Done);
    }
    let rollback = follow::follow(call, &id, follow::Until::Settled, patience).await?;
    print(&follow::describe(call, &rollback));
    Ok(follow::exit(&rollback, patience))
}

async fn undo(call: &Context, undo: Undo) -> Result<Exit, Failure> {
    let id = undo.id.resolved(call).await?;
    let request = UndoRequest {
        execution: ExecutionOptions {
            options: RollbackOptions {
                include_conflicts: undo.include_conflicts,
                with_segments: undo.with_segments,
                allow_killed_edit: undo.allow_killed_edit,
            },
            acknowledge_one_way: undo.acknowledge_one_way.into_iter().collect(),
            acknowledge_checks: undo.acknowledge_checks.into_iter().collect(),
            plan: undo.plan,
            reason: undo.reason,
        },
    };
    if undo.dry_run {
        let post = Call::ask(call.path(&["rollbacks", id.as_str(), "undo", "plan"])).json(&request)?;
        let answer: Answer<RollbackPlan> = call.client.call(post).await?;
        call.output.answer(&answer, |plan| {
            let next = call.command(&format!("rollback undo {id} --plan {}", plan.hash));
            plan::describe(plan, call.environment().as_str(), &next, call.output.paint())
        });
        return Ok(Exit::Done);
    }
    let patience = undo.wait.0;
    let post = Call::post(call.path(&["rollbacks", id.as_str(), "undo"]))
        .query("wait", confirm::asked_of_server(call.output, patience))
        .urgent(patience)
        .json(&request)?;
    let answer: Answer<Rollback> = call.client.call(post).await?;
    if call.output.format() == Format::Json {
        print_data(&answer.text);
        return Ok(follow::exit(&answer.value, patience));
    }
    follow::see(call, answer.value, patience).await
}

async fn review(call: &Context, id: &RollbackId, note: String) -> Result<Exit, Failure> {
    let post = Call::post(call.path(&["rollbacks", id.as_str(), "review"])).json(&ReviewRequest { note })?;
    let answer: Answer<Rollback> = call.client.call(post).await?;
    call.output
        .answer(&answer, |rollback| format!("Recorded the review of rollback {}.", rollback.id));
    Ok(Exit::Done)
}
