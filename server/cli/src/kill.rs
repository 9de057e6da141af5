//! `ripcord kill`: forces flags to their safe variant, and shows which applications have confirmed it.

use std::fmt::Write as _;

use clap::{ArgGroup, Args, Subcommand};
use jiff::Timestamp;
use reqwest::StatusCode;
use ripcord_proto::kill::{AllFlags, KillScope};
use ripcord_proto::rest::kills::{KillRequest, KillResponse, KillView, ReasonRequest, ServedFlag};
use ripcord_proto::text::{grouped_len, shell_word};
use ripcord_proto::{FlagKey, Tag};
use serde::de::IgnoredAny;

use super::answer::{Answer, ClientError};
use super::client::Call;
use super::confirm::{self, Subject};
use super::context::Context;
use super::duration;
use super::exit::{Exit, Failure};
use super::ids;
use super::input::ListArgs;
use super::output::{Format, Paint, count, moment, note, print, print_data, reason, short_moment};
use super::table::{Table, indented_table};
use ripcord_proto::rest::wait::Wait;

/// Flags that are listed one by one; of more, only the number is shown.
const LISTED: usize = 20;

/// Force flags to their safe variant, now
///
/// A kill holds in every application until `ripcord restore` lifts it; no edit of a flag can. It never waits for a reason, an
/// approval, other writes or a slow store.
#[derive(Debug, Args)]
#[command(
    args_conflicts_with_subcommands = true,
    subcommand_negates_reqs = true,
    group = ArgGroup::new("scope").required(true).multiple(true),
    after_help = "\
Examples:
  ripcord kill checkout-v2 --reason \"5xx spike\"
  ripcord kill --tag payments --reason \"provider down\"
  ripcord kill --tag beta --future         also if no flag has the tag yet
  ripcord kill --all                       kill first,
  ripcord kill --all --reason \"outage\"    add the reason later
  ripcord kill list                        kills in force
  ripcord kill --flag list                 a flag that is called list"
)]
pub(crate) struct KillCommand {
    #[command(subcommand)]
    action: Option<Action>,
    /// The flags to kill
    #[arg(group = "scope", value_name = "FLAG", value_delimiter = ',')]
    flags: Vec<FlagKey>,
    /// A flag to kill; repeat or separate with commas
    #[arg(long = "flag", group = "scope", value_name = "FLAG", value_delimiter = ',')]
    named: Vec<FlagKey>,
    /// Kill every flag with this tag, also flags that get it later; repeat or separate with commas
    #[arg(long = "tag", group = "scope", value_name = "TAG", value_delimiter = ',')]
    tags: Vec<Tag>,
    /// Kill every flag of the environment
    #[arg(long, group = "scope", conflicts_with_all = ["flags", "named", "tags"])]
    all: bool,
    /// Kill a tag although no flag has it: flags that get it later are killed then
    #[arg(long)]
    future: bool,
    /// The old spelling of `kill list`
    #[arg(long, group = "scope", hide = true, conflicts_with_all = ["flags", "named", "tags", "all", "reason"])]
    list: bool,
    /// Reason, recorded in the audit log; can be added later with the same command
    #[arg(long, value_name = "TEXT")]
    reason: Option<String>,
    /// Wait for the applications to confirm, up to this long (2s, 500ms, or seconds); exit code 4 if one does not
    #[arg(long, value_name = "DURATION", default_value = "2s", value_parser = duration::wait)]
    wait: Wait,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// List the kills in force
    List(ListArgs),
}

impl KillCommand {
    /// Whether it kills, and does not only list.
    pub(crate) const fn kills(&self) -> bool {
        self.action.is_none() && !self.list
    }

    /// What to kill: each flag and each tag is a separate kill.
    fn scopes(&self) -> Vec<KillScope> {
        let flags = self.flags.iter().chain(&self.named).cloned().map(KillScope::Flag);
        let tags = self.tags.iter().cloned().map(KillScope::Tag);
        let all = self.all.then_some(KillScope::All(AllFlags));
        flags.chain(tags).chain(all).collect()
    }
}

/// Kills, or lists the kills in force. One scope that fails keeps none of the others from being killed.
pub(crate) async fn run(call: &Context, command: KillCommand) -> Result<Exit, Failure> {
    if let Some(Action::List(arguments)) = command.action {
        return list(call, arguments.most()).await;
    }
    if command.list {
        note("`ripcord kill --list` is now `ripcord kill list`.");
        return list(call, usize::MAX).await;
    }
    let (mut exit, mut failed) = (Exit::Done, None);
    for scope in command.scopes() {
        match kill(call, scope, &command).await {
            Ok(ended) if ended.code() > exit.code() => exit = ended,
            Ok(_) => {}
            Err(failure) => {
                if let Some(before) = failed.replace(failure) {
                    before.note(call.output);
                }
            }
        }
    }
    failed.map_or(Ok(exit), Err)
}

