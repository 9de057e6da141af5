//! The effect of a plan before and after, in lines that a person can check.

mod difference;

use std::collections::BTreeMap;
use std::fmt::Write as _;

use ripcord_proto::digest::Digest;
use ripcord_proto::policy::Policy;
use ripcord_proto::proposal::ProposalDiff;
use ripcord_proto::rest::commits::CommitRequest;
use ripcord_proto::rest::plan::{AdoptedEntry, FlagDiff, KeptEdit, PlanResponse, SegmentDiff};
use ripcord_proto::rest::rollbacks::Population;
use ripcord_proto::text::{counted, grouped_len, percent};
use ripcord_proto::{EnvironmentKey, Epoch, KillId, ReleaseName, Revision, Segment};
use serde_json::value::RawValue;
use serde_json::{Value, json};

use self::difference::{differences, told};
use super::answer::{Answer, ClientError};
use super::client::Call;
use super::context::{Context, path};
use super::output::{Paint, count};

/// Asks the server what a commit would do.
pub(crate) async fn plan(
    call: &Context,
    environment: &EnvironmentKey,
    request: &CommitRequest,
    release: Option<&ReleaseName>,
) -> Result<Answer<PlanResponse>, ClientError> {
    let post = Call::ask(path(environment, &["commits", "plan"])).query("release", release);
    call.client.call(post.json(request)?).await
}

/// How many things a plan changes.
pub(crate) fn total(plan: &PlanResponse) -> usize {
    plan.flags.len() + plan.segments.len() + usize::from(plan.settings.is_some())
}

/// What a proposal changes: as a plan shows it, with what else happens.
pub(crate) fn of_proposal(diff: &ProposalDiff, paint: Paint) -> String {
    let mut text = describe(&shown_as_plan(diff), paint);
    if let Some(policy) = &diff.policy {
        let value = |policy: &Policy| serde_json::to_value(policy).unwrap_or_default();
        // Writing to a String cannot fail.
        let _ = writeln!(text, "{} policy", paint.warn("~"));
        differences(&mut text, paint, "", &value(&policy.from), &value(&policy.to));
    }
    for also in &diff.also {
        let _ = writeln!(text, "{} {also}", paint.warn("~"));
    }
    text
}

fn shown_as_plan(diff: &ProposalDiff) -> PlanResponse {
    PlanResponse {
        hash: Digest::ZERO,
        epoch: Epoch::default(),
        revision: Revision::default(),
        flags: diff.flags.clone(),
        segments: diff.segments.clone(),
        settings: diff.settings.clone(),
        unchanged: 0,
        kept: Vec::new(),
        adopted: Vec::new(),
        users: diff.users,
        shares: diff.shares.clone(),
        kills: BTreeMap::new(),
        warnings: Vec::new(),
        dead_rules: BTreeMap::new(),
    }
}

/// The plan by kind of change: `+` new, `~` changed with what differs, `-` gone; then what is kept and why, and warnings.
pub(crate) fn describe(plan: &PlanResponse, paint: Paint) -> String {
    let mut groups = [("Added", String::new(), 0), ("Changed", String::new(), 0), ("Removed", String::new(), 0)];
    let [added, changed, removed] = &mut groups;
    let mut tell = |told: String, from: Option<&RawValue>, to: Option<&RawValue>, kills: &[KillId]| {
        let (_, text, count) = match (from, to) {
            (None, _) => &mut *added,
            (Some(_), Some(_)) => &mut *changed,
            (Some(_), None) => &mut *removed,
        };
        *count += 1;
        text.push_str(&told);
        killed(text, paint, kills);
    };
    for step in &plan.segments {
        tell(segment(step, paint), step.from.as_deref(), step.to.as_deref(), &[]);
    }
    for step in &plan.flags {
        let kills = plan.kills.get(&step.key).map_or(&[][..], Vec::as_slice);
        tell(flag(step, paint), step.from.as_deref(), step.to.as_deref(), kills);
    }
    if let Some(settings) = &plan.settings {
        let (_, text, count) = &mut *changed;
        *count += 1;
        let before = serde_json::to_value(&settings.from).unwrap_or_default();
        let after = serde_json::to_value(&settings.to).unwrap_or_default();
        // Writing to a String cannot fail.
        let _ = writeln!(text, "{} settings", paint.warn("~"));
        differences(text, paint, "", &before, &after);
    }
    let mut text = String::new();
    for (title, things, count) in groups.iter().filter(|(.., count)| *count > 0) {
        let _ = writeln!(text, "{}\n{things}", paint.strong(&format!("{title} ({})", grouped_len(*count))));
    }
    if plan.unchanged > 0 {
        let _ = writeln!(text, "{}\n", paint.faint(&format!("Unchanged ({})", grouped_len(plan.unchanged))));
    }
    users(&mut text, plan, paint);
    kept(&mut text, plan, paint);
    adopted(&mut text, plan, paint);
    for warning in &plan.warnings {
        let _ = writeln!(text, "{}", paint.warn(&format!("! {warning}")));
    }
    text
}

fn killed(text: &mut String, paint: Paint, kills: &[KillId]) {
    if !kills.is_empty() {
        let ids: Vec<_> = kills.iter().map(ToString::to_string).collect();
        let stays = format!("    stays killed by {}: it keeps serving its safe variant", ids.join(", "));
        // Writing to a String cannot fail.
        let _ = writeln!(text, "{}", paint.warn(&stays));
    }
}

