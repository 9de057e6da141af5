//! How often the bad state was served: the evaluations that applications reported of the rolled-back flags since the trouble began.

use jiff::{SignedDuration, Timestamp};
use ripcord_proto::commit::Sealed;
use ripcord_proto::rollback::{BadExposure, Rollback};
use ripcord_proto::{EnvironmentKey, Position, Sequence};

use super::deps::RollbackDeps;
use crate::audit;
use crate::outcome::ExposureQuery;
use crate::rollback::messages::moment;
use crate::store::{LogName, Store};

/// How far back counts are kept; earlier changes need not be looked for.
const KEPT: SignedDuration = SignedDuration::from_hours(1);

/// The counts, and what they do not include.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct ExposureCount {
    pub(super) counts: BadExposure,
    /// A sentence for people, if the counts do not reach back to the onset.
    pub(super) gap: Option<String>,
}

/// When the trouble began: as the caller said, else the last change of one of the flags before the rollback. `None` if the log
/// cannot be read.
pub(super) async fn onset(deps: &RollbackDeps, environment: &EnvironmentKey, rollback: &Rollback) -> Option<Timestamp> {
    if let Some(detected) = rollback.phases.detected {
        return Some(detected);
    }
    let (store, log, head) = log(deps, environment)?;
    let oldest = deps.clock().now() - KEPT;
    let is_bad = |entry: &Sealed| {
        let before = entry.commit.position().is_some_and(|position| position <= rollback.before);
        let touches = || {
            entry
                .commit
                .changes
                .iter()
                .filter_map(|change| change.flag())
                .any(|key| rollback.flags.contains(key))
        };
        entry.commit.at < oldest || (before && touches())
    };
    let found = audit::newest_first(&**store, &log, head.next(), 1, is_bad).await.ok()?;
    found.entries.first().map(|entry| entry.commit.at)
}

/// When the commit at a position was made, as the log says.
pub(super) async fn committed_at(deps: &RollbackDeps, environment: &EnvironmentKey, position: Position) -> Option<Timestamp> {
    let (store, log, head) = log(deps, environment)?;
    let found = audit::at(&**store, &log, head, position).await.ok()?;
    found.map(|(_, entry)| entry.commit.at)
}

fn log<'a>(deps: &'a RollbackDeps, environment: &EnvironmentKey) -> Option<(&'a std::sync::Arc<dyn Store>, LogName, Sequence)> {
    let head = deps.environments.state(environment).ok()?.head.sequence;
    Some((deps.environments.store(), LogName::Environment(environment.clone()), head))
}

/// What was reported between the onset and now, on all nodes.
pub(super) async fn count(deps: &RollbackDeps, environment: &EnvironmentKey, rollback: &Rollback, onset: Option<Timestamp>, now: Timestamp) -> ExposureCount {
    let question = ExposureQuery {
        environment: environment.clone(),
        flags: rollback.flags.clone(),
        from: onset.or(rollback.phases.decided).unwrap_or(now),
        to: now,
    };
    let elsewhere = deps.elsewhere.served(&question).await;
    let mut all = elsewhere.counts;
    all.push(deps.outcomes.answer(&question));
    let mut counts = BadExposure::default();
    for one in all.iter().map(|served| served.counts) {
        counts.real = counts.real.saturating_add(one.real);
        counts.synthetic = counts.synthetic.saturating_add(one.synthetic);
        counts.errors_real = counts.errors_real.saturating_add(one.errors_real);
        counts.errors_synthetic = counts.errors_synthetic.saturating_add(one.errors_synthetic);
    }
    let since = all.iter().filter_map(|served| served.since).max();
    ExposureCount {
        counts,
        gap: gap(onset, since, &elsewhere.nodes_not_reached),
    }
}

/// What the counts do not include, in words.
fn gap(onset: Option<Timestamp>, since: Option<Timestamp>, not_reached: &[String]) -> Option<String> {
    let reach = match (onset, since) {
        (None, _) => Some("When the trouble began is unknown: bad evaluations are only counted from the rollback on.".to_owned()),
        (Some(onset), Some(since)) if onset < since => Some(format!("Counts of bad evaluations are only available since {}.", moment(since))),
        (Some(_), Some(_) | None) => None,
    };
    let nodes = (!not_reached.is_empty()).then(|| format!("Evaluations through {} are not counted.", not_reached.join(", ")));
    let gaps: Vec<String> = reach.into_iter().chain(nodes).collect();
    (!gaps.is_empty()).then(|| gaps.join(" "))
}
