//! `ripcord rollback plan`: what a rollback would do, and the command that does exactly that.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use clap::Args;
use jiff::Timestamp;
use ripcord_proto::rest::log::ChangedBy;
use ripcord_proto::rest::rollbacks::{PlanConflict, PlanRequest, PlannedFlag, PlannedStages, Population, RollbackPlan};
use ripcord_proto::rollback::RollbackScope;
use ripcord_proto::text::{self, counted, grouped, listed};
use serde_json::{Map, Value};

use super::args::RollbackArgs;
use crate::answer::Answer;
use crate::client::Call;
use crate::context::Context;
use crate::duration;
use crate::exit::{Exit, Failure};
use crate::input;
use crate::output::{Paint, count, short_moment};
use crate::table::indented_table;

/// Flags that are listed one by one; of more, only the number is shown.
const LISTED: usize = 40;

/// Show what a rollback would change, who is affected, and what prevents it
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  ripcord rollback plan --to last-known-good
  ripcord rollback plan --release web-2026.11.24 --sample users.json
  ripcord rollback plan --to quiet --flag checkout-v2 --json")]
pub(super) struct RollbackPlanCommand {
    #[command(flatten)]
    args: RollbackArgs,
    /// Contexts of real users, to estimate who is affected: a JSON list, or one object per line
    #[arg(long, value_name = "FILE", conflicts_with = "population")]
    sample: Option<PathBuf>,
    /// How many users to simulate for that estimate [default: 10000]
    #[arg(long, value_name = "NUMBER")]
    population: Option<u64>,
}

#[cfg(test)]
impl RollbackPlanCommand {
    /// What is planned.
    pub(super) const fn args(&self) -> &RollbackArgs {
        &self.args
    }
}

pub(super) async fn run(call: &Context, command: RollbackPlanCommand) -> Result<Exit, Failure> {
    let sample = command.sample.as_deref().map(sample).transpose()?;
    show(call, &command.args, sample, command.population).await
}

/// Requests the plan and shows it.
pub(super) async fn show(call: &Context, args: &RollbackArgs, sample: Option<Vec<Map<String, Value>>>, population: Option<u64>) -> Result<Exit, Failure> {
    args.check()?;
    let request = PlanRequest {
        rollback: args.request(None),
        sample,
        population,
    };
    let post = Call::ask(call.path(&["rollbacks", "plan"])).json(&request)?;
    let plan: Answer<RollbackPlan> = call.client.call(post).await?;
    call.output.answer(&plan, |plan| {
        let next = call.command(&args.arguments(plan));
        describe(plan, call.environment().as_str(), &next, call.output.paint())
    });
    Ok(Exit::Done)
}

/// The contexts of a file.
fn sample(file: &Path) -> Result<Vec<Map<String, Value>>, Failure> {
    let text = input::text(file)?;
    if text.trim_start().starts_with('[') {
        return serde_json::from_str(&text).map_err(|error| wrong(file, &error));
    }
    let lines = text.lines().filter(|line| !line.trim().is_empty());
    lines.map(|line| serde_json::from_str(line).map_err(|error| wrong(file, &error))).collect()
}

fn wrong(file: &Path, error: &serde_json::Error) -> Failure {
    Failure::Local(format!(
        "{} contains no contexts: {error}. Write a JSON list of objects, or one object per line: {{\"targetingKey\": \"user-1\", \"plan\": \"beta\"}}.",
        input::name(file)
    ))
}

