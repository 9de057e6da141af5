//! What a protected environment asks before more people are served anything but a flag's safe variant: an open release that says
//! what is deployed, how it is judged, and how it is taken back.
//!
//! Going back never needs it: what lowers exposure, disables, kills or rolls back goes through as it does anywhere. Another
//! bucketing generation serves others, not more; it is an administrator's act that must be asked for knowingly by itself.

mod exposure;
#[cfg(test)]
mod tests;

use std::collections::BTreeSet;

use ripcord_proto::policy::Protection;
use ripcord_proto::problem::{Code, Problem};
use ripcord_proto::references::TouchedKeys;
use ripcord_proto::release::Release;
use ripcord_proto::validation::ValidationError;
use ripcord_proto::{Flag, FlagKey, ReleaseName};

use super::draft::{Draft, Operation};
use super::error::CommitError;
use super::state::EnvironmentState;

/// The role that an owner of a release must have at least: who decides.
const COMMANDER: &str = "commander";
/// Flags that a refusal names in its sentence, at most; its errors name all.
const NAMED: usize = 5;

/// Refuses a commit after which a flag of a protected environment could be served to more people, unless its release says all
/// that it must.
pub(super) fn check(draft: &Draft, before: &EnvironmentState, after: &EnvironmentState, touched: &TouchedKeys) -> Result<(), CommitError> {
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
    let problem = refusal(draft, release.map(|release| &release.name), &raised, missing);
    Err(CommitError::Refused(Box::new(problem)))
}

/// What a release does not say yet of all that it must say before more people are served these flags, each with the command that
/// adds it.
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

const WHAT: &str = "does not say what is deployed (the artifact, the commit or the image)";
const SUCCESS: &str = "does not say what must be seen for it to count as well";
const FAILURE: &str = "does not say what must be seen for it to be taken back";
const WINDOW: &str = "does not say within which time it can be taken back as planned";
const OWNER: &str = "does not name who decides";
const DATA: &str = "does not say how the data of this flag is protected (a flag that declares `one_way` needs no measure)";

/// The same where there is no release: all of it.
fn missing_without<'a>(flags: impl Iterator<Item = (&'a FlagKey, &'a Flag)>) -> Vec<ValidationError> {
    let data = flags.filter(|(_, flag)| flag.one_way.is_none());
    let data: Vec<_> = data.map(|(key, _)| format!(" --data {key}=\"…\"")).collect();
    let begin = format!(
        "is missing; begin one with `ripcord release begin NAME --artifact \"…\" --success \"…\" --failure \"…\" --window 2h --owner commander=NAME{}`, \
         then name it with `--release NAME`",
        data.concat()
    );
    vec![ValidationError::new("release", begin)]
}

fn refusal(draft: &Draft, release: Option<&ReleaseName>, raised: &BTreeSet<FlagKey>, missing: Vec<ValidationError>) -> Problem {
    let names: Vec<_> = raised.iter().take(NAMED).map(FlagKey::as_str).collect();
    let more = raised.len().saturating_sub(NAMED);
    let more = if more > 0 { format!(" and {more} more") } else { String::new() };
    let lacks = release.map_or_else(
        || "that needs an open release".to_owned(),
        |name| format!("release {name} does not say yet all that it must"),
    );
    let detail = format!(
        "Nothing was changed. Environment {} is protected: more people would be served {}{more}, and {lacks}; what is missing is listed \
         with the command that adds it. Lowering, disabling, killing and rolling back need none of it.",
        draft.environment,
        names.join(", ")
    );
    let flags: Vec<_> = raised.iter().map(FlagKey::to_string).collect();
    Problem::new(Code::Protected, detail).with_errors(missing).with("flags", flags)
}
