//! The health check of a drill: an HTTP endpoint in this process.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

use crate::exit::Failure;
use crate::tasks::TaskSet;

/// The name of the check in the drill's environment.
pub(in crate::drill) const CHECK: &str = "drill-probe";
/// How long a caller may take to send its request.
const PATIENCE: Duration = Duration::from_secs(5);
/// Largest request, in bytes.
const QUESTION: usize = 8 * 1024;

#[derive(Debug)]
pub(super) struct Probe {
    address: SocketAddr,
    shared: Arc<ProbeState>,
    tasks: TaskSet,
}

#[derive(Debug)]
struct ProbeState {
    fails: AtomicBool,
    asked: AtomicU64,
}

/// The endpoint's answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Health {
    /// 200.
    There,
    /// 503.
    Gone,
}

impl Probe {
    pub(super) async fn open(health: Health) -> Result<Self, Failure> {
        let refused = |error: std::io::Error| Failure::Local(format!("Cannot open a port for the drill's check: {error}."));
        let listener = TcpListener::bind(SocketAddr::from(([127, 0, 0, 1], 0))).await.map_err(refused)?;
        let address = listener.local_addr().map_err(refused)?;
        let shared = Arc::new(ProbeState {
            fails: AtomicBool::new(health == Health::Gone),
            asked: AtomicU64::new(0),
        });
        let tasks = TaskSet::default();
        tasks.spawn(answer_all(listener, Arc::clone(&shared), tasks.clone()));
        Ok(Self { address, shared, tasks })
    }

    /// The endpoint's URL.
    pub(super) fn url(&self) -> String {
        format!("http://{}/health", self.address)
    }

    /// Sets its answer.
    pub(super) fn set(&self, health: Health) {
        self.shared.fails.store(health == Health::Gone, Ordering::Relaxed);
    }

    /// The number of requests so far.
    pub(super) fn asked(&self) -> u64 {
        self.shared.asked.load(Ordering::Relaxed)
    }
}

impl Drop for Probe {
    fn drop(&mut self) {
        self.tasks.stop_token().cancel();
    }
}

async fn answer_all(listener: TcpListener, shared: Arc<ProbeState>, tasks: TaskSet) {
    let stop = tasks.stop_token();
    loop {
        let asked = tokio::select! {
            asked = listener.accept() => asked,
            () = stop.cancelled() => return,
        };
        if let Ok((caller, _)) = asked {
            let shared = Arc::clone(&shared);
            tasks.spawn(async move {
                // A caller that sends nothing gets no answer.
                let _ = tokio::time::timeout(PATIENCE, answer(caller, &shared)).await;
            });
        }
    }
}

async fn answer(mut caller: TcpStream, shared: &ProbeState) -> std::io::Result<()> {
    let mut question = Vec::new();
    while !question.windows(4).any(|end| end == b"\r\n\r\n") && question.len() < QUESTION {
        if caller.read_buf(&mut question).await? == 0 {
            return Ok(());
        }
    }
    shared.asked.fetch_add(1, Ordering::Relaxed);
    let (status, body) = if shared.fails.load(Ordering::Relaxed) {
        ("503 Service Unavailable", r#"{"status":"down"}"#)
    } else {
        ("200 OK", r#"{"status":"up"}"#)
    };
    let length = body.len();
    let text = format!("HTTP/1.1 {status}\r\ncontent-type: application/json\r\ncontent-length: {length}\r\nconnection: close\r\n\r\n{body}");
    caller.write_all(text.as_bytes()).await?;
    caller.shutdown().await
}
