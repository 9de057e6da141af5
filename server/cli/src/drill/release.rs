//! The bad release of a drill: its changes, and the values that every user gets after it.

use std::collections::BTreeSet;
use std::sync::Arc;

use ripcord_proto::rest::commits::ChangeRequest;
use ripcord_proto::scenario::{DrillScope, Scenario};
use ripcord_proto::table::Entry;
use ripcord_proto::{Flag, FlagKey, Snapshot, VariantName};

use super::fork::Fork;
use crate::exit::Failure;

/// A release that changes every flag in scope.
#[derive(Debug, Clone)]
pub(super) struct BadRelease {
    /// Its changes, made in one commit.
    pub(super) changes: Vec<ChangeRequest>,
    pub(super) flags: BTreeSet<FlagKey>,
}

impl BadRelease {
    /// The scenario's own changes, or a different variant for all users.
    pub(super) fn of(scenario: &Scenario, fork: &Fork) -> Result<Self, Failure> {
        let changes = match &scenario.change {
            Some(changes) => changes.clone(),
            None => worse(scenario, fork)?,
        };
        let flags = flags_of(&changes, scenario)?;
        Ok(Self { changes, flags })
    }

    /// The state after the release.
    pub(super) fn after(&self, good: &Snapshot) -> Result<Snapshot, Failure> {
        let mut after = good.clone();
        let unwritable = |error: serde_json::Error| Failure::Local(format!("Cannot write the bad release: {error}."));
        let put = |after: &mut Snapshot, key: &FlagKey, flag: Flag| {
            let entry = Entry::new(key.clone(), flag, good.position).map_err(unwritable)?;
            drop(after.flags.insert(Arc::new(entry)));
            Ok::<_, Failure>(())
        };
        for change in &self.changes {
            match change {
                ChangeRequest::PutFlag { key, flag } => put(&mut after, key, (**flag).clone())?,
                ChangeRequest::SetEnabled { key, enabled } => {
                    if let Some(flag) = after.flags.value(key.as_str()).cloned() {
                        put(&mut after, key, Flag { enabled: *enabled, ..flag })?;
                    }
                }
                ChangeRequest::DeleteFlag(key) => drop(after.flags.remove(key.as_str())),
                ChangeRequest::PutSegment { key, segment } => {
                    let entry = Entry::new(key.clone(), (**segment).clone(), good.position).map_err(unwritable)?;
                    drop(after.segments.insert(Arc::new(entry)));
                }
                ChangeRequest::DeleteSegment(key) => drop(after.segments.remove(key.as_str())),
                ChangeRequest::PutSettings(settings) => after.settings = settings.settings(),
                // Refused in `of`, when the release was built.
                ChangeRequest::Kill { .. } | ChangeRequest::Restore(_) | ChangeRequest::ApplySet(_) => {}
            }
        }
        Ok(after)
    }
}

/// Every flag in scope that is not killed serves a different variant to all users.
fn worse(scenario: &Scenario, fork: &Fork) -> Result<Vec<ChangeRequest>, Failure> {
    let in_scope = fork
        .flags()
        .filter(|(key, flag)| covers(&scenario.scope, key, flag) && !killed(fork, key, flag));
    let changes = in_scope.filter_map(|(key, flag)| {
        let flag = Flag {
            enabled: true,
            default: Some(bad_variant(flag)?),
            rules: Vec::new(),
            requires: Vec::new(),
            ..flag.clone()
        };
        let flag = Box::new(flag);
        Some(ChangeRequest::PutFlag { key: key.clone(), flag })
    });
    let changes: Vec<_> = changes.collect();
    if changes.is_empty() {
        return Err(Failure::Local(format!(
            "No flag of {} in the scenario's scope can serve a different variant, so there would be nothing to roll back. Check the scope.",
            fork.from
        )));
    }
    Ok(changes)
}

fn covers(scope: &DrillScope, key: &FlagKey, flag: &Flag) -> bool {
    match scope {
        DrillScope::Environment | DrillScope::Release => true,
        DrillScope::Flags(flags) => flags.contains(key),
        DrillScope::Tags(tags) => !flag.tags.is_disjoint(tags),
    }
}

fn killed(fork: &Fork, key: &FlagKey, flag: &Flag) -> bool {
    use ripcord_proto::kill::KillScope;
    fork.kills.iter().any(|scope| match scope {
        KillScope::Flag(killed) => killed == key,
        KillScope::Tag(tag) => flag.tags.contains(tag),
        KillScope::All(_) => true,
    })
}

/// The variant that the bad release serves: not the default one, and not the safe one if there is another.
/// `None` if there is no other variant.
pub(super) fn bad_variant(flag: &Flag) -> Option<VariantName> {
    let is_other = |name: &&VariantName| flag.default.as_ref() != Some(name);
    let is_unsafe = |name: &&VariantName| flag.safe.as_ref() != Some(name);
    let others = || flag.variants.names().filter(is_other);
    others().find(is_unsafe).or_else(|| others().next()).cloned()
}

fn flags_of(changes: &[ChangeRequest], scenario: &Scenario) -> Result<BTreeSet<FlagKey>, Failure> {
    let mut flags = BTreeSet::new();
    for change in changes {
        match change {
            ChangeRequest::PutFlag { key, .. } | ChangeRequest::SetEnabled { key, .. } | ChangeRequest::DeleteFlag(key) => {
                flags.insert(key.clone());
            }
            ChangeRequest::PutSegment { .. } | ChangeRequest::DeleteSegment(_) | ChangeRequest::PutSettings(_) => {}
            ChangeRequest::Kill { .. } | ChangeRequest::Restore(_) | ChangeRequest::ApplySet(_) => {
                return Err(Failure::Local(format!(
                    "The scenario {} changes a kill or applies a file set; a bad release changes flags, segments and settings.",
                    scenario.name
                )));
            }
        }
    }
    Ok(flags)
}
