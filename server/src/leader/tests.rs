use super::fixture::FixedNodes;
use super::*;
use crate::commit::StateConflict;
use crate::environment::fixture::{TestNode, production};

/// Submits nothing but the question whether `token` is still valid.
async fn still_leads(lease: &LeaderLease, token: LeaderToken) -> bool {
    let draft = Draft::new(production(), lease.author(), vec![token.check()]);
    match lease.environments.commit(draft).await {
        Ok(_) => true,
        Err(CommitError::Conflict(StateConflict::NotLeader)) => false,
        Err(error) => panic!("{error}"),
    }
}

#[tokio::test]
async fn one_node_leads_and_another_takes_over_only_when_it_is_gone() {
    let environments = TestNode::start().await.environments;
    let (of_a, of_b) = (Arc::new(FixedNodes::default()), Arc::new(FixedNodes::default()));
    let a = LeaderLease::new(environments.clone(), of_a.clone(), "a", "id-a");
    let b = LeaderLease::new(environments.clone(), of_b.clone(), "b", "id-b");

    let first = a.hold(&production()).await.unwrap();
    assert_eq!(a.hold(&production()).await, Some(first), "the leader goes on with the same token");
    assert_eq!(b.hold(&production()).await, None, "whether a is alive is not known");
    of_b.alive(&["id-a"]);
    assert_eq!(b.hold(&production()).await, None, "a is alive");
    assert!(still_leads(&a, first).await);

    of_b.alive(&[]);
    let second = b.hold(&production()).await.unwrap();
    assert_ne!(first, second);
    assert!(!still_leads(&a, first).await, "a was paused and comes back: its token is an old one");
    assert!(still_leads(&b, second).await);
    of_a.alive(&["id-b"]);
    assert_eq!(a.hold(&production()).await, None);
}

#[tokio::test]
async fn of_nodes_that_claim_the_lease_at_once_one_leads() {
    let environments = TestNode::start().await.environments;
    let nodes: Vec<_> = (0..8)
        .map(|number| {
            let nodes = Arc::new(FixedNodes::default());
            nodes.alive(&["id-0", "id-1", "id-2", "id-3", "id-4", "id-5", "id-6", "id-7"]);
            LeaderLease::new(environments.clone(), nodes, "n", &format!("id-{number}"))
        })
        .collect();
    let held = futures_util::future::join_all(nodes.iter().map(|node| async { node.hold(&production()).await })).await;
    assert_eq!(held.iter().flatten().count(), 1);
}
