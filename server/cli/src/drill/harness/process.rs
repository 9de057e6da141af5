//! A process of a drill, ended by its id when its owner is dropped.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::Stdio;

use tokio::process::{Child, Command};

use super::common::{PATIENCE, failed, tail};
use crate::exit::Failure;

/// A running process. Its output goes to files.
#[derive(Debug)]
pub(super) struct Process {
    name: String,
    child: Child,
    errors: PathBuf,
}

/// A signal to a process.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Signal {
    /// Stops the process: it keeps its sockets but answers nothing.
    Stop,
    /// Continues a stopped process.
    Continue,
}

impl Process {
    /// Starts `command`; its output goes to `NAME.out` and `NAME.err` in `folder`.
    pub(super) fn start(name: &str, mut command: Command, folder: &Path) -> Result<Self, Failure> {
        let file = |end: &str| File::create(folder.join(format!("{name}.{end}"))).map_err(|error| failed("Cannot create a file", &error));
        let (out, err) = (file("out")?, file("err")?);
        let child = command.stdin(Stdio::null()).stdout(out).stderr(err).kill_on_drop(true).spawn();
        Ok(Self {
            child: child.map_err(|error| failed(&format!("{name} cannot be started"), &error))?,
            name: name.to_owned(),
            errors: folder.join(format!("{name}.err")),
        })
    }

    /// An error if the process has ended unexpectedly, with its last output.
    pub(super) fn check(&mut self) -> Result<(), Failure> {
        match self.child.try_wait() {
            Ok(None) | Err(_) => Ok(()),
            Ok(Some(status)) => Err(Failure::Local(format!(
                "{} of the drill has ended ({status}):\n  {}",
                self.name,
                tail(&self.errors)
            ))),
        }
    }

    pub(super) async fn signal(&self, signal: Signal) -> Result<(), Failure> {
        let Some(id) = self.child.id() else { return Ok(()) };
        let name = match signal {
            Signal::Stop => "STOP",
            Signal::Continue => "CONT",
        };
        // Every shell has a built-in `kill`; not every machine has a program of that name.
        let sent = Command::new("sh").args(["-c", "kill -s \"$0\" \"$1\"", name, &id.to_string()]).status().await;
        match sent {
            Ok(status) if status.success() => Ok(()),
            Ok(status) => Err(failed(&format!("{} cannot be sent {name}", self.name), &status)),
            Err(error) => Err(failed(&format!("{} cannot be sent {name}", self.name), &error)),
        }
    }

    /// Kills it (`kill -9`, which also ends a stopped process) and waits until it is gone.
    pub(super) async fn kill(&mut self) {
        // It may have ended already.
        let _ = tokio::time::timeout(PATIENCE, self.child.kill()).await;
    }
}
