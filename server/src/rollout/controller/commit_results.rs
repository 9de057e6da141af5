//! Commits beside the loop, and what their outcome means.

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use ripcord_proto::actor::Actor;
use ripcord_proto::kill::KillScope;
use ripcord_proto::rollout::{Rollout, RolloutState, WaitsFor};
use ripcord_proto::{EnvironmentKey, Position, RolloutId, Sequence};
use tokio::time::Instant;
use tracing::Instrument as _;

use super::effect;
use super::jobs::{CommitKind, CommitResult, JobResult};
use super::state::{AbortReason, FOLLOWER_POLL, RolloutController};
use crate::commit::state::EnvironmentState;
use crate::commit::{CommitError, Draft, MissingItem, Operation, Renderer, StateConflict, StoreFailure};
use crate::environment::Environments;
use crate::kill::KillOrder;
use crate::leader::LeaderToken;
use crate::rollout::commits::{self, ObservedRollout};
use crate::rollout::decide::{self, RolloutDecision, RolloutStatus};
use crate::rollout::{messages, transition};
use crate::store::LogName;

/// How long until something that the store refused is tried again.
const AWAY: Duration = Duration::from_millis(500);
/// How long the store may take to roll back exposure before the flag is killed instead.
const PATIENCE: Duration = Duration::from_secs(1);
/// How often what the gates went by is recorded while nothing else is. The log keeps every record, and nodes keep what was reported in
/// the last hour: this is for the counts of a node that never comes back.
const RECORD: Duration = Duration::from_mins(10);
/// Entries of the log that are looked through for who made an edit.
const LOOK_BACK: u64 = 256;

impl RolloutController {
    fn member(&self, id: &RolloutId) -> Option<ObservedRollout> {
        let tracked = self.tracked.get(id)?;
        Some(ObservedRollout {
            entry: Arc::clone(&tracked.entry),
            observed: tracked.observed(),
        })
    }

    fn draft(&self, rollout: &Rollout, reason: &str, operations: Vec<Operation>) -> Draft {
        let author = self.rollouts.lease.author();
        let reason = format!("rollout {}: {reason}", rollout.id);
        commits::draft(&self.environment, author, rollout.plan.release.clone(), reason, operations)
    }

    fn submit(&mut self, ids: Vec<RolloutId>, what: CommitKind, draft: Draft) {
        self.submit_when_ready(ids, what, std::future::ready(draft));
    }

    fn submit_when_ready(&mut self, ids: Vec<RolloutId>, what: CommitKind, draft: impl Future<Output = Draft> + Send + 'static) {
        for id in &ids {
            if let Some(tracked) = self.tracked.get_mut(id) {
                tracked.busy = true;
            }
        }
        let environments = self.rollouts.environments.clone();
        let span = tracing::info_span!("rollout", env = %self.environment, rollout = ids.first().map(tracing::field::display), what = what.as_str());
        let job = async move {
            let submitted = environments.commit(draft.await);
            let result = match what {
                // A store that is silent must not keep users exposed: what waits no longer is carried out all the same.
                CommitKind::RollBack => tokio::time::timeout(PATIENCE, submitted)
                    .await
                    .unwrap_or(Err(CommitError::Store(StoreFailure::OutcomeUnknown))),
                CommitKind::Record | CommitKind::Step | CommitKind::Kill => submitted.await,
            };
            let result = result.map(drop);
            JobResult::Commit(CommitResult { ids, what, result })
        };
        self.jobs.push(Box::pin(job.instrument(span)));
    }

    /// Its record becomes what `next` makes of it.
    fn record(&mut self, token: LeaderToken, id: &RolloutId, next: impl FnOnce(&Rollout, &ObservedRollout) -> Rollout) {
        let Some(member) = self.member(id) else { return };
        let Ok(rollout) = member.entry.value() else { return };
        let next = next(rollout, &member);
        let reason = next.reason.clone();
        let Ok(put) = commits::put(&member.entry, next) else { return };
        let mut draft = self.draft(rollout, &reason, vec![token.check(), put]);
        // A record alone is no part of the release: a finished one must not keep a rollout from ending.
        draft.release = None;
        self.submit(vec![id.clone()], CommitKind::Record, draft);
    }