/// How many users would get a different variant.
fn users(text: &mut String, plan: &PlanResponse, paint: Paint) {
    let Some(users) = &plan.users else { return };
    // No user got anything from a new flag before.
    let is_new = plan.flags.iter().all(|flag| flag.from.is_none()) && plan.segments.iter().all(|segment| segment.from.is_none());
    if is_new && plan.settings.is_none() {
        return;
    }
    let of_whom = match users.source {
        Population::Synthetic => counted(users.contexts, "simulated user", "simulated users"),
        Population::Sample => counted(users.contexts, "user in the sample", "users in the sample"),
    };
    // Writing to a String cannot fail.
    let _ = writeln!(
        text,
        "{}: {} of {of_whom} would get a different variant",
        paint.strong("Impact"),
        percent(users.share, 2)
    );
    for (key, share) in &plan.shares {
        let _ = writeln!(text, "  {key}: {}", percent(share.share, 2));
    }
    text.push('\n');
}

/// What is kept although the files differ, and who changed it last.
fn kept(text: &mut String, plan: &PlanResponse, paint: Paint) {
    if plan.kept.is_empty() {
        return;
    }
    let (moved, by_hand): (Vec<_>, Vec<_>) = plan.kept.iter().partition(|kept| kept.rollout.is_some());
    kept_because(text, paint, "changed by a live rollout, which continues", &moved);
    kept_because(text, paint, "changed by hand since the last apply; the files did not change it", &by_hand);
}

fn kept_because(text: &mut String, paint: Paint, why: &str, all: &[&KeptEdit]) {
    if all.is_empty() {
        return;
    }
    // Writing to a String cannot fail.
    let _ = writeln!(text, "{}", paint.strong(&format!("Kept ({}): {why}", all.len())));
    for kept in all {
        let value = |value: &Option<Value>| value.as_ref().map_or_else(|| "nothing".to_owned(), |value| told(&kept.path, value));
        let _ = writeln!(text, "  {}: keeps {}; the files say {}", kept.path, value(&kept.now), value(&kept.file));
        if let Some(rollout) = &kept.rollout {
            let _ = writeln!(text, "{}", paint.faint(&format!("    changed by rollout {rollout}")));
        } else if let Some(last) = &kept.last_change {
            let reason = last.reason.as_ref().map(|reason| format!(": {reason}")).unwrap_or_default();
            let by = format!("    changed last in revision {} by {}{reason}", last.revision, last.actor.name);
            let _ = writeln!(text, "{}", paint.faint(&by));
        }
    }
    let _ = writeln!(text, "  {}\n", paint.faint("Add it to the files, or overwrite it with --adopt."));
}

fn adopted(text: &mut String, plan: &PlanResponse, paint: Paint) {
    if plan.adopted.is_empty() {
        return;
    }
    // Writing to a String cannot fail.
    let _ = writeln!(text, "{}", paint.strong(&format!("Adopted ({})", plan.adopted.len())));
    for AdoptedEntry { path, from } in &plan.adopted {
        let owner = from.as_ref().map_or_else(|| "no set".to_owned(), |set| format!("set {set}"));
        let _ = writeln!(text, "  {path}, from {owner}");
    }
    text.push('\n');
}

/// A flag before and after.
fn flag(step: &FlagDiff, paint: Paint) -> String {
    let (from, to) = (step.from.as_deref().map(read), step.to.as_deref().map(read));
    thing(paint, &format!("flag {}", step.key), from.as_ref(), to.as_ref())
}

/// A segment before and after.
pub(crate) fn segment(step: &SegmentDiff, paint: Paint) -> String {
    let (from, to) = (step.from.as_deref().map(read_segment), step.to.as_deref().map(read_segment));
    thing(paint, &format!("segment {}", step.key), from.as_ref(), to.as_ref())
}

/// `2 flags and 1 segment`
pub(crate) fn summary(plan: &PlanResponse) -> String {
    let mut parts = Vec::new();
    if !plan.flags.is_empty() {
        parts.push(count(plan.flags.len(), "flag", "flags"));
    }
    if !plan.segments.is_empty() {
        parts.push(count(plan.segments.len(), "segment", "segments"));
    }
    if plan.settings.is_some() {
        parts.push("the settings".to_owned());
    }
    parts.join(" and ")
}

fn thing(paint: Paint, name: &str, from: Option<&Value>, to: Option<&Value>) -> String {
    let mut text = String::new();
    // Writing to a String cannot fail.
    match (from, to) {
        (None, Some(to)) => {
            let _ = writeln!(text, "{}", paint.good(&format!("+ {name}")));
            difference::new_members(&mut text, to);
        }
        (Some(_), None) => drop(writeln!(text, "{}", paint.bad(&format!("- {name}")))),
        (Some(from), Some(to)) => {
            let _ = writeln!(text, "{} {name}", paint.warn("~"));
            differences(&mut text, paint, "", from, to);
        }
        (None, None) => {}
    }
    text
}

fn read(json: &RawValue) -> Value {
    serde_json::from_str(json.get()).unwrap_or_default()
}

/// A segment as an object, also if it was written as a condition alone.
fn read_segment(json: &RawValue) -> Value {
    let value = read(json);
    match Segment::from_value(&value) {
        Ok(Segment { description: None, when }) => json!({"when": when}),
        Ok(Segment { description, when }) => json!({"description": description, "when": when}),
        Err(_) => value,
    }
}

#[cfg(test)]
mod tests;
