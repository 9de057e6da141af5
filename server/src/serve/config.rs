//! Settings of `ripcord serve`, checked all at once before anything is opened.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

use ripcord_proto::validation::{ValidationError, ValidationErrors};

use crate::access::keys;
use crate::flagd;
use crate::secret::Secret;
use crate::telemetry::LogFormat;

/// Characters of the peers' secret, at least.
const SECRET_CHARACTERS: usize = 32;

/// The settings as they are given: by flags, or by environment variables of the same names.
#[derive(Debug, Clone, clap::Args)]
pub struct Settings {
    /// Where to listen. 127.0.0.1 is reached from this machine alone; 0.0.0.0:8016 from everywhere
    #[arg(long, env = "RIPCORD_LISTEN", default_value = "127.0.0.1:8016", value_name = "ADDRESS")]
    pub listen: SocketAddr,

    /// Where the log, the mirror of a Redis and the journal of kills are kept [default: ~/.local/share/ripcord]
    #[arg(long, env = "RIPCORD_DATA_DIR", value_name = "FOLDER")]
    pub data_dir: Option<PathBuf>,

    /// `embedded` for one node, or redis://HOST:PORT for several
    #[arg(long, env = "RIPCORD_STORE", default_value = "embedded", value_name = "STORE")]
    pub store: String,

    /// This node's name among several [default: made at the first start, and kept in the data folder]
    #[arg(long, env = "RIPCORD_NODE", value_name = "NAME")]
    pub node: Option<String>,

    /// Another node, told of kills directly while the store is away; needs `RIPCORD_PEER_SECRET`. Repeat for each
    #[arg(long = "peer", env = "RIPCORD_PEERS", value_delimiter = ',', value_name = "URL")]
    pub peers: Vec<String>,

    /// The secret that peers share
    #[arg(long, env = "RIPCORD_PEER_SECRET", hide_env_values = true, hide = true)]
    pub peer_secret: Option<String>,

    /// An admin key that is valid on every start: `rc_admin_` and 32 or more letters, digits, - or _
    #[arg(long, env = "RIPCORD_ADMIN_KEY", hide_env_values = true, hide = true)]
    pub admin_key: Option<String>,

    /// How long a node may be without its store before it says that it is not ready
    #[arg(long, env = "RIPCORD_STALE_AFTER", default_value = "10m", value_parser = duration, value_name = "TIME")]
    pub stale_after: Duration,

    /// A certificate chain (PEM), to serve HTTPS
    #[arg(long, env = "RIPCORD_TLS_CERT", requires = "tls_key", value_name = "FILE")]
    pub tls_cert: Option<PathBuf>,

    /// The certificate's private key (PEM)
    #[arg(long, env = "RIPCORD_TLS_KEY", requires = "tls_cert", value_name = "FILE")]
    pub tls_key: Option<PathBuf>,

    /// Restore this backup, in a new epoch, before serving
    #[arg(long, value_name = "FILE")]
    pub restore_backup: Option<PathBuf>,

    /// Threads that serve HTTP and streams [default: one for each processor]
    #[arg(long, env = "RIPCORD_WORKERS", value_name = "NUMBER")]
    pub workers: Option<usize>,

    /// How often a stream gets a sign of life
    #[arg(long, env = "RIPCORD_HEARTBEAT", default_value = "15s", value_parser = duration, value_name = "TIME")]
    pub heartbeat: Duration,

    /// Where flagd's in-process clients load flags by gRPC; left out with a warning where the port is taken
    #[arg(long, env = "RIPCORD_GRPC_SYNC_LISTEN", default_value = "127.0.0.1:8015", value_name = "ADDRESS")]
    pub grpc_sync_listen: SocketAddr,

    /// Where flagd's remote clients evaluate by gRPC; left out with a warning where the port is taken
    #[arg(long, env = "RIPCORD_GRPC_EVAL_LISTEN", default_value = "127.0.0.1:8013", value_name = "ADDRESS")]
    pub grpc_eval_listen: SocketAddr,

    /// An `sdk` key for gRPC callers that send none: whoever reaches the ports may read its environment
    #[arg(long, env = "RIPCORD_GRPC_KEY", hide_env_values = true, value_name = "KEY")]
    pub grpc_key: Option<String>,

    /// Allow --grpc-key on addresses that other machines reach
    #[arg(long, requires = "grpc_key")]
    pub grpc_key_beyond_loopback: bool,

    /// Where an OpenTelemetry collector takes spans by OTLP over HTTP; `http://127.0.0.1:4318`, say [default: nowhere]
    #[arg(long, env = "OTEL_EXPORTER_OTLP_ENDPOINT", value_name = "URL")]
    pub otlp_endpoint: Option<String>,

    /// How log lines are written
    #[arg(long, env = "RIPCORD_LOG_FORMAT", default_value = "pretty", value_name = "FORMAT")]
    pub log_format: LogFormat,
}

/// Where commits are kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum StoreChoice {
    /// In a file of this node.
    Embedded,
    /// In a Redis, by its URL, which may hold a password.
    Redis(Secret),
}

