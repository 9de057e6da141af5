//! All of `ripcord serve` in this process, on the embedded store.

use std::net::SocketAddr;
use std::thread::JoinHandle;
use std::time::Duration;

use anyhow::{Context, Result};
use ripcord_server::{FlagdConfig, LogFormat, Outbound, PublicUrl, Reload, Secret, ServeConfig, Started, StoreChoice};
use tempfile::TempDir;
use tokio_util::sync::CancellationToken;

use crate::process::KEY;

/// A running server.
pub struct InProcessServer {
    /// Where it listens.
    pub address: SocketAddr,
    stop: CancellationToken,
    server: JoinHandle<Result<()>>,
    /// Its data, which goes with it.
    _folder: TempDir,
}

impl InProcessServer {
    /// Starts it on two threads, on a free port, with a folder of its own.
    pub fn start() -> Result<Self> {
        let folder = tempfile::tempdir()?;
        let config = config(&folder);
        let stop = CancellationToken::new();
        let (started, address) = std::sync::mpsc::channel();
        let stopping = stop.clone();
        let server = std::thread::spawn(move || -> Result<()> {
            let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
            let told = |server: &Started| {
                // The other end waits for nothing else.
                let _ = started.send(server.address);
            };
            Ok(runtime.block_on(ripcord_server::run(config, told, stopping))?)
        });
        Ok(Self {
            address: address.recv().context("the server did not start")?,
            stop,
            server,
            _folder: folder,
        })
    }

    /// Stops it.
    pub fn stop(self) -> Result<()> {
        self.stop.cancel();
        self.server.join().map_err(|_| anyhow::anyhow!("the server panicked"))?
    }
}

fn config(folder: &TempDir) -> ServeConfig {
    let free = SocketAddr::from(([127, 0, 0, 1], 0));
    ServeConfig {
        public_url: PublicUrl::default(),
        listen: free,
        metrics_listen: None,
        data_dir: folder.path().to_owned(),
        store: StoreChoice::Embedded,
        node: Some("bench".to_owned()),
        peers: Vec::new(),
        peer_secret: None,
        admin_key: Some(Secret::new(KEY)),
        stale_after: Duration::from_secs(600),
        tls: None,
        restore_backup: None,
        restore_backup_over: None,
        workers: 2,
        heartbeat: Duration::from_secs(15),
        flagd: FlagdConfig {
            sync: free,
            evaluation: free,
            key: None,
            origins: Vec::new(),
        },
        otlp_endpoint: None,
        outbound: Outbound::default(),
        log_format: LogFormat::Pretty,
        reload: Reload::default(),
    }
}
