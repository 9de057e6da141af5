//! One node on one store.

use std::ops::{Deref, DerefMut};

use crate::redis::Redis;
use crate::server::{Server, Setup};

/// A server, and its Redis if it runs on one. Dereferences to the server.
#[derive(Debug)]
pub struct World {
    // Dropped first: a server outlives no store.
    server: Server,
    /// The Redis, if the server runs on one.
    pub redis: Option<Redis>,
}

impl World {
    /// A node on the embedded store.
    pub async fn embedded() -> anyhow::Result<Self> {
        Ok(Self {
            server: Server::start(Setup::embedded()).await?,
            redis: None,
        })
    }

    /// A node on a Redis that loses nothing.
    pub async fn redis() -> anyhow::Result<Self> {
        let redis = Redis::start().await?;
        Ok(Self {
            server: Server::start(Setup::on(&redis)).await?,
            redis: Some(redis),
        })
    }

    /// A setup on the same store.
    pub fn setup(&self) -> Setup {
        self.redis.as_ref().map_or_else(Setup::embedded, Setup::on)
    }
}

impl Deref for World {
    type Target = Server;

    fn deref(&self) -> &Server {
        &self.server
    }
}

impl DerefMut for World {
    fn deref_mut(&mut self) -> &mut Server {
        &mut self.server
    }
}
