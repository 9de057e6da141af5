//! Gates of rollouts as a source of triggers: the leader sees a gate fail and fires the triggers that listen for it.

use std::sync::Arc;

use ripcord_proto::digest::Digest;
use ripcord_proto::outcome::Traffic;
use ripcord_proto::trigger::{GateFilter, HookName, SignalSource, TrafficFilter, Trigger};
use tokio::sync::broadcast;
use tokio::sync::broadcast::error::RecvError;
use tokio_util::sync::CancellationToken;

use super::signal::{Signal, SignalPhase};
use super::{Triggers, metrics};
use crate::rollout::GateFired;

impl Triggers {
    /// Listens for failed gates until `stop`.
    pub(super) async fn listen_to_gates(self, mut gates: broadcast::Receiver<GateFired>, stop: CancellationToken) {
        loop {
            let heard = tokio::select! {
                heard = gates.recv() => heard,
                () = stop.cancelled() => return,
            };
            match heard {
                Ok(fired) => self.gate_failed(&fired),
                Err(RecvError::Lagged(missed)) => {
                    tracing::error!(missed, "gate failures missed; a gate that still fails is reported again");
                }
                // The server is shutting down.
                Err(RecvError::Closed) => return stop.cancelled().await,
            }
        }
    }

    /// Fires the triggers that listen for a gate, each in its own task, so that none waits for another.
    fn gate_failed(&self, fired: &GateFired) {
        let Ok(state) = self.inner.environments.state(&fired.environment) else {
            return;
        };
        let triggers = state.records.triggers.values();
        for trigger in triggers.filter(|trigger| listens_for(trigger, fired)) {
            let hook = HookName {
                environment: fired.environment.clone(),
                trigger: trigger.name.clone(),
            };
            let (this, trigger, signal) = (self.clone(), Arc::new(trigger.clone()), signal(fired));
            self.inner.environments.tasks().short_lived(async move {
                let delivery = Digest::of([signal.group.as_bytes()]);
                match this.handle_signal(&hook, trigger, signal, delivery).await {
                    Ok(answer) => metrics::delivery(&hook, answer.outcome),
                    Err(error) => {
                        tracing::error!(env = %hook.environment, trigger = %hook.trigger, %error, "a gate failed, but its trigger could not act");
                    }
                }
            });
        }
    }
}

fn listens_for(trigger: &Trigger, fired: &GateFired) -> bool {
    let SignalSource::Gate(GateFilter { name, flag }) = &trigger.source else {
        return false;
    };
    let named = name.as_ref().is_none_or(|name| *name == fired.gate) && flag.as_ref().is_none_or(|flag| *flag == fired.flag);
    named && !(trigger.conditions.about == TrafficFilter::RealTraffic && fired.traffic == Traffic::Synthetic)
}

/// Each step of a rollout at which a gate fails is an alert of its own.
fn signal(fired: &GateFired) -> Signal {
    let labels = [
        ("gate", fired.gate.clone()),
        ("flag", fired.flag.to_string()),
        ("rollout", fired.rollout.to_string()),
    ];
    Signal {
        group: format!("{}/{}/{}", fired.rollout, fired.step, fired.gate),
        phase: SignalPhase::Firing,
        at: fired.since,
        labels: labels.into_iter().map(|(name, value)| (name.to_owned(), value)).collect(),
        summary: format!("gate {} of {} failed: {}", fired.gate, fired.flag, fired.detail),
        flag: Some(fired.flag.clone()),
    }
}
