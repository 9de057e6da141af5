//! An environment that exists, but is not loaded on this node yet.

use std::sync::Arc;
use std::time::Duration;

use ripcord_proto::EnvironmentKey;

use super::fixture::{TestNode, author, percent, staging_that_does_not_load};
use crate::commit::{CommitError, Draft, MissingItem, StoreFailure};
use crate::store::fault_injection::{Fault, FaultyStore};
use crate::store::memory::MemoryStore;

#[tokio::test(start_paused = true)]
async fn an_environment_that_is_not_loaded_yet_is_not_ready_and_one_that_does_not_exist_is_missing() {
    let store = FaultyStore::new(MemoryStore::new());
    let node = TestNode::over(Arc::clone(&store) as _).await;
    let staging = staging_that_does_not_load(&node.environments, &store).await;
    let draft = || Draft::new(staging.clone(), author("pipeline"), vec![percent("checkout", 10)]);
    let refused = node
        .environments
        .commit(Draft {
            reason: Some("r".to_owned()),
            ..draft()
        })
        .await
        .unwrap_err();
    assert!(
        matches!(&refused, CommitError::Store(StoreFailure::NotReady(key)) if *key == staging),
        "{refused}"
    );
    assert!(refused.is_store_away());
    let nowhere = node.environments.state(&EnvironmentKey::new("nowhere").unwrap()).map(drop).unwrap_err();
    assert!(matches!(nowhere, CommitError::NotFound(MissingItem::Environment(_))), "{nowhere}");
    store.set(Fault::None);
    let loaded = async {
        while node.environments.state(&staging).is_err() {
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    };
    tokio::time::timeout(Duration::from_mins(1), loaded).await.unwrap();
    node.environments
        .commit(Draft {
            reason: Some("r".to_owned()),
            ..draft()
        })
        .await
        .unwrap();
}
