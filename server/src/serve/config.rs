//! Settings of `ripcord serve`, all checked before anything is opened.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

use ripcord_proto::validation::{ValidationError, ValidationErrors};

use super::tls::Reload;
use crate::access::keys;
use crate::flagd::FlagdConfig;
use crate::http::public_url::PublicUrl;
use crate::outbound::{AllowList, Outbound};
use crate::secret::{Secret, without_password};
use crate::telemetry::LogFormat;

/// Minimum length of the peers' secret, in characters.
const SECRET_CHARACTERS: usize = 32;

/// The settings as given: by flags, or by environment variables of the same names.
#[derive(Clone, clap::Args)]
pub struct ServeSettings {
    /// Address to listen on. 127.0.0.1 accepts only this machine; 0.0.0.0:8016 accepts every network
    #[arg(long, env = "RIPCORD_LISTEN", default_value = "127.0.0.1:8016", value_name = "ADDRESS")]
    pub listen: SocketAddr,

    /// Address of `/metrics`, plain HTTP without a key: for the network of the monitoring alone [default: on --listen, with a key if that is not loopback]
    #[arg(long, env = "RIPCORD_METRICS_LISTEN", value_name = "ADDRESS")]
    pub metrics_listen: Option<SocketAddr>,

    /// URL at which callers reach this server if a proxy is before it, with the proxy's path: `https://flags.example.com/ripcord`
    #[arg(long, env = "RIPCORD_PUBLIC_URL", value_name = "URL")]
    pub public_url: Option<String>,

    /// Folder for the log, the mirror of Redis and the journal of kills [default: ~/.local/share/ripcord]
    #[arg(long, env = "RIPCORD_DATA_DIR", value_name = "FOLDER")]
    pub data_dir: Option<PathBuf>,

    /// `embedded` for a single node, or redis://HOST:PORT for several
    #[arg(long, env = "RIPCORD_STORE", hide_env_values = true, default_value = "embedded", value_name = "STORE")]
    pub store: String,

    /// Name of this node [default: generated at the first start and saved in the data folder]
    #[arg(long, env = "RIPCORD_NODE", value_name = "NAME")]
    pub node: Option<String>,

    /// URL of another node, which gets kills directly while the store is down; needs `RIPCORD_PEER_SECRET`. Repeatable
    #[arg(long = "peer", env = "RIPCORD_PEERS", hide_env_values = true, value_delimiter = ',', value_name = "URL")]
    pub peers: Vec<String>,

    /// Secret shared by all peers
    #[arg(long, env = "RIPCORD_PEER_SECRET", hide_env_values = true, hide = true)]
    pub peer_secret: Option<String>,

    /// An admin key that is always valid: `rc_admin_` followed by 32 or more letters, digits, - or _
    #[arg(long, env = "RIPCORD_ADMIN_KEY", hide_env_values = true, hide = true)]
    pub admin_key: Option<String>,

    /// How long the store may be unreachable before this node reports that it is not ready, if another node reaches it
    #[arg(long, env = "RIPCORD_STALE_AFTER", default_value = "10m", value_parser = duration, value_name = "TIME")]
    pub stale_after: Duration,

    /// Certificate chain (PEM) for HTTPS
    #[arg(long, env = "RIPCORD_TLS_CERT", value_name = "FILE")]
    pub tls_cert: Option<PathBuf>,

    /// Private key of the certificate (PEM)
    #[arg(long, env = "RIPCORD_TLS_KEY", value_name = "FILE")]
    pub tls_key: Option<PathBuf>,

    /// Replace everything in the store with this backup, in a new epoch, before serving. Happens once; newer data is not overwritten
    #[arg(long, env = "RIPCORD_RESTORE_BACKUP", value_name = "FILE")]
    pub restore_backup: Option<PathBuf>,

    /// Overwrite newer data with the backup: the value that the refusal names, which stands for exactly that data
    #[arg(long, env = "RIPCORD_RESTORE_BACKUP_OVER", value_name = "STATE")]
    pub restore_backup_over: Option<String>,

    /// Threads that serve HTTP and streams [default: one per processor]
    #[arg(long, env = "RIPCORD_WORKERS", value_name = "NUMBER")]
    pub workers: Option<usize>,

    /// Time between heartbeats on a stream
    #[arg(long, env = "RIPCORD_HEARTBEAT", default_value = "15s", value_parser = duration, value_name = "TIME")]
    pub heartbeat: Duration,

    /// Address of flagd's sync protocol (gRPC), for in-process clients. If the port is taken, it is skipped with a warning
    #[arg(long, env = "RIPCORD_GRPC_SYNC_LISTEN", default_value = "127.0.0.1:8015", value_name = "ADDRESS")]
    pub grpc_sync_listen: SocketAddr,

