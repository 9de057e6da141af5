//! Helpers for the processes of a harness.

use std::net::SocketAddr;
use std::path::Path;
use std::time::Duration;

use crate::exit::Failure;

/// How long a process may take to start or to end.
pub(super) const PATIENCE: Duration = Duration::from_secs(30);
/// Interval between two checks of a condition.
pub(super) const PAUSE: Duration = Duration::from_millis(10);

pub(super) fn failed(what: &str, error: &dyn std::fmt::Display) -> Failure {
    Failure::Local(format!("{what}: {error}."))
}

/// The last lines of a process's output.
pub(super) fn tail(file: &Path) -> String {
    let text = std::fs::read_to_string(file).unwrap_or_default();
    let lines: Vec<&str> = text.lines().collect();
    let last: Vec<&str> = lines.iter().rev().take(5).rev().copied().collect();
    last.join("\n  ")
}

/// A loopback address.
pub(super) fn local(port: u16) -> SocketAddr {
    SocketAddr::from(([127, 0, 0, 1], port))
}
