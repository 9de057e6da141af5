//! All metrics of the server: name, unit, help text, and labels.

use metrics::{Unit, describe_counter, describe_gauge, describe_histogram};

/// Bucket bounds for durations, in seconds: from a commit on a fast disk to a lost client.
pub const SECONDS: [f64; 18] = [
    0.000_1, 0.000_25, 0.000_5, 0.001, 0.002_5, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0,
];

/// Bucket bounds for batch sizes.
pub const BATCH_SIZES: [f64; 9] = [1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0, 128.0, 256.0];

/// A metric, as the documentation lists it.
#[cfg(test)]
#[derive(Debug, Clone, Copy)]
pub struct Metric {
    /// Its name at `/metrics`.
    pub name: &'static str,
    /// `counter`, `gauge` or `histogram`.
    pub kind: &'static str,
    /// What it counts or measures.
    pub help: &'static str,
    /// Its labels, as they are written beside it.
    pub labels: &'static [&'static str],
}

#[cfg(test)]
macro_rules! kind {
    (describe_counter) => {
        "counter"
    };
    (describe_gauge) => {
        "gauge"
    };
    (describe_histogram) => {
        "histogram"
    };
}

macro_rules! metrics_of_the_server {
    ($($(#[doc = $labels:literal])* $constant:ident = $name:literal, $describe:ident, $unit:expr, $help:literal;)*) => {
        $(#[doc = $help] $(#[doc = $labels])* pub const $constant: &str = $name;)*

        /// Every metric, for the page that documents them.
        #[cfg(test)]
        pub const ALL: &[Metric] = &[$(Metric {
            name: $name,
            kind: kind!($describe),
            help: $help,
            labels: &[$($labels),*],
        }),*];

        /// Gives each metric its help text.
        pub fn describe() {
            $($describe!($name, $unit, $help);)*
        }
    };
}

metrics_of_the_server! {
    /// Labels: `method`, `route` (the template), `status`.
    HTTP_SECONDS = "ripcord_http_request_seconds", describe_histogram, Unit::Seconds, "Time from the request head to the response head";
    OPEN_FILES_LIMIT = "ripcord_open_files_limit", describe_gauge, Unit::Count, "The limit of open files of this process";
    CONNECTIONS_OPEN = "ripcord_connections_open", describe_gauge, Unit::Count, "Open connections of the HTTP server";
    CONNECTIONS_REFUSED = "ripcord_connections_refused_total", describe_counter, Unit::Count, "Connections refused because the rest is kept for kills, restores and rollbacks";
    /// Labels: `limit` (`reads`, `writes`, `evaluations`, `wrong_keys`, `connection`).
    RATE_LIMITED = "ripcord_rate_limited_total", describe_counter, Unit::Count, "Requests refused by the rate limit of their key, of wrong keys from their address, or because their connection has too many in progress";
    /// Labels: `code`.
    REFUSED_KEYS = "ripcord_refused_keys_total", describe_counter, Unit::Count, "Requests refused because of their key";
    /// Labels: `outcome` (`loaded`, `failed`).
    CERTIFICATE_RELOADS = "ripcord_certificate_reloads_total", describe_counter, Unit::Count, "Times that the TLS certificate was read again";
    /// Labels: `env`.
    COMMIT_SECONDS = "ripcord_commit_seconds", describe_histogram, Unit::Seconds, "Time from the arrival of a draft at the writer to its publication in memory";
    /// Labels: `env`, `outcome`.
    COMMITS = "ripcord_commits_total", describe_counter, Unit::Count, "Drafts by outcome";
    /// Labels: `env`.
    COMMIT_BATCH = "ripcord_commit_batch_size", describe_histogram, Unit::Count, "Drafts written in one append";
    /// Labels: `env`.
    REVISION = "ripcord_revision", describe_gauge, Unit::Count, "The newest revision in memory";
    /// Labels: `env`.
    FLAGS = "ripcord_flags", describe_gauge, Unit::Count, "Flags of the environment";
    /// Labels: `env`, `provisional`.
    KILLS = "ripcord_kills", describe_gauge, Unit::Count, "Kills in force";
    /// Labels: `env`.
    PROVISIONAL_KILLS = "ripcord_provisional_kills_total", describe_counter, Unit::Count, "Kills that took effect while the store was down";
    /// Labels: `env`, `state`.
    ROLLBACKS = "ripcord_rollbacks_total", describe_counter, Unit::Count, "Rollbacks by the state that they reached";
    /// Labels: `env`, `phase` (`decided`, `committed`, `applied`, `healthy`).
    ROLLBACK_SECONDS = "ripcord_rollback_seconds", describe_histogram, Unit::Seconds, "Duration of a phase of a rollback: detected to decided, decided to committed, committed to applied everywhere, committed to healthy";
    /// Labels: `env`, `state` (those that are not over).
    ROLLOUTS = "ripcord_rollouts", describe_gauge, Unit::Count, "Rollouts in progress, by state";
    /// Labels: `env`, `state` (those of an end).
    ROLLOUT_ENDS = "ripcord_rollout_ends_total", describe_counter, Unit::Count, "Rollouts that ended, by final state";
    /// Labels: `env`.
    ROLLOUT_STEPS = "ripcord_rollout_steps_total", describe_counter, Unit::Count, "Rollout steps taken by this node";
    /// Labels: `env`.
    ROLLOUT_LATENESS = "ripcord_rollout_step_lateness_seconds", describe_histogram, Unit::Seconds, "Time from the end of a hold to the commit of the next step, if nothing delayed it";
    /// Labels: `env`, `verdict` (`pass`, `fail`, `samples`, `unknown`).
    GATE_READINGS = "ripcord_gate_readings_total", describe_counter, Unit::Count, "Gate readings by verdict";
    /// Labels: `env`.
    PINGS = "ripcord_pings_total", describe_counter, Unit::Count, "Pings sent";
    /// Labels: `env`, `trigger`, `outcome` (`fired`, `repeat`, `resolved`, `ignored`, `duplicate`, `disarmed`).
    TRIGGER_DELIVERIES = "ripcord_trigger_deliveries_total", describe_counter, Unit::Count, "Verified trigger signals by outcome";
    /// Labels: `env`, `trigger`, `action` (`hold`, `rollback`, `kill`), `state` (`acted`, `waiting`, `suppressed`, …).
    TRIGGER_FIRINGS = "ripcord_trigger_firings_total", describe_counter, Unit::Count, "Trigger firings by action and state";
    /// Labels: `why` (`forged`, `outside_the_window`, `too_large`, `unreadable`).
    TRIGGER_REFUSALS = "ripcord_trigger_refusals_total", describe_counter, Unit::Count, "Webhook deliveries that were refused";
    STORE_UP = "ripcord_store_up", describe_gauge, Unit::Count, "1 if the store is available, else 0";
    MIRROR_WAITING = "ripcord_mirror_waiting_entries", describe_gauge, Unit::Count, "Entries from Redis that are not on this node's own disk yet, and logs whose mirror is behind; a node on the embedded store has none";
    /// Labels: `code` (`store_unreachable`, `store_wrong_password`, `store_read_only`, `store_out_of_memory`, …).
    STORE_FAULT = "ripcord_store_fault", describe_gauge, Unit::Count, "1 for what is wrong with the store now, else 0";
    MIRROR_WRITABLE = "ripcord_mirror_writable", describe_gauge, Unit::Count, "1 if this node's own copy of the store can be written, else 0";
    FRESH = "ripcord_fresh", describe_gauge, Unit::Count, "1 if no kill can have passed this node by, so that its heartbeats renew leases, else 0";
    BEHIND = "ripcord_behind", describe_gauge, Unit::Count, "1 if another node or the store is known to have commits that this node lacks, else 0";
    APPEND_SECONDS = "ripcord_store_append_seconds", describe_histogram, Unit::Seconds, "Time until an append is durable";
    /// Labels: `env`, `transport` (`websocket`, `sse`).
    STREAM_CONNECTIONS = "ripcord_stream_connections", describe_gauge, Unit::Count, "Open streams";
    /// Labels: `env`, `transport` (`websocket`, `sse`).
    STREAM_FRAMES = "ripcord_stream_frames_total", describe_counter, Unit::Count, "Frames written to sockets";
    /// Labels: `env`, `transport` (`websocket`, `sse`).
    STREAM_BYTES = "ripcord_stream_bytes_total", describe_counter, Unit::Bytes, "Bytes of frames written to sockets";
    /// Labels: `env`, `transport` (`websocket`, `sse`).
    STREAM_COLLAPSES = "ripcord_stream_collapses_total", describe_counter, Unit::Count, "Frames that combined several revisions for a slow reader";
    /// Labels: `env`, `transport` (`websocket`, `sse`).
    STREAM_CUTS = "ripcord_stream_cuts_total", describe_counter, Unit::Count, "Streams closed because the client was silent, stuck, or violated the protocol";
    /// Labels: `env`.
    STREAM_PROPAGATION = "ripcord_stream_propagation_seconds", describe_histogram, Unit::Seconds, "Time from the publication on this node to a client's acknowledgement";
    STREAM_ADMISSIONS_WAITING = "ripcord_stream_admissions_waiting", describe_gauge, Unit::Count, "Clients waiting for their first payload";
    /// Labels: `why`.
    STREAM_REFUSALS = "ripcord_stream_refusals_total", describe_counter, Unit::Count, "Streams refused because too many clients were waiting or connected";
    EVALUATIONS_MOVED = "ripcord_evaluations_moved_total", describe_counter, Unit::Count, "Evaluations of all flags that took long and were moved off the threads that take requests";
    EVALUATIONS_REFUSED = "ripcord_evaluations_refused_total", describe_counter, Unit::Count, "Evaluations of all flags that were refused because too many long ones were waiting";
    HEAVY_REFUSED = "ripcord_heavy_requests_refused_total", describe_counter, Unit::Count, "Plans, differences, backups and large bodies that were refused because too many were waiting";
    /// Labels: `env`, `level` (`applied`, `fetched`, `sent`).
    CONFIRMATIONS = "ripcord_confirmations_total", describe_counter, Unit::Count, "Confirmations received";
    /// Labels: `env`, `flag`, `variant`, `traffic`.
    EVALUATIONS = "ripcord_evaluations_total", describe_counter, Unit::Count, "Evaluations reported by applications";
    /// Labels: `env`, `flag`, `variant`, `traffic`, `result`.
    OUTCOMES = "ripcord_outcomes_total", describe_counter, Unit::Count, "Outcomes reported by applications";
    /// Labels: `why`.
    OUTCOMES_DROPPED = "ripcord_outcomes_dropped_total", describe_counter, Unit::Count, "Reported counts that were dropped";
}

#[cfg(test)]
mod tests {
    use std::fmt::Write as _;

    use super::ALL;

    #[test]
    fn names_are_unique_and_begin_with_ripcord() {
        let mut names: Vec<_> = ALL.iter().map(|metric| metric.name).collect();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), ALL.len());
        assert!(names.iter().all(|name| name.starts_with("ripcord_")));
    }

    /// `RIPCORD_UPDATE_DOCS=1` rewrites the page.
    #[test]
    fn the_documentation_lists_every_metric() {
        let mut page = String::from(
            "# Metrics\n\n\
            `GET /metrics` serves these in Prometheus' text format. Times are in seconds. This page is generated from\n\
            `server/src/telemetry/names.rs`; `RIPCORD_UPDATE_DOCS=1 cargo test -p ripcord-server metric` writes it.\n\n\
            | metric | type | what it measures | labels |\n|---|---|---|---|\n",
        );
        for metric in ALL {
            let labels: Vec<_> = metric
                .labels
                .iter()
                .map(|line| line.trim().trim_start_matches("Labels: ").trim_end_matches('.'))
                .collect();
            let (name, kind, help) = (metric.name, metric.kind, metric.help);
            writeln!(page, "| `{name}` | {kind} | {help} | {} |", labels.join(" ")).unwrap();
        }
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/metrics.md");
        if std::env::var_os("RIPCORD_UPDATE_DOCS").is_some() {
            std::fs::write(path, &page).unwrap();
        }
        let written = std::fs::read_to_string(path).unwrap_or_default();
        assert!(written == page, "{path} is out of date: run this test with RIPCORD_UPDATE_DOCS=1");
    }
}
