//! What operators see: logs, metrics, and spans where a collector takes them.
//!
//! A span for each commit, session and request; `env`, `revision`, `flag`, `actor` and `request_id` are spelled alike
//! everywhere. All metric names are in [`names`]. An error is logged once, where it is handled.

mod error;
pub mod export;
pub mod names;

use std::io::IsTerminal as _;
use std::str::FromStr;
use std::time::Duration;

use metrics_exporter_prometheus::{BuildError, Matcher, PrometheusBuilder, PrometheusHandle};
use parking_lot::Mutex;
use tokio_util::sync::CancellationToken;
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::util::SubscriberInitExt as _;
use tracing_subscriber::{EnvFilter, Layer as _, Registry};

pub use self::error::TelemetryError;
use self::export::Exporter;

/// How log lines are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, clap::ValueEnum)]
pub enum LogFormat {
    /// For people at a terminal.
    #[default]
    Pretty,
    /// One JSON object a line, for machines.
    Json,
}

/// Settings.
#[derive(Debug, Clone)]
pub struct Config {
    /// How log lines are written.
    pub format: LogFormat,
    /// What is logged, as `RUST_LOG` says it: `info`, `ripcord_server=debug,info`.
    pub filter: String,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            format: LogFormat::default(),
            // The framework's own start is of no use to an operator.
            filter: "info,actix_server=warn".to_owned(),
        }
    }
}

/// Sends log lines to standard error, and spans to `exporter`, where there is one. To be called once a process.
pub fn start_logs(config: &Config, exporter: Option<&Exporter>) -> Result<(), TelemetryError> {
    let filter = EnvFilter::from_str(&config.filter).map_err(|source| TelemetryError::Filter {
        filter: config.filter.clone(),
        source,
    })?;
    let lines = tracing_subscriber::fmt::layer()
        .with_ansi(std::io::stderr().is_terminal())
        .with_writer(std::io::stderr);
    let lines = match config.format {
        LogFormat::Pretty => lines.with_target(false).boxed(),
        LogFormat::Json => lines.json().flatten_event(true).with_current_span(true).with_span_list(false).boxed(),
    };
    match exporter {
        None => Registry::default().with(lines).with(filter).try_init()?,
        Some(exporter) => Registry::default().with(lines.with_filter(filter)).with(exporter.layer()).try_init()?,
    }
    Ok(())
}

/// The metrics of this process.
#[derive(Debug, Clone)]
pub struct Metrics {
    handle: PrometheusHandle,
}

impl Metrics {
    /// The metrics of this process, collected from the first call on. Whoever looks a metric up before it counts nothing: this
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

    /// Folds what histograms gather every few seconds, or memory would grow from scrape to scrape. Runs until `stop` fires.
    pub async fn keep_folded(self, stop: CancellationToken) {
        while stop.run_until_cancelled(tokio::time::sleep(FOLDING)).await.is_some() {
            self.handle.run_upkeep();
        }
    }

    /// The Prometheus text exposition.
    pub fn render(&self) -> String {
        self.handle.render()
    }
}

/// How often histograms are folded.
const FOLDING: Duration = Duration::from_secs(5);

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
        let config = Config {
            filter: "ripcord=loud=x".to_owned(),
            ..Config::default()
        };
        let told = start_logs(&config, None).unwrap_err().to_string();
        assert!(told.contains("ripcord_server=debug,info"), "{told}");
    }
}
