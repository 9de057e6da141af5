//! For tests: a node's environments, with `production` made, over a store of the test's choice.

use std::sync::Arc;

use ripcord_proto::actor::{Actor, Origin};
use ripcord_proto::change::EnvironmentRecord;
use ripcord_proto::frame::Overlay;
use ripcord_proto::role::Role;
use ripcord_proto::{EnvironmentKey, Flag, FlagKey, ReleaseName};

use super::{EnvironmentDeps, Environments, Orphans};
use crate::clock::SystemClock;
use crate::commit::{Applied, Author, CommitError, Draft, Operation, Renderer};
use crate::store::Store;
use crate::store::fault_injection::{Fault, FaultyStore};
use crate::store::memory::MemoryStore;
use crate::system::{SystemDraft, SystemOperation};
use crate::tasks::TaskSet;

pub(crate) fn production() -> EnvironmentKey {
    EnvironmentKey::new("production").unwrap()
}

pub(crate) fn author(name: &str) -> Author {
    Author {
        actor: Actor {
            name: name.to_owned(),
            role: Role::Editor,
            key: None,
        },
        origin: Origin {
            node: "a".to_owned(),
            address: None,
            request: None,
        },
    }
}

/// A flag that serves true to this percentage.
pub(crate) fn percent(key: &str, percent: u32) -> Operation {
    let flag = serde_json::json!({"variants": {"on": true, "off": false}, "default": "off", "safe": "off",
        "rules": [{"serve": {"split": [{"variant": "on", "weight": percent}, {"variant": "off", "weight": 100 - percent}]}}]});
    Operation::PutFlag(FlagKey::new(key).unwrap(), Box::new(Flag::from_value(&flag).unwrap()))
}

fn creation(key: EnvironmentKey) -> SystemDraft {
    let record = EnvironmentRecord {
        key,
        description: None,
        created: jiff::Timestamp::now(),
    };
    SystemDraft {
        author: author("ana"),
        reason: None,
        operations: vec![SystemOperation::CreateEnvironment(record)],
        call: None,
        renderer: Renderer::default(),
    }
}

/// Creates the environment `staging`, which this node cannot load until its store's fault is over. Returns its key.
pub(crate) async fn staging_that_does_not_load(environments: &Environments, store: &FaultyStore<MemoryStore>) -> EnvironmentKey {
    let key = EnvironmentKey::new("staging").unwrap();
    store.set(Fault::Unloadable);
    let (waiting, draft) = (environments.clone(), creation(key.clone()));
    environments.tasks().short_lived(async move {
        waiting.submit_system(draft).await.unwrap();
    });
    let mut system = environments.watch_system();
    drop(system.wait_for(|state| state.environments.contains_key("staging")).await.unwrap());
    key
}

pub(crate) struct TestNode {
    pub(crate) environments: Environments,
}

impl TestNode {
    /// Over a store in memory.
    pub(crate) async fn start() -> Self {
        Self::over(Arc::new(MemoryStore::new())).await
    }

    /// Over this store; creates its environment `production` if it is missing.
    pub(crate) async fn over(store: Arc<dyn Store>) -> Self {
        let rooms = EnvironmentDeps {
            store,
            board: Arc::default(),
            clock: Arc::new(SystemClock),
            tasks: TaskSet::default(),
            orphans: Orphans::default(),
        };
        let environments = Environments::start(rooms, Arc::new(|_| Overlay::default())).await.unwrap();
        if !environments.system().environments.contains_key("production") {
            environments.submit_system(creation(production())).await.unwrap();
        }
        Self { environments }
    }

    /// Commits, as somebody.
    pub(crate) async fn submit(&self, operations: Vec<Operation>) -> Result<Applied, CommitError> {
        self.submit_to(None, "ana", operations).await
    }

    /// Commits to a release, as `name`.
    pub(crate) async fn submit_to(&self, release: Option<&str>, name: &str, operations: Vec<Operation>) -> Result<Applied, CommitError> {
        let draft = Draft {
            reason: Some("r".to_owned()),
            release: release.map(|release| ReleaseName::new(release).unwrap()),
            ..Draft::new(production(), author(name), operations)
        };
        self.environments.commit(draft).await
    }
}