    /// Records its state if that has changed, and now and then the samples of its gates.
    pub(super) fn record_status(&mut self, token: LeaderToken, id: &RolloutId, status: RolloutStatus) {
        let now = Instant::now();
        let Some(tracked) = self.tracked.get_mut(id) else { return };
        let Ok(rollout) = tracked.entry.value() else { return };
        let changed = (rollout.state, rollout.waits_for) != (status.state, status.waits_for);
        let counted = tracked
            .gates
            .iter()
            .flatten()
            .any(|watch| watch.reading.as_ref().is_some_and(|reading| reading.figures.is_some()));
        let stale = counted && now.saturating_duration_since(tracked.recorded) >= RECORD && tracked.readings() != rollout.gates;
        if !changed && !stale {
            return;
        }
        tracked.recorded = now;
        self.record(token, id, |rollout, member| transition::with_status(rollout, status, &member.observed));
    }

    pub(super) fn complete(&mut self, token: LeaderToken, id: &RolloutId) {
        let wall = self.wall();
        self.record(token, id, |rollout, member| {
            transition::over(rollout, &member.observed, RolloutState::Completed, messages::completed(rollout), wall)
        });
    }

    pub(super) fn pause(&mut self, token: LeaderToken, id: &RolloutId, reason: &str, now: Instant) {
        let held = self.tracked.get(id).map(|tracked| tracked.held(now)).unwrap_or_default();
        self.record(token, id, |rollout, member| {
            let mut next = transition::paused(rollout, held, messages::held(rollout, reason));
            next.gates.clone_from(&member.observed.gates);
            next
        });
    }

    /// The next step, together with the other rollouts of the release that are as far.
    pub(super) fn enter(&mut self, token: LeaderToken, id: &RolloutId, state: &EnvironmentState, now: Instant) {
        let Some(Ok(rollout)) = self.tracked.get(id).map(|tracked| tracked.entry.value().cloned()) else {
            return;
        };
        if self.covered_provisionally(&rollout) {
            return self.schedule.no_later(id, now + AWAY);
        }
        let mut ids = vec![id.clone()];
        for entry in commits::bound(state, &rollout) {
            let Ok(other) = entry.value() else { continue };
            if other.state.is_final() || other.step > rollout.step {
                continue;
            }
            let ready = other.step == rollout.step && self.view(&other.id, now).is_some_and(|view| decide::next(&view) == RolloutDecision::EnterStep);
            let busy = self.tracked.get(&other.id).is_none_or(|tracked| tracked.busy);
            if !ready || busy {
                let behind = format!("{} of {}", other.id, other.plan.flag);
                return self.record_status(token, id, RolloutStatus::waiting(WaitsFor::Release, messages::lockstep(&rollout, &behind)));
            }
            ids.push(other.id.clone());
        }
        for id in &ids {
            if let Some(tracked) = self.tracked.get_mut(id) {
                tracked.due = tracked.hold_over(now);
            }
        }
        let members: Vec<ObservedRollout> = ids.iter().filter_map(|id| self.member(id)).collect();
        let reason = format!("{} of {}", messages::step(&rollout, rollout.step + 1), rollout.plan.flag);
        let draft = self.draft(&rollout, &reason, Vec::new());
        let (served, wall) = (self.rollouts.environments.board().served(self.environment.as_str()), self.wall());
        let users = effect::users(self.tracked.len());
        self.submit_when_ready(ids, CommitKind::Step, async move {
            let members = effect::measured(served, members, users).await;
            Draft {
                operations: commits::enter(token, members, wall),
                ..draft
            }
        });
    }

    /// Whether a kill that the log does not know yet covers its flag: no step is taken over that.
    fn covered_provisionally(&self, rollout: &Rollout) -> bool {
        let served = self.rollouts.environments.board().served(self.environment.as_str());
        served.is_some_and(|served| served.overlay.kills.values().any(|kill| kill.covers(rollout.plan.flag.as_str())))
    }

