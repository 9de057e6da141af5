//! The Redis of a drill: a durable `redis-server`, and the faults that can happen to it.

use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::time::Instant;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::process::Command;

use super::common::{PATIENCE, PAUSE, failed, local};
use super::process::{Process, Signal};
use crate::exit::Failure;

/// Number of attempts to find a port, in case another process takes the free one first.
const TRIES: u32 = 5;

/// A Redis with its own port and folder.
#[derive(Debug)]
pub(super) struct Redis {
    port: u16,
    folder: PathBuf,
    process: Option<Process>,
}

impl Redis {
    /// Starts a Redis in `folder` and waits until it answers.
    pub(super) async fn start(folder: &Path) -> Result<Self, Failure> {
        let mut redis = Self {
            port: 0,
            folder: folder.to_owned(),
            process: None,
        };
        let mut tried = 0;
        loop {
            redis.port = free_port()?;
            match redis.launch().await {
                Err(Failure::Local(_)) if tried < TRIES && present() => tried += 1,
                launched => return launched.map(|()| redis),
            }
        }
    }

    /// The value of `--store`.
    pub(super) fn url(&self) -> String {
        format!("redis://127.0.0.1:{}", self.port)
    }

    /// Stops the process: it keeps its connections but answers nothing.
    pub(super) async fn freeze(&self) -> Result<(), Failure> {
        match &self.process {
            Some(process) => process.signal(Signal::Stop).await,
            None => Ok(()),
        }
    }

    /// Kills the process.
    pub(super) async fn kill(&mut self) -> Result<(), Failure> {
        if let Some(mut process) = self.process.take() {
            process.kill().await;
        }
        Ok(())
    }

    /// Continues it, or starts it again on the same port with its data on disk.
    pub(super) async fn come_back(&mut self) -> Result<(), Failure> {
        match &self.process {
            Some(process) => process.signal(Signal::Continue).await,
            None => self.launch().await,
        }
    }

    async fn launch(&mut self) -> Result<(), Failure> {
        if !present() {
            return Err(Failure::Local(
                "redis-server is not installed. Install it (Debian: apt-get install redis-server), or use the embedded store: --store embedded.".to_owned(),
            ));
        }
        let mut command = Command::new("redis-server");
        command
            .args(["--port", &self.port.to_string(), "--bind", "127.0.0.1", "--save", ""])
            .args(["--appendonly", "yes", "--appendfsync", "always", "--dir"])
            .arg(&self.folder);
        let mut process = Process::start("redis", command, &self.folder)?;
        let began = Instant::now();
        while began.elapsed() < PATIENCE {
            process.check()?;
            if answers(self.port).await {
                self.process = Some(process);
                return Ok(());
            }
            tokio::time::sleep(PAUSE).await;
        }
        Err(Failure::Local(format!("redis-server did not answer within {} s.", PATIENCE.as_secs())))
    }
}

/// Whether `redis-server` is installed.
fn present() -> bool {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path).any(|folder| folder.join("redis-server").is_file())
}

fn free_port() -> Result<u16, Failure> {
    let bound = TcpListener::bind(local(0)).and_then(|listener| listener.local_addr());
    bound.map(|address| address.port()).map_err(|error| failed("No free port", &error))
}

async fn answers(port: u16) -> bool {
    let ping = async {
        let mut stream = TcpStream::connect(local(port)).await.ok()?;
        stream.write_all(b"PING\r\n").await.ok()?;
        let mut answer = [0; 5];
        stream.read_exact(&mut answer).await.ok()?;
        Some(answer == *b"+PONG")
    };
    ping.await == Some(true)
}
