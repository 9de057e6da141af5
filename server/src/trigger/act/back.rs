//! A rollback: one commit with the record of the firing. A guard that refuses it makes a hold of it; with the store away, the
//! same flags are killed instead.

use std::collections::BTreeSet;
use std::time::Duration;

use ripcord_proto::problem::Code;
use ripcord_proto::record::RecordKey;
use ripcord_proto::rollback::{Latitude, Scope};
use ripcord_proto::trigger::{BackScope, BackTo, Effects, Firing, FiringState};
use ripcord_proto::{FlagKey, KillScope};

use super::hold::Held;
use crate::commit::state::EnvironmentState;
use crate::commit::{CommitError, Operation, Precheck};
use crate::http::ApiError;
use crate::rollback::{self, Order, Prepared};
use crate::store::StoreState;
use crate::trigger::fate;
use crate::trigger::incident::{Admitted, By, Incident, put};
use crate::trigger::record::{Kept, is_away};
use crate::trigger::turns::Turn;
use crate::trigger::{Triggers, says};

/// How long what is read and written for it may take, before its flags are killed meanwhile.
const PATIENCE: Duration = Duration::from_secs(1);

/// What became of a rollback.
enum Back {
    /// It is committed, and the firing's record with it.
    Done(Box<Firing>),
    /// The records have moved on: somebody else has dealt with the incident, or it is not to be acted on any more.
    Overtaken,
    /// It was not rolled back.
    Stopped(Stopped),
}

/// Why it was not rolled back.
enum Stopped {
    /// The store is away.
    Away(String),
    /// Something stands in the way that a person has to look at.
    Refused(String),
}

impl Triggers {
    pub(super) async fn roll_back(&self, incident: Incident, back: &BackTo, turn: Turn) -> Result<Kept, CommitError> {
        let state = self.inner.environments.state(&incident.environment)?;
        let order = match order(&state, back, &incident) {
            Ok(order) => order,
            Err(why) => return self.held_instead(incident, Held::Of(BTreeSet::new()), &why, turn).await,
        };
        let author = incident.author();
        let preparing = rollback::prepare(&self.inner.environments, &incident.environment, &author, &order);
        let prepared = match tokio::time::timeout(PATIENCE, preparing).await {
            Ok(Ok(prepared)) => Ok(prepared),
            Ok(Err(error)) => Err(stopped(&error.into())),
            Err(_) => Err(Stopped::Away("the log did not answer in time".to_owned())),
        };
        let (stopped, prepared) = match prepared {
            Ok(prepared) => match self.commit_back(&incident, &prepared).await? {
                Back::Done(firing) => return Ok(Kept::Written(firing)),
                Back::Overtaken => return self.overtaken(incident, turn).await,
                Back::Stopped(stopped) => (stopped, Some(prepared)),
            },
            Err(stopped) => (stopped, None),
        };
        let flags = prepared.as_ref().map(moved).unwrap_or_default();
        match stopped {
            Stopped::Refused(why) => self.held_instead(incident, scope_of(&order.scope, flags), &why, turn).await,
            Stopped::Away(why) => {
                let scopes = scopes(&state, &order.scope, prepared.as_ref().map(|_| flags));
                let pulled = self
                    .pull(
                        &incident,
                        scopes,
                        &format!("{}; it was to be rolled back, and the store is away", incident.why()),
                    )
                    .await;
                let says = says::killed_instead(&says::killed(&pulled.flags, &pulled.effects, &pulled.failed), &why);
                self.keep_deed(incident, (FiringState::Killed, says, pulled.effects), turn).await
            }
        }
    }

    async fn held_instead(&self, incident: Incident, held: Held, why: &str, turn: Turn) -> Result<Kept, CommitError> {
        let why = format!("{}: {why}", incident.trigger.action);
        let told = move |paused| (FiringState::Held, says::held_instead(&why, &says::held(paused)));
        self.pause(incident, held, told, turn).await
    }

    /// The incident as it is now that the records have moved on.
    async fn overtaken(&self, incident: Incident, turn: Turn) -> Result<Kept, CommitError> {
        let state = self.inner.environments.state(&incident.environment)?;
        match incident.admitted(&state)? {
            Admitted::Steps(step) => {
                let would = self.would(&incident).await;
                self.keep_step(incident, step, would, turn).await
            }
            Admitted::Acts(..) | Admitted::Nothing => Ok(Kept::Not),
        }
    }

