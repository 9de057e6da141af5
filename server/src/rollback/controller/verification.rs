//! Whether a rollback's newest commit did what it should: who has confirmed it, what the checks say, and what that makes of it.

use std::time::Duration;

use jiff::Timestamp;
use ripcord_proto::check::{CheckOutcome, CheckPhase};
use ripcord_proto::confirmation::Confirmation;
use ripcord_proto::rollback::{PhaseTimes, Rollback, RollbackState};
use ripcord_proto::{EnvironmentKey, Position};
use tokio::time::Instant;

use super::RollbackController;
use super::state_machine::Pickup;
use crate::fleet::ConfirmationTarget;
use crate::rollback::bad_exposure::{self, ExposureCount};
use crate::rollback::{messages, stages};

/// How long applications may take to come back to a node that has just begun to drive: who has not is not known before.
const RETURN: Duration = Duration::from_secs(5);
/// How often a check that fails is asked again before the deadline.
const ASK_AGAIN: Duration = Duration::from_millis(500);

/// The newest commit as this node has met with it.
#[derive(Debug, Clone, Copy)]
pub(super) struct ObservedCommit {
    position: Option<Position>,
    found: Pickup,
    seen: Instant,
    seen_at: Timestamp,
}

/// Between when and when a commit is judged.
#[derive(Debug, Clone, Copy)]
pub(super) struct VerificationWindow {
    /// Before this, that nobody is missing means nothing.
    not_before: Instant,
    /// After this, who is missing is missing.
    until: Instant,
}

impl VerificationWindow {
    /// For as long as `within`, from now on.
    pub(super) fn from_now(within: Duration) -> Self {
        let now = Instant::now();
        Self {
            not_before: now,
            until: now + within,
        }
    }
}

impl ObservedCommit {
    pub(super) fn new(found: Pickup, now: Timestamp) -> Self {
        Self {
            position: None,
            found,
            seen: Instant::now(),
            seen_at: now,
        }
    }

    /// The newest commit is the one at `position`; if this node has just seen it, `found` says how.
    pub(super) fn reach(&mut self, position: Position, found: Pickup, now: Timestamp) {
        if self.position != Some(position) || found == Pickup::Inherited {
            *self = Self {
                position: Some(position),
                ..Self::new(found, now)
            };
        }
    }

    /// Between when and when it is judged: `within` from its commit, and after a change of the node for long enough that those
    /// who were connected can be back. A step is judged before the next one is due.
    pub(super) fn limits(&self, rollback: &Rollback, within: Duration, now: Timestamp) -> VerificationWindow {
        let (not_before, mut until) = match self.found {
            Pickup::JustCommitted => (self.seen, self.seen + within),
            Pickup::Inherited => {
                let committed = rollback.phases.committed.unwrap_or(self.seen_at);
                let left = within.saturating_sub(between(committed, now));
                let back = self.seen + RETURN;
                (back, back.max(Instant::now() + left))
            }
        };
        if stages::remaining(rollback) > 0 {
            until = until.min(due(rollback, now));
        }
        VerificationWindow {
            not_before: not_before.min(until),
            until,
        }
    }

    /// When it was committed, as far as this node can tell without looking it up.
    fn committed(&self, rollback: &Rollback) -> Option<Timestamp> {
        rollback.phases.committed.or(match self.found {
            Pickup::JustCommitted => Some(self.seen_at),
            Pickup::Inherited => None,
        })
    }
}

/// When the next step is due. What is told by the wall clock is measured by the monotonic one from here on.
pub(super) fn due(rollback: &Rollback, now: Timestamp) -> Instant {
    let next_at = rollback.ladder.as_ref().and_then(|ladder| ladder.next_at).unwrap_or(now);
    Instant::now() + between(now, next_at)
}

/// From one moment to a later one; nothing where it is none.
fn between(from: Timestamp, to: Timestamp) -> Duration {
    Duration::try_from(to.duration_since(from)).unwrap_or_default()
}

/// What was found out about a commit.
#[derive(Debug)]
pub(super) struct Evidence {
    pub(super) confirmation: Option<Confirmation>,
    pub(super) checks: Vec<CheckOutcome>,
    pub(super) served: ExposureCount,
    pub(super) committed: Timestamp,
    /// When all of this was known.
    pub(super) now: Timestamp,
}

/// Waits for the confirmations and asks the checks, and answers with the record as it is after that.
pub(super) async fn judge(
    controller: &RollbackController,
    environment: &EnvironmentKey,
    rollback: &Rollback,
    observed: &ObservedCommit,
    limits: VerificationWindow,
) -> Rollback {
    let committed = async {
        match observed.committed(rollback) {
            Some(at) => at,
            None => bad_exposure::committed_at(controller, environment, rollback.position())
                .await
                .unwrap_or(observed.seen_at),
        }
    };
    let (confirmation, committed, onset) = tokio::join!(
        confirmations(controller, environment, rollback, limits),
        committed,
        bad_exposure::onset(controller, environment, rollback)
    );
    let checks = checks(controller, rollback, limits).await;
    let now = controller.clock().now();
    let evidence = Evidence {
        confirmation,
        checks,
        served: bad_exposure::count(controller, environment, rollback, onset, now).await,
        committed,
        now,
    };
    concluded(rollback, evidence, environment)
}

/// Returns when nobody is missing any more.
pub(super) async fn watched(controller: &RollbackController, environment: &EnvironmentKey, rollback: &Rollback, every: Duration) {
    loop {
        tokio::time::sleep(every).await;
        let target = target(controller, environment, rollback.position());
        let known = controller.fleet.confirmation(environment, &target, Duration::ZERO).await;
        if known.is_some_and(|confirmation| confirmation.complete) {
            return;
        }
    }
}

