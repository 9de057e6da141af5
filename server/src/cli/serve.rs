//! `ripcord serve`: the server itself.

use clap::Args;
use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;

use super::exit::{Exit, Failure};
use super::local::{self, Announcement, Keep};
use super::output::Output;
use crate::serve::config::{Config, Settings};
use crate::serve::{self, Started};
use crate::telemetry;

/// Start a server.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  ripcord serve                                            one node, everything on this machine
  ripcord serve --listen 0.0.0.0:8016 --data-dir /var/lib/ripcord
  ripcord serve --store redis://127.0.0.1:6379 --peer http://10.0.0.2:8016

The first start makes an admin key and prints it once. RIPCORD_ADMIN_KEY gives one from outside instead.
RUST_LOG says what is logged: info, or ripcord_server=debug,info.")]
pub(crate) struct Serve {
    #[command(flatten)]
    settings: Settings,
}

/// Serves until a signal ends it.
pub(crate) fn run(output: Output, command: Serve) -> Result<Exit, Failure> {
    let config = command.settings.check().map_err(|faults| Failure::Usage(faults.to_string()))?;
    let logs = telemetry::Config {
        format: config.log_format,
        filter: std::env::var("RUST_LOG").unwrap_or_else(|_| telemetry::Config::default().filter),
    };
    telemetry::start_logs(&logs).map_err(|error| Failure::Usage(error.to_string()))?;
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(config.workers)
        .thread_name("ripcord")
        .enable_all()
        .build()
        .map_err(|error| Failure::Local(format!("No runtime can be started: {error}.")))?;
    runtime.block_on(serve(output, config))
}

async fn serve(output: Output, config: Config) -> Result<Exit, Failure> {
    let stop = CancellationToken::new();
    let signals = stop_on_signals(&stop)?;
    let mut announcement = None;
    let served = serve::run(config, |started| announcement = announce(output, started), stop.clone());
    let served = tokio::select! {
        served = served => served,
        () = signals => return Err(Failure::Local("Ended by a second signal, without waiting for what was under way.".to_owned())),
    };
    drop(announcement);
    served
        .map(|()| Exit::Done)
        .map_err(|error| Failure::Local(format!("The server has stopped: {error}.")))
}

/// Cancels `stop` at the first signal to end; the future ends at the second.
fn stop_on_signals(stop: &CancellationToken) -> Result<impl Future<Output = ()> + use<>, Failure> {
    let listen = |kind| signal(kind).map_err(|error| Failure::Local(format!("Signals cannot be listened to: {error}.")));
    let (mut terminate, mut interrupt) = (listen(SignalKind::terminate())?, listen(SignalKind::interrupt())?);
    let stop = stop.clone();
    Ok(async move {
        for _ in 0..2 {
            tokio::select! {
                _ = terminate.recv() => {}
                _ = interrupt.recv() => {}
            }
            stop.cancel();
        }
    })
}

/// Says where the server is, and writes it down for the commands on this machine.
fn announce(output: Output, started: &Started) -> Option<Announcement> {
    let address = format!("{}://{}", started.scheme, reachable(started.address));
    let key = started.admin_key.as_ref().map(crate::secret::Secret::expose);
    output.text(&format!(
        "Ripcord {} is ready at {address} (node {}, data in {})",
        env!("CARGO_PKG_VERSION"),
        started.node,
        started.data_dir.display()
    ));
    for warning in &started.warnings {
        output.text(&format!("Warning: {warning}"));
    }
    if let Some(key) = key {
        output.text(&format!("Admin key, shown this once: {key}"));
        output.text("Commands on this machine find it by themselves. Next: `ripcord apply -f flags.yaml`, or `ripcord doctor`.");
    }
    let announced = local::announce(&address, &started.data_dir, key, Keep::ForNextStart);
    announced
        .inspect_err(|error| tracing::warn!(%error, "commands on this machine will need --server and --key"))
        .ok()
}

/// An address that this machine reaches: one that means "everywhere" is reached at loopback.
fn reachable(address: std::net::SocketAddr) -> std::net::SocketAddr {
    let mut reachable = address;
    if address.ip().is_unspecified() {
        reachable.set_ip(match address {
            std::net::SocketAddr::V4(_) => std::net::Ipv4Addr::LOCALHOST.into(),
            std::net::SocketAddr::V6(_) => std::net::Ipv6Addr::LOCALHOST.into(),
        });
    }
    reachable
}
