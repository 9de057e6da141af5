use std::collections::BTreeSet;
use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};
use ripcord_proto::limits;
use ripcord_proto::policy::{GuardedOperation, Policy, SingletonKey};
use ripcord_proto::proposal::{Proposal, ProposalState};
use ripcord_proto::rollout::Attribution;

use super::{ProposalDecision, ProposalError, Proposals, Rejection};
use crate::check::Checks;
use crate::clock::SystemClock;
use crate::commit::{Approval, CommitError, Draft, Expected, GuardRefusal, Operation};
use crate::environment::fixture::{TestNode, author, percent, production};
use crate::store::fault_injection::{Fault, FaultyStore};
use crate::store::memory::MemoryStore;

/// A node whose policy asks for a second person for changes.
async fn guarded(node: &TestNode) -> Proposals {
    let policy = Policy {
        second_person: BTreeSet::from([GuardedOperation::Changes]),
        ..Policy::default()
    };
    let put = Operation::put_record(SingletonKey, policy, Expected::Anything).unwrap();
    node.submit(vec![put]).await.unwrap();
    Proposals::new(node.environments.clone(), Checks::new(Arc::new(SystemClock)))
}

/// The proposal that Ana's ask becomes.
async fn proposed(node: &TestNode, operations: Vec<Operation>) -> Proposal {
    let waits = node.submit(operations).await.unwrap_err();
    let CommitError::Proposed(proposal) = waits else { panic!("{waits}") };
    proposal.value().unwrap().clone()
}

/// Ben's decision, after a while.
fn after(proposal: &Proposal, while_: SignedDuration) -> ProposalDecision {
    let mut ben = author("ben");
    ben.actor.key = Some("key_ben".to_owned());
    ProposalDecision {
        environment: production(),
        id: proposal.id.clone(),
        word: Attribution {
            by: ben.actor.clone(),
            at: proposal.at.checked_add(while_).unwrap_or(Timestamp::MAX),
            reason: Some("looked at it".to_owned()),
        },
        author: ben,
        call: None,
    }
}

#[tokio::test]
async fn what_nobody_decided_on_in_time_is_neither_applied_nor_declined() {
    let node = TestNode::start().await;
    let proposals = guarded(&node).await;
    let proposal = proposed(&node, vec![percent("checkout", 10)]).await;
    let late = after(&proposal, SignedDuration::from_hours(24));
    for refused in [proposals.approve(&late).await, proposals.refuse(&late, Rejection::Decline).await] {
        let problem = refused.unwrap_err();
        assert!(
            matches!(&problem, ProposalError::AlreadyDecided(proposal) if proposal.state == ProposalState::Expired),
            "{problem}"
        );
    }
    let in_time = after(&proposal, SignedDuration::from_secs(24 * 60 * 60 - 1));
    assert_eq!(proposals.approve(&in_time).await.unwrap().proposal.state, ProposalState::Applied);
}

#[tokio::test]
async fn what_was_agreed_on_beforehand_waits_for_nobody() {
    let node = TestNode::start().await;
    guarded(&node).await;
    let draft = Draft {
        reason: Some("a trigger".to_owned()),
        approval: Approval::Agreed,
        ..Draft::new(production(), author("node a"), vec![percent("checkout", 10)])
    };
    node.environments.submit(draft).await.unwrap();
}

#[tokio::test]
async fn an_approval_that_could_not_be_written_leaves_the_proposal_as_it_was() {
    let store = FaultyStore::new(MemoryStore::new());
    let node = TestNode::over(Arc::clone(&store) as _).await;
    let proposals = guarded(&node).await;
    let proposal = proposed(&node, vec![percent("checkout", 10)]).await;
    let decision = after(&proposal, SignedDuration::from_secs(1));
    store.set(Fault::Away);
    let away = proposals.approve(&decision).await.unwrap_err();
    assert!(matches!(&away, ProposalError::Commit(error) if error.is_store_away()), "{away}");
    store.set(Fault::None);
    let applied = proposals.approve(&decision).await.unwrap();
    assert_eq!(
        (applied.proposal.state, applied.proposal.revision.map(|revision| revision.0)),
        (ProposalState::Applied, Some(1))
    );
}

#[tokio::test]
async fn the_oldest_that_were_decided_on_make_room_and_those_that_wait_never_do() {
    let node = TestNode::start().await;
    let proposals = guarded(&node).await;
    let declined = proposed(&node, vec![percent("declined", 10)]).await;
    let decision = after(&declined, SignedDuration::from_secs(1));
    assert_eq!(
        proposals.refuse(&decision, Rejection::Decline).await.unwrap().proposal.state,
        ProposalState::Declined
    );
    for number in 1..limits::PROPOSALS {
        proposed(&node, vec![percent(&format!("flag-{number}"), 10)]).await;
    }
    proposed(&node, vec![percent("the-last", 10)]).await;
    let state = node.environments.state(&production()).unwrap();
    assert_eq!(state.records.proposals.len(), limits::PROPOSALS);
    assert!(state.records.proposals.get(declined.id.as_str()).is_none());
    let full = node.submit(vec![percent("one-more", 10)]).await.unwrap_err();
    let CommitError::Guard(GuardRefusal::SecondPerson(_)) = &full else {
        panic!("{full}")
    };
    assert!(full.to_string().contains("ripcord proposal list"), "{full}");
}
