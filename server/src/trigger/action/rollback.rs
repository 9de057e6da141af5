//! A rollback, in one commit with the record of the firing. If a guard refuses it, rollouts are held instead; if the store is away,
//! the same flags are killed instead.

use std::collections::BTreeSet;
use std::time::Duration;

use ripcord_proto::record::RecordKey;
use ripcord_proto::rollback::{RollbackOptions, RollbackScope};
use ripcord_proto::trigger::{Firing, FiringEffects, FiringState, TriggerRollback, TriggerRollbackScope};
use ripcord_proto::{FlagKey, KillScope, RolloutId};

use super::hold::{self, HoldScope};
use crate::checkpoint::ResolveError;
use crate::commit::state::EnvironmentState;
use crate::commit::{CommitError, Operation, Precheck, StateConflict};
use crate::release::ReleaseChangesError;
use crate::rollback::{self, PrepareError, PreparedRollback, RollbackError, RollbackSpec};
use crate::store::{StoreError, StoreState};
use crate::trigger::activation::{Activation, ActivationVerdict, FiringResult, Initiator, put};
use crate::trigger::decision;
use crate::trigger::dedup::InFlightGuard;
use crate::trigger::firing_record::RecordOutcome;
use crate::trigger::{Triggers, effects, messages};

/// How long its reads and writes may take before its flags are killed instead.
const PATIENCE: Duration = Duration::from_secs(1);

/// The result of a rollback.
enum RollbackResult {
    /// It is committed, and the firing's record with it.
    Committed(Box<Firing>),
    /// The records have moved on: someone else has handled the alert, or it may not be acted on any more.
    Superseded,
    /// It was not rolled back.
    Stopped(RollbackStopped),
}

/// Why it was not rolled back.
enum RollbackStopped {
    /// The store is away.
    StoreAway(String),
    /// Something prevents it that a person has to look at.
    Refused(String),
}

impl Triggers {
    pub(super) async fn roll_back(&self, activation: Activation, back: &TriggerRollback, guard: InFlightGuard) -> Result<RecordOutcome, CommitError> {
        let state = self.inner.environments.state(&activation.environment)?;
        let spec = match spec(&state, back, &activation) {
            Ok(spec) => spec,
            Err(why) => return self.held_instead(activation, HoldScope::Flags(BTreeSet::new()), &why, guard).await,
        };
        let author = activation.author();
        let preparing = rollback::prepare(&self.inner.environments, &activation.environment, &author, &spec);
        let prepared = match tokio::time::timeout(PATIENCE, preparing).await {
            Ok(Ok(prepared)) => Ok(prepared),
            Ok(Err(error)) => Err(stopped(&error.into())),
            Err(_) => Err(RollbackStopped::StoreAway("the log did not answer in time".to_owned())),
        };
        let (stopped, prepared) = match prepared {
            Ok(prepared) => match self.commit_back(&activation, &prepared).await? {
                RollbackResult::Committed(firing) => return Ok(RecordOutcome::Written(firing)),
                RollbackResult::Superseded => return self.superseded(activation, guard).await,
                RollbackResult::Stopped(stopped) => (stopped, Some(prepared)),
            },
            Err(stopped) => (stopped, None),
        };
        let flags = prepared.as_ref().map(moved).unwrap_or_default();
        match stopped {
            RollbackStopped::Refused(why) => self.held_instead(activation, scope_of(&spec.scope, flags), &why, guard).await,
            RollbackStopped::StoreAway(why) => {
                let scopes = scopes(&state, &spec.scope, prepared.as_ref().map(|_| flags));
                let pulled = self
                    .pull(
                        &activation,
                        scopes,
                        &format!("{} (killed instead of rolled back, because the store is away)", activation.why()),
                    )
                    .await;
                let message = messages::killed_instead(&messages::killed(&pulled.flags, &pulled.effects, &pulled.failed), &why);
                let result = FiringResult {
                    state: FiringState::Killed,
                    message,
                    effects: pulled.effects,
                };
                self.record_done(activation, result, guard).await
            }
        }
    }

    async fn held_instead(&self, activation: Activation, scope: HoldScope, why: &str, guard: InFlightGuard) -> Result<RecordOutcome, CommitError> {
        let why = format!("{}: {why}", activation.trigger.action);
        let result = move |paused: Vec<RolloutId>| FiringResult {
            state: FiringState::Held,
            message: messages::held_instead(&why, &messages::held(paused.len())),
            effects: hold::held(paused),
        };
        self.pause(activation, scope, result, guard).await
    }

