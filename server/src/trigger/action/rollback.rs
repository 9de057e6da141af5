//! A rollback: one commit with the record of the firing. A guard that refuses it makes a hold of it; with the store away, the
//! same flags are killed instead.

use std::collections::BTreeSet;
use std::time::Duration;

use ripcord_proto::problem::Code;
use ripcord_proto::record::RecordKey;
use ripcord_proto::rollback::{RollbackOptions, RollbackScope};
use ripcord_proto::trigger::{Firing, FiringEffects, FiringState, TriggerRollback, TriggerRollbackScope};
use ripcord_proto::{FlagKey, KillScope};

use super::hold::HoldScope;
use crate::commit::state::EnvironmentState;
use crate::commit::{CommitError, Operation, Precheck};
use crate::http::ApiError;
use crate::rollback::{self, PreparedRollback, RollbackSpec};
use crate::store::StoreState;
use crate::trigger::activation::{Activation, ActivationVerdict, Initiator, put};
use crate::trigger::decision;
use crate::trigger::dedup::InFlightGuard;
use crate::trigger::firing_record::{RecordOutcome, is_away};
use crate::trigger::{Triggers, messages};

/// How long what is read and written for it may take, before its flags are killed meanwhile.
const PATIENCE: Duration = Duration::from_secs(1);

/// What became of a rollback.
enum RollbackResult {
    /// It is committed, and the firing's record with it.
    Committed(Box<Firing>),
    /// The records have moved on: somebody else has dealt with the incident, or it is not to be acted on any more.
    Superseded,
    /// It was not rolled back.
    Stopped(RollbackStopped),
}

/// Why it was not rolled back.
enum RollbackStopped {
    /// The store is away.
    StoreAway(String),
    /// Something stands in the way that a person has to look at.
    Refused(String),
}

impl Triggers {
    pub(super) async fn roll_back(&self, activation: Activation, back: &TriggerRollback, guard: InFlightGuard) -> Result<RecordOutcome, CommitError> {
        let state = self.inner.environments.state(&activation.environment)?;
        let order = match order(&state, back, &activation) {
            Ok(order) => order,
            Err(why) => return self.held_instead(activation, HoldScope::Flags(BTreeSet::new()), &why, guard).await,
        };
        let author = activation.author();
        let preparing = rollback::prepare(&self.inner.environments, &activation.environment, &author, &order);
        let prepared = match tokio::time::timeout(PATIENCE, preparing).await {
            Ok(Ok(prepared)) => Ok(prepared),
            Ok(Err(error)) => Err(stopped(&error.into())),
            Err(_) => Err(RollbackStopped::StoreAway("the log did not answer in time".to_owned())),
        };
        let (stopped, prepared) = match prepared {
            Ok(prepared) => match self.commit_back(&activation, &prepared).await? {
                RollbackResult::Committed(firing) => return Ok(RecordOutcome::Written(firing)),
                RollbackResult::Superseded => return self.overtaken(activation, guard).await,
                RollbackResult::Stopped(stopped) => (stopped, Some(prepared)),
            },
            Err(stopped) => (stopped, None),
        };
        let flags = prepared.as_ref().map(moved).unwrap_or_default();
        match stopped {
            RollbackStopped::Refused(why) => self.held_instead(activation, scope_of(&order.scope, flags), &why, guard).await,
            RollbackStopped::StoreAway(why) => {
                let scopes = scopes(&state, &order.scope, prepared.as_ref().map(|_| flags));
                let pulled = self
                    .pull(
                        &activation,
                        scopes,
                        &format!("{}; it was to be rolled back, and the store is away", activation.why()),
                    )
                    .await;
                let says = messages::killed_instead(&messages::killed(&pulled.flags, &pulled.effects, &pulled.failed), &why);
                self.keep_deed(activation, (FiringState::Killed, says, pulled.effects), guard).await
            }
        }
    }

    async fn held_instead(&self, activation: Activation, held: HoldScope, why: &str, guard: InFlightGuard) -> Result<RecordOutcome, CommitError> {
        let why = format!("{}: {why}", activation.trigger.action);
        let told = move |paused| (FiringState::Held, messages::held_instead(&why, &messages::held(paused)));
        self.pause(activation, held, told, guard).await
    }

    /// The incident as it is now that the records have moved on.
    async fn overtaken(&self, activation: Activation, guard: InFlightGuard) -> Result<RecordOutcome, CommitError> {
        let state = self.inner.environments.state(&activation.environment)?;
        match activation.admitted(&state)? {
            ActivationVerdict::Restrain(step) => {
                let would = self.would(&activation).await;
                self.keep_step(activation, step, would, guard).await
            }
            ActivationVerdict::Act(..) | ActivationVerdict::Nothing => Ok(RecordOutcome::Superseded),
        }
    }

