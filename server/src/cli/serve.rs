//! `ripcord serve`: the server, until it is told to stop.

use std::fmt::Write as _;

use clap::Args;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio_util::sync::CancellationToken;

use super::exit::{Exit, Failure};
use super::local::{self, Announcement, Keep, Key};
use super::output::{Format, Output, Paint, facts, indented, note, print};
use crate::serve::config::{Config, Settings};
use crate::serve::{self, Started};
use crate::telemetry::export::Exporter;
use crate::telemetry::{self, TelemetryError};

/// What a newcomer can do next.
const TRY: &str = "
Commands on this machine find the server by themselves. Try, in another terminal:
  ripcord flags set checkout-v2 --boolean --reason \"first flag\"
  ripcord kill checkout-v2 --reason \"trying it\"
";

/// Start a server
///
/// It needs no settings: one node, all in one folder, reached from this machine alone. The first start makes the environment
/// `production` and an admin key, which it prints once. Every setting is also an environment variable.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  ripcord serve
  ripcord serve --listen 0.0.0.0:8016 --tls-cert cert.pem --tls-key key.pem
  ripcord serve --store redis://127.0.0.1:6379 --peer http://10.0.0.2:8016
  ripcord serve --restore-backup ripcord-backup

RIPCORD_ADMIN_KEY gives an admin key from outside, RIPCORD_PEER_SECRET what
peers share; RUST_LOG says what is logged: info, or ripcord_server=debug.")]
pub(crate) struct Serve {
    #[command(flatten)]
    settings: Settings,
}

/// Serves until a signal ends it.
pub(crate) fn run(output: Output, command: Serve) -> Result<Exit, Failure> {
    let config = check(command.settings)?;
    let filter = std::env::var("RUST_LOG").ok().filter(|filter| !filter.is_empty());
    let logs = telemetry::Config {
        format: config.log_format,
        filter: filter.unwrap_or_else(|| telemetry::Config::default().filter),
    };
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(config.workers)
        .thread_name("ripcord")
        .enable_all()
        .build()
        .map_err(|error| Failure::Local(format!("No runtime can be started: {error}.")))?;
    let told = |error: TelemetryError| Failure::Usage(error.to_string());
    let exporter = config
        .otlp_endpoint
        .as_deref()
        .map(|endpoint| Exporter::start(endpoint, runtime.handle().clone()));
    let exporter = exporter.transpose().map_err(told)?;
    telemetry::start_logs(&logs, exporter.as_ref()).map_err(told)?;
    let ended = runtime.block_on(until_stopped(output, config));
    exporter.iter().for_each(Exporter::finish);
    ended
}

/// Checked settings, or every fault in them.
pub(crate) fn check(settings: Settings) -> Result<Config, Failure> {
    settings.check().map_err(|faults| {
        let lines: Vec<_> = faults.all().iter().map(|fault| format!("  {fault}")).collect();
        Failure::Usage(format!("the settings cannot be used\n{}", lines.join("\n")))
    })
}

async fn until_stopped(output: Output, config: Config) -> Result<Exit, Failure> {
    // A key from outside is where its owner put it, and is written nowhere else.
    let own_key = config.admin_key.is_none();
    let mut announcement: Option<Announcement> = None;
    let started = |started: &Started| {
        announcement = own_key.then(|| announce(started, Keep::ForNextStart)).flatten();
        match output.format() {
            Format::Text => {
                let announced = announcement.as_ref().map(Announcement::key);
                print(&greeting(started, announced, output.paint()));
            }
            Format::Json => print(&greeting_json(started)),
        }
    };
    let mut signals = Signals::listen()?;
    let stop = CancellationToken::new();
    let mut serving = std::pin::pin!(serve::run(config, started, stop.clone()));
    let ended = tokio::select! {
        ended = &mut serving => ended,
        () = signals.next() => {
            note("Stopping: streams are told goodbye, requests finish, the store closes. A second signal ends it at once.");
            stop.cancel();
            tokio::select! {
                ended = serving => ended,
                () = signals.next() => {
                    return Err(Failure::Local("Ended by a second signal, without waiting for what was under way.".to_owned()));
                }
            }
        }
    };
    ended
        .map(|()| Exit::Done)
        .map_err(|error| Failure::Local(format!("the server has stopped: {error}")))
}

