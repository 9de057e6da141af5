//! `ripcord restore`: lifts kills that are named.

use std::fmt::Write as _;
use std::time::Duration;

use clap::{ArgGroup, Args};
use ripcord_proto::confirmation::Confirmation;
use ripcord_proto::kill::KillScope;
use ripcord_proto::problem::Code;
use ripcord_proto::rest::kills::{KillView, ReasonRequest, RestoreResponse};
use ripcord_proto::rest::log::LogEntry;
use ripcord_proto::rest::wait::Wait;
use ripcord_proto::text::listed;
use ripcord_proto::{FlagKey, KillId, Tag};

use super::answer::{Answer, ClientError};
use super::client::Call;
use super::confirm::{self, Subject};
use super::context::Context;
use super::duration;
use super::exit::{Exit, Failure};
use super::ids::IdArg;
use super::output::{Format, count, moment, print, print_data};

/// Flags and kills that are named; of more, only the number is shown.
const NAMED: usize = 20;
/// Entries of the log in which the end of a kill is looked up.
const SEARCHED: usize = 1_000;

/// Lift a kill
///
/// The flags that it covered answer by their rules again, unless another kill covers them.
#[derive(Debug, Args)]
#[command(
    override_usage = "ripcord restore [OPTIONS] --reason <TEXT> [KILL_ID]",
    group = ArgGroup::new("which").required(true).multiple(true),
    after_help = "\
Examples:
  ripcord restore k_01jd3x7q8v9w --reason \"fixed by 2.14.1\"
  ripcord restore --flag checkout-v2 --reason \"fixed by 2.14.1\"
  ripcord restore --tag payments --reason \"provider is back\"
  ripcord kill list                    the kills in force, with their ids")]
pub(crate) struct Restore {
    /// The kill's id, or the beginning of it
    #[arg(value_name = "KILL_ID", group = "which")]
    id: Option<String>,
    /// Lift the kill of this flag; repeat or separate with commas
    #[arg(long = "flag", group = "which", value_name = "FLAG", value_delimiter = ',', conflicts_with = "id")]
    flags: Vec<FlagKey>,
    /// Lift the kill of this tag; repeat or separate with commas
    #[arg(long = "tag", group = "which", value_name = "TAG", value_delimiter = ',', conflicts_with = "id")]
    tags: Vec<Tag>,
    /// Lift the kill of every flag (`kill --all`); kills of single flags and tags stay
    #[arg(long, group = "which", conflicts_with_all = ["id", "flags", "tags"])]
    all: bool,
    /// Why it is safe again
    #[arg(long, value_name = "TEXT", required = true)]
    reason: String,
    /// Wait for the applications to confirm, up to this long (2s, 500ms, or seconds); exit code 4 if one does not
    #[arg(long, value_name = "DURATION", default_value = "2s", value_parser = duration::wait)]
    wait: Wait,
}

impl Restore {
    /// What the kills to lift were asked to cover.
    fn covers(&self, scope: &KillScope) -> bool {
        match scope {
            KillScope::Flag(flag) => self.flags.contains(flag),
            KillScope::Tag(tag) => self.tags.contains(tag),
            KillScope::All(_) => self.all,
        }
    }
}

pub(crate) async fn run(call: &Context, command: Restore) -> Result<Exit, Failure> {
    let mut exit = Exit::Done;
    for id in chosen(call, &command).await? {
        let ended = restore(call, &id, &command).await?;
        if ended.code() > exit.code() {
            exit = ended;
        }
    }
    Ok(exit)
}

/// The kills to lift.
async fn chosen(call: &Context, command: &Restore) -> Result<Vec<KillId>, Failure> {
    if let Some(text) = &command.id {
        return match text.parse::<IdArg<KillId>>() {
            Ok(id) => Ok(vec![id.resolved(call).await?]),
            Err(_) => Err(Failure::Usage(format!("{text:?} is not a kill id (k_…). {}", in_force(&kills(call).await?)))),
        };
    }
    let kills = kills(call).await?;
    let (chosen, others): (Vec<KillView>, Vec<KillView>) = kills.into_iter().partition(|view| command.covers(&view.kill.scope));
    let found = |wanted: &dyn Fn(&KillScope) -> bool| chosen.iter().any(|view| wanted(&view.kill.scope));
    let flags = command
        .flags
        .iter()
        .filter(|flag| !found(&|scope| matches!(scope, KillScope::Flag(other) if other == *flag)));
    let tags = command
        .tags
        .iter()
        .filter(|tag| !found(&|scope| matches!(scope, KillScope::Tag(other) if other == *tag)));
    let missing: Vec<String> = flags.map(|flag| format!("flag {flag}")).chain(tags.map(|tag| format!("tag {tag}"))).collect();
    if !missing.is_empty() || chosen.is_empty() {
        let missing = if missing.is_empty() { "all flags".to_owned() } else { missing.join(" and ") };
        return Err(Failure::Local(format!(
            "nothing was lifted: there is no kill of {missing}. {}",
            in_force(&others)
        )));
    }
    Ok(chosen.into_iter().map(|view| view.kill.id).collect())
}