    /// The records have moved on: decides again what the activation causes.
    async fn superseded(&self, activation: Activation, guard: InFlightGuard) -> Result<RecordOutcome, CommitError> {
        let state = self.inner.environments.state(&activation.environment)?;
        match activation.verdict(&state)? {
            ActivationVerdict::Restrain(restraint) => {
                let preview = self.preview(&activation).await;
                self.record_restrained(activation, restraint, preview, guard).await
            }
            ActivationVerdict::Act(..) | ActivationVerdict::Nothing => Ok(RecordOutcome::Superseded),
        }
    }

    /// The rollback and the firing's record in one commit.
    async fn commit_back(&self, activation: &Activation, prepared: &PreparedRollback) -> Result<RollbackResult, CommitError> {
        if self.inner.environments.store().health().borrow().state != StoreState::Available {
            return Ok(RollbackResult::Stopped(RollbackStopped::StoreAway("it does not answer".to_owned())));
        }
        if let Err(error) = rollback::ask_probes(&self.inner.checks, prepared).await {
            return Ok(RollbackResult::Stopped(stopped(&error)));
        }
        let reversal = prepared.reversal.clone();
        let target = &reversal.record.target;
        let target = match &target.checkpoint {
            Some(name) => format!("{name} ({})", target.position()),
            None => target.position().to_string(),
        };
        let conflicts = match rollback::conflicts(&self.inner.environments, prepared).await {
            Ok(conflicts) => conflicts,
            Err(error) => return Ok(RollbackResult::Stopped(stopped(&error.into()))),
        };
        let effects = FiringEffects {
            rollback: Some(reversal.record.id.clone()),
            flags: effects::flags_moved(prepared),
            conflicts,
            ..FiringEffects::default()
        };
        let message = messages::rolled_back(&reversal.record.id, &effects, &target);
        let asking = activation.clone();
        let decide = move |state: &EnvironmentState| match asking.verdict(state)? {
            ActivationVerdict::Act(before, expected) => {
                let result = FiringResult {
                    state: FiringState::Acted,
                    message: message.clone(),
                    effects: effects.clone(),
                };
                let firing = asking.firing(before.as_deref(), result);
                put(&state.records, firing, expected, asking.now)
            }
            ActivationVerdict::Restrain(_) | ActivationVerdict::Nothing => {
                Err(CommitError::Conflict(StateConflict::RecordMoved(RecordKey::Firing(asking.id()))))
            }
        };
        let operations = vec![Operation::DecideNow(Precheck::new(decide)), Operation::Rollback(Box::new(reversal))];
        match tokio::time::timeout(PATIENCE, self.commit(activation, operations)).await {
            Ok(Ok(Some(firing))) => Ok(RollbackResult::Committed(Box::new(firing))),
            Ok(Ok(None) | Err(CommitError::Conflict(StateConflict::RecordMoved(RecordKey::Firing(_))))) => Ok(RollbackResult::Superseded),
            // A person who was too late gets the reason.
            Ok(Err(error @ CommitError::Conflict(StateConflict::WrongState { .. }))) if matches!(activation.by, Initiator::Person(_)) => Err(error),
            Ok(Err(error)) if error.is_store_away() => Ok(RollbackResult::Stopped(RollbackStopped::StoreAway(error.to_string()))),
            Ok(Err(error)) => Ok(RollbackResult::Stopped(stopped(&error.into()))),
            Err(_) => Ok(RollbackResult::Stopped(RollbackStopped::StoreAway("it did not answer in time".to_owned()))),
        }
    }
}

