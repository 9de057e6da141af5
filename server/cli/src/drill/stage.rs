//! The stage of a drill: `ripcord serve` processes of its own, and for Redis a `redis-server`, on free ports, over folders that
//! are gone afterwards. Every process is ended when the stage is dropped, whatever the drill came to.

mod door;
mod node;
mod process;
mod redis;

use std::net::SocketAddr;
use std::path::Path;
use std::time::{Duration, Instant};

use ripcord_proto::EnvironmentKey;
use ripcord_proto::drill::DrillStore;
use tempfile::TempDir;

pub(super) use self::door::{Door, Pace};
use self::node::{Node, Place};
use self::redis::Redis;
use crate::client::Client;
use crate::exit::Failure;
use crate::export;
use crate::target::{From, Target};
use crate::tasks::TaskSet;

/// How long a process may take to be there, or to be gone.
const PATIENCE: Duration = Duration::from_secs(30);
/// Between two looks at what is awaited.
const PAUSE: Duration = Duration::from_millis(10);

/// Processes, and the doors through which applications reach them.
#[derive(Debug)]
pub(super) struct Stage {
    nodes: Vec<Node>,
    redis: Option<Redis>,
    /// An admin key that is valid on every node.
    key: String,
    tasks: TaskSet,
    // Dropped last: the processes write into it.
    _folder: TempDir,
}

impl Stage {
    /// Starts everything and waits until it is ready.
    pub(super) async fn start(store: DrillStore) -> Result<Self, Failure> {
        let folder = tempfile::Builder::new().prefix("ripcord-drill-").tempdir();
        let folder = folder.map_err(|error| failed("No temporary folder can be made", &error))?;
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
            let door = Door::open(&tasks, None, Pace::Plain).await?;
            let entry = Door::open(&tasks, None, Pace::Plain).await?;
            nodes.push(Node::new(name, place.clone(), door, entry));
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

    /// The door of an application's node; each node has its share of them.
    pub(super) fn door_of(&self, application: usize) -> Option<&Door> {
        self.nodes.get(application % self.nodes.len().max(1)).map(Node::door)
    }

    /// A further door to the same node, for one application.
    pub(super) async fn own_door(&self, application: usize, pace: Pace) -> Result<Door, Failure> {
        let leads_to = self.nodes.get(application % self.nodes.len().max(1)).and_then(Node::address);
        Door::open(&self.tasks, leads_to, pace).await
    }

    /// A client of the node that staff talks to, the first one, through its door: it finds the node again after a restart.
    pub(super) fn client(&self, key: Option<&str>, actor: &str) -> Result<Client, Failure> {
        let door = self.door_of(0).ok_or_else(|| Failure::Local("No node of the drill runs.".to_owned()))?;
        self.client_at(door, key, actor)
    }

    /// Waits until every node knows the key: one that was made on another node is heard of a moment later.
    pub(super) async fn until_known(&self, key: &str, environment: &EnvironmentKey) -> Result<(), Failure> {
        for node in &self.nodes {
            let client = self.client_at(node.door(), Some(key), "drill")?;
            let began = Instant::now();
            while let Err(failure) = export::snapshot_of(&client, environment).await {
                if began.elapsed() > PATIENCE {
                    return Err(failure);
                }
                tokio::time::sleep(PAUSE).await;
            }
        }
        Ok(())
    }

    fn client_at(&self, door: &Door, key: Option<&str>, actor: &str) -> Result<Client, Failure> {
        let target = Target {
            server: door.url(),
            server_from: From::Local,
            key: Some(key.unwrap_or(&self.key).to_owned()),
            key_from: From::Local,
            actor: Some(actor.to_owned()),
            ca_cert: None,
        };
        Ok(Client::new(target)?)
    }

    /// The store holds its connections and answers nothing any more.
    pub(super) async fn freeze_store(&self) -> Result<(), Failure> {
        self.store()?.freeze().await
    }

    /// The store is gone on the spot.
    pub(super) async fn kill_store(&mut self) -> Result<(), Failure> {
        match &mut self.redis {
            Some(redis) => redis.kill().await,
            None => Err(no_redis()),
        }
    }

    /// The store is back, with what it had.
    pub(super) async fn return_store(&mut self) -> Result<(), Failure> {
        match &mut self.redis {
            Some(redis) => redis.come_back().await,
            None => Err(no_redis()),
        }
    }

    fn store(&self) -> Result<&Redis, Failure> {
        self.redis.as_ref().ok_or_else(no_redis)
    }

    /// Ends the last node on the spot (`kill -9`) and starts it again over the same folder. Where there is another one, its
    /// applications are led there meanwhile, as a load balancer would, and stay. Says what was done.
    pub(super) async fn kill_node(&mut self) -> Result<String, Failure> {
        let survivor = (self.nodes.len() > 1).then(|| self.nodes.first().and_then(Node::address)).flatten();
        let Some(node) = self.nodes.last_mut() else { return Err(no_redis()) };
        node.kill().await;
        let Some(survivor) = survivor else {
            let address = node.start_again().await?;
            node.door().lead_to(address);
            return Ok(format!("node {} was killed and started again", node.name()));
        };
        node.door().lead_to(survivor);
        node.start_again().await?;
        Ok(format!(
            "node {} was killed, its applications were led to the other one, and it was started again",
            node.name()
        ))
    }

    /// Ends every process and waits until it is gone.
    pub(super) async fn strike(mut self) {
        self.tasks.end().await;
        for node in &mut self.nodes {
            node.kill().await;
        }
        if let Some(redis) = &mut self.redis {
            // It may be gone already; then there is nothing to end.
            let _ = redis.kill().await;
        }
    }
}

fn no_redis() -> Failure {
    Failure::Local("This drill runs without a Redis, which is what should fail here.".to_owned())
}

fn failed(what: &str, error: &dyn std::fmt::Display) -> Failure {
    Failure::Local(format!("{what}: {error}."))
}

/// The last lines of what a process printed.
fn tail(file: &Path) -> String {
    let text = std::fs::read_to_string(file).unwrap_or_default();
    let lines: Vec<&str> = text.lines().collect();
    let last: Vec<&str> = lines.iter().rev().take(5).rev().copied().collect();
    last.join("\n  ")
}

/// An address on this machine.
fn local(port: u16) -> SocketAddr {
    SocketAddr::from(([127, 0, 0, 1], port))
}
