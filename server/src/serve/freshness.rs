//! Whether this node can have missed a kill. It cannot while it reaches its store or every configured peer; heartbeats say which.

use tokio::sync::watch;

use crate::peer::{PeerReachability, Peers};
use crate::store::{StoreHealth, StoreState};
use crate::tasks::TaskSet;

/// Follows the health of the store and the peers.
pub(super) fn watch(mut store: watch::Receiver<StoreHealth>, peers: Peers, tasks: &TaskSet) -> watch::Receiver<bool> {
    let mut reached = peers.reached();
    let now = is_fresh(&store.borrow(), &reached.borrow(), &peers);
    let (fresh, follower) = watch::channel(now);
    let stop = tasks.stop_token();
    tasks.long_lived("freshness", async move {
        loop {
            tokio::select! {
                changed = store.changed() => if changed.is_err() { return },
                changed = reached.changed() => if changed.is_err() { return },
                () = stop.cancelled() => return,
            }
            let now = is_fresh(&store.borrow_and_update(), &reached.borrow_and_update(), &peers);
            fresh.send_if_modified(|was| std::mem::replace(was, now) != now);
        }
    });
    follower
}

fn is_fresh(store: &StoreHealth, reached: &PeerReachability, peers: &Peers) -> bool {
    store.state == StoreState::Available || (!peers.is_empty() && reached.not_reached.is_empty())
}
