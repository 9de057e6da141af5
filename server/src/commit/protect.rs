//! Protected environments: a change that raises the exposure of a variant other than the safe one needs an open release that
//! records what is deployed, how it is judged, and how it is rolled back.
//!
//! Lowering exposure, disabling, killing and rolling back never need it. A different bucketing generation serves different users,
//! not more; an administrator has to request it explicitly.

mod exposure;
#[cfg(test)]
mod tests;

use ripcord_proto::policy::Protection;
use ripcord_proto::references::TouchedKeys;
use ripcord_proto::release::Release;
use ripcord_proto::validation::ValidationError;
use ripcord_proto::{Flag, FlagKey};

use super::draft::Draft;
use super::error::{GuardRefusal, ProtectedChange};
use super::operation::Operation;
use super::state::EnvironmentState;

/// The owner that every release must name.
const COMMANDER: &str = "commander";

/// Refuses a commit that would raise the exposure of a flag in a protected environment, unless its release has all required
/// details.
pub(super) fn check(draft: &Draft, before: &EnvironmentState, after: &EnvironmentState, touched: &TouchedKeys) -> Result<(), GuardRefusal> {
    let is_open = before.records.policy().protection == Protection::Open;
    if is_open || draft.operations.iter().any(|ask| matches!(ask, Operation::Rollback(_))) {
        return Ok(());
    }
    let raised = exposure::raised(&before.snapshot, &after.snapshot, touched);
    if raised.is_empty() {
        return Ok(());
    }
    let release = draft.release.as_ref().and_then(|name| before.records.releases.value(name.as_str()));
    let flags = || raised.iter().filter_map(|key| Some((key, after.snapshot.flags.value(key.as_str())?)));
    let missing = match release {
        Some(release) => missing(release, flags()),
        None => missing_without(flags()),
    };
    if missing.is_empty() {
        return Ok(());
    }
    let change = ProtectedChange {
        environment: draft.environment.clone(),
        release: release.map(|release| release.name.clone()),
        raised,
        missing,
    };
    Err(GuardRefusal::Protected(Box::new(change)))
}

/// The details that a release lacks before exposure of these flags may be raised, each with the command that adds it.
pub fn missing<'a>(release: &Release, flags: impl Iterator<Item = (&'a FlagKey, &'a Flag)>) -> Vec<ValidationError> {
    let details = &release.details;
    let set = |arguments: &str| format!("`ripcord release set {} {arguments}`", release.name);
    let mut missing = Vec::new();
    let mut need = |holds: bool, path: &str, what: &str, arguments: &str| {
        if !holds {
            missing.push(ValidationError::new(path, format!("{what}: {}", set(arguments))));
        }
    };
    let is_named = details.artifact.is_some() || details.commit.is_some() || details.image.is_some();
    need(is_named, "artifact", WHAT, "--artifact \"web 2026.11.24\"");
    need(!details.success.is_empty(), "success", SUCCESS, "--success \"orders per minute as before\"");
    need(!details.failure.is_empty(), "failure", FAILURE, "--failure \"more than 1% of checkouts fail\"");
    need(details.window_seconds.is_some(), "window_seconds", WINDOW, "--window 2h");
    need(details.owners.contains_key(COMMANDER), "owners.commander", OWNER, "--owner commander=NAME");
    for (key, _) in flags.filter(|(key, flag)| flag.one_way.is_none() && !details.data.contains_key(*key)) {
        need(false, &format!("data.{key}"), DATA, &format!("--data {key}=\"both formats are read\""));
    }
    missing
}

const WHAT: &str = "add what is deployed (the artifact, the commit or the image)";
const SUCCESS: &str = "add how you can tell that it works";
const FAILURE: &str = "add when to roll it back";
const WINDOW: &str = "add how long it can be rolled back as planned";
const OWNER: &str = "add who decides";
const DATA: &str = "add how the data of this flag is protected (not needed for a flag that declares `one_way`)";

/// The same if there is no release: all of it.
fn missing_without<'a>(flags: impl Iterator<Item = (&'a FlagKey, &'a Flag)>) -> Vec<ValidationError> {
    let data = flags.filter(|(_, flag)| flag.one_way.is_none());
    let data: Vec<_> = data.map(|(key, _)| format!(" --data {key}=\"…\"")).collect();
    let begin = format!(
        "missing; begin one with `ripcord release begin NAME --artifact \"…\" --success \"…\" --failure \"…\" --window 2h --owner commander=NAME{}`, \
         then pass `--release NAME`",
        data.concat()
    );
    vec![ValidationError::new("release", begin)]
}
