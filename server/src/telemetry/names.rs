//! The names of all metrics, each with its unit. Labels: `environment`, `transport` (`websocket`, `sse`), `level`.

/// Gauge: open streams, by transport and environment.
pub const STREAM_CONNECTIONS: &str = "ripcord_stream_connections";
/// Counter: frames handed to sockets, by transport and environment.
pub const STREAM_FRAMES: &str = "ripcord_stream_frames_total";
/// Counter, bytes: what those frames took, by transport and environment.
pub const STREAM_BYTES: &str = "ripcord_stream_bytes_total";
/// Counter: frames that took a reader over more than one revision because it was slow, by transport and environment.
pub const STREAM_COLLAPSES: &str = "ripcord_stream_collapses_total";
/// Counter: streams that were ended because the client was silent, stuck, or sent what it must not, by transport and environment.
pub const STREAM_CUTS: &str = "ripcord_stream_cuts_total";
/// Histogram, seconds: from the swap on this node to a client's acknowledgement, by environment.
pub const STREAM_PROPAGATION: &str = "ripcord_stream_propagation_seconds";
/// Gauge: clients that wait for their first payload.
pub const STREAM_ADMISSIONS_WAITING: &str = "ripcord_stream_admissions_waiting";
/// Counter: connections refused because too many clients were waiting or connected.
pub const STREAM_REFUSALS: &str = "ripcord_stream_refusals_total";
/// Counter: confirmations counted, by level and environment.
pub const CONFIRMATIONS: &str = "ripcord_confirmations_total";
