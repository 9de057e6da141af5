//! A real `redis-server`, and what can happen to it.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, bail, ensure};
use tempfile::TempDir;

use crate::ports;
use crate::process::{Process, Signal};
use crate::waiting::{SOON, eventually};

/// What a Redis promises of what it acknowledged.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Durability {
    /// An append-only file, written out before each answer.
    Always,
    /// Nothing on disk.
    Nothing,
}

impl Durability {
    /// The setting of Redis that makes it so.
    pub fn name(self) -> &'static str {
        match self {
            Self::Always => "appendfsync always",
            Self::Nothing => "appendonly no",
        }
    }
}

/// A running Redis on a directory of its own.
#[derive(Debug)]
pub struct Redis {
    port: u16,
    durability: Durability,
    arguments: Vec<String>,
    process: Option<Process>,
    directory: TempDir,
}

impl Redis {
    /// Starts one that loses nothing.
    pub async fn start() -> anyhow::Result<Self> {
        Self::with(Durability::Always, &[]).await
    }

    /// Starts one with further arguments.
    pub async fn with(durability: Durability, arguments: &[&str]) -> anyhow::Result<Self> {
        let mut redis = Self {
            port: ports::free(),
            durability,
            arguments: arguments.iter().map(|&argument| argument.to_owned()).collect(),
            process: None,
            directory: TempDir::with_prefix("ripcord-redis-")?,
        };
        redis.restart().await?;
        Ok(redis)
    }

    /// Its address as `--store` takes it.
    pub fn url(&self) -> String {
        format!("redis://127.0.0.1:{}", self.port)
    }

    /// Its port.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Where it keeps its files.
    pub fn directory(&self) -> &Path {
        self.directory.path()
    }

    /// Starts it again on the same port and directory; ends it first if it runs.
    pub async fn restart(&mut self) -> anyhow::Result<()> {
        self.kill();
        let mut command = Command::new("redis-server");
        command.args(["--port", &self.port.to_string(), "--bind", "127.0.0.1", "--save", ""]);
        command.arg("--dir").arg(self.directory.path());
        match self.durability {
            Durability::Always => command.args(["--appendonly", "yes", "--appendfsync", "always"]),
            Durability::Nothing => command.args(["--appendonly", "no"]),
        };
        command.args(&self.arguments);
        let output = self.directory.path().join("output.log");
        self.process = Some(Process::start("redis-server", &mut command, &output)?);
        eventually(SOON, "redis-server answers PING", || async {
            let answer = self.command("PING")?;
            ensure!(answer == "+PONG", "it answers {answer}");
            Ok(())
        })
        .await
    }

    /// `kill -9`.
    pub fn kill(&mut self) {
        self.process = None;
    }

    /// Freezes it: connections stay, answers do not come.
    pub fn pause(&self) -> anyhow::Result<()> {
        self.running()?.signal(Signal::Stop)
    }

    /// Thaws it.
    pub fn resume(&self) -> anyhow::Result<()> {
        self.running()?.signal(Signal::Cont)
    }

    /// Bytes that were sent to it and that it has not taken yet.
    pub fn unread(&self) -> anyhow::Result<u64> {
        let sockets = std::fs::read_to_string("/proc/net/tcp")?;
        let port = format!(":{:04X}", self.port);
        let of_socket = |line: &str| -> Option<u64> {
            let mut fields = line.split_whitespace().skip(1);
            fields.next()?.ends_with(&port).then_some(())?;
            // The peer, the state, and the two queues as `sending:received`; those of a listening socket count connections.
            let (state, queues) = (fields.nth(1)?, fields.next()?);
            if state != "01" {
                return None;
            }
            u64::from_str_radix(queues.split(':').nth(1)?, 16).ok()
        };
        Ok(sockets.lines().filter_map(of_socket).sum())
    }

    /// Empties it, as a stray FLUSHALL would.
    pub fn flush(&self) -> anyhow::Result<()> {
        let answer = self.command("FLUSHALL")?;
        ensure!(answer == "+OK", "FLUSHALL answers {answer}");
        Ok(())
    }

    /// Ends it and removes what it has on disk; the next start is empty.
    pub fn lose_everything(&mut self) -> anyhow::Result<()> {
        self.kill();
        for entry in std::fs::read_dir(self.directory.path())? {
            let path = entry?.path();
            if path.is_dir() {
                std::fs::remove_dir_all(path)?;
            } else if path.extension().is_none_or(|extension| extension != "log") {
                std::fs::remove_file(path)?;
            }
        }
        Ok(())
    }

    /// A copy of its files as they are now, to go back to with [`Self::go_back_to`].
    pub fn copy_of_files(&self) -> anyhow::Result<TempDir> {
        let copy = TempDir::with_prefix("ripcord-redis-copy-")?;
        copy_directory(self.directory.path(), copy.path())?;
        Ok(copy)
    }

    /// Ends it and puts older files in place, as a failover to a replica that lagged would.
    pub fn go_back_to(&mut self, copy: &TempDir) -> anyhow::Result<()> {
        self.lose_everything()?;
        copy_directory(copy.path(), self.directory.path())
    }

    /// One command in Redis' inline form; the first line of the answer.
    pub fn command(&self, command: &str) -> anyhow::Result<String> {
        let mut stream = self.connect(command)?;
        let mut line = String::new();
        BufReader::new(&mut stream).read_line(&mut line)?;
        Ok(line.trim_end().to_owned())
    }

    /// One command whose answer is a bulk string: that string.
    pub fn bulk(&self, command: &str) -> anyhow::Result<String> {
        let mut reader = BufReader::new(self.connect(command)?);
        let mut head = String::new();
        reader.read_line(&mut head)?;
        let length: usize = head.trim().strip_prefix('$').with_context(|| format!("no bulk string: {head}"))?.parse()?;
        let mut text = vec![0; length];
        reader.read_exact(&mut text)?;
        Ok(String::from_utf8(text)?)
    }

    fn connect(&self, command: &str) -> anyhow::Result<TcpStream> {
        let mut stream = TcpStream::connect(("127.0.0.1", self.port))?;
        stream.set_read_timeout(Some(Duration::from_secs(5)))?;
        stream.write_all(format!("{command}\r\n").as_bytes())?;
        Ok(stream)
    }

    fn running(&self) -> anyhow::Result<&Process> {
        let Some(process) = &self.process else { bail!("this Redis is not running") };
        Ok(process)
    }
}

fn copy_directory(from: &Path, to: &Path) -> anyhow::Result<()> {
    for entry in std::fs::read_dir(from)? {
        let entry = entry?;
        let target = to.join(entry.file_name());
        if entry.file_type()?.is_dir() {
            std::fs::create_dir_all(&target)?;
            copy_directory(&entry.path(), &target)?;
        } else {
            std::fs::copy(entry.path(), target)?;
        }
    }
    Ok(())
}
