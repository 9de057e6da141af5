use parking_lot::Mutex;

use super::*;
use crate::commit::StateConflict;
use crate::environment::fixture::{TestNode, production};

/// The nodes that are said to be alive.
#[derive(Debug, Default)]
struct FixedNodes(Mutex<Option<BTreeSet<String>>>);

impl FixedNodes {
    fn alive(&self, ids: &[&str]) {
        *self.0.lock() = Some(ids.iter().map(ToString::to_string).collect());
    }
}

impl LiveNodes for FixedNodes {
    fn others(&self) -> BoxFuture<'_, Option<BTreeSet<String>>> {
        let said = self.0.lock().clone();
        Box::pin(std::future::ready(said))
    }
}

/// Submits nothing but the question whether `token` still drives.
async fn still_drives(drivers: &LeaderLease, token: LeaderToken) -> bool {
    let draft = Draft::new(production(), drivers.author(), vec![token.ask()]);
    match drivers.environments.commit(draft).await {
        Ok(_) => true,
        Err(CommitError::Conflict(StateConflict::NotLeader)) => false,
        Err(error) => panic!("{error}"),
    }
}

#[tokio::test]
async fn one_node_drives_and_another_takes_over_only_when_it_is_gone() {
    let environments = TestNode::start().await.environments;
    let (of_a, of_b) = (Arc::new(FixedNodes::default()), Arc::new(FixedNodes::default()));
    let a = LeaderLease::new(environments.clone(), of_a.clone(), "a", "id-a");
    let b = LeaderLease::new(environments.clone(), of_b.clone(), "b", "id-b");

    let first = a.hold(&production()).await.unwrap();
    assert_eq!(a.hold(&production()).await, Some(first), "who drives goes on with the same token");
    assert_eq!(b.hold(&production()).await, None, "whether a is alive is not known");
    of_b.alive(&["id-a"]);
    assert_eq!(b.hold(&production()).await, None, "a is alive");
    assert!(still_drives(&a, first).await);

    of_b.alive(&[]);
    let second = b.hold(&production()).await.unwrap();
    assert_ne!(first, second);
    assert!(!still_drives(&a, first).await, "a was paused and comes back: its token is an old one");
    assert!(still_drives(&b, second).await);
    of_a.alive(&["id-b"]);
    assert_eq!(a.hold(&production()).await, None);
}

#[tokio::test]
async fn of_two_nodes_that_reach_for_it_at_once_one_drives() {
    let environments = TestNode::start().await.environments;
    let nodes: Vec<_> = (0..8)
        .map(|number| {
            let said = Arc::new(FixedNodes::default());
            said.alive(&["id-0", "id-1", "id-2", "id-3", "id-4", "id-5", "id-6", "id-7"]);
            LeaderLease::new(environments.clone(), said, "n", &format!("id-{number}"))
        })
        .collect();
    let held = futures_util::future::join_all(nodes.iter().map(|node| async { node.hold(&production()).await })).await;
    assert_eq!(held.iter().flatten().count(), 1);
}
