//! Verifies a rollback's newest commit: who has confirmed it, what the checks say, and the record that follows from both.

use std::collections::BTreeSet;
use std::time::Duration;

use jiff::Timestamp;
use ripcord_proto::check::{CheckOutcome, CheckPhase};
use ripcord_proto::confirmation::Confirmation;
use ripcord_proto::rollback::{PhaseTimes, Rollback, RollbackState};
use ripcord_proto::{EnvironmentKey, Position};
use tokio::time::Instant;

use super::bad_exposure::{self, ExposureCount};
use super::deps::RollbackDeps;
use crate::fleet::ConfirmationTarget;
use crate::rollback::{messages, stages};

/// How long applications may take to reconnect to a new leader: until then it does not know who is missing.
const RETURN: Duration = Duration::from_secs(5);
/// After how long the record tells what is known so far.
const FIRST_LOOK: Duration = Duration::from_secs(2);
/// How often a failed check is repeated before the deadline.
const CHECK_RETRY: Duration = Duration::from_millis(500);

/// How this node came to a commit of a rollback.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Pickup {
    /// It saw the commit happen.
    JustCommitted,
    /// Another process made it.
    Inherited,
}

/// The newest commit as this node has observed it.
#[derive(Debug, Clone, Copy)]
pub(super) struct ObservedCommit {
    position: Option<Position>,
    found: Pickup,
    seen: Instant,
    seen_at: Timestamp,
}

/// The time window in which a commit is verified.
#[derive(Debug, Clone, Copy)]
pub(super) struct VerificationWindow {
    /// Before this, "no application is missing" proves nothing.
    not_before: Instant,
    /// After this, missing applications count as missing.
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

    /// The newest commit is at `position`; `found` says how this node came to it.
    pub(super) fn reach(&mut self, position: Position, found: Pickup, now: Timestamp) {
        if self.position != Some(position) || found == Pickup::Inherited {
            *self = Self {
                position: Some(position),
                ..Self::new(found, now)
            };
        }
    }

    /// The window: `within` from the commit, and after a change of leader long enough for applications to reconnect. A step is verified
    /// before the next one is due.
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

/// When the next step is due. From here on it is measured by the monotonic clock.
pub(super) fn due(rollback: &Rollback, now: Timestamp) -> Instant {
    let next_at = rollback.ladder.as_ref().and_then(|stages| stages.next_at).unwrap_or(now);
    Instant::now() + between(now, next_at)
}

/// The time from one moment to a later one, or zero.
fn between(from: Timestamp, to: Timestamp) -> Duration {
    Duration::try_from(to.duration_since(from)).unwrap_or_default()
}

/// What is known about a commit.
#[derive(Debug)]
struct Evidence {
    confirmation: Option<Confirmation>,
    checks: Vec<CheckOutcome>,
    /// `None` while it is not counted yet.
    exposure: Option<ExposureCount>,
    committed: Timestamp,
    /// When all of this was known.
    now: Timestamp,
}

impl Evidence {
    fn is_settled(&self) -> bool {
        self.confirmation.as_ref().is_some_and(Confirmation::is_settled)
    }

