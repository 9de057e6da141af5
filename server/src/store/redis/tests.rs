mod asking;
mod reseeding;
mod server;
mod traffic;

use std::sync::Arc;

use self::server::RedisServer;
use super::{RedisConfig, RedisStore};
use crate::clock::SystemClock;
use crate::store::Store;
use crate::store::contract::{Fresh, contract};
use crate::store::journal::Journal;

struct OnRedis {
    store: RedisStore,
    _redis: RedisServer,
    _directory: tempfile::TempDir,
}

impl Fresh for OnRedis {
    fn store(&self) -> &dyn Store {
        &self.store
    }
}

async fn fresh() -> OnRedis {
    let redis = RedisServer::start(&[]).await;
    let directory = tempfile::tempdir().unwrap();
    OnRedis {
        store: open(&redis, &directory, "a").await,
        _redis: redis,
        _directory: directory,
    }
}

async fn open(redis: &RedisServer, directory: &tempfile::TempDir, node: &str) -> RedisStore {
    let config = RedisConfig {
        url: redis.url(),
        directory: directory.path().to_owned(),
        node: node.to_owned(),
        clock: Arc::new(SystemClock),
        journal: Journal::in_memory(),
    };
    RedisStore::open(config).await.unwrap()
}

contract!(fresh());
