//! For tests: environments with `production` among them, over parts of the test's choice.

use std::sync::Arc;

use ripcord_proto::actor::{Actor, Origin};
use ripcord_proto::change::EnvironmentRecord;
use ripcord_proto::frame::Overlay;
use ripcord_proto::role::Role;
use ripcord_proto::{EnvironmentKey, Flag, FlagKey, ReleaseName};

use super::registry::Overlays;
use super::{EnvironmentDeps, Environments, Orphans};
use crate::clock::{Clock, SystemClock};
use crate::commit::{Applied, Author, CommitError, Draft, Operation, Renderer};
use crate::store::Store;
use crate::store::fault_injection::{Fault, FaultyStore};
use crate::store::memory::MemoryStore;
use crate::system::{SystemDraft, SystemOperation};
use crate::tasks::TaskSet;

pub(crate) fn production() -> EnvironmentKey {
    EnvironmentKey::new("production").unwrap()
}

/// An editor.
pub(crate) fn author(name: &str) -> Author {
    author_as(name, Role::Editor)
}

pub(crate) fn author_as(name: &str, role: Role) -> Author {
    Author {
        actor: Actor {
            name: name.to_owned(),
            role,
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

/// The creation of an environment.
pub(crate) fn new_environment(key: &str, clock: &dyn Clock) -> SystemOperation {
    SystemOperation::CreateEnvironment(EnvironmentRecord {
        key: EnvironmentKey::new(key).unwrap(),
        description: None,
        created: clock.now(),
    })
}

/// Starts environments: over a store in memory and with the clock of the system, if the test chooses no others.
pub(crate) struct EnvironmentsBuilder {
    deps: EnvironmentDeps,
    overlays: Overlays,
    also: Vec<SystemOperation>,
}

impl EnvironmentsBuilder {
    pub(crate) fn new() -> Self {
        Self {
            deps: EnvironmentDeps {
                store: Arc::new(MemoryStore::new()),
                board: Arc::default(),
                clock: Arc::new(SystemClock),
                tasks: TaskSet::default(),
                orphans: Orphans::default(),
                revoked: std::collections::BTreeSet::new(),
            },
            overlays: Arc::new(|_| Overlay::default()),
            also: Vec::new(),
        }
    }

    pub(crate) fn store(mut self, store: Arc<dyn Store>) -> Self {
        self.deps.store = store;
        self
    }

    pub(crate) fn clock(mut self, clock: Arc<dyn Clock>) -> Self {
        self.deps.clock = clock;
        self
    }

    pub(crate) fn orphans(mut self, orphans: Orphans) -> Self {
        self.deps.orphans = orphans;
        self
    }

    pub(crate) fn overlays(mut self, overlays: Overlays) -> Self {
        self.overlays = overlays;
        self
    }

    /// What else the system log begins with.
    pub(crate) fn also(mut self, operations: impl IntoIterator<Item = SystemOperation>) -> Self {
        self.also.extend(operations);
        self
    }

    /// Starts them, and creates `production` and what else was asked for, unless the store has it.
    pub(crate) async fn start(self) -> Environments {
        let environments = Environments::start(self.deps, self.overlays).await.unwrap();
        if environments.system().environments.contains_key("production") {
            return environments;
        }
        let production = new_environment("production", &**environments.clock());
        let draft = SystemDraft {
            author: author_as("admin", Role::Admin),
            reason: None,
            operations: std::iter::once(production).chain(self.also).collect(),
            call: None,
            renderer: Renderer::default(),
        };
        environments.submit_system(draft).await.unwrap();
        environments
    }
}

/// Creates the environment `staging`, which this node cannot load until its store's fault is over. Returns its key.
pub(crate) async fn staging_that_does_not_load(environments: &Environments, store: &FaultyStore<MemoryStore>) -> EnvironmentKey {
    let key = EnvironmentKey::new("staging").unwrap();
    store.set(Fault::Unloadable);
    let draft = SystemDraft {
        author: author_as("admin", Role::Admin),
        reason: None,
        operations: vec![new_environment("staging", &**environments.clock())],
        call: None,
        renderer: Renderer::default(),
    };
    let waiting = environments.clone();
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
        Self {
            environments: EnvironmentsBuilder::new().start().await,
        }
    }

    /// Over this store; creates its environment `production` if it is missing.
    pub(crate) async fn over(store: Arc<dyn Store>) -> Self {
        Self {
            environments: EnvironmentsBuilder::new().store(store).start().await,
        }
    }

    /// Commits, as someone.
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