    /// Rolls back what it moved, with the other rollouts of its release.
    pub(super) fn roll_back(&mut self, token: LeaderToken, id: &RolloutId, reason: &str) {
        let Some(member) = self.member(id) else { return };
        let Ok(rollout) = member.entry.value().cloned() else { return };
        let state = Arc::clone(&self.states.borrow());
        let mut ids = vec![id.clone()];
        let mut members = vec![(member, reason.to_owned())];
        for entry in commits::bound(&state, &rollout) {
            let observed = self.tracked.get(entry.key()).map(super::tracked::TrackedRollout::observed).unwrap_or_default();
            let other = ObservedRollout {
                entry: Arc::clone(entry),
                observed,
            };
            members.push((other, messages::with_sibling(&rollout, reason)));
            ids.push(entry.key().clone());
        }
        if let Some(tracked) = self.tracked.get_mut(id) {
            tracked.rolling_back = Some(reason.to_owned());
        }
        let mut draft = self.draft(
            &rollout,
            reason,
            vec![token.check(), commits::roll_back(members, self.rollouts.lease.author().actor, self.wall())],
        );
        // A release that was finished in between must not keep exposure from being rolled back.
        draft.release = draft.release.filter(|name| commits::is_open(&state, name));
        self.submit(ids, CommitKind::RollBack, draft);
    }

    /// It ends without changing exposure, with the other rollouts of its release.
    pub(super) fn abort(&mut self, id: &RolloutId, token: LeaderToken, stop: AbortReason) {
        let Some(member) = self.member(id) else { return };
        let Ok(rollout) = member.entry.value().cloned() else { return };
        let state = Arc::clone(&self.states.borrow());
        let live = |entry: &&Arc<ripcord_proto::table::Entry<Rollout>>| entry.value().is_ok_and(|other| !other.state.is_final());
        let bound: Vec<ObservedRollout> = commits::bound(&state, &rollout)
            .filter(live)
            .filter_map(|entry| self.member(entry.key()))
            .collect();
        let ids: Vec<RolloutId> = std::iter::once(id.clone())
            .chain(bound.iter().map(|member| member.entry.key().clone()))
            .collect();
        for id in &ids {
            if let Some(tracked) = self.tracked.get_mut(id) {
                tracked.busy = true;
            }
        }
        let (environments, environment, author, wall) = (
            self.rollouts.environments.clone(),
            self.environment.clone(),
            self.rollouts.lease.author(),
            self.wall(),
        );
        self.jobs.push(Box::pin(async move {
            let reason = match stop {
                AbortReason::Reason(reason) => reason,
                AbortReason::Edit(what, at) => {
                    let by = who(&environments, &environment, at).await;
                    messages::edited(&what, by.as_ref())
                }
            };
            let result = match aborted(&rollout, &member, &bound, &reason, wall) {
                Ok(mut operations) => {
                    operations.insert(0, token.check());
                    let reason = format!("rollout {}: {reason}", rollout.id);
                    environments
                        .submit(commits::draft(&environment, author, None, reason, operations))
                        .await
                        .map(drop)
                }
                Err(error) => Err(error),
            };
            JobResult::Commit(CommitResult {
                ids,
                what: CommitKind::Record,
                result,
            })
        }));
    }

    /// The store is away, so exposure cannot be rolled back: its flag is killed, which needs no store.
    fn kill(&mut self, id: &RolloutId) {
        let Some(tracked) = self.tracked.get_mut(id) else { return };
        let Ok(rollout) = tracked.entry.value().cloned() else { return };
        if tracked.killed {
            return;
        }
        (tracked.killed, tracked.busy) = (true, true);
        let kill_order = KillOrder {
            id: None,
            environment: self.environment.clone(),
            author: self.rollouts.lease.author(),
            scope: KillScope::Flag(rollout.plan.flag.clone()),
            future: false,
            reason: Some(format!(
                "rollout {} could not be rolled back because the store is away: {}",
                rollout.id,
                tracked.rolling_back.as_deref().unwrap_or_default()
            )),
            call: None,
            renderer: Renderer::default(),
        };
        let (kills, ids) = (self.rollouts.kills.clone(), vec![id.clone()]);
        self.jobs.push(Box::pin(async move {
            let result = kills.kill(kill_order).await.map(drop);
            JobResult::Commit(CommitResult {
                ids,
                what: CommitKind::Kill,
                result,
            })
        }));
    }

