//! Which probes check a rollback.

use std::collections::BTreeSet;

use ripcord_proto::check::{Check, ScopedCheck};
use ripcord_proto::record::Records;
use ripcord_proto::rollback::RollbackScope;
use ripcord_proto::{FlagKey, Snapshot};

/// The probes of `flags` in all of these states, of the release that is rolled back, and of the environment. Of two
/// with the same name and owner, that of the earlier state counts.
pub fn of(flags: &BTreeSet<FlagKey>, scope: &RollbackScope, states: [&Snapshot; 2], records: &Records) -> Vec<ScopedCheck> {
    let mut probes = Vec::new();
    for snapshot in states {
        for entry in snapshot.flags.among(flags) {
            if let Ok(flag) = entry.value()
                && !flag.checks.is_empty()
            {
                take(&mut probes, &format!("flag {}", entry.key()), &flag.checks);
            }
        }
    }
    let release = match scope {
        RollbackScope::Release(name) => Some(name),
        RollbackScope::Rollout(id) => records.rollouts.value(id.as_str()).and_then(|rollout| rollout.plan.release.as_ref()),
        RollbackScope::Environment | RollbackScope::Flags(_) | RollbackScope::Tags(_) | RollbackScope::Rollback(_) => None,
    };
    if let Some(name) = release
        && let Some(release) = records.releases.value(name.as_str())
    {
        take(&mut probes, &format!("release {name}"), &release.details.checks);
    }
    take(&mut probes, "environment", &records.policy().checks);
    probes
}

fn take(probes: &mut Vec<ScopedCheck>, of: &str, checks: &[Check]) {
    for check in checks {
        if !probes.iter().any(|known| known.of == of && known.check.name == check.name) {
            probes.push(ScopedCheck {
                of: of.to_owned(),
                check: check.clone(),
            });
        }
    }
}

/// The probes from the first commit of a rollback, and those of what a later step touches in addition.
pub(super) fn united(known: &[ScopedCheck], found: Vec<ScopedCheck>) -> Vec<ScopedCheck> {
    let mut probes = known.to_vec();
    for probe in found {
        take(&mut probes, &probe.of, std::slice::from_ref(&probe.check));
    }
    probes
}
