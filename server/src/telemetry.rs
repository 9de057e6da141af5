//! Logs, metrics, and spans for a collector.
//!
//! There is a span for each commit, session and request; the fields `env`, `revision`, `flag`, `actor` and `request_id` have the same
//! names everywhere. All metric names are in [`names`]. An error is logged once, where it is handled.

mod error;
pub mod export;
pub mod names;

use std::io::IsTerminal as _;
use std::str::FromStr;
use std::time::Duration;

use metrics_exporter_prometheus::{BuildError, Matcher, PrometheusBuilder, PrometheusHandle};
use parking_lot::Mutex;
use tokio_util::sync::CancellationToken;
use tracing_appender::non_blocking::WorkerGuard;
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::util::SubscriberInitExt as _;
use tracing_subscriber::{EnvFilter, Layer as _, Registry};

pub use self::error::TelemetryError;
use self::export::Exporter;

/// The format of log lines.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, clap::ValueEnum)]
pub enum LogFormat {
    /// For people at a terminal.
    #[default]
    Pretty,
    /// One JSON object a line, for machines.
    Json,
}

/// Settings of the log.
#[derive(Debug, Clone)]
pub struct LogConfig {
    pub format: LogFormat,
    /// A filter in the syntax of `RUST_LOG`: `info`, `ripcord_server=debug,info`.
    pub filter: String,
}

impl Default for LogConfig {
    fn default() -> Self {
        Self {
            format: LogFormat::default(),
            // Without the web framework's start-up lines.
            filter: "info,actix_server=warn".to_owned(),
        }
    }
}

/// Writes the log as long as it lives; dropping it writes what is still queued.
#[derive(Debug)]
#[must_use = "the log ends when this is dropped"]
pub struct LogGuard(#[expect(dead_code, reason = "held for its end")] WorkerGuard);

/// Writes log lines to standard error, and spans to `exporter` if there is one. Can be called once per process.
///
/// A thread of its own writes them: if nobody reads standard error, lines are dropped, and requests do not wait.
pub fn start_logs(config: &LogConfig, exporter: Option<&Exporter>) -> Result<LogGuard, TelemetryError> {
    let filter = EnvFilter::from_str(&config.filter).map_err(|source| TelemetryError::Filter {
        filter: config.filter.clone(),
        source,
    })?;
    let (writer, guard) = tracing_appender::non_blocking(std::io::stderr());
    let lines = tracing_subscriber::fmt::layer().with_ansi(std::io::stderr().is_terminal()).with_writer(writer);
    let lines = match config.format {
        LogFormat::Pretty => lines.with_target(false).boxed(),
        LogFormat::Json => lines.json().flatten_event(true).with_current_span(true).with_span_list(false).boxed(),
    };
    match exporter {
        None => Registry::default().with(lines).with(filter).try_init()?,
        Some(exporter) => Registry::default().with(lines.with_filter(filter)).with(exporter.layer()).try_init()?,
    }
    Ok(LogGuard(guard))
}

/// The metrics of this process.
#[derive(Debug, Clone)]
pub struct Metrics {
    handle: PrometheusHandle,
}

impl Metrics {
    /// The metrics of this process, collected from the first call on. A metric that was looked up earlier counts nothing, so this
    /// comes first in a start.
    pub fn of_process() -> Result<Self, TelemetryError> {
        static PROCESS: Mutex<Option<Metrics>> = Mutex::new(None);
        let mut process = PROCESS.lock();
        if let Some(metrics) = &*process {
            return Ok(metrics.clone());
        }
        let recorder = builder()?.build_recorder();
        let metrics = Self { handle: recorder.handle() };
        metrics::set_global_recorder(recorder).map_err(|error| TelemetryError::Metrics(error.to_string()))?;
        names::describe();
        Ok(process.insert(metrics).clone())
    }

    /// Sums up histogram samples every few seconds; otherwise memory would grow between scrapes. Runs until `stop` fires.
    pub async fn run_upkeep(self, stop: CancellationToken) {
        while stop.run_until_cancelled(tokio::time::sleep(UPKEEP_INTERVAL)).await.is_some() {
            self.handle.run_upkeep();
        }
    }

    /// The Prometheus text exposition.
    pub fn render(&self) -> String {
        self.handle.render()
    }
}

/// How often histogram samples are summed up.
const UPKEEP_INTERVAL: Duration = Duration::from_secs(5);

fn builder() -> Result<PrometheusBuilder, BuildError> {
    PrometheusBuilder::new()
        .set_buckets(&names::SECONDS)?
        .set_buckets_for_metric(Matcher::Full(names::COMMIT_BATCH.to_owned()), &names::BATCH_SIZES)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_metric_is_exposed_with_its_help_and_buckets() {
        let recorder = builder().unwrap().build_recorder();
        let handle = recorder.handle();
        metrics::with_local_recorder(&recorder, || {
            names::describe();
            metrics::histogram!(names::COMMIT_SECONDS, "env" => "production").record(0.0004);
        });
        let text = handle.render();
        assert!(text.contains("# HELP ripcord_commit_seconds"), "{text}");
        assert!(text.contains("ripcord_commit_seconds_bucket{env=\"production\",le=\"0.0005\"} 1"), "{text}");
    }

    #[test]
    fn a_filter_that_cannot_be_read_is_told_with_one_that_can() {
        let config = LogConfig {
            filter: "ripcord=loud=x".to_owned(),
            ..LogConfig::default()
        };
        let message = start_logs(&config, None).unwrap_err().to_string();
        assert!(message.contains("ripcord_server=debug,info"), "{message}");
    }
}