/// The plan in words, and the command that executes it.
pub(super) fn describe(plan: &RollbackPlan, environment: &str, next: &str, paint: Paint) -> String {
    if is_nothing(plan) {
        let flags = count(plan.flags_in_scope, "flag in the scope already matches", "flags in the scope already match");
        return format!("Nothing to roll back in {environment}: {flags} {}.", target(plan));
    }
    let now = Timestamp::now();
    let mut text = headline(plan, environment, paint);
    // Writing to a String cannot fail.
    if !plan.flags.is_empty() {
        let _ = writeln!(text, "\n{}", flags(&plan.flags, now));
    }
    for step in &plan.segments {
        let what = if step.from.is_none() { "is restored" } else { "is rolled back" };
        let _ = writeln!(text, "{} segment {} {what}", paint.warn("~"), step.key);
    }
    if plan.settings.is_some() {
        let _ = writeln!(text, "{} the settings are rolled back", paint.warn("~"));
    }
    if let Some(ladder) = &plan.steps {
        let _ = writeln!(text, "\n{}", steps(ladder, paint));
    }
    if !plan.conflicts.is_empty() {
        let _ = writeln!(text, "\n{}", paint.warn("Kept as they are, because others changed them:"));
        let _ = writeln!(text, "{}", conflicts(&plan.conflicts, now));
        let _ = writeln!(text, "To roll these back too, add --include-conflicts (flags) or --with-segments (segments).");
    }
    text.push_str(&kills(plan, paint));
    for warning in &plan.warnings {
        let _ = writeln!(text, "{}", paint.warn(&format!("! {warning}")));
    }
    let obstacles = obstacles(plan);
    for obstacle in &obstacles {
        let _ = writeln!(text, "{}", paint.bad(&format!("✗ {obstacle}")));
    }
    let _ = writeln!(text, "\n{}", whom(plan));
    match refusal(plan) {
        Some(why) => {
            let _ = write!(text, "\nThis rollback would be refused: {why}.");
        }
        None => {
            let _ = write!(text, "\nTo do exactly this:\n  {}", paint.strong(next));
        }
    }
    text
}

/// Why the server would refuse it.
fn refusal(plan: &RollbackPlan) -> Option<&'static str> {
    if !plan.cannot.is_empty() {
        return Some("rules cannot express it");
    }
    if !plan.breaks.is_empty() {
        return Some("it would break references between flags");
    }
    let is_left = plan.flags.is_empty() && !plan.conflicts.is_empty();
    is_left.then_some("others have changed everything in the scope since")
}

/// Whether it would change nothing, and nothing prevents it from changing more.
fn is_nothing(plan: &RollbackPlan) -> bool {
    let changes = !plan.flags.is_empty() || !plan.segments.is_empty() || plan.settings.is_some();
    let obstacles = !plan.conflicts.is_empty() || !plan.breaks.is_empty() || !plan.cannot.is_empty();
    !changes && !obstacles
}

fn target(plan: &RollbackPlan) -> String {
    match &plan.target.checkpoint {
        Some(name) => format!("{name} ({})", plan.target.position()),
        None => format!("revision {}", plan.target.position()),
    }
}

fn headline(plan: &RollbackPlan, environment: &str, paint: Paint) -> String {
    let target = target(plan);
    let scope = match &plan.scope {
        RollbackScope::Environment => "everything".to_owned(),
        RollbackScope::Release(name) => format!("release {name}"),
        RollbackScope::Flags(flags) => count(flags.len(), "flag", "flags"),
        RollbackScope::Tags(tags) => format!("flags tagged {}", listed(tags, usize::MAX)),
        RollbackScope::Rollback(id) => format!("rollback {id}"),
        RollbackScope::Rollout(id) => format!("rollout {id}"),
    };
    let segment = plan.segment.as_ref().map(|segment| format!(" for segment {segment}")).unwrap_or_default();
    let changes = count(plan.flags.len(), "flag would change", "flags would change");
    format!(
        "{} in {environment}: {changes}.\n",
        paint.strong(&format!("Back to {target}, {scope}{segment}"))
    )
}

fn flags(flags: &[PlannedFlag], now: Timestamp) -> String {
    let rows = flags.iter().take(LISTED).map(|flag| {
        // Two states may be told in the same words and still differ.
        let then = if flag.now == flag.then && !flag.differs.is_empty() {
            flag.differs.join("; ")
        } else {
            flag.then.clone()
        };
        [
            flag.key.to_string(),
            percent(flag.users.share),
            flag.now.clone(),
            then,
            flag.changed.as_ref().map(|changed| by(changed, now)).unwrap_or_default(),
        ]
    });
    let mut text = indented_table(["flag", "users", "now", "then", "last change"], rows);
    if flags.len() > LISTED {
        // Writing to a String cannot fail.
        let _ = write!(text, "\n  and {}; --json has them all", count(flags.len() - LISTED, "more flag", "more flags"));
    }
    text
}

