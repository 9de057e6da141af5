//! Errors of the set-up of logs, metrics and spans.

use metrics_exporter_prometheus::BuildError;

/// Why telemetry could not be set up.
#[derive(Debug, thiserror::Error)]
pub enum TelemetryError {
    #[error("invalid log filter {filter:?} ({source}); write for example info, or ripcord_server=debug,info")]
    Filter {
        filter: String,
        source: tracing_subscriber::filter::ParseError,
    },
    #[error("cannot set up logs: {0}")]
    Logs(#[from] tracing_subscriber::util::TryInitError),
    #[error("cannot set up metrics: {0}")]
    Recorder(#[from] BuildError),
    #[error("cannot set up metrics: {0}")]
    Metrics(String),
    #[error("cannot send spans to {0} ({1}); give the URL of a collector, such as http://127.0.0.1:4318")]
    Export(String, String),
}
