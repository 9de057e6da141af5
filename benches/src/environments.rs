//! Environments to commit to, without a server around them.

use std::path::Path;
use std::sync::Arc;

use ripcord_proto::EnvironmentKey;
use ripcord_proto::actor::{Actor, Origin};
use ripcord_proto::change::EnvironmentRecord;
use ripcord_proto::role::Role;
use ripcord_server::bench::{
    Author, EnvironmentDeps, Environments, Journal, Orphans, RedisConfig, RedisStore, Renderer, Store, SystemClock, SystemDraft, SystemOperation, TaskSet,
};

use crate::redis_server::RedisServer;

/// The environments that `store` holds.
pub async fn attach(store: Arc<dyn Store>) -> anyhow::Result<Environments> {
    let rooms = EnvironmentDeps {
        store,
        board: Arc::default(),
        clock: Arc::new(SystemClock),
        tasks: TaskSet::default(),
        orphans: Orphans::default(),
        revoked: std::collections::BTreeSet::new(),
    };
    Ok(Environments::start(rooms, Arc::new(|_| ripcord_proto::frame::Overlay::default())).await?)
}

/// A store on `redis`, with a folder of its own in `directory`, as the node of this name.
pub async fn redis_store(redis: &RedisServer, directory: &Path, node: &str) -> anyhow::Result<Arc<RedisStore>> {
    let directory = directory.join(node);
    std::fs::create_dir_all(&directory)?;
    let config = RedisConfig {
        journal: Journal::open(&directory.join("kills.journal"))?,
        url: redis.url(),
        directory,
        node: node.to_owned(),
        clock: Arc::new(SystemClock),
    };
    Ok(Arc::new(RedisStore::open(config).await?))
}

/// Environments over an empty `store`, with an empty `production`.
pub async fn start(store: Arc<dyn Store>) -> anyhow::Result<Environments> {
    let environments = attach(store).await?;
    let record = EnvironmentRecord {
        key: production()?,
        description: None,
        created: jiff::Timestamp::now(),
    };
    let draft = SystemDraft {
        author: author(Role::Admin),
        reason: None,
        operations: vec![SystemOperation::CreateEnvironment(record)],
        call: None,
        renderer: Renderer::default(),
    };
    environments.submit_system(draft).await?;
    Ok(environments)
}

/// The environment that is committed to.
pub fn production() -> anyhow::Result<EnvironmentKey> {
    Ok(EnvironmentKey::new("production")?)
}

/// Who commits.
pub fn author(role: Role) -> Author {
    Author {
        actor: Actor {
            name: "bench".to_owned(),
            role,
            key: None,
        },
        origin: Origin {
            node: "bench".to_owned(),
            address: None,
            request: None,
        },
    }
}
