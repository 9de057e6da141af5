//! `ripcord serve`: the server, until it is told to stop.

use std::convert::Infallible;
use std::fmt::Write as _;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use clap::Args;
use ripcord_cli::{Announcement, Format, Keep, Key, Output, OwnServer, Paint, Server, ServerError, Signals, facts, hold, indented, note, print};
use ripcord_server::{
    Exporter, FlagdConfig, LogConfig, LogFormat, Outbound, PublicUrl, Readiness, ReadyState, Reload, Secret, ServeConfig, ServeSettings, Started, StoreChoice,
    TelemetryError, start_logs,
};
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio_util::sync::CancellationToken;

/// A second Ctrl-C within this time is the same one, sent to the process and to its group.
const SECOND_THOUGHT: Duration = Duration::from_millis(500);

/// First commands to try.
const TRY: &str = "
Commands on this machine find this server on their own. In another terminal, try:
  ripcord flags set checkout-v2 --boolean --reason \"first flag\"
  ripcord kill checkout-v2 --reason \"trying it\"
";

/// Start a server
///
/// It needs no settings: one node that keeps everything in one folder and listens on localhost only. The first start creates the
/// environment `production` and an admin key, which it prints once. Every setting is also an environment variable and a member of
/// the --config file; an option wins over a variable, a variable over the file.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  ripcord serve
  ripcord serve --listen 0.0.0.0:8016 --tls-cert cert.pem --tls-key key.pem
  ripcord serve --store redis://127.0.0.1:6379 --peer http://10.0.0.2:8016
  ripcord serve --config /etc/ripcord.toml
  ripcord serve --restore-backup ripcord-backup

RIPCORD_ADMIN_KEY sets an admin key, RIPCORD_PEER_SECRET the secret shared by
peers, RUST_LOG the log filter: info, or ripcord_server=debug.")]
pub(crate) struct Serve {
    /// A TOML file of settings, named like the options: `data_dir` = "/var/lib/ripcord"
    #[arg(long, env = "RIPCORD_CONFIG", value_name = "FILE")]
    config: Option<PathBuf>,
    #[command(flatten)]
    settings: ServeSettings,
}

/// The server of this program.
pub(crate) struct RipcordServer;

impl Server for RipcordServer {
    type Arguments = Serve;

    fn serve(arguments: Serve, output: Output) -> Result<(), ServerError> {
        run(output, arguments)
    }

    async fn run(settings: OwnServer, started: impl FnOnce(ripcord_cli::Started), stop: CancellationToken) -> Result<(), ServerError> {
        let started = |server: &Started| started(to_cli(server));
        let ended = ripcord_server::run(own_config(settings), started, stop).await;
        ended.map_err(|error| ServerError::Failed(error.to_string()))
    }
}

/// Uses only the given settings and ignores environment variables.
fn own_config(settings: OwnServer) -> ServeConfig {
    let free_port = SocketAddr::from(([127, 0, 0, 1], 0));
    ServeConfig {
        listen: settings.listen,
        metrics_listen: None,
        public_url: PublicUrl::default(),
        data_dir: settings.data_dir,
        store: StoreChoice::Embedded,
        node: Some(settings.node),
        peers: Vec::new(),
        peer_secret: None,
        admin_key: None,
        stale_after: Duration::from_mins(10),
        tls: None,
        restore_backup: None,
        restore_backup_over: None,
        workers: 2,
        heartbeat: Duration::from_secs(15),
        flagd: FlagdConfig {
            sync: free_port,
            evaluation: free_port,
            key: None,
            origins: Vec::new(),
        },
        otlp_endpoint: None,
        outbound: Outbound::default(),
        log_format: LogFormat::Pretty,
        reload: Reload::default(),
    }
}

/// Serves until a signal arrives.
fn run(output: Output, command: Serve) -> Result<(), ServerError> {
    let config = check(command.settings)?;
    let filter = std::env::var("RUST_LOG").ok().filter(|filter| !filter.is_empty());
    let logs = LogConfig {
        format: config.log_format,
        filter: filter.unwrap_or_else(|| LogConfig::default().filter),
    };
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(config.workers)
        .thread_name("ripcord")
        .enable_all()
        .build()
        .map_err(|error| ServerError::Failed(format!("Cannot start the runtime: {error}.")))?;
    let told = |error: TelemetryError| ServerError::Usage(error.to_string());
    let exporter = config
        .otlp_endpoint
        .as_ref()
        .map(|endpoint| Exporter::start(endpoint, &config.outbound, runtime.handle().clone()));
    let exporter = exporter.transpose().map_err(told)?;
    let _log = start_logs(&logs, exporter.as_ref()).map_err(told)?;
    let ended = runtime.block_on(until_stopped(output, config));
    exporter.iter().for_each(Exporter::finish);
    ended
}

/// Checks the settings; reports every error in them.
fn check(settings: ServeSettings) -> Result<ServeConfig, ServerError> {
    settings.check().map_err(|faults| {
        let lines: Vec<_> = faults.all().iter().map(|fault| format!("  {fault}")).collect();
        ServerError::Usage(format!("invalid settings\n{}", lines.join("\n")))
    })
}