async fn kills(call: &Context) -> Result<Vec<KillView>, Failure> {
    let kills: Answer<Vec<KillView>> = call.client.list(&call.path(&["kills"]), usize::MAX).await?;
    Ok(kills.value)
}

fn in_force(kills: &[KillView]) -> String {
    if kills.is_empty() {
        return "No kill is in force.".to_owned();
    }
    let named = kills.iter().take(NAMED).map(|view| {
        let flags = count(view.serves_total, "flag", "flags");
        format!("{} ({}, {flags})", view.kill.id, view.kill.scope)
    });
    format!("Kills in force: {}.", named.collect::<Vec<_>>().join(", "))
}

async fn restore(call: &Context, id: &KillId, command: &Restore) -> Result<Exit, Failure> {
    let patience = command.wait.0;
    let request = ReasonRequest {
        reason: command.reason.clone(),
    };
    let delete = Call::delete(call.path(&["kills", id.as_str()]))
        .query("wait", confirm::asked_of_server(call.output, patience))
        .urgent(patience)
        .json(&request)?;
    let answer: Answer<RestoreResponse> = match call.client.call(delete).await {
        Err(ClientError::Problem(refusal)) if refusal.problem.code == Code::NotFound => {
            if let (Format::Text, Some(lifted)) = (call.output.format(), lifted(call, id).await) {
                return Err(Failure::Local(lifted));
            }
            return Err(ClientError::Problem(refusal).into());
        }
        answered => answered?,
    };
    let restored = &answer.value;
    if call.output.format() == Format::Json {
        print_data(&answer.text);
        return Ok(exit(restored, restored.confirmation.as_ref(), patience));
    }
    let others = if restored.still_killed.is_empty() {
        Vec::new()
    } else {
        kills(call).await.unwrap_or_default()
    };
    print(&describe(restored, &call.place(), &others));
    for warning in &restored.warnings {
        print(&call.output.paint().warn(warning));
    }
    let mut confirmation = restored.confirmation.clone();
    if let Some(revision) = restored.revision {
        confirmation = confirm::follow(&call.client, call.environment(), &Subject::Revision(revision), confirmation, patience).await?;
        if let Some(confirmation) = &confirmation {
            print(&confirm::describe(confirmation, patience, call.output.paint()));
        }
    }
    Ok(exit(restored, confirmation.as_ref(), patience))
}

/// 4 if an application is missing, and for a withdrawal, which applications do not confirm.
fn exit(restored: &RestoreResponse, confirmation: Option<&Confirmation>, patience: Duration) -> Exit {
    if restored.withdrawn && (!patience.is_zero() || !restored.nodes_not_reached.is_empty()) {
        return Exit::Unconfirmed;
    }
    confirm::exit(confirmation, patience)
}

/// Who lifted a kill that is no longer in force, from the log; silent if that is not known.
async fn lifted(call: &Context, id: &KillId) -> Option<String> {
    let query = [("log", call.environment().as_str())];
    let entries: Answer<Vec<LogEntry>> = call.client.list_with(&["v1", "audit"], &query, SEARCHED).await.ok()?;
    let is_end = |entry: &&LogEntry| entry.changes.iter().any(|change| change.change == "restore" && change.subject == id.as_str());
    let entry = entries.value.iter().find(is_end)?;
    Some(format!("kill {id} was already lifted at {} by {}.", moment(entry.at), entry.actor.name))
}

fn describe(restored: &RestoreResponse, place: &str, others: &[KillView]) -> String {
    let what = restored.scope.as_ref().map(|scope| format!(" ({scope})")).unwrap_or_default();
    let head = format!("Lifted kill {}{what} in {place}", restored.id);
    let mut text = match restored.revision {
        Some(revision) => format!("{head}, revision {revision}."),
        None if restored.withdrawn => format!(
            "Withdrew kill {}{what} in {place}. Which applications have heard of it is not known.",
            restored.id
        ),
        None => format!("{head}. This is written to the log when the store returns."),
    };
    // Writing to a String cannot fail.
    if !restored.restored.is_empty() {
        let verb = if restored.restored.len() == 1 { "is" } else { "are" };
        let _ = write!(text, "\n{} {verb} no longer killed.", listed(&restored.restored, NAMED));
    }
    for flag in restored.still_killed.iter().take(NAMED) {
        let covers = |view: &&KillView| view.kill.covers(flag.as_str()) && view.kill.id != restored.id;
        let by = others.iter().find(covers).map(|view| format!(" by {} ({})", view.kill.id, view.kill.scope));
        let _ = write!(text, "\n{flag} is still killed{}.", by.unwrap_or_default());
    }
    let more = restored.still_killed.len().saturating_sub(NAMED);
    if more > 0 {
        let _ = write!(text, "\n{} killed too: `ripcord kill list`.", count(more, "more flag is", "more flags are"));
    }
    text
}

#[cfg(test)]
mod tests;