/// Checked settings.
#[derive(Debug, Clone)]
pub struct Config {
    /// Where to listen.
    pub listen: SocketAddr,
    /// The data folder.
    pub data_dir: PathBuf,
    /// The store.
    pub store: StoreChoice,
    /// The node's name, where it was given one.
    pub node: Option<String>,
    /// Other nodes' URLs, without a slash at the end.
    pub peers: Vec<String>,
    /// What peers share.
    pub peer_secret: Option<Secret>,
    /// The admin key from outside.
    pub admin_key: Option<Secret>,
    /// How long the store may be away.
    pub stale_after: Duration,
    /// Certificate and key files.
    pub tls: Option<(PathBuf, PathBuf)>,
    /// A backup to restore.
    pub restore_backup: Option<PathBuf>,
    /// Worker threads.
    pub workers: usize,
    /// Time between heartbeats.
    pub heartbeat: Duration,
    /// flagd's protocols.
    pub flagd: flagd::Config,
    /// A collector's URL.
    pub otlp_endpoint: Option<String>,
    /// How log lines are written.
    pub log_format: LogFormat,
}

/// A time as people write it: `250ms`, `15s`, `10m`, `2h`.
fn duration(text: &str) -> Result<Duration, String> {
    let span = jiff::SignedDuration::from_str(text).ok().and_then(|span| Duration::try_from(span).ok());
    span.filter(|span| !span.is_zero())
        .ok_or_else(|| "write a time such as 500ms, 15s, 10m or 2h".to_owned())
}

impl Settings {
    /// Checks everything and reports every fault at once.
    pub fn check(self) -> Result<Config, ValidationErrors> {
        let mut found = Vec::new();
        let flagd = self.flagd(&mut found);
        let data_dir = self.data_dir.or_else(default_data_dir);
        if data_dir.is_none() {
            found.push(ValidationError::new("--data-dir", "there is no home folder to keep data in; name a folder"));
        }
        let store = match self.store.as_str() {
            "embedded" => StoreChoice::Embedded,
            url if url.starts_with("redis://") => StoreChoice::Redis(Secret::new(url)),
            _ => {
                found.push(ValidationError::new("--store", "it is `embedded` or a URL such as redis://127.0.0.1:6379"));
                StoreChoice::Embedded
            }
        };
        for peer in &self.peers {
            if !is_http(peer) {
                found.push(ValidationError::new("--peer", format!("{peer:?} is no URL; write http://HOST:PORT")));
            }
        }
        if let Some(url) = self.otlp_endpoint.as_deref().filter(|url| !url.is_empty() && !is_http(url)) {
            found.push(ValidationError::new("--otlp-endpoint", format!("{url:?} is no URL; write http://HOST:4318")));
        }
        check_peer_secret(&self.peers, self.peer_secret.as_deref(), &mut found);
        let admin_key = self.admin_key.as_deref().map(keys::admin).transpose().unwrap_or_else(|faults| {
            found.extend(faults);
            None
        });
        let config = Config {
            listen: self.listen,
            data_dir: data_dir.unwrap_or_default(),
            store,
            node: self.node,
            peers: self.peers.iter().map(|url| url.trim_end_matches('/').to_owned()).collect(),
            peer_secret: self.peer_secret.map(Secret::new),
            admin_key,
            stale_after: self.stale_after,
            tls: self.tls_cert.zip(self.tls_key),
            restore_backup: self.restore_backup,
            workers: self
                .workers
                .unwrap_or_else(|| std::thread::available_parallelism().map_or(2, usize::from))
                .max(1),
            heartbeat: self.heartbeat,
            flagd,
            otlp_endpoint: self.otlp_endpoint.filter(|url| !url.is_empty()),
            log_format: self.log_format,
        };
        ValidationErrors::check(found, config)
    }

    /// A key that is given to everybody who reaches a port must be a harmless one, and the port one of this machine.
    fn flagd(&self, found: &mut Vec<ValidationError>) -> flagd::Config {
        if let Some(key) = &self.grpc_key {
            if keys::fit(key).is_err() || !key.starts_with("rc_sdk_") {
                found.push(ValidationError::new(
                    "--grpc-key",
                    "it must be a key of role sdk; `ripcord keys create NAME --role sdk` makes one",
                ));
            }
            let open = [self.grpc_sync_listen, self.grpc_eval_listen]
                .into_iter()
                .find(|address| !address.ip().is_loopback());
            if let Some(address) = open.filter(|_| !self.grpc_key_beyond_loopback) {
                let problem = format!(
                    "every caller of {address} would have this key, and other machines reach it; have callers send keys, or say --grpc-key-beyond-loopback"
                );
                found.push(ValidationError::new("--grpc-key", problem));
            }
        }
        flagd::Config {
            sync: self.grpc_sync_listen,
            evaluation: self.grpc_eval_listen,
            key: self.grpc_key.clone().map(Secret::new),
            tls: self.tls_cert.clone().zip(self.tls_key.clone()),
        }
    }
}

fn is_http(url: &str) -> bool {
    url.starts_with("http://") || url.starts_with("https://")
}

fn default_data_dir() -> Option<PathBuf> {
    let data = std::env::var_os("XDG_DATA_HOME").map(PathBuf::from);
    let home = || std::env::var_os("HOME").map(|home| PathBuf::from(home).join(".local/share"));
    data.filter(|path| path.is_absolute()).or_else(home).map(|path| path.join("ripcord"))
}

fn check_peer_secret(peers: &[String], secret: Option<&str>, found: &mut Vec<ValidationError>) {
    match secret {
        None if !peers.is_empty() => {
            found.push(ValidationError::new(
                "RIPCORD_PEER_SECRET",
                "nodes that tell each other of kills must share a secret; set the same on every node",
            ));
        }
        Some(secret) if secret.len() < SECRET_CHARACTERS => {
            found.push(ValidationError::new(
                "RIPCORD_PEER_SECRET",
                format!("it has {} characters; it must have {SECRET_CHARACTERS} or more", secret.len()),
            ));
        }
        Some(_) | None => {}
    }
}
