//! Whether this node can have missed a kill, which heartbeats say, and whether it is known to be behind, which `/readyz` says. The
//! decision is [`crate::peer::Standing`]'s; this file only looks often enough.

use std::time::Duration;

use ripcord_proto::rest::health::HealthCode;
use tokio::sync::watch;

use crate::environment::Environments;
use crate::peer::{Peers, StoreStanding, Verdict};
use crate::store::{StoreHealth, StoreState};
use crate::telemetry::names;

/// How often it is judged if nothing happens: answers of peers grow old.
const EVERY: Duration = Duration::from_millis(250);

/// What the room knows of how current this node is.
#[derive(Debug, Clone)]
pub(super) struct Freshness {
    environments: Environments,
    peers: Peers,
}

impl Freshness {
    pub(super) fn new(environments: Environments, peers: Peers) -> Self {
        Self { environments, peers }
    }

    /// How current this node is now.
    pub(super) fn verdict(&self) -> Verdict {
        let store = StoreStanding::of(&self.environments.store().health().borrow());
        self.peers.judge(store, &self.environments.heads())
    }

    /// Follows whether this node is fresh.
    pub(super) fn watch(&self) -> watch::Receiver<bool> {
        let (fresh, follower) = watch::channel(self.verdict().fresh);
        let (freshness, tasks) = (self.clone(), self.environments.tasks());
        let stop = tasks.stop_token();
        let (mut store, mut reached) = (self.environments.store().health(), self.peers.reached());
        tasks.long_lived("freshness", async move {
            let mut was = Verdict::default();
            loop {
                let now = freshness.verdict();
                publish(&now, &store.borrow());
                note(&was, &now);
                fresh.send_if_modified(|was| std::mem::replace(was, now.fresh) != now.fresh);
                was = now;
                tokio::select! {
                    changed = store.changed() => if changed.is_err() { return },
                    changed = reached.changed() => if changed.is_err() { return },
                    () = tokio::time::sleep(EVERY) => {}
                    () = stop.cancelled() => return,
                }
            }
        });
        follower
    }
}

fn note(was: &Verdict, now: &Verdict) {
    match (&was.behind, &now.behind) {
        (None, Some(behind)) => tracing::warn!(
            log = %behind.log, own = %behind.own.position(), theirs = %behind.theirs.position(), node = behind.node,
            "another node has commits that this node lacks; its heartbeats renew no lease until it has caught up"
        ),
        (Some(_), None) => tracing::info!("no other node is known any more to have commits that this node lacks"),
        (Some(_), Some(_)) | (None, None) => {}
    }
}

fn publish(verdict: &Verdict, store: &StoreHealth) {
    let gauge = |is: bool| if is { 1.0 } else { 0.0 };
    metrics::gauge!(names::FRESH).set(gauge(verdict.fresh));
    metrics::gauge!(names::BEHIND).set(gauge(verdict.behind.is_some() || store.behind));
    let code = if store.state == StoreState::Available { None } else { store.code };
    for known in HealthCode::ALL.into_iter().filter(|known| known.as_str().starts_with("store_")) {
        metrics::gauge!(names::STORE_FAULT, "code" => known.as_str()).set(gauge(code == Some(known)));
    }
    metrics::gauge!(names::MIRROR_WRITABLE).set(gauge(store.mirror.is_none()));
}