/// Ctrl-C and SIGTERM.
#[derive(Debug)]
pub(crate) struct Signals {
    interrupt: Signal,
    terminate: Signal,
}

impl Signals {
    /// Hears them from now on.
    pub(crate) fn listen() -> Result<Self, Failure> {
        let listen = |kind| signal(kind).map_err(|error| Failure::Local(format!("Signals cannot be heard: {error}.")));
        Ok(Self {
            interrupt: listen(SignalKind::interrupt())?,
            terminate: listen(SignalKind::terminate())?,
        })
    }

    /// Waits for the next one.
    pub(crate) async fn next(&mut self) {
        tokio::select! {
            _ = self.interrupt.recv() => {}
            _ = self.terminate.recv() => {}
        }
    }
}

/// Lets the commands on this machine find the server; without it they need --server and --key.
pub(crate) fn announce(started: &Started, keep: Keep) -> Option<Announcement> {
    let address = url(started);
    let key = started.admin_key.as_ref().map(crate::secret::Secret::expose);
    match local::announce(&address, &started.data_dir, key, keep) {
        Ok(announcement) => Some(announcement),
        Err(error) => {
            tracing::warn!(%error, "commands on this machine will need --server and --key");
            None
        }
    }
}

/// Where it can be called: an address that means every one of this machine is called by the local one.
pub(crate) fn url(started: &Started) -> String {
    let mut address = started.address;
    if address.ip().is_unspecified() {
        let local: std::net::IpAddr = if address.is_ipv4() {
            std::net::Ipv4Addr::LOCALHOST.into()
        } else {
            std::net::Ipv6Addr::LOCALHOST.into()
        };
        address.set_ip(local);
    }
    format!("{}://{address}", started.scheme)
}

fn greeting(started: &Started, announced: Option<Key>, paint: Paint) -> String {
    let mut members = vec![
        ("address", url(started)),
        ("data", started.data_dir.display().to_string()),
        ("node", started.node.clone()),
    ];
    members.extend(started.grpc.iter().map(|(name, address)| (*name, address.to_string())));
    let mut text = format!("{}\n{}\n", paint.strong("Ripcord is ready."), indented(&facts(&members)));
    if let Some(key) = &started.admin_key {
        let key = paint.strong(key.expose());
        // Writing to a String cannot fail.
        let _ = writeln!(text, "\nThe admin key, shown this once. Keep it safe:\n  {key}");
    }
    for warning in &started.warnings {
        let _ = writeln!(text, "\n{}", paint.warn(warning));
    }
    text.push_str(match announced {
        Some(Key::Known) if started.admin_key.is_some() => TRY,
        Some(Key::Known) => "\nCommands on this machine find the server by themselves.\n",
        Some(Key::Unknown) => "\nCommands on this machine find the server by themselves, and need --key or RIPCORD_KEY.\n",
        None => "\nCommands need --server and --key, or RIPCORD_SERVER and RIPCORD_KEY.\n",
    });
    text.push_str("\nCtrl-C stops it.");
    text
}

fn greeting_json(started: &Started) -> String {
    let key = started.admin_key.as_ref().map(crate::secret::Secret::expose);
    serde_json::json!({
        "address": url(started), "node": started.node, "data_dir": started.data_dir, "admin_key": key, "warnings": started.warnings,
        "grpc": started.grpc.iter().map(|(name, address)| (*name, address.to_string())).collect::<std::collections::BTreeMap<_, _>>(),
    })
    .to_string()
}

#[cfg(test)]
mod tests;