    /// The rollback and the firing's record in one commit.
    async fn commit_back(&self, activation: &Activation, prepared: &PreparedRollback) -> Result<RollbackResult, CommitError> {
        if self.inner.environments.store().health().borrow().state != StoreState::Available {
            return Ok(RollbackResult::Stopped(RollbackStopped::StoreAway("it does not answer".to_owned())));
        }
        if let Err(refusal) = rollback::ask_probes(&self.inner.checks, prepared).await {
            return Ok(RollbackResult::Stopped(stopped(&refusal)));
        }
        let reversal = prepared.reversal.clone();
        let target = &reversal.record.target;
        let target = match &target.checkpoint {
            Some(name) => format!("{name} ({})", target.position()),
            None => target.position().to_string(),
        };
        let effects = FiringEffects {
            rollback: Some(reversal.record.id.clone()),
            flags: crate::trigger::dry_run::moves(prepared),
            ..FiringEffects::default()
        };
        let says = messages::rolled_back(&reversal.record.id, effects.flags.len(), &target);
        let asking = activation.clone();
        let decide = move |state: &EnvironmentState| match asking.admitted(state)? {
            ActivationVerdict::Act(before, expected) => {
                let firing = asking.firing(before.as_deref(), FiringState::Acted, says.clone(), effects.clone());
                put(&state.records, firing, expected, asking.now)
            }
            ActivationVerdict::Restrain(_) | ActivationVerdict::Nothing => Err(CommitError::RecordMoved(RecordKey::Firing(asking.id()))),
        };
        let asks = vec![Operation::DecideNow(Precheck::new(decide)), Operation::Rollback(Box::new(reversal))];
        match tokio::time::timeout(PATIENCE, self.commit(activation, asks)).await {
            Ok(Ok(Some(firing))) => Ok(RollbackResult::Committed(Box::new(firing))),
            Ok(Ok(None) | Err(CommitError::RecordMoved(RecordKey::Firing(_)))) => Ok(RollbackResult::Superseded),
            // What a person was too late for, he is told.
            Ok(Err(error @ CommitError::WrongState { .. })) if matches!(activation.by, Initiator::Person(_)) => Err(error),
            Ok(Err(error)) if is_away(&error) => Ok(RollbackResult::Stopped(RollbackStopped::StoreAway(error.to_string()))),
            Ok(Err(error)) => Ok(RollbackResult::Stopped(stopped(&error.into()))),
            Err(_) => Ok(RollbackResult::Stopped(RollbackStopped::StoreAway("it did not answer in time".to_owned()))),
        }
    }
}

/// What a refusal means for a trigger.
fn stopped(refusal: &ApiError) -> RollbackStopped {
    let problem = refusal.problem();
    if matches!(problem.code, Code::StoreUnavailable | Code::OutcomeUnknown | Code::Reseeding | Code::NotReady) {
        return RollbackStopped::StoreAway(problem.detail.clone());
    }
    let faults: Vec<String> = problem.errors.iter().map(ToString::to_string).collect();
    let faults = if faults.is_empty() {
        String::new()
    } else {
        format!(" {}", faults.join("; "))
    };
    RollbackStopped::Refused(format!("{}{faults}", problem.detail.trim_start_matches("Nothing was changed: ")))
}

/// The order of a rollback, or why there is none.
pub(in crate::trigger) fn order(state: &EnvironmentState, back: &TriggerRollback, activation: &Activation) -> Result<RollbackSpec, String> {
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
        latitude: RollbackOptions::default(),
        acknowledged: BTreeSet::new(),
        reason: Some(activation.why()),
        detected: Some(activation.signal.at),
    })
}

/// The flags that a rollback would put back.
fn moved(prepared: &PreparedRollback) -> BTreeSet<FlagKey> {
    let decision = prepared.reversal.decide(&prepared.state.snapshot);
    decision
        .map(|decision| decision.flags.into_iter().map(|step| step.key).collect())
        .unwrap_or_default()
}

/// Which rollouts are held where a scope cannot go back.
fn scope_of(scope: &RollbackScope, flags: BTreeSet<FlagKey>) -> HoldScope {
    match scope {
        RollbackScope::Environment => HoldScope::All,
        RollbackScope::Release(name) => HoldScope::Release(name.clone(), flags),
        RollbackScope::Flags(named) => HoldScope::Flags(named.clone()),
        RollbackScope::Tags(_) | RollbackScope::Rollback(_) | RollbackScope::Rollout(_) => HoldScope::Flags(flags),
    }
}

/// What is killed where a scope was to go back: the flags that would have; where that cannot be told, those that it names.
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
            let rollouts = state.records.rollouts.iter().filter_map(|entry| entry.value().ok());
            let moving = rollouts
                .filter(|rollout| rollout.plan.release.as_ref() == Some(name))
                .map(|rollout| rollout.plan.flag.clone());
            let named: BTreeSet<FlagKey> = named.chain(moving).collect();
            named.into_iter().map(KillScope::Flag).chain(tags).collect()
        }
        (None, RollbackScope::Tags(_) | RollbackScope::Rollback(_) | RollbackScope::Rollout(_)) => Vec::new(),
    }
}