async fn confirmations(controller: &RollbackController, environment: &EnvironmentKey, rollback: &Rollback, limits: VerificationWindow) -> Option<Confirmation> {
    loop {
        let target = target(controller, environment, rollback.position());
        let left = limits.until.saturating_duration_since(Instant::now());
        let confirmation = controller.fleet.wait(environment, &target, left, None).await;
        let is_complete = confirmation.as_ref().is_some_and(|confirmation| confirmation.complete);
        if !is_complete || Instant::now() >= limits.not_before {
            return confirmation;
        }
        tokio::time::sleep_until(limits.not_before).await;
    }
}

/// Who acknowledges a later revision has acknowledged this one. A node that started after it counts for the one it started with.
fn target(controller: &RollbackController, environment: &EnvironmentKey, position: Position) -> ConfirmationTarget {
    let asked = ConfirmationTarget::Revision(position);
    let head = controller
        .environments
        .board()
        .served(environment.as_str())
        .map(|served| served.snapshot.position);
    match head {
        Some(head) if head > position && controller.fleet.report(environment, &asked).is_none() => ConfirmationTarget::Revision(head),
        Some(_) | None => asked,
    }
}

/// Asks the checks that belong here; those that say whether service is restored are asked again until they pass or the time is
/// up, those after a step only once.
async fn checks(controller: &RollbackController, rollback: &Rollback, limits: VerificationWindow) -> Vec<CheckOutcome> {
    let is_step = stages::remaining(rollback) > 0;
    let mut outcomes = controller.checks.run(&rollback.probes, CheckPhase::After).await;
    if is_step {
        outcomes.extend(controller.checks.run(&rollback.probes, CheckPhase::Step).await);
        return outcomes;
    }
    while outcomes.iter().any(|outcome| !outcome.passed) && Instant::now() < limits.until {
        tokio::time::sleep_until(limits.until.min(Instant::now() + ASK_AGAIN)).await;
        let failed = rollback.probes.iter().filter(|probe| {
            let is_own = |outcome: &&CheckOutcome| outcome.of == probe.of && outcome.name == probe.check.name;
            outcomes.iter().find(is_own).is_some_and(|outcome| !outcome.passed)
        });
        let failed: Vec<_> = failed.cloned().collect();
        replace(&mut outcomes, controller.checks.run(&failed, CheckPhase::After).await);
    }
    outcomes
}

/// Puts newer outcomes in the place of older ones of the same check on the same occasion.
fn replace(known: &mut Vec<CheckOutcome>, newer: Vec<CheckOutcome>) {
    known.retain(|old| !newer.iter().any(|new| new.of == old.of && new.name == old.name && new.when == old.when));
    known.extend(newer);
}

/// The record as the evidence makes it.
fn concluded(rollback: &Rollback, evidence: Evidence, environment: &EnvironmentKey) -> Rollback {
    let remaining = stages::remaining(rollback);
    let is_complete = evidence.confirmation.as_ref().is_some_and(|confirmation| confirmation.complete);
    let fails = |when: CheckPhase| evidence.checks.iter().any(|check| check.when == when && !check.passed);
    let state = match (remaining > 0, is_complete) {
        (true, _) if fails(CheckPhase::Step) => RollbackState::Failed,
        (true, _) => RollbackState::Committed,
        (false, _) if fails(CheckPhase::After) => RollbackState::Failed,
        (false, true) => RollbackState::Confirmed,
        (false, false) => RollbackState::Partial,
    };
    let mut next = rollback.clone();
    next.state = state;
    next.phases = phases(&rollback.phases, &evidence, is_complete);
    replace(&mut next.checks, evidence.checks);
    next.bad_exposure = evidence.served.counts;
    next.confirmation = evidence.confirmation.or_else(|| rollback.confirmation.clone());
    if state == RollbackState::Failed
        && let Some(ladder) = &mut next.ladder
    {
        ladder.next_at = None;
    }
    next.message = messages::state(&next, environment);
    if let Some(gap) = evidence.served.gap {
        next.message = format!("{} {gap}", next.message);
    }
    next
}

fn phases(known: &PhaseTimes, evidence: &Evidence, is_complete: bool) -> PhaseTimes {
    let level = evidence.confirmation.as_ref().map(|confirmation| &confirmation.applied);
    // To the microsecond: what is finer is noise.
    let millis = |from: Timestamp, to: Timestamp| (between(from, to).as_secs_f64() * 1_000_000.0).round() / 1_000.0;
    let last = level.and_then(|level| level.max_ms);
    let applied = is_complete.then(|| {
        let took = last.map_or(Duration::ZERO, |last| Duration::from_secs_f64(last / 1_000.0));
        evidence.committed.checked_add(took).unwrap_or(evidence.now)
    });
    let is_healthy = is_complete && evidence.checks.iter().all(|check| check.passed);
    // The last acknowledgement is timed from the swap, this moment by the clock: service is restored when both are there.
    let healthy = applied.filter(|_| is_healthy).map(|applied| applied.max(evidence.now));
    PhaseTimes {
        detected: known.detected,
        decided: known.decided,
        committed: Some(evidence.committed),
        applied,
        healthy,
        commit_ms: known.commit_ms.or_else(|| Some(millis(known.decided?, evidence.committed))),
        applied_p50_ms: level.and_then(|level| level.p50_ms),
        applied_p99_ms: level.and_then(|level| level.p99_ms),
        applied_last_ms: last,
        healthy_ms: healthy.map(|healthy| millis(evidence.committed, healthy)),
    }
}
