//! A kill: it takes the path of every kill, which never waits. The record follows.

use futures_util::future::join_all;
use ripcord_proto::KillScope;
use ripcord_proto::trigger::{FiringEffects, FiringState, FlagSelection};

use crate::commit::{CommitError, MissingItem, Renderer};
use crate::kill::{KillOrder, KillOutcome};
use crate::trigger::activation::{Activation, FiringResult, flags_or_own};
use crate::trigger::dedup::InFlightGuard;
use crate::trigger::firing_record::RecordOutcome;
use crate::trigger::{Triggers, messages};

/// The result of the kills of an activation.
#[derive(Debug, Default)]
pub(super) struct KillResults {
    pub(super) effects: FiringEffects,
    /// What was killed, in words.
    pub(super) flags: Vec<String>,
    /// What was not, and why.
    pub(super) failed: Vec<String>,
}

impl Triggers {
    pub(super) async fn kill(&self, activation: Activation, names: &FlagSelection, guard: InFlightGuard) -> Result<RecordOutcome, CommitError> {
        let scopes: Vec<KillScope> = flags_or_own(&names.flags, &activation.signal).into_iter().map(KillScope::Flag).collect();
        let pulled = self.pull(&activation, scopes, &activation.why()).await;
        let message = messages::killed(&pulled.flags, &pulled.effects, &pulled.failed);
        let state = if pulled.effects.kills.is_empty() {
            FiringState::Recorded
        } else {
            FiringState::Acted
        };
        let result = FiringResult {
            state,
            message,
            effects: pulled.effects,
        };
        self.record_done(activation, result, guard).await
    }

    /// Kills each of `scopes`, side by side.
    pub(super) async fn pull(&self, activation: &Activation, scopes: Vec<KillScope>, why: &str) -> KillResults {
        let pulls = scopes.into_iter().map(|scope| async move {
            let kill_order = kill_order(activation, &scope, why);
            (scope, self.inner.kills.kill(kill_order).await)
        });
        let mut pulled = KillResults::default();
        for (scope, result) in join_all(pulls).await {
            match result {
                Ok(KillOutcome::InForce(killed)) => {
                    pulled.effects.provisional |= killed.is_provisional();
                    pulled.effects.kills.push(killed.kill.id.clone());
                    pulled.flags.push(scope.to_string());
                }
                // Its orders are not idempotent calls, so none is replayed.
                Ok(KillOutcome::Replayed(_)) => {}
                // An id that ended never comes back: the same alert does not undo what a person has restored.
                Err(CommitError::NotFound(MissingItem::Kill(id))) => pulled.failed.push(format!("{scope}: kill {id} of this alert was already lifted")),
                Err(error) => pulled.failed.push(format!("{scope}: {error}")),
            }
        }
        pulled
    }
}

fn kill_order(activation: &Activation, scope: &KillScope, why: &str) -> KillOrder {
    KillOrder {
        id: Some(activation.kill_id(&scope.to_string())),
        environment: activation.environment.clone(),
        author: activation.author(),
        scope: scope.clone(),
        // Somebody wrote the trigger for flags that may get the tag later.
        future: true,
        reason: Some(why.to_owned()),
        call: None,
        renderer: Renderer::default(),
    }
}
