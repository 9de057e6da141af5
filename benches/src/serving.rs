//! All of `ripcord serve` on the embedded store, in a process of its own, and plain HTTP to it.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use ripcord_server::secret::Secret;
use ripcord_server::serve::config::{Config, StoreChoice};
use ripcord_server::telemetry::LogFormat;
use serde_json::Value;
use tokio_util::sync::CancellationToken;

/// The key that everything goes by.
pub const KEY: &str = "rc_admin_bench_bench_bench_bench_bench_bench";
/// What this program is started with to be the server.
const ROLE: &str = "role-serve";

/// Serves, where this program was started for that, until its input ends; `true` then.
pub fn is_role() -> Result<bool> {
    if !std::env::args().any(|argument| argument == ROLE) {
        return Ok(false);
    }
    let folder = tempfile::tempdir_in(std::env::current_dir()?)?;
    let any = SocketAddr::from(([127, 0, 0, 1], 0));
    let config = Config {
        listen: any,
        data_dir: folder.path().to_owned(),
        store: StoreChoice::Embedded,
        node: Some("bench".to_owned()),
        peers: Vec::new(),
        peer_secret: None,
        admin_key: Some(Secret::new(KEY)),
        stale_after: Duration::from_mins(10),
        tls: None,
        restore_backup: None,
        workers: 2,
        heartbeat: Duration::from_secs(15),
        flagd: ripcord_server::flagd::Config {
            sync: any,
            evaluation: any,
            key: None,
            tls: None,
        },
        log_format: LogFormat::Pretty,
    };
    let stop = CancellationToken::new();
    let ended = stop.clone();
    std::thread::spawn(move || {
        let mut nothing = Vec::new();
        let _ = std::io::stdin().read_to_end(&mut nothing);
        ended.cancel();
    });
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    let told = |server: &ripcord_server::serve::Started| println!("{}", server.address);
    runtime.block_on(ripcord_server::serve::run(config, told, stop))?;
    Ok(true)
}

/// A server in a process of its own; it ends with this.
#[derive(Debug)]
pub struct Serving {
    child: Child,
    /// Where it answers.
    pub address: SocketAddr,
}

impl Serving {
    /// Starts this program again, as the server.
    pub fn start() -> Result<Self> {
        let mut child = Command::new(std::env::current_exe()?)
            .arg(ROLE)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()?;
        let mut line = String::new();
        BufReader::new(child.stdout.take().context("no output")?).read_line(&mut line)?;
        let address = line.trim().parse().context("the server did not start")?;
        Ok(Self { child, address })
    }

    /// Processor time that it has used.
    pub fn cpu(&self) -> Result<Duration> {
        const TICK: u64 = 10;
        let stat = std::fs::read_to_string(format!("/proc/{}/stat", self.child.id()))?;
        let fields: Vec<&str> = stat.rsplit_once(") ").context("no stat")?.1.split(' ').collect();
        let ticks: u64 = [11, 12].iter().filter_map(|at| fields.get(*at)?.parse::<u64>().ok()).sum();
        Ok(Duration::from_millis(ticks * TICK))
    }
}

impl Drop for Serving {
    fn drop(&mut self) {
        // The end of its input tells it to end; it may have ended by itself.
        drop(self.child.stdin.take());
        let _ = self.child.wait();
    }
}

/// A connection that is kept.
#[derive(Debug)]
pub struct Connection {
    stream: BufReader<TcpStream>,
}

impl Connection {
    /// To a server.
    pub fn open(address: SocketAddr) -> Result<Self> {
        let stream = TcpStream::connect(address)?;
        stream.set_nodelay(true)?;
        Ok(Self {
            stream: BufReader::new(stream),
        })
    }

    /// One request, whose body is JSON, or nothing; the body of the answer, which must be of success.
    pub fn call(&mut self, method: &str, path: &str, body: &str) -> Result<Value> {
        let head = format!(
            "{method} {path} HTTP/1.1\r\nhost: bench\r\nx-api-key: {KEY}\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n{body}",
            body.len()
        );
        self.stream.get_mut().write_all(head.as_bytes())?;
        let (mut status, mut length) = (String::new(), 0);
        self.stream.read_line(&mut status)?;
        loop {
            let mut line = String::new();
            self.stream.read_line(&mut line)?;
            if let Some(value) = line.to_ascii_lowercase().strip_prefix("content-length:") {
                length = value.trim().parse()?;
            }
            if line.trim().is_empty() {
                break;
            }
        }
        let mut answer = vec![0; length];
        self.stream.read_exact(&mut answer)?;
        ensure!(status.contains(" 2"), "{method} {path}: {}{}", status, String::from_utf8_lossy(&answer));
        Ok(serde_json::from_slice(&answer).unwrap_or_default())
    }
}