/// What an error means for a trigger: with the store away the flags are killed instead; anything else needs a person.
fn stopped(error: &RollbackError) -> RollbackStopped {
    let is_store_away = match error {
        RollbackError::StoreAway { .. } => true,
        RollbackError::Commit(error)
        | RollbackError::NothingToRollBack { error, .. }
        | RollbackError::Prepare(
            PrepareError::Commit(error) | PrepareError::Resolve(ResolveError::Commit(error)) | PrepareError::Changes(ReleaseChangesError::Commit(error)),
        ) => error.is_store_away(),
        RollbackError::Prepare(PrepareError::Store(error)) => matches!(error, StoreError::Unavailable(_)),
        RollbackError::Prepare(PrepareError::Resolve(ResolveError::Store(error)) | PrepareError::Changes(ReleaseChangesError::Store(error))) => {
            matches!(error, StoreError::Unavailable(_))
        }
        RollbackError::Prepare(PrepareError::Resolve(_)) | RollbackError::WrongState(_) | RollbackError::ChecksFailed(_) | RollbackError::PlanStale { .. } => {
            false
        }
    };
    if is_store_away {
        return RollbackStopped::StoreAway(error.to_string());
    }
    let guarded = if let RollbackError::Commit(CommitError::Guard(refusal))
    | RollbackError::NothingToRollBack {
        error: CommitError::Guard(refusal),
        ..
    } = error
    {
        messages::guarded(refusal)
    } else {
        None
    };
    RollbackStopped::Refused(guarded.map_or_else(|| error.to_string(), ToOwned::to_owned))
}

/// The specification of a rollback, or why there is none.
pub(in crate::trigger) fn spec(state: &EnvironmentState, back: &TriggerRollback, activation: &Activation) -> Result<RollbackSpec, String> {
    let scope = match &back.scope {
        TriggerRollbackScope::OpenRelease => {
            let release = decision::open_release(&state.records).ok_or_else(|| "no release is open".to_owned())?;
            RollbackScope::Release(release.name.clone())
        }
        TriggerRollbackScope::Release(name) => RollbackScope::Release(name.clone()),
        TriggerRollbackScope::Flags(flags) => RollbackScope::Flags(flags.clone()),
        TriggerRollbackScope::Environment => RollbackScope::Environment,
    };
    Ok(RollbackSpec {
        to: back.to.clone(),
        scope,
        segment: None,
        steps: Vec::new(),
        every_seconds: 0,
        options: RollbackOptions::default(),
        acknowledged: BTreeSet::new(),
        acknowledged_checks: BTreeSet::new(),
        reason: Some(activation.why()),
        detected: Some(activation.signal.at),
    })
}

/// The flags that a rollback would roll back.
fn moved(prepared: &PreparedRollback) -> BTreeSet<FlagKey> {
    let decision = prepared.reversal.decide(&prepared.state.snapshot);
    decision
        .map(|decision| decision.flags.into_iter().map(|step| step.key).collect())
        .unwrap_or_default()
}

/// Which rollouts are held if a scope cannot be rolled back.
fn scope_of(scope: &RollbackScope, flags: BTreeSet<FlagKey>) -> HoldScope {
    match scope {
        RollbackScope::Environment => HoldScope::All,
        RollbackScope::Release(name) => HoldScope::Release(name.clone(), flags),
        RollbackScope::Flags(named) => HoldScope::Flags(named.clone()),
        RollbackScope::Tags(_) | RollbackScope::Rollback(_) | RollbackScope::Rollout(_) => HoldScope::Flags(flags),
    }
}

/// What is killed instead of rolled back: the flags that the rollback would change; if that is not known, those that it names.
fn scopes(state: &EnvironmentState, scope: &RollbackScope, moved: Option<BTreeSet<FlagKey>>) -> Vec<KillScope> {
    let flags = |flags: BTreeSet<FlagKey>| flags.into_iter().map(KillScope::Flag).collect();
    match (moved, scope) {
        (Some(moved), _) => flags(moved),
        (None, RollbackScope::Flags(named)) => flags(named.clone()),
        (None, RollbackScope::Environment) => vec![KillScope::All(ripcord_proto::kill::AllFlags)],
        (None, RollbackScope::Release(name)) => {
            let release = state.records.releases.value(name.as_str());
            let details = release.map(|release| &release.details);
            let tags = details.iter().flat_map(|details| details.tags.iter().cloned().map(KillScope::Tag));
            let named = details.iter().flat_map(|details| details.flags.iter().cloned());
            let rollouts = state.records.rollouts.values();
            let moving = rollouts
                .filter(|rollout| rollout.plan.release.as_ref() == Some(name))
                .map(|rollout| rollout.plan.flag.clone());
            let named: BTreeSet<FlagKey> = named.chain(moving).collect();
            named.into_iter().map(KillScope::Flag).chain(tags).collect()
        }
        (None, RollbackScope::Tags(_) | RollbackScope::Rollback(_) | RollbackScope::Rollout(_)) => Vec::new(),
    }
}
