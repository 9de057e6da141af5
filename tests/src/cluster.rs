//! Two nodes over one Redis.

use anyhow::ensure;

use crate::ports;
use crate::proxy::Proxy;
use crate::redis::{Durability, Redis};
use crate::server::{Server, Setup};
use crate::waiting::{SOON, eventually};

/// Two nodes over one Redis, each the other's peer.
#[derive(Debug)]
pub struct Cluster {
    /// One.
    pub a: Server,
    /// The other.
    pub b: Server,
    /// The store of both.
    pub redis: Redis,
}

impl Cluster {
    /// On a Redis that loses nothing.
    pub async fn start() -> anyhow::Result<Self> {
        Self::on(Redis::start().await?).await
    }

    /// On a Redis that keeps nothing on disk.
    pub async fn forgetful() -> anyhow::Result<Self> {
        Self::on(Redis::with(Durability::Nothing, &[]).await?).await
    }

    /// On this Redis.
    pub async fn on(redis: Redis) -> anyhow::Result<Self> {
        let (one, other) = (ports::free(), ports::free());
        let a = Server::start(Setup::on(&redis).port(one).peer(other)).await?;
        let b = Server::start(Setup::on(&redis).port(other).peer(one)).await?;
        Ok(Self { a, b, redis })
    }

    /// Two nodes, of which `a` reaches its Redis through the proxy.
    pub async fn behind_proxy(redis: Redis) -> anyhow::Result<(Self, Proxy)> {
        Self::behind_proxy_as(redis, &[]).await
    }

    /// The same, with further arguments of `a`.
    pub async fn behind_proxy_as(redis: Redis, arguments: &[&str]) -> anyhow::Result<(Self, Proxy)> {
        let (one, other) = (ports::free(), ports::free());
        let proxy = Proxy::to(redis.port()).await?;
        let through = Setup::at(&format!("redis://127.0.0.1:{}", proxy.port()));
        let through = through.port(one).peer(other).argument("--heartbeat").argument("1s");
        let through = arguments.iter().fold(through, |setup, argument| setup.argument(*argument));
        let a = Server::start(through).await?;
        let b = Server::start(Setup::on(&redis).port(other).peer(one)).await?;
        Ok((Self { a, b, redis }, proxy))
    }

    /// Two nodes that know nothing of each other but the store.
    pub async fn strangers() -> anyhow::Result<Self> {
        let redis = Redis::start().await?;
        let a = Server::start(Setup::on(&redis)).await?;
        let b = Server::start(Setup::on(&redis)).await?;
        Ok(Self { a, b, redis })
    }

    /// Waits until both nodes serve the same content at the same position.
    pub async fn agree(&self) -> anyhow::Result<u64> {
        eventually(SOON, "both nodes serve the same", || async {
            let (a, b) = (self.a.admin().snapshot().await?, self.b.admin().snapshot().await?);
            for member in ["epoch", "revision", "hash"] {
                ensure!(a[member] == b[member], "{member} is {} on one node, {} on the other", a[member], b[member]);
            }
            Ok(a["revision"].as_u64().unwrap_or_default())
        })
        .await
    }
}