    /// Address of flagd's evaluation protocol (gRPC), for remote clients. If the port is taken, it is skipped with a warning
    #[arg(long, env = "RIPCORD_GRPC_EVAL_LISTEN", default_value = "127.0.0.1:8013", value_name = "ADDRESS")]
    pub grpc_eval_listen: SocketAddr,

    /// An `sdk` key for gRPC callers that send none: anyone who reaches the ports can read its environment
    #[arg(long, env = "RIPCORD_GRPC_KEY", hide_env_values = true, value_name = "KEY")]
    pub grpc_key: Option<String>,

    /// Allow --grpc-key on addresses that other machines can reach
    #[arg(long, env = "RIPCORD_GRPC_KEY_BEYOND_LOOPBACK", value_parser = clap::builder::BoolishValueParser::new())]
    pub grpc_key_beyond_loopback: bool,

    /// Origins of web pages that may call flagd's evaluation protocol, separated by commas; `*` is any [default: none]
    #[arg(long, env = "RIPCORD_GRPC_EVAL_ORIGINS", value_delimiter = ',', value_name = "ORIGIN")]
    pub grpc_eval_origins: Vec<String>,

    /// OpenTelemetry collector for spans (OTLP over HTTP), for example `http://127.0.0.1:4318` [default: none]
    #[arg(long, env = "OTEL_EXPORTER_OTLP_ENDPOINT", hide_env_values = true, value_name = "URL")]
    pub otlp_endpoint: Option<String>,

    /// Hosts and networks that checks, gates and --otlp-endpoint may call, separated by commas: `prometheus,*.internal.example,10.0.0.0/8`; `none` allows nothing [default: everything but link-local addresses]
    #[arg(long, env = "RIPCORD_OUTBOUND_ALLOW", value_delimiter = ',', value_name = "HOST")]
    pub outbound_allow: Vec<String>,

    /// Format of log lines
    #[arg(long, env = "RIPCORD_LOG_FORMAT", default_value = "pretty", value_name = "FORMAT")]
    pub log_format: LogFormat,
}

impl std::fmt::Debug for ServeSettings {
    // They contain passwords and keys.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ServeSettings").finish_non_exhaustive()
    }
}

/// Where commits are stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum StoreChoice {
    /// In a file on this node.
    Embedded,
    /// In Redis, by its URL, which may contain a password.
    Redis(Secret),
}

/// Checked settings.
#[derive(Debug, Clone)]
pub struct ServeConfig {
    pub listen: SocketAddr,
    /// Where `/metrics` is, if it is on its own.
    pub metrics_listen: Option<SocketAddr>,
    /// Where callers find this server.
    pub public_url: PublicUrl,
    pub data_dir: PathBuf,
    pub store: StoreChoice,
    /// The node's name, if the settings give one.
    pub node: Option<String>,
    /// URLs of other nodes, without a trailing slash.
    pub peers: Vec<String>,
    pub peer_secret: Option<Secret>,
    /// An admin key from the settings, valid beside those in the log.
    pub admin_key: Option<Secret>,
    /// How long the store may be unreachable before this node is not ready, if another node reaches it.
    pub stale_after: Duration,
    /// Certificate and key files.
    pub tls: Option<(PathBuf, PathBuf)>,
    pub restore_backup: Option<PathBuf>,
    /// The state of the store that the backup may overwrite although it is newer.
    pub restore_backup_over: Option<String>,
    /// Worker threads.
    pub workers: usize,
    pub heartbeat: Duration,
    pub flagd: FlagdConfig,
    /// The collector of spans; its URL may contain a password.
    pub otlp_endpoint: Option<Secret>,
    /// What checks, gates and the collector may be.
    pub outbound: Outbound,
    pub log_format: LogFormat,
    /// Tells the server to read its certificate again.
    pub reload: Reload,
}

/// A duration as people write it: `250ms`, `15s`, `10m`, `2h`.
fn duration(text: &str) -> Result<Duration, String> {
    let span = jiff::SignedDuration::from_str(text).ok().and_then(|span| Duration::try_from(span).ok());
    span.filter(|span| !span.is_zero())
        .ok_or_else(|| "write a duration such as 500ms, 15s, 10m or 2h".to_owned())
}

