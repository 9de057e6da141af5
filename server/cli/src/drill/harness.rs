//! The harness of a drill: its own `ripcord serve` processes and, for Redis, a `redis-server`, on free ports, with
//! temporary folders. Dropping the harness ends every process, however the drill ended.

mod common;
mod node;
mod process;
mod proxy;
mod redis;

use std::time::Instant;

use ripcord_proto::EnvironmentKey;
use ripcord_proto::drill::DrillStore;
use tempfile::TempDir;

use self::common::{PATIENCE, PAUSE, failed};
use self::node::{Node, Place};
pub(super) use self::proxy::{Pace, Proxy};
use self::redis::Redis;
use crate::client::Client;
use crate::exit::Failure;
use crate::snapshot;
use crate::target::{From, Target};
use crate::tasks::TaskSet;

/// The processes, and the proxies through which applications reach them.
#[derive(Debug)]
pub(super) struct Harness {
    nodes: Vec<Node>,
    redis: Option<Redis>,
    /// An admin key that is valid on every node.
    key: String,
    tasks: TaskSet,
    // Dropped last: the processes write into it.
    _folder: TempDir,
}

impl Harness {
    /// Starts everything and waits until it is ready.
    pub(super) async fn start(store: DrillStore) -> Result<Self, Failure> {
        let folder = tempfile::Builder::new().prefix("ripcord-drill-").tempdir();
        let folder = folder.map_err(|error| failed("Cannot create a temporary folder", &error))?;
        let tasks = TaskSet::default();
        let key = format!("rc_admin_{:032x}", rand::random::<u128>());
        let redis = match store {
            DrillStore::Embedded => None,
            DrillStore::Redis => Some(Redis::start(folder.path()).await?),
        };
        let place = Place {
            folder: folder.path().to_owned(),
            store: redis.as_ref().map_or_else(|| "embedded".to_owned(), Redis::url),
            admin_key: key.clone(),
            peer_secret: format!("{:032x}", rand::random::<u128>()),
        };
        let names: &[&'static str] = match store {
            DrillStore::Embedded => &["a"],
            DrillStore::Redis => &["a", "b"],
        };
        let mut nodes = Vec::new();
        for name in names {
            let proxy = Proxy::open(&tasks, None, Pace::Plain).await?;
            let entry = Proxy::open(&tasks, None, Pace::Plain).await?;
            nodes.push(Node::new(name, place.clone(), proxy, entry));
        }
        let addresses: Vec<String> = nodes.iter().map(|node| node.entry().url()).collect();
        for node in &mut nodes {
            let peers = addresses.iter().filter(|address| **address != node.entry().url()).cloned().collect();
            node.start(peers).await?;
        }
        Ok(Self {
            nodes,
            redis,
            key,
            tasks,
            _folder: folder,
        })
    }

    /// The proxy of an application's node. Applications are spread evenly over the nodes.
    pub(super) fn proxy_of(&self, application: usize) -> Option<&Proxy> {
        self.nodes.get(application % self.nodes.len().max(1)).map(Node::proxy)
    }

    /// A separate proxy to the same node, for one application.
    pub(super) async fn own_proxy(&self, application: usize, pace: Pace) -> Result<Proxy, Failure> {
        let leads_to = self.nodes.get(application % self.nodes.len().max(1)).and_then(Node::address);
        Proxy::open(&self.tasks, leads_to, pace).await
    }

    /// A client of the first node, for actors. It goes through the node's proxy, so it survives a restart.
    pub(super) fn client(&self, key: Option<&str>, actor: &str) -> Result<Client, Failure> {
        let proxy = self.proxy_of(0).ok_or_else(|| Failure::Local("No node of the drill is running.".to_owned()))?;
        self.client_at(proxy, key, actor)
    }

    /// Waits until every node knows the key: a key reaches other nodes a moment after it was created.
    pub(super) async fn until_known(&self, key: &str, environment: &EnvironmentKey) -> Result<(), Failure> {
        for node in &self.nodes {
            let client = self.client_at(node.proxy(), Some(key), "drill")?;
            let began = Instant::now();
            while let Err(failure) = snapshot::snapshot(&client, environment).await {
                if began.elapsed() > PATIENCE {
                    return Err(failure);
                }
                tokio::time::sleep(PAUSE).await;
            }
        }
        Ok(())
    }

    fn client_at(&self, proxy: &Proxy, key: Option<&str>, actor: &str) -> Result<Client, Failure> {
        let target = Target {
            server: proxy.url(),
            alternatives: Vec::new(),
            server_from: From::Local,
            key: Some(key.unwrap_or(&self.key).to_owned()),
            key_from: From::Local,
            actor: Some(actor.to_owned()),
            ca_cert: None,
            rivals: Vec::new(),
        };
        Ok(Client::new(target)?)
    }

    /// Stops the store: it keeps its connections but answers nothing.
    pub(super) async fn freeze_store(&self) -> Result<(), Failure> {
        self.store()?.freeze().await
    }

    /// Kills the store.
    pub(super) async fn kill_store(&mut self) -> Result<(), Failure> {
        match &mut self.redis {
            Some(redis) => redis.kill().await,
            None => Err(no_redis()),
        }
    }

    /// Brings the store back with its data.
    pub(super) async fn return_store(&mut self) -> Result<(), Failure> {
        match &mut self.redis {
            Some(redis) => redis.come_back().await,
            None => Err(no_redis()),
        }
    }

    fn store(&self) -> Result<&Redis, Failure> {
        self.redis.as_ref().ok_or_else(no_redis)
    }

    /// Kills the last node (`kill -9`) and starts it again with the same folder. If there is another node, its applications
    /// are routed there, as by a load balancer, and stay there. Returns a description for people.
    pub(super) async fn kill_node(&mut self) -> Result<String, Failure> {
        let survivor = (self.nodes.len() > 1).then(|| self.nodes.first().and_then(Node::address)).flatten();
        let Some(node) = self.nodes.last_mut() else { return Err(no_redis()) };
        node.kill().await;
        let Some(survivor) = survivor else {
            let address = node.start_again().await?;
            node.proxy().lead_to(address);
            return Ok(format!("node {} was killed and started again", node.name()));
        };
        node.proxy().lead_to(survivor);
        node.start_again().await?;
        Ok(format!(
            "node {} was killed, its applications moved to the other one, and it was started again",
            node.name()
        ))
    }

    /// Ends every process and waits for it.
    pub(super) async fn strike(mut self) {
        self.tasks.end().await;
        for node in &mut self.nodes {
            node.kill().await;
        }
        if let Some(redis) = &mut self.redis {
            // It may have ended already.
            let _ = redis.kill().await;
        }
    }
}

fn no_redis() -> Failure {
    Failure::Local("This drill runs without a Redis, which is what should fail here.".to_owned())
}