async fn kill(call: &Context, scope: KillScope, command: &KillCommand) -> Result<Exit, Failure> {
    let patience = command.wait.0;
    // A blank reason counts as missing: a kill is never refused for its words.
    let reason = command.reason.as_deref().filter(|reason| !reason.trim().is_empty());
    let request = KillRequest {
        scope,
        reason: reason.map(str::to_owned),
        future: command.future,
        ignored: Vec::new(),
    };
    let post = Call::post(call.path(&["kills"]))
        .query("wait", confirm::asked_of_server(call.output, patience))
        .urgent(patience)
        .json(&request)?;
    let mut answer: Answer<KillResponse> = call.client.call(post).await?;
    let existed = answer.status == StatusCode::OK;
    // Only a new kill is lifted again: that of someone else may be meant to wait for a flag.
    if answer.value.flags_total == 0 && !command.future && !existed {
        return nothing_killed(call, &answer).await;
    }
    if call.output.format() == Format::Json {
        if answer.value.reason_missing && reason.is_some() {
            give_reason(call, &answer.value, reason).await?;
        }
        print_data(&answer.text);
        return Ok(confirm::exit(answer.value.confirmation.as_ref(), patience));
    }
    let before = if existed { earlier(call, &answer.value).await } else { None };
    print(&describe(&answer.value, before.as_ref(), &call.place(), call.output.paint()));
    if existed && answer.value.reason_missing && reason.is_some() {
        give_reason(call, &answer.value, reason).await?;
        answer.value.reason = reason.map(str::to_owned);
        answer.value.reason_missing = false;
        print("The reason is recorded now.");
    }
    let kill = &answer.value;
    let subject = kill.revision.map_or_else(|| Subject::Kill(kill.id.clone()), Subject::Revision);
    let followed = confirm::follow(&call.client, call.environment(), &subject, kill.confirmation.clone(), patience).await?;
    if let Some(confirmation) = &followed {
        print(&confirm::describe(confirmation, patience, call.output.paint()));
        if confirmation.applied.connected == 0 {
            let server = call.client.server();
            print(
                &call
                    .output
                    .paint()
                    .warn(&format!("No application has received the kill. Is {server} the right server?")),
            );
        }
    }
    print(&afterwards(call, kill));
    Ok(confirm::exit(followed.as_ref(), patience))
}

/// Who killed it before, and when; silent if that cannot be looked up, as the kill holds anyway.
async fn earlier(call: &Context, kill: &KillResponse) -> Option<KillView> {
    let view: Answer<KillView> = call.client.call(Call::get(call.path(&["kills", kill.id.as_str()]))).await.ok()?;
    Some(view.value)
}

/// A kill that covers no flag: it is lifted again, so that it has no effect later, and the command fails.
async fn nothing_killed(call: &Context, answer: &Answer<KillResponse>) -> Result<Exit, Failure> {
    let kill = &answer.value;
    let request = ReasonRequest {
        reason: "it covered no flag".to_owned(),
    };
    let delete = Call::delete(call.path(&["kills", kill.id.as_str()])).json(&request)?;
    let lifted: Result<Answer<IgnoredAny>, ClientError> = call.client.call(delete).await;
    if call.output.format() == Format::Json {
        print_data(&answer.text);
        return Ok(Exit::Failed);
    }
    note(&format!("{} {}", call.output.error_paint().bad("error:"), nothing_covered(&kill.scope)));
    if lifted.is_err() {
        let restore = call.command(&format!("restore {} --reason \"…\"", kill.id));
        note(&format!("  The kill stays in force for flags that match later. To lift it: {restore}"));
    }
    Ok(Exit::Failed)
}

async fn give_reason(call: &Context, kill: &KillResponse, reason: Option<&str>) -> Result<(), ClientError> {
    let Some(reason) = reason else { return Ok(()) };
    let request = ReasonRequest { reason: reason.to_owned() };
    let patch = Call::patch(call.path(&["kills", kill.id.as_str()])).json(&request)?;
    call.client.call::<serde::de::IgnoredAny>(patch).await.map(|_| ())
}

