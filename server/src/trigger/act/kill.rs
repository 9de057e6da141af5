//! A kill: by the way of all kills, which waits for nothing; the record follows.

use futures_util::future::join_all;
use ripcord_proto::KillScope;
use ripcord_proto::trigger::{Effects, FiringState, FlagNames};

use crate::commit::{CommitError, Renderer};
use crate::kill::{KillOrder, KillOutcome};
use crate::trigger::incident::{Incident, flags_or_own};
use crate::trigger::record::Kept;
use crate::trigger::turns::Turn;
use crate::trigger::{Triggers, says};

/// What came of kills.
#[derive(Debug, Default)]
pub(super) struct Pulled {
    pub(super) effects: Effects,
    /// What was killed, in words.
    pub(super) flags: Vec<String>,
    /// What was not, and why.
    pub(super) failed: Vec<String>,
}

impl Triggers {
    pub(super) async fn kill(&self, incident: Incident, names: &FlagNames, turn: Turn) -> Result<Kept, CommitError> {
        let scopes: Vec<KillScope> = flags_or_own(&names.flags, &incident.signal).into_iter().map(KillScope::Flag).collect();
        let pulled = self.pull(&incident, scopes, &incident.why()).await;
        let says = says::killed(&pulled.flags, &pulled.effects, &pulled.failed);
        let state = if pulled.effects.kills.is_empty() {
            FiringState::Recorded
        } else {
            FiringState::Acted
        };
        self.keep_deed(incident, (state, says, pulled.effects), turn).await
    }

    /// Kills each of `scopes`, side by side.
    pub(super) async fn pull(&self, incident: &Incident, scopes: Vec<KillScope>, why: &str) -> Pulled {
        let pulls = scopes.into_iter().map(|scope| async move {
            let order = order(incident, &scope, why);
            (scope, self.inner.kills.kill(order).await)
        });
        let mut pulled = Pulled::default();
        for (scope, result) in join_all(pulls).await {
            match result {
                Ok(KillOutcome::InForce(killed)) => {
                    pulled.effects.provisional |= killed.is_provisional();
                    pulled.effects.kills.push(killed.kill.id.clone());
                    pulled.flags.push(scope.to_string());
                }
                // Its orders are no idempotent calls, so that none is replayed.
                Ok(KillOutcome::Replayed(_)) => {}
                // An id that ended never comes back: the same incident does not undo what a person has restored.
                Err(CommitError::NoKill(id)) => pulled.failed.push(format!("{scope}, whose kill {id} for this incident was restored")),
                Err(error) => pulled.failed.push(format!("{scope}: {error}")),
            }
        }
        pulled
    }
}

fn order(incident: &Incident, scope: &KillScope, why: &str) -> KillOrder {
    KillOrder {
        id: Some(incident.kill_id(&scope.to_string())),
        environment: incident.environment.clone(),
        author: incident.author(),
        scope: scope.clone(),
        reason: Some(why.to_owned()),
        call: None,
        renderer: Renderer::default(),
    }
}
