//! The limit of open files, and how it is shared between connections: a part of it is kept for kills, restores and rollbacks
//! (promise 4 of the design).

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use rustix::process::{Resource, getrlimit, setrlimit};

use crate::telemetry::names;

/// Files that the process itself needs: store, journal, mirror, logs, peers, listeners.
const OWN_FILES: u64 = 128;

/// Connections that are kept free for kills, restores and rollbacks.
const RESERVED: u64 = 256;

/// The connections of a server, counted against what the limit of open files leaves for them. Cheap to clone.
#[derive(Debug, Clone)]
pub struct ConnectionBudget {
    open: Arc<AtomicUsize>,
    ordinary: usize,
}

/// A place of one connection; dropping it frees the place.
#[derive(Debug)]
pub struct ConnectionPlace {
    open: Arc<AtomicUsize>,
    /// Whether it is one of the places kept for kills, restores and rollbacks.
    pub reserved: bool,
}

impl ConnectionBudget {
    /// Raises the soft limit of open files to the hard one, and shares it out.
    pub fn of_process() -> Self {
        let limit = raised();
        metrics::gauge!(names::OPEN_FILES_LIMIT).set(f64::from(u32::try_from(limit).unwrap_or(u32::MAX)));
        if limit < 4_096 {
            tracing::warn!(
                limit,
                "few open files are allowed; raise the limit (ulimit -n, LimitNOFILE=) to serve more applications"
            );
        }
        Self::of(limit)
    }

    fn of(limit: u64) -> Self {
        // Half of a small limit at least stays for ordinary connections.
        let kept = (OWN_FILES + RESERVED).min(limit / 2);
        Self {
            open: Arc::default(),
            ordinary: usize::try_from(limit - kept).unwrap_or(usize::MAX),
        }
    }

    /// Ordinary connections, at most.
    pub fn ordinary(&self) -> usize {
        self.ordinary
    }

    /// Takes a place for a connection that was accepted.
    pub fn enter(&self) -> ConnectionPlace {
        let before = self.open.fetch_add(1, Ordering::Relaxed);
        metrics::gauge!(names::CONNECTIONS_OPEN).increment(1.0);
        ConnectionPlace {
            open: Arc::clone(&self.open),
            reserved: before >= self.ordinary,
        }
    }
}

impl Drop for ConnectionPlace {
    fn drop(&mut self) {
        self.open.fetch_sub(1, Ordering::Relaxed);
        metrics::gauge!(names::CONNECTIONS_OPEN).decrement(1.0);
    }
}

/// The limit of open files after the soft limit was raised to the hard one.
fn raised() -> u64 {
    let mut limit = getrlimit(Resource::Nofile);
    if limit.current != limit.maximum {
        let wanted = rustix::process::Rlimit {
            current: limit.maximum,
            maximum: limit.maximum,
        };
        match setrlimit(Resource::Nofile, wanted) {
            Ok(()) => limit = wanted,
            Err(error) => tracing::warn!(%error, "the limit of open files could not be raised"),
        }
    }
    // No limit at all, or one beyond any number of connections.
    limit.current.unwrap_or(1 << 20).min(1 << 20)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_places_are_kept_for_what_must_not_wait() {
        let budget = ConnectionBudget::of(1_024);
        assert_eq!(budget.ordinary(), 640);
        let ordinary: Vec<_> = (0..640).map(|_| budget.enter()).collect();
        assert!(ordinary.iter().all(|place| !place.reserved));
        assert!(budget.enter().reserved);
        drop(ordinary);
        assert!(!budget.enter().reserved);
    }

    #[test]
    fn a_tiny_limit_is_shared_in_halves() {
        assert_eq!(ConnectionBudget::of(64).ordinary(), 32);
    }
}
