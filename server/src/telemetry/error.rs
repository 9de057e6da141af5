//! What can go wrong when logs, metrics and spans are set up.

use metrics_exporter_prometheus::BuildError;

/// Why telemetry could not be set up.
#[derive(Debug, thiserror::Error)]
pub enum TelemetryError {
    #[error("the log filter {filter:?} cannot be read ({source}); write it like info, or ripcord_server=debug,info")]
    Filter {
        filter: String,
        source: tracing_subscriber::filter::ParseError,
    },
    #[error("logs: {0}")]
    Logs(#[from] tracing_subscriber::util::TryInitError),
    #[error("metrics: {0}")]
    Recorder(#[from] BuildError),
    #[error("metrics: {0}")]
    Metrics(String),
    #[error("spans cannot be sent to {0} ({1}); name a collector like http://127.0.0.1:4318")]
    Export(String, String),
}
