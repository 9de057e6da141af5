//! A process that the tests started: it is ended, by its id, when its owner is dropped.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, bail, ensure};

/// What a process can be sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Signal {
    /// Asks it to end.
    Term,
    /// Ends it on the spot, without a chance to write anything.
    Kill,
    /// Freezes it: it keeps its sockets and answers nothing.
    Stop,
    /// Thaws it.
    Cont,
    /// Says that its terminal is gone, or that its files have changed.
    Hup,
}

/// A running process; what it prints goes to a file.
#[derive(Debug)]
pub struct Process {
    name: String,
    child: Child,
    output: PathBuf,
}

impl Process {
    /// Starts `command`, its output appended to `output`.
    pub fn start(name: &str, command: &mut Command, output: &Path) -> anyhow::Result<Self> {
        let log = File::options().create(true).append(true).open(output)?;
        let child = command
            .stdin(Stdio::null())
            .stdout(log.try_clone()?)
            .stderr(log)
            .spawn()
            .with_context(|| format!("{name} does not start ({command:?})"))?;
        Ok(Self {
            name: name.to_owned(),
            child,
            output: output.to_owned(),
        })
    }

    /// Its id.
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// What it has printed, over all starts.
    pub fn output(&self) -> String {
        std::fs::read(&self.output)
            .map(|bytes| String::from_utf8_lossy(&bytes).into_owned())
            .unwrap_or_default()
    }

    /// Sends a signal.
    pub fn signal(&self, signal: Signal) -> anyhow::Result<()> {
        let name = match signal {
            Signal::Term => "-TERM",
            Signal::Kill => "-KILL",
            Signal::Stop => "-STOP",
            Signal::Cont => "-CONT",
            Signal::Hup => "-HUP",
        };
        let status = Command::new("kill").args([name, &self.id().to_string()]).status()?;
        ensure!(status.success(), "kill {name} {} ({}) failed", self.id(), self.name);
        Ok(())
    }

    /// Its exit status, if it has ended.
    pub fn ended(&mut self) -> anyhow::Result<Option<ExitStatus>> {
        Ok(self.child.try_wait()?)
    }

    /// Waits for its end.
    pub fn wait(&mut self, within: Duration) -> anyhow::Result<ExitStatus> {
        let deadline = Instant::now() + within;
        loop {
            if let Some(status) = self.ended()? {
                return Ok(status);
            }
            if Instant::now() > deadline {
                bail!("{} did not end within {within:?}; it printed:\n{}", self.name, self.output());
            }
            crate::waiting::breathe_blocking();
        }
    }

    /// From now on it can write nothing into files, as on a full disk.
    pub fn fill_its_disk(&self) -> anyhow::Result<()> {
        self.limit_files("0:")
    }

    /// From now on its disk takes writes again.
    pub fn free_its_disk(&self) -> anyhow::Result<()> {
        self.limit_files("unlimited:")
    }

    fn limit_files(&self, limit: &str) -> anyhow::Result<()> {
        let status = Command::new("prlimit")
            .args([&format!("--fsize={limit}"), "--pid", &self.id().to_string()])
            .status()?;
        ensure!(status.success(), "prlimit --fsize={limit} --pid {} failed", self.id());
        Ok(())
    }

    /// Resident memory in bytes.
    pub fn resident(&self) -> anyhow::Result<u64> {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.id()))?;
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).context("no VmRSS")?;
        let kib: u64 = line.trim().trim_end_matches("kB").trim().parse()?;
        Ok(kib * 1024)
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // A stopped process is ended by SIGKILL too.
        let _ = self.child.kill();
        let _ = self.child.wait();
        if std::thread::panicking() {
            let output = self.output();
            let tail: Vec<_> = output.lines().rev().take(40).collect();
            eprintln!("--- the last lines of {}:", self.name);
            for line in tail.iter().rev() {
                eprintln!("{line}");
            }
        }
    }
}
