//! A rollback that the store cannot take: refused whole, with the kills that make its scope safe, and never half applied.

use ripcord_proto::TargetName;

use super::*;
use crate::commit::StoreFailure;
use crate::environment::fixture::staging_that_does_not_load;
use crate::rollback::{self, PrepareError, PreparedRollback, RollbackError, RollbackSpec};
use crate::store::fault_injection::Fault;

fn back_to(position: Position) -> RollbackSpec {
    RollbackSpec {
        to: Some(TargetName::Position(position)),
        scope: RollbackScope::Flags(BTreeSet::from([FlagKey::new("checkout").unwrap()])),
        segment: None,
        steps: Vec::new(),
        every_seconds: 0,
        options: ripcord_proto::rollback::RollbackOptions::default(),
        acknowledged: BTreeSet::new(),
        acknowledged_checks: BTreeSet::new(),
        reason: Some("a test".to_owned()),
        detected: None,
    }
}

async fn commit(world: &RollbackWorld, prepared: &PreparedRollback, spec: &RollbackSpec) -> Result<(), RollbackError> {
    let draft = Draft {
        reason: Some("a test".to_owned()),
        ..Draft::new(production(), author(), vec![Operation::Rollback(Box::new(prepared.reversal.clone()))])
    };
    let checks = Checks::new(Arc::clone(&world.clock));
    rollback::commit(&world.environments, &checks, prepared, spec, draft).await.map(drop)
}

fn rollbacks(world: &RollbackWorld) -> usize {
    world.environments.state(&production()).unwrap().records.rollbacks.len()
}

#[tokio::test(start_paused = true)]
async fn a_rollback_that_the_store_cannot_take_is_refused_whole_and_names_the_kills() {
    for (fault, expected) in [
        (Fault::Away, StoreFailure::Unavailable("it is away".to_owned())),
        (Fault::Reseeding, StoreFailure::Reseeding),
        (Fault::UnknownLost, StoreFailure::OutcomeUnknown),
    ] {
        let world = RollbackWorld::new().await;
        let good = world.put("checkout", 10, &[]).await;
        world.put("checkout", 50, &[]).await;
        let spec = back_to(good);
        let prepared = rollback::prepare(&world.environments, &production(), &author(), &spec).await.unwrap();
        world.store.set(fault);
        let refused = commit(&world, &prepared, &spec).await.unwrap_err();
        let RollbackError::StoreAway { error, commands } = refused else {
            panic!("{refused}")
        };
        assert!(matches!(&error, CommitError::Store(failure) if *failure == expected), "{fault:?}: {error}");
        assert_eq!(commands, ["ripcord kill checkout"], "{fault:?}");
        assert_eq!((rollbacks(&world), world.percent("checkout")), (0, 50), "{fault:?}: nothing half applied");
        world.store.set(Fault::None);
        commit(&world, &prepared, &spec).await.unwrap();
        assert_eq!((rollbacks(&world), world.percent("checkout")), (1, 10), "{fault:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_rollback_whose_append_is_in_doubt_and_was_written_is_applied_once_and_whole() {
    let world = RollbackWorld::new().await;
    let good = world.put("checkout", 10, &[]).await;
    let bad = world.put("checkout", 50, &[]).await;
    let spec = back_to(good);
    let prepared = rollback::prepare(&world.environments, &production(), &author(), &spec).await.unwrap();
    world.store.set(Fault::UnknownWritten);
    let refused = commit(&world, &prepared, &spec).await.unwrap_err();
    assert!(
        matches!(
            &refused,
            RollbackError::StoreAway {
                error: CommitError::Store(StoreFailure::OutcomeUnknown),
                ..
            }
        ),
        "{refused}"
    );
    assert_eq!(
        (rollbacks(&world), world.percent("checkout")),
        (0, 50),
        "nothing is served before it is certain"
    );
    world.store.set(Fault::None);
    world.until(&prepared.reversal.record.id, RollbackState::Committed).await;
    assert_eq!((rollbacks(&world), world.percent("checkout")), (1, 10));
    let revision = world.environments.state(&production()).unwrap().head.revision;
    assert_eq!(revision, bad.revision.next(), "one revision");
}

#[tokio::test(start_paused = true)]
async fn a_rollback_of_an_environment_that_is_not_loaded_yet_is_refused_until_it_is() {
    let world = RollbackWorld::new().await;
    let staging = staging_that_does_not_load(&world.environments, &world.store).await;
    let refused = rollback::prepare(&world.environments, &staging, &author(), &back_to(Position::START))
        .await
        .unwrap_err();
    let is_not_ready = |error: &PrepareError| match error {
        PrepareError::Commit(error) | PrepareError::Resolve(crate::checkpoint::ResolveError::Commit(error)) => {
            matches!(error, CommitError::Store(StoreFailure::NotReady(_)))
        }
        PrepareError::Resolve(_) | PrepareError::Changes(_) | PrepareError::Store(_) => false,
    };
    assert!(is_not_ready(&refused), "{refused}");
}
