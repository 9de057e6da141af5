//! The metrics of one environment's streams, looked up once.

use std::fmt;

use metrics::{Counter, Gauge, Histogram};
use ripcord_proto::EnvironmentKey;

use crate::fleet::Transport;
use crate::telemetry::names;

/// The counters of one environment.
pub(super) struct StreamMetrics {
    websocket: TransportMetrics,
    sse: TransportMetrics,
    /// Seconds from swap to acknowledgement.
    pub(super) propagation: Histogram,
}

/// The counters of one transport.
pub(super) struct TransportMetrics {
    pub(super) connections: Gauge,
    pub(super) frames: Counter,
    pub(super) bytes: Counter,
    pub(super) collapses: Counter,
    pub(super) cuts: Counter,
}

impl TransportMetrics {
    fn new(environment: &str, transport: Transport) -> Self {
        let labels = [("env", environment.to_owned()), ("transport", transport.as_str().to_owned())];
        Self {
            connections: metrics::gauge!(names::STREAM_CONNECTIONS, &labels),
            frames: metrics::counter!(names::STREAM_FRAMES, &labels),
            bytes: metrics::counter!(names::STREAM_BYTES, &labels),
            collapses: metrics::counter!(names::STREAM_COLLAPSES, &labels),
            cuts: metrics::counter!(names::STREAM_CUTS, &labels),
        }
    }
}

impl StreamMetrics {
    pub(super) fn new(environment: &EnvironmentKey) -> Self {
        let environment = environment.as_str();
        Self {
            websocket: TransportMetrics::new(environment, Transport::WebSocket),
            sse: TransportMetrics::new(environment, Transport::Sse),
            propagation: metrics::histogram!(names::STREAM_PROPAGATION, "env" => environment.to_owned()),
        }
    }

    /// The metrics of one transport.
    pub(super) fn transport_metrics(&self, transport: Transport) -> &TransportMetrics {
        match transport {
            Transport::WebSocket => &self.websocket,
            Transport::Sse | Transport::Ofrep | Transport::Flagd | Transport::FlagdRpc => &self.sse,
        }
    }
}

impl fmt::Debug for StreamMetrics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("StreamMetrics").finish_non_exhaustive()
    }
}