/// `15:39:38 by ada, revision 4, release web-12: the new checkout`.
fn by(changed: &ChangedBy, now: Timestamp) -> String {
    let release = changed.release.as_ref().map(|release| format!(", release {release}")).unwrap_or_default();
    let reason = changed.reason.as_ref().map(|reason| format!(": {reason}")).unwrap_or_default();
    let when = short_moment(changed.at, now);
    format!("{when} by {}, revision {}{release}{reason}", changed.actor.name, changed.revision)
}

fn steps(ladder: &PlannedStages, paint: Paint) -> String {
    let rows = ladder.steps.iter().map(|step| {
        let cap = step.percent.map_or_else(|| "the target".to_owned(), |percent| format!("at most {percent} %"));
        let after = if step.after_seconds == 0 {
            "at once".to_owned()
        } else {
            duration::in_words(step.after_seconds)
        };
        [after, cap, counted(step.flags, "flag", "flags")]
    });
    let mut text = indented_table(["after", "exposed", "changes"], rows);
    let named = [
        ("Fully rolled back at the first step", &ladder.whole),
        ("Rolled back at the last step", &ladder.last),
    ];
    for (what, flags) in named.into_iter().filter(|(_, flags)| !flags.is_empty()) {
        let names: Vec<String> = flags.iter().take(LISTED).map(ToString::to_string).collect();
        // Writing to a String cannot fail.
        let _ = write!(text, "\n{}", paint.warn(&format!("{what}: {}", names.join(", "))));
    }
    text
}

fn conflicts(conflicts: &[PlanConflict], now: Timestamp) -> String {
    let rows = conflicts.iter().take(LISTED).map(|conflict| {
        let flag = conflict.flag.as_ref().map(ToString::to_string);
        let segment = conflict.segment.as_ref().map(|segment| format!("segment {segment}"));
        let changed = conflict.changed.as_ref().map(|changed| by(changed, now)).unwrap_or_default();
        [flag.or(segment).unwrap_or_default(), conflict.why.clone(), changed]
    });
    let mut text = indented_table(["what", "why", "last change"], rows);
    if conflicts.len() > LISTED {
        // Writing to a String cannot fail.
        let _ = write!(text, "\n  {}", text::and_more(conflicts.len() - LISTED).trim_start());
    }
    text
}

fn kills(plan: &RollbackPlan, paint: Paint) -> String {
    let mut text = String::new();
    for killed in plan.kills.iter().take(LISTED) {
        let ids: Vec<String> = killed.kills.iter().map(ToString::to_string).collect();
        let changes = if killed.needs_allow_killed_edit {
            "; the variant that it serves while killed would change, which needs --allow-killed-edit"
        } else {
            ""
        };
        // Writing to a String cannot fail.
        let _ = writeln!(
            text,
            "{}",
            paint.warn(&format!("! {} stays killed by {}{changes}", killed.flag, ids.join(", ")))
        );
    }
    text
}

/// What prevents the rollback.
fn obstacles(plan: &RollbackPlan) -> Vec<String> {
    let doors = plan.one_way.iter().filter(|door| !door.acknowledged).map(|door| {
        let data = door.data_checkpoint.as_ref().map(|data| format!(" (data: {data})")).unwrap_or_default();
        format!("one-way door: {} serves {}: {}{data}", door.flag, door.from, door.reason)
    });
    let cannot = plan
        .cannot
        .iter()
        .map(|cannot| format!("rules cannot express the target for {}: {}", cannot.flag, cannot.why));
    let breaks = plan.breaks.iter().map(|fault| format!("it would break {fault}"));
    let busy = plan.under_way.iter().map(|id| format!("rollback {id} of some of these flags is under way"));
    doors.chain(cannot).chain(breaks).chain(busy).collect()
}

fn whom(plan: &RollbackPlan) -> String {
    let who = match plan.users.source {
        Population::Synthetic => "simulated users",
        Population::Sample => "users in the sample",
    };
    format!(
        "{} of {} {who} would get a different variant of at least one flag.",
        percent(plan.users.share),
        grouped(plan.users.contexts)
    )
}

fn percent(share: f64) -> String {
    text::percent(share, 1)
}