    /// Takes in the result of a commit; its rollouts are considered next.
    pub(super) fn committed(&mut self, committed: CommitResult) -> Vec<RolloutId> {
        let CommitResult { ids, what, result } = committed;
        let now = Instant::now();
        for id in &ids {
            if let Some(tracked) = self.tracked.get_mut(id) {
                tracked.busy = false;
            }
        }
        let again = |controller: &mut Self, after: Duration| {
            for id in ids.iter().filter(|id| controller.tracked.contains_key(*id)) {
                controller.schedule.no_later(id, now + after);
            }
        };
        match result {
            Ok(()) => {
                again(self, Duration::ZERO);
                if what == CommitKind::Step {
                    for id in &ids {
                        let late = self.tracked.get_mut(id).and_then(|tracked| tracked.due.take());
                        self.metrics.stepped(late.map(|due| now.saturating_duration_since(due)));
                    }
                }
                return Vec::new();
            }
            Err(CommitError::Conflict(StateConflict::NotLeader)) => {
                self.token = None;
                again(self, FOLLOWER_POLL);
            }
            // Someone else was faster; the new state is on its way.
            Err(
                CommitError::Conflict(StateConflict::RecordMoved(_) | StateConflict::Stale { .. } | StateConflict::WrongState { .. })
                | CommitError::NotFound(MissingItem::Record(_))
                | CommitError::Guard(_),
            ) => {
                self.forget_back(&ids);
                again(self, AWAY);
            }
            // An internal failure counts like a store that is away: neither may leave users exposed.
            Err(CommitError::Store(_) | CommitError::Internal(_)) => {
                again(self, AWAY);
                if what == CommitKind::RollBack {
                    for id in &ids {
                        self.kill(id);
                    }
                }
            }
            Err(error) => {
                tracing::warn!(env = %self.environment, %error, "rollout cannot continue");
                again(self, AWAY);
                self.fail(&ids, &error);
            }
        }
        Vec::new()
    }

    fn forget_back(&mut self, ids: &[RolloutId]) {
        for id in ids {
            if let Some(tracked) = self.tracked.get_mut(id) {
                tracked.rolling_back = None;
            }
        }
    }

    /// It cannot continue: the commit path refuses its next commit.
    fn fail(&mut self, ids: &[RolloutId], error: &CommitError) {
        let (Some(token), wall) = (self.token, self.wall()) else { return };
        let why = error.problem();
        let faults: Vec<String> = why.errors.iter().map(ToString::to_string).collect();
        let why = if faults.is_empty() { error.to_string() } else { faults.join("; ") };
        for id in ids {
            self.record(token, id, |rollout, member| {
                let reason = format!("{} could not be started: {why}", messages::step(rollout, rollout.step + 1));
                transition::over(rollout, &member.observed, RolloutState::Failed, reason, wall)
            });
        }
    }
}

/// What ends a rollout and those that are bound to it.
fn aborted(rollout: &Rollout, member: &ObservedRollout, bound: &[ObservedRollout], reason: &str, now: Timestamp) -> Result<Vec<Operation>, CommitError> {
    let own = transition::over(rollout, &member.observed, RolloutState::Aborted, reason.to_owned(), now);
    let mut operations = vec![commits::put(&member.entry, own)?];
    for other in bound {
        if let Ok(record) = other.entry.value() {
            let next = transition::over(record, &other.observed, RolloutState::Aborted, messages::with_sibling(rollout, reason), now);
            operations.push(commits::put(&other.entry, next)?);
        }
    }
    Ok(operations)
}

/// Who committed at a position, and why, as far as the newest entries of the log tell.
async fn who(environments: &Environments, environment: &EnvironmentKey, at: Position) -> Option<(Actor, Option<String>)> {
    let head = environments.state(environment).ok()?.head.sequence;
    let after = Sequence(head.0.saturating_sub(LOOK_BACK));
    let limit = usize::try_from(LOOK_BACK).unwrap_or_default();
    let entries = environments.store().read(&LogName::Environment(environment.clone()), after, limit).await.ok()?;
    let made = entries
        .iter()
        .find(|entry| entry.commit.epoch == at.epoch && entry.commit.revision == Some(at.revision))?;
    Some((made.commit.actor.clone(), made.commit.reason.clone()))
}
