//! How often the bad state was served: the evaluations that applications reported since the trouble began, of the variants that fewer
//! users get after the rollback. A variant that some users still get counts on each node until its applications have confirmed.

use jiff::{SignedDuration, Timestamp};
use ripcord_proto::commit::Sealed;
use ripcord_proto::references::TouchedKeys;
use ripcord_proto::rollback::{BadExposure, Rollback};
use ripcord_proto::text::{listed, moment};
use ripcord_proto::{EnvironmentKey, Position, Sequence};

use super::deps::RollbackDeps;
use crate::audit;
use crate::commit::CommitError;
use crate::impact;
use crate::outcome::{ExposureQuery, FallingVariant};
use crate::store::{LogName, Store, StoreError};

/// How far back counts are kept; earlier changes need not be looked for.
const KEPT: SignedDuration = SignedDuration::from_hours(1);

/// The counts, and what they do not include.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct ExposureCount {
    /// `None` if they are not known.
    pub(super) counts: Option<BadExposure>,
    /// A sentence for people, if the counts do not reach back to the onset.
    pub(super) gap: Option<String>,
}

/// When the trouble began: as the caller said, else the last change of one of the flags before the rollback. `None` if the log
/// cannot be read.
async fn onset(deps: &RollbackDeps, environment: &EnvironmentKey, rollback: &Rollback) -> Option<Timestamp> {
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
pub(super) async fn count(deps: &RollbackDeps, environment: &EnvironmentKey, rollback: &Rollback, now: Timestamp) -> ExposureCount {
    let onset = onset(deps, environment, rollback).await;
    let variants = match falling(deps, environment, rollback).await {
        Ok(variants) => variants,
        Err(error) => {
            tracing::warn!(env = %environment, rollback = %rollback.id, %error, "cannot tell which variants the rollback lowered");
            return ExposureCount {
                counts: None,
                gap: Some("Bad evaluations could not be counted.".to_owned()),
            };
        }
    };
    let question = ExposureQuery {
        environment: environment.clone(),
        variants,
        from: onset.or(rollback.phases.decided).unwrap_or(now),
        to: now,
        rollback: rollback.position(),
    };
    let elsewhere = deps.elsewhere.served(&question).await;
    let mut all = elsewhere.counts;
    let confirmed = deps.fleet.confirmed_at(environment, rollback.position());
    all.push(deps.outcomes.answer(&question, confirmed));
    let counts = all.iter().fold(BadExposure::default(), |sum, served| sum.and(served.counts));
    let since = all.iter().filter_map(|served| served.since).max();
    ExposureCount {
        counts: Some(counts),
        gap: gap(onset, since, &elsewhere.nodes_not_reached),
    }
}

/// The variants that fewer users get at the newest commit of the rollback than before its first.
async fn falling(deps: &RollbackDeps, environment: &EnvironmentKey, rollback: &Rollback) -> Result<Vec<FallingVariant>, CommitError> {
    let unreadable = |error: StoreError| CommitError::Internal(error.to_string());
    let gone = || CommitError::Internal("the log no longer holds the states before and after the rollback".to_owned());
    let recall = async |position| deps.environments.recall(environment, position).await.map_err(unreadable)?.ok_or_else(gone);
    let (before, after) = (recall(rollback.before).await?, recall(rollback.position()).await?);
    let touched = TouchedKeys {
        flags: rollback.flags.clone(),
        segments: rollback.segments.clone(),
    };
    impact::falling(before.snapshot.clone(), after.snapshot.clone(), touched).await
}

/// What the counts do not include, in words.
fn gap(onset: Option<Timestamp>, since: Option<Timestamp>, not_reached: &[String]) -> Option<String> {
    let reach = match (onset, since) {
        (None, _) => Some("When the trouble began is unknown: bad evaluations are only counted from the rollback on.".to_owned()),
        (Some(onset), Some(since)) if onset < since => Some(format!("Counts of bad evaluations are only available since {}.", moment(since))),
        (Some(_), Some(_) | None) => None,
    };
    let nodes = (!not_reached.is_empty()).then(|| format!("Evaluations through {} are not counted.", listed(not_reached, usize::MAX)));
    let gaps: Vec<String> = reach.into_iter().chain(nodes).collect();
    (!gaps.is_empty()).then(|| gaps.join(" "))
}