impl ServeSettings {
    /// Checks everything and reports every error at once.
    #[expect(clippy::too_many_lines, reason = "one setting after the other")]
    pub fn check(self) -> Result<ServeConfig, ValidationErrors> {
        let mut found = Vec::new();
        let flagd = self.flagd(&mut found);
        let data_dir = self.data_dir.or_else(default_data_dir);
        if data_dir.is_none() {
            found.push(ValidationError::new("--data-dir", "no home folder found; name a folder for the data"));
        }
        let store = match self.store.as_str() {
            "embedded" => StoreChoice::Embedded,
            url if url.starts_with("redis://") => StoreChoice::Redis(Secret::new(url)),
            _ => {
                found.push(ValidationError::new("--store", "must be `embedded` or a URL such as redis://127.0.0.1:6379"));
                StoreChoice::Embedded
            }
        };
        for peer in &self.peers {
            if !is_http(peer) {
                found.push(ValidationError::new(
                    "--peer",
                    format!("invalid URL {:?}; write http://HOST:PORT", without_password(peer)),
                ));
            } else if without_password(peer) != *peer {
                // Peers are named by their URLs, in answers and logs.
                found.push(ValidationError::new(
                    "--peer",
                    "must have no user or password; nodes know each other by RIPCORD_PEER_SECRET",
                ));
            }
        }
        if let Some(url) = self.otlp_endpoint.as_deref().filter(|url| !url.is_empty() && !is_http(url)) {
            found.push(ValidationError::new(
                "--otlp-endpoint",
                format!("invalid URL {:?}; write http://HOST:4318", without_password(url)),
            ));
        }
        let outbound = outbound(&self.outbound_allow, self.otlp_endpoint.as_deref(), &mut found);
        if self.tls_cert.is_some() != self.tls_key.is_some() {
            found.push(ValidationError::new("--tls-cert", "--tls-cert and --tls-key are given together, or not at all"));
        }
        let public_url = self.public_url.as_deref().filter(|url| !url.is_empty()).map(str::parse).transpose();
        let public_url = public_url.unwrap_or_else(|faults: ValidationErrors| {
            found.extend(faults.under("--public-url"));
            None
        });
        check_peer_secret(&self.peers, self.peer_secret.as_deref(), &mut found);
        let admin_key = self.admin_key.as_deref().map(keys::admin).transpose().unwrap_or_else(|faults| {
            found.extend(faults);
            None
        });
        let config = ServeConfig {
            listen: self.listen,
            metrics_listen: self.metrics_listen,
            public_url: public_url.unwrap_or_default(),
            data_dir: data_dir.unwrap_or_default(),
            store,
            node: self.node,
            peers: self.peers.iter().map(|url| url.trim_end_matches('/').to_owned()).collect(),
            peer_secret: self.peer_secret.map(Secret::new),
            admin_key,
            stale_after: self.stale_after,
            tls: self.tls_cert.zip(self.tls_key),
            restore_backup: self.restore_backup,
            restore_backup_over: self.restore_backup_over,
            workers: self
                .workers
                .unwrap_or_else(|| std::thread::available_parallelism().map_or(2, usize::from))
                .max(1),
            heartbeat: self.heartbeat,
            flagd,
            otlp_endpoint: self.otlp_endpoint.filter(|url| !url.is_empty()).map(Secret::new),
            outbound,
            log_format: self.log_format,
            reload: Reload::default(),
        };
        ValidationErrors::check(found, config)
    }

    /// A key that every caller of a port gets must be a read-only one, and the port must not be reachable from other machines.
    fn flagd(&self, found: &mut Vec<ValidationError>) -> FlagdConfig {
        if let Some(key) = &self.grpc_key {
            if keys::fit(key).is_err() || !key.starts_with("rc_sdk_") {
                found.push(ValidationError::new(
                    "--grpc-key",
                    "must be a key of role sdk; create one with `ripcord keys create NAME --role sdk`",
                ));
            }
            let open = [self.grpc_sync_listen, self.grpc_eval_listen]
                .into_iter()
                .find(|address| !address.ip().is_loopback());
            if let Some(address) = open.filter(|_| !self.grpc_key_beyond_loopback) {
                let problem = format!(
                    "other machines can reach {address}, and every caller would have this key; have callers send their own keys, or add --grpc-key-beyond-loopback"
                );
                found.push(ValidationError::new("--grpc-key", problem));
            }
        }
        FlagdConfig {
            sync: self.grpc_sync_listen,
            evaluation: self.grpc_eval_listen,
            key: self.grpc_key.clone().map(Secret::new),
            origins: self.grpc_eval_origins.clone(),
        }
    }
}

/// What may be called; the collector has to be among it.
fn outbound(allowed: &[String], collector: Option<&str>, found: &mut Vec<ValidationError>) -> Outbound {
    let allowed = AllowList::parse(allowed).unwrap_or_else(|faults| {
        found.extend(faults.under("--outbound-allow"));
        None
    });
    let outbound = Outbound::new(allowed);
    if let Some(url) = collector.and_then(|url| reqwest::Url::parse(url).ok())
        && let Err(refusal) = outbound.check(&url)
    {
        found.push(ValidationError::new("--otlp-endpoint", refusal.to_string()));
    }
    outbound
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
                "nodes that send each other kills must share a secret; set the same one on every node",
            ));
        }
        Some(secret) if secret.len() < SECRET_CHARACTERS => {
            found.push(ValidationError::new(
                "RIPCORD_PEER_SECRET",
                format!("must have at least {SECRET_CHARACTERS} characters; it has {}", secret.len()),
            ));
        }
        Some(_) | None => {}
    }
}