async fn until_stopped(output: Output, config: ServeConfig) -> Result<(), ServerError> {
    // A key from the settings is not saved anywhere.
    let own_key = config.admin_key.is_none();
    let mut announcement: Option<Announcement> = None;
    // Until it is announced that this one runs.
    let mut held = own_key.then(|| hold(&config.data_dir)).flatten();
    let started = |started: &Started| {
        announcement = own_key.then(|| announce(&to_cli(started))).flatten();
        drop(held.take());
        match output.format() {
            Format::Text => {
                let announced = announcement.as_ref().map(Announcement::key);
                print(&greeting(started, announced, output.paint()));
            }
            Format::Json => print(&greeting_json(started)),
        }
    };
    let mut signals = Signals::listen().map_err(|error| ServerError::Failed(format!("Cannot listen for signals: {error}.")))?;
    let stop = CancellationToken::new();
    let hangup = signal(SignalKind::hangup()).map_err(|error| ServerError::Failed(format!("Cannot listen for signals: {error}.")))?;
    let reload = config.reload.clone();
    let mut serving = std::pin::pin!(ripcord_server::run(config, started, stop.clone()));
    let ended = tokio::select! {
        ended = &mut serving => ended,
        // A server stays when its terminal closes; it is how administrators say "read your files again".
        never = reload_on_hangup(hangup, reload) => match never {},
        () = signals.next() => {
            note("Shutting down (closing streams, finishing requests). Press Ctrl-C again to force.");
            stop.cancel();
            let since = Instant::now();
            loop {
                tokio::select! {
                    ended = &mut serving => break ended,
                    () = signals.interrupted() => {
                        if since.elapsed() >= SECOND_THOUGHT {
                            return Err(ServerError::Failed("Forced to stop by a second Ctrl-C; requests in progress were cut off.".to_owned()));
                        }
                    }
                }
            }
        }
    };
    ended.map_err(|error| ServerError::Failed(format!("the server stopped: {error}")))
}

/// Asks for the certificate to be read again, at each HUP.
async fn reload_on_hangup(mut hangup: Signal, reload: Reload) -> Infallible {
    loop {
        hangup.recv().await;
        note("Reading the certificate again (HUP).");
        reload.now();
    }
}

fn to_cli(server: &Started) -> ripcord_cli::Started {
    ripcord_cli::Started {
        address: server.address,
        scheme: server.scheme,
        admin_key: server.admin_key.as_ref().map(|key| key.expose().to_owned()),
        data_dir: server.data_dir.clone(),
    }
}

/// Lets commands on this machine find the server; without it they need --server and --key.
fn announce(started: &ripcord_cli::Started) -> Option<Announcement> {
    let announced = started.announce(Keep::ForNextStart);
    announced
        .inspect_err(|error| tracing::warn!(%error, "commands on this machine will need --server and --key"))
        .ok()
}

fn greeting(started: &Started, announced: Option<Key>, paint: Paint) -> String {
    let mut members = vec![
        ("address", to_cli(started).url()),
        ("data", started.data_dir.display().to_string()),
        ("node", started.node.clone()),
    ];
    members.extend(started.grpc.iter().map(|(name, address)| (*name, address.to_string())));
    let mut text = format!("{}\n{}\n", headline(&started.readiness, paint), indented(&facts(&members)));
    for (part, health) in started.readiness.parts.iter().filter(|(_, health)| health.state != ReadyState::Ready) {
        // Writing to a String cannot fail.
        let _ = writeln!(text, "\n{}", paint.warn(&format!("{part}: {}", health.why)));
    }
    if let Some(key) = &started.admin_key {
        let key = paint.strong(key.expose());
        // Writing to a String cannot fail.
        let _ = writeln!(text, "\nAdmin key (shown only now; keep it safe):\n  {key}");
    }
    for warning in &started.readiness.warnings {
        let _ = writeln!(text, "\n{}", paint.warn(warning));
    }
    text.push_str(match announced {
        Some(Key::Known) if started.admin_key.is_some() => TRY,
        Some(Key::Known) => "\nCommands on this machine find this server on their own.\n",
        Some(Key::Unknown) => "\nCommands on this machine find this server on their own, but need --key or RIPCORD_KEY.\n",
        None => "\nCommands need --server and --key, or RIPCORD_SERVER and RIPCORD_KEY.\n",
    });
    text.push_str("\nPress Ctrl-C to stop.");
    text
}

/// Says ready only if it is so.
fn headline(readiness: &Readiness, paint: Paint) -> String {
    match readiness.status {
        ReadyState::Ready => paint.strong("Ripcord is ready."),
        ReadyState::Degraded => paint.warn("Ripcord is running, but not everything works."),
        ReadyState::NotReady => paint.bad("Ripcord is running, but is not ready."),
    }
}

fn greeting_json(started: &Started) -> String {
    let key = started.admin_key.as_ref().map(Secret::expose);
    serde_json::json!({
        "address": to_cli(started).url(), "node": started.node, "data_dir": started.data_dir, "admin_key": key, "warnings": started.readiness.warnings,
        "status": started.readiness.status, "parts": started.readiness.parts,
        "grpc": started.grpc.iter().map(|(name, address)| (*name, address.to_string())).collect::<std::collections::BTreeMap<_, _>>(),
    })
    .to_string()
}

#[cfg(test)]
mod tests;