    fn fails(&self, when: CheckPhase) -> bool {
        self.checks.iter().any(|check| check.when == when && !check.passed)
    }
}

/// Waits for confirmations, runs the checks, and answers with the next record. Before the deadline that may be a record that only
/// tells what is known so far: who is missing, which check fails.
pub(super) async fn verify(
    deps: &RollbackDeps,
    environment: &EnvironmentKey,
    rollback: &Rollback,
    observed: &ObservedCommit,
    limits: VerificationWindow,
) -> Rollback {
    let is_step = stages::remaining(rollback) > 0;
    let committed = committed(deps, environment, rollback, observed).await;
    let is_shown = rollback.confirmation.is_some();
    let mut look = if is_step || is_shown {
        limits.until
    } else {
        limits.not_before.max(Instant::now() + FIRST_LOOK)
    };
    loop {
        let until = limits.until.min(look);
        let confirmation = confirmations(deps, environment, rollback, VerificationWindow { until, ..limits }).await;
        let mut checks = deps.checks.run(&rollback.probes, CheckPhase::After).await;
        if is_step {
            checks.extend(deps.checks.run(&rollback.probes, CheckPhase::Step).await);
        }
        let evidence = Evidence {
            confirmation,
            checks,
            exposure: None,
            committed,
            now: deps.clock().now(),
        };
        let (is_settled, fails) = (evidence.is_settled(), evidence.fails(CheckPhase::After));
        if is_step || (is_settled && !fails) || Instant::now() >= limits.until {
            let exposure = bad_exposure::count(deps, environment, rollback, evidence.now).await;
            let exposure = Some(exposure);
            return concluded(rollback, Evidence { exposure, ..evidence }, environment);
        }
        if !is_shown || failing(&evidence.checks) != failing(&rollback.checks) {
            return so_far(rollback, evidence, environment);
        }
        if is_settled {
            tokio::time::sleep_until(limits.until.min(Instant::now() + CHECK_RETRY)).await;
        }
        look = limits.until;
    }
}

async fn committed(deps: &RollbackDeps, environment: &EnvironmentKey, rollback: &Rollback, observed: &ObservedCommit) -> Timestamp {
    match observed.committed(rollback) {
        Some(at) => at,
        None => bad_exposure::committed_at(deps, environment, rollback.position())
            .await
            .unwrap_or(observed.seen_at),
    }
}

/// The checks that fail after the rollback.
fn failing(checks: &[CheckOutcome]) -> BTreeSet<(&str, &str)> {
    let failing = checks.iter().filter(|check| check.when == CheckPhase::After && !check.passed);
    failing.map(|check| (check.of.as_str(), check.name.as_str())).collect()
}

/// Returns when no application is missing any more.
pub(super) async fn all_confirmed(deps: &RollbackDeps, environment: &EnvironmentKey, rollback: &Rollback, every: Duration) {
    loop {
        tokio::time::sleep(every).await;
        let target = target(deps, environment, rollback.position());
        let known = deps.fleet.confirmation(environment, &target, Duration::ZERO).await;
        if known.is_some_and(|confirmation| confirmation.is_settled()) {
            return;
        }
    }
}

async fn confirmations(deps: &RollbackDeps, environment: &EnvironmentKey, rollback: &Rollback, limits: VerificationWindow) -> Option<Confirmation> {
    loop {
        let target = target(deps, environment, rollback.position());
        let left = limits.until.saturating_duration_since(Instant::now());
        let confirmation = deps.fleet.wait(environment, &target, left, None).await;
        let is_settled = confirmation.as_ref().is_some_and(Confirmation::is_settled);
        if !is_settled || Instant::now() >= limits.not_before.min(limits.until) {
            return confirmation;
        }
        tokio::time::sleep_until(limits.not_before.min(limits.until)).await;
    }
}

/// An acknowledgement of a later revision also acknowledges this one. A node that started later counts for the revision it started with.
fn target(deps: &RollbackDeps, environment: &EnvironmentKey, position: Position) -> ConfirmationTarget {
    let requested = ConfirmationTarget::Revision(position);
    let head = deps.environments.board().served(environment.as_str()).map(|served| served.snapshot.position);
    match head {
        Some(head) if head > position && deps.fleet.report(environment, &requested).is_none() => ConfirmationTarget::Revision(head),
        Some(_) | None => requested,
    }
}

/// Replaces outcomes by newer ones of the same check.
fn replace(known: &mut Vec<CheckOutcome>, newer: Vec<CheckOutcome>) {
    known.retain(|old| !newer.iter().any(|new| new.of == old.of && new.name == old.name && new.when == old.when));
    known.extend(newer);
}

/// The record that follows from the evidence.
fn concluded(rollback: &Rollback, evidence: Evidence, environment: &EnvironmentKey) -> Rollback {
    let remaining = stages::remaining(rollback);
    let state = match (remaining > 0, evidence.is_settled()) {
        (true, _) if evidence.fails(CheckPhase::Step) => RollbackState::Failed,
        (true, _) => RollbackState::Committed,
        (false, _) if evidence.fails(CheckPhase::After) => RollbackState::Failed,
        (false, true) => RollbackState::Confirmed,
        (false, false) => RollbackState::Partial,
    };
    with_evidence(rollback, evidence, state, environment)
}

/// The record of what is known before the deadline.
fn so_far(rollback: &Rollback, evidence: Evidence, environment: &EnvironmentKey) -> Rollback {
    with_evidence(rollback, evidence, RollbackState::Committed, environment)
}

fn with_evidence(rollback: &Rollback, evidence: Evidence, state: RollbackState, environment: &EnvironmentKey) -> Rollback {
    let mut next = rollback.clone();
    next.state = state;
    next.phases = phases(&rollback.phases, &evidence);
    replace(&mut next.checks, evidence.checks);
    next.bad_exposure = evidence.exposure.as_ref().and_then(|exposure| exposure.counts).or(rollback.bad_exposure);
    next.confirmation = evidence.confirmation.or_else(|| rollback.confirmation.clone());
    if state == RollbackState::Failed
        && let Some(stages) = &mut next.ladder
    {
        stages.next_at = None;
    }
    next.message = messages::state(&next, environment);
    if let Some(gap) = evidence.exposure.and_then(|exposure| exposure.gap) {
        next.message = format!("{} {gap}", next.message);
    }
    next
}

fn phases(known: &PhaseTimes, evidence: &Evidence) -> PhaseTimes {
    let level = evidence.confirmation.as_ref().map(|confirmation| &confirmation.applied);
    // To the microsecond: what is finer is noise.
    let millis = |from: Timestamp, to: Timestamp| (between(from, to).as_secs_f64() * 1_000_000.0).round() / 1_000.0;
    let last = level.and_then(|level| level.max_ms);
    // If no application was asked, none has applied it.
    let is_complete = evidence.confirmation.as_ref().is_some_and(|confirmation| confirmation.complete);
    let applied = is_complete.then(|| {
        let took = last.map_or(Duration::ZERO, |last| Duration::from_secs_f64(last / 1_000.0));
        evidence.committed.checked_add(took).unwrap_or(evidence.now)
    });
    // Only a check can tell that service is restored.
    let mut checks = evidence.checks.iter().filter(|check| check.when == CheckPhase::After).peekable();
    let is_healthy = evidence.is_settled() && checks.peek().is_some() && checks.all(|check| check.passed);
    // The last acknowledgement is timed from the swap, this moment by the clock: service is restored when both are there.
    let healthy = is_healthy.then(|| applied.map_or(evidence.now, |applied| applied.max(evidence.now)));
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