/// What was killed where, and what it serves now. `before` is the kill that was in force already.
fn describe(kill: &KillResponse, before: Option<&KillView>, place: &str, paint: Paint) -> String {
    let (what, scope) = match &kill.scope {
        KillScope::Flag(flag) => (flag.to_string(), String::new()),
        KillScope::Tag(tag) => (count(kill.flags_total, "flag", "flags"), format!(" (tag {tag})")),
        KillScope::All(_) => (format!("all {}", count(kill.flags_total, "flag", "flags")), String::new()),
    };
    let verb = if before.is_some() { "Already killed:" } else { "Killed" };
    let mut text = format!("{} in {place}{scope}", paint.strong(&format!("{verb} {what}")));
    // Writing to a String cannot fail.
    if let Some(revision) = kill.revision {
        let _ = write!(text, ", revision {revision}");
    }
    if let Some(before) = before {
        let _ = write!(text, ", by {} at {}", before.kill.actor.name, moment(before.kill.at));
    }
    text.push('.');
    if let Some(reason) = &kill.reason {
        let _ = write!(text, " Reason: {reason}");
    }
    text.push('\n');
    if kill.provisional {
        text.push_str(&paint.warn(provisional(kill)));
        text.push('\n');
    }
    if kill.flags_total == 0 {
        text.push_str(&paint.warn("No flag matches now; flags that match later will be killed."));
        text.push('\n');
    } else {
        text.push_str(&served(&kill.flags, kill.flags_total));
        text.push('\n');
    }
    // A provisional kill and one that covers nothing have their own message, which says more than the warnings.
    for warning in kill.warnings.iter().filter(|_| !kill.provisional && kill.flags_total > 0) {
        let _ = writeln!(text, "{}", paint.warn(warning));
    }
    text
}

const fn provisional(kill: &KillResponse) -> &'static str {
    if kill.lost_on_restart {
        "PROVISIONAL AND NOT ON DISK: the store cannot be reached, and this node cannot write its journal.\n\
         The kill is active on this node, which sends it to the others, and is lost if this node restarts. Free disk space, and do not \
         stop this node."
    } else {
        "PROVISIONAL: the store cannot be reached. The kill is active on this node, which sends it to the others, and saved on its disk; \
         it gets its revision when the store returns. Do not stop this node."
    }
}

/// Why nothing was killed.
fn nothing_covered(scope: &KillScope) -> String {
    match scope {
        KillScope::Tag(tag) => format!("nothing was killed: no flag has the tag \"{tag}\". To kill flags that get this tag later, add --future."),
        KillScope::Flag(flag) => format!("nothing was killed: there is no flag {flag}. `ripcord flags list` lists the flags."),
        KillScope::All(_) => "nothing was killed: the environment has no flags. To kill flags that are created later, add --future.".to_owned(),
    }
}

fn served(flags: &[ServedFlag], total: usize) -> String {
    let rows = flags.iter().take(LISTED).map(|served| [served.flag.to_string(), serves(served)]);
    let mut text = indented_table(["flag", "serves"], rows);
    let more = total.saturating_sub(flags.len().min(LISTED));
    if more > 0 {
        let _ = write!(text, "\n  and {}", count(more, "more flag", "more flags"));
    }
    text
}

fn serves(served: &ServedFlag) -> String {
    served.serves.as_ref().map_or_else(|| "the caller's default".to_owned(), ToString::to_string)
}

/// How to add a reason, and how to undo it.
fn afterwards(call: &Context, kill: &KillResponse) -> String {
    let mut text = String::new();
    if kill.reason_missing {
        let again = call.command(&format!("kill {} --reason \"…\"", arguments(&kill.scope)));
        let _ = writeln!(text, "\nNo reason given yet. Add one with\n  {again}");
    }
    let undo = call.command(&format!("restore {} --reason \"…\"", kill.id));
    let _ = write!(text, "\nUndo it with\n  {}", call.output.paint().strong(&undo));
    text
}

fn arguments(scope: &KillScope) -> String {
    match scope {
        KillScope::Flag(flag) if flag.as_str() == "list" => "--flag list".to_owned(),
        KillScope::Flag(flag) if flag.as_str().starts_with('-') => format!("--flag={}", shell_word(flag.as_str())),
        KillScope::Flag(flag) => shell_word(flag.as_str()),
        KillScope::Tag(tag) => format!("--tag {tag}"),
        KillScope::All(_) => "--all".to_owned(),
    }
}

async fn list(call: &Context, most: usize) -> Result<Exit, Failure> {
    let kills: Answer<Vec<KillView>> = call.client.list(&call.path(&["kills"]), most).await?;
    call.output.answer(&kills, |kills| {
        if kills.is_empty() {
            return format!("No kill is in force in {}.", call.environment());
        }
        listed(kills, Timestamp::now()).to_string()
    });
    Ok(Exit::Done)
}

fn listed(kills: &[KillView], now: Timestamp) -> Table {
    let ids = ids::short(kills.iter().map(|view| view.kill.id.as_str()));
    let rows = kills.iter().zip(ids).map(|(view, id)| {
        let kill = &view.kill;
        let reason = reason(kill.reason.as_deref());
        [
            id.to_owned(),
            kill.scope.to_string(),
            grouped_len(view.serves_total),
            short_moment(kill.at, now),
            kill.actor.name.clone(),
            if view.provisional { format!("{reason} [provisional]") } else { reason },
        ]
    });
    Table::new(["kill", "scope", "flags", "since", "by", "reason"], rows)
}

#[cfg(test)]
mod tests;