    /// The rollback and the firing's record in one commit.
    async fn commit_back(&self, incident: &Incident, prepared: &Prepared) -> Result<Back, CommitError> {
        if self.inner.environments.store().health().borrow().state != StoreState::Available {
            return Ok(Back::Stopped(Stopped::Away("it does not answer".to_owned())));
        }
        if let Err(refusal) = rollback::ask_probes(&self.inner.checks, prepared).await {
            return Ok(Back::Stopped(stopped(&refusal)));
        }
        let reversal = prepared.reversal.clone();
        let target = &reversal.record.target;
        let target = match &target.checkpoint {
            Some(name) => format!("{name} ({})", target.position()),
            None => target.position().to_string(),
        };
        let effects = Effects {
            rollback: Some(reversal.record.id.clone()),
            flags: crate::trigger::trial::moves(prepared),
            ..Effects::default()
        };
        let says = says::rolled_back(&reversal.record.id, effects.flags.len(), &target);
        let asking = incident.clone();
        let decide = move |state: &EnvironmentState| match asking.admitted(state)? {
            Admitted::Acts(before, expected) => {
                let firing = asking.firing(before.as_deref(), FiringState::Acted, says.clone(), effects.clone());
                put(&state.records, firing, expected, asking.now)
            }
            Admitted::Steps(_) | Admitted::Nothing => Err(CommitError::RecordMoved(RecordKey::Firing(asking.id()))),
        };
        let asks = vec![Operation::DecideNow(Precheck::new(decide)), Operation::Rollback(Box::new(reversal))];
        match tokio::time::timeout(PATIENCE, self.commit(incident, asks)).await {
            Ok(Ok(Some(firing))) => Ok(Back::Done(Box::new(firing))),
            Ok(Ok(None) | Err(CommitError::RecordMoved(RecordKey::Firing(_)))) => Ok(Back::Overtaken),
            // What a person was too late for, he is told.
            Ok(Err(error @ CommitError::WrongState { .. })) if matches!(incident.by, By::Person(_)) => Err(error),
            Ok(Err(error)) if is_away(&error) => Ok(Back::Stopped(Stopped::Away(error.to_string()))),
            Ok(Err(error)) => Ok(Back::Stopped(stopped(&error.into()))),
            Err(_) => Ok(Back::Stopped(Stopped::Away("it did not answer in time".to_owned()))),
        }
    }
}

/// What a refusal means for a trigger.
fn stopped(refusal: &ApiError) -> Stopped {
    let problem = refusal.problem();
    if matches!(problem.code, Code::StoreUnavailable | Code::OutcomeUnknown | Code::Reseeding | Code::NotReady) {
        return Stopped::Away(problem.detail.clone());
    }
    let faults: Vec<String> = problem.errors.iter().map(ToString::to_string).collect();
    let faults = if faults.is_empty() {
        String::new()
    } else {
        format!(" {}", faults.join("; "))
    };
    Stopped::Refused(format!("{}{faults}", problem.detail.trim_start_matches("Nothing was changed: ")))
}

/// The order of a rollback, or why there is none.
pub(in crate::trigger) fn order(state: &EnvironmentState, back: &BackTo, incident: &Incident) -> Result<Order, String> {
    let scope = match &back.scope {
        BackScope::OpenRelease => {
            let release = fate::open_release(&state.records).ok_or_else(|| "no release is open".to_owned())?;
            Scope::Release(release.name.clone())
        }
        BackScope::Release(name) => Scope::Release(name.clone()),
        BackScope::Flags(flags) => Scope::Flags(flags.clone()),
        BackScope::Environment => Scope::Environment,
    };
    Ok(Order {
        to: back.to.clone(),
        scope,
        segment: None,
        steps: Vec::new(),
        every_seconds: 0,
        latitude: Latitude::default(),
        acknowledged: BTreeSet::new(),
        reason: Some(incident.why()),
        detected: Some(incident.signal.at),
    })
}

/// The flags that a rollback would put back.
fn moved(prepared: &Prepared) -> BTreeSet<FlagKey> {
    let decision = prepared.reversal.decide(&prepared.state.snapshot);
    decision
        .map(|decision| decision.flags.into_iter().map(|step| step.key).collect())
        .unwrap_or_default()
}

/// Which rollouts are held where a scope cannot go back.
fn scope_of(scope: &Scope, flags: BTreeSet<FlagKey>) -> Held {
    match scope {
        Scope::Environment => Held::All,
        Scope::Release(name) => Held::Release(name.clone(), flags),
        Scope::Flags(named) => Held::Of(named.clone()),
        Scope::Tags(_) | Scope::Rollback(_) | Scope::Rollout(_) => Held::Of(flags),
    }
}

/// What is killed where a scope was to go back: the flags that would have; where that cannot be told, those that it names.
fn scopes(state: &EnvironmentState, scope: &Scope, moved: Option<BTreeSet<FlagKey>>) -> Vec<KillScope> {
    let flags = |flags: BTreeSet<FlagKey>| flags.into_iter().map(KillScope::Flag).collect();
    match (moved, scope) {
        (Some(moved), _) => flags(moved),
        (None, Scope::Flags(named)) => flags(named.clone()),
        (None, Scope::Environment) => vec![KillScope::All(ripcord_proto::kill::All)],
        (None, Scope::Release(name)) => {
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
        (None, Scope::Tags(_) | Scope::Rollback(_) | Scope::Rollout(_)) => Vec::new(),
    }
}
