//! Settings of the streams.

use std::time::Duration;

use crate::snapshot::history::HistoryLimits;

/// Settings of the streams.
#[derive(Debug, Clone)]
pub struct StreamSettings {
    /// Worker threads that will call `Streams::worker`; the rate of admissions is shared among them.
    pub workers: usize,
    /// Interval of heartbeats. A client that is silent for three of them is lost.
    pub heartbeat: Duration,
    /// First payloads per second over all workers; further clients wait in a queue.
    pub admissions_per_second: f64,
    /// Most clients that wait for their first payload; further ones get 503.
    pub waiting: usize,
    /// Most open streams; further ones get 503.
    pub connections: usize,
    /// How long a WebSocket client may take from handshake to hello.
    pub hello: Duration,
    /// How long a reader may accept no bytes before it is disconnected.
    pub stuck: Duration,
    /// History kept for combined deltas.
    pub history: HistoryLimits,
}

impl Default for StreamSettings {
    fn default() -> Self {
        Self {
            workers: std::thread::available_parallelism().map_or(2, std::num::NonZeroUsize::get),
            heartbeat: Duration::from_secs(15),
            admissions_per_second: 2_000.0,
            waiting: 50_000,
            connections: 200_000,
            hello: Duration::from_secs(10),
            stuck: Duration::from_mins(1),
            history: HistoryLimits::default(),
        }
    }
}

impl StreamSettings {
    pub(super) fn timeouts(&self) -> Timeouts {
        Timeouts {
            hello: self.hello,
            silence: self.heartbeat * 3,
            stuck: self.stuck,
            goodbye: Duration::from_secs(5),
        }
    }
}

/// Timeouts of a connection.
#[derive(Debug, Clone, Copy)]
pub(super) struct Timeouts {
    /// Until the client's hello.
    pub(super) hello: Duration,
    /// Without a byte from a WebSocket's client.
    pub(super) silence: Duration,
    /// Without the reader taking a byte.
    pub(super) stuck: Duration,
    /// From the goodbye to the end of the connection.
    pub(super) goodbye: Duration,
}
