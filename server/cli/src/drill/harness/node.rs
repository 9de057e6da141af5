//! A node of a drill: `ripcord serve` of the running executable.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Instant;

use tokio::process::Command;

use super::common::{PATIENCE, PAUSE, failed, tail};
use super::process::Process;
use super::proxy::Proxy;
use crate::answer::{Answer, ClientError};
use crate::client::{Call, Client};
use crate::exit::Failure;
use crate::target::{From, Target};

/// Settings shared by all nodes of a drill.
#[derive(Debug, Clone)]
pub(super) struct Place {
    /// The drill's folder.
    pub(super) folder: PathBuf,
    /// The value of `--store`.
    pub(super) store: String,
    /// An admin key that is valid on every node.
    pub(super) admin_key: String,
    /// The peer secret.
    pub(super) peer_secret: String,
}

/// A node, running or not, and the proxies in front of it.
#[derive(Debug)]
pub(super) struct Node {
    name: &'static str,
    place: Place,
    /// For applications and actors; it leads to another node while this one is down.
    proxy: Proxy,
    /// For other nodes; it always leads here.
    entry: Proxy,
    peers: Vec<String>,
    process: Option<Process>,
    address: Option<SocketAddr>,
}

/// The lines that a server prints when it listens.
#[derive(serde::Deserialize)]
struct Greeting {
    address: String,
}

impl Node {
    /// A node that is not running yet.
    pub(super) fn new(name: &'static str, place: Place, proxy: Proxy, entry: Proxy) -> Self {
        Self {
            name,
            place,
            proxy,
            entry,
            peers: Vec::new(),
            process: None,
            address: None,
        }
    }

    pub(super) const fn name(&self) -> &'static str {
        self.name
    }

    /// The proxy for applications and actors.
    pub(super) const fn proxy(&self) -> &Proxy {
        &self.proxy
    }

    /// The proxy for other nodes.
    pub(super) const fn entry(&self) -> &Proxy {
        &self.entry
    }

    /// Its address while it runs.
    pub(super) const fn address(&self) -> Option<SocketAddr> {
        self.address
    }

    /// Starts it with these peers.
    pub(super) async fn start(&mut self, peers: Vec<String>) -> Result<(), Failure> {
        self.peers = peers;
        let address = self.start_again().await?;
        self.proxy.lead_to(address);
        Ok(())
    }

    /// Starts it on a free port with the same folder as before, and returns its address when it is ready. The proxy of its
    /// applications is not changed.
    pub(super) async fn start_again(&mut self) -> Result<SocketAddr, Failure> {
        let program = std::env::current_exe().map_err(|error| failed("Cannot find this program", &error))?;
        let mut command = Command::new(program);
        // Settings in the environment are for the user's own server.
        let own = std::env::vars_os().filter(|(name, _)| name.to_string_lossy().starts_with("RIPCORD_"));
        for (name, _) in own {
            command.env_remove(name);
        }
        command
            .env("RIPCORD_ADMIN_KEY", &self.place.admin_key)
            .env("RIPCORD_PEER_SECRET", &self.place.peer_secret)
            .args(["serve", "--json", "--listen", "127.0.0.1:0", "--workers", "2"])
            .args(["--node", self.name, "--store", &self.place.store, "--data-dir"])
            .arg(self.place.folder.join(format!("data-{}", self.name)));
        for peer in &self.peers {
            command.args(["--peer", peer]);
        }
        self.process = Some(Process::start(&self.log(), command, &self.place.folder)?);
        let address = self.listening().await?;
        self.ready(address).await?;
        self.address = Some(address);
        self.entry.lead_to(address);
        Ok(address)
    }

    /// Kills the process.
    pub(super) async fn kill(&mut self) {
        self.address = None;
        if let Some(mut process) = self.process.take() {
            process.kill().await;
        }
    }

    fn log(&self) -> String {
        format!("ripcord-{}", self.name)
    }

    fn check(&mut self) -> Result<(), Failure> {
        self.process.as_mut().map_or(Ok(()), Process::check)
    }

    /// Waits until it prints its address.
    async fn listening(&mut self) -> Result<SocketAddr, Failure> {
        let out = self.place.folder.join(format!("{}.out", self.log()));
        let began = Instant::now();
        while began.elapsed() < PATIENCE {
            let text = std::fs::read_to_string(&out).unwrap_or_default();
            let greeting = text.lines().find_map(|line| serde_json::from_str::<Greeting>(line).ok());
            let address = greeting.and_then(|greeting| greeting.address.strip_prefix("http://")?.parse().ok());
            if let Some(address) = address {
                return Ok(address);
            }
            self.check()?;
            tokio::time::sleep(PAUSE).await;
        }
        Err(self.late("did not listen"))
    }

    async fn ready(&mut self, address: SocketAddr) -> Result<(), Failure> {
        let client = Client::new(Target {
            server: format!("http://{address}"),
            alternatives: Vec::new(),
            server_from: From::Local,
            key: None,
            key_from: From::Local,
            actor: None,
            ca_cert: None,
            rivals: Vec::new(),
        })?;
        let began = Instant::now();
        while began.elapsed() < PATIENCE {
            let answer: Result<Answer<serde::de::IgnoredAny>, ClientError> = client.call(Call::get(["readyz"])).await;
            if answer.is_ok() {
                return Ok(());
            }
            self.check()?;
            tokio::time::sleep(PAUSE).await;
        }
        Err(self.late("was not ready"))
    }

    fn late(&self, what: &str) -> Failure {
        let said = tail(&self.place.folder.join(format!("{}.err", self.log())));
        Failure::Local(format!("Node {} of the drill {what} within {} s:\n  {said}", self.name, PATIENCE.as_secs()))
    }
}
