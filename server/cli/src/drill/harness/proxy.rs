//! A proxy in front of a node, like a load balancer: it can be slow, cut its connections, and be redirected to another
//! node.

use std::net::SocketAddr;
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, copy, copy_bidirectional};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

use super::common::{failed, local};
use crate::exit::Failure;
use crate::tasks::TaskSet;

/// Largest piece that passes through a slow proxy, in bytes.
const PIECE: usize = 16 * 1024;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Pace {
    /// No delay.
    Plain,
    /// Each piece from the server is delayed by this.
    Slow(Duration),
}

/// A proxy with its own port. Dropping it closes it.
#[derive(Debug)]
pub(crate) struct Proxy {
    address: SocketAddr,
    leads_to: watch::Sender<Option<SocketAddr>>,
}

impl Proxy {
    /// Opens a proxy to `leads_to`. Without a target it closes every connection at once.
    pub(super) async fn open(tasks: &TaskSet, leads_to: Option<SocketAddr>, pace: Pace) -> Result<Self, Failure> {
        let refused = |error: std::io::Error| failed("Cannot open a port for the drill", &error);
        let listener = TcpListener::bind(local(0)).await.map_err(refused)?;
        let address = listener.local_addr().map_err(refused)?;
        let (leads_to, now) = watch::channel(leads_to);
        tasks.spawn(keep_open(listener, now, pace, tasks.clone()));
        Ok(Self { address, leads_to })
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Redirects the proxy and cuts its open connections.
    pub(super) fn lead_to(&self, node: SocketAddr) {
        self.leads_to.send_replace(Some(node));
    }

    /// Cuts the open connections; new ones are accepted.
    pub(crate) fn cut(&self) {
        self.leads_to.send_modify(|_| {});
    }
}

async fn keep_open(listener: TcpListener, mut now: watch::Receiver<Option<SocketAddr>>, pace: Pace, tasks: TaskSet) {
    let stop = tasks.stop_token();
    loop {
        let caller = tokio::select! {
            accepted = listener.accept() => accepted,
            () = closed(&mut now) => return,
            () = stop.cancelled() => return,
        };
        if let Ok((caller, _)) = caller {
            let (now, stop) = (now.clone(), stop.clone());
            tasks.spawn(async move {
                tokio::select! {
                    () = pass(caller, now, pace) => {}
                    () = stop.cancelled() => {}
                }
            });
        }
    }
}

async fn closed(now: &mut watch::Receiver<Option<SocketAddr>>) {
    while now.changed().await.is_ok() {}
}

async fn pass(mut caller: TcpStream, mut now: watch::Receiver<Option<SocketAddr>>, pace: Pace) {
    let Some(node) = *now.borrow_and_update() else { return };
    let Ok(mut server) = TcpStream::connect(node).await else { return };
    // Nagle's algorithm would delay small frames.
    let _ = (caller.set_nodelay(true), server.set_nodelay(true));
    let through = async {
        match pace {
            Pace::Plain => drop(copy_bidirectional(&mut caller, &mut server).await),
            Pace::Slow(late) => slowly(&mut caller, &mut server, late).await,
        }
    };
    tokio::select! {
        () = through => {}
        // Redirected, cut, or closed.
        _ = now.changed() => {}
    }
}

/// Forwards the caller's bytes at once and delays the server's.
async fn slowly(caller: &mut TcpStream, server: &mut TcpStream, late: Duration) {
    let (mut from_caller, mut to_caller) = caller.split();
    let (mut from_server, mut to_server) = server.split();
    let said = copy(&mut from_caller, &mut to_server);
    let answered = async {
        let mut piece = vec![0; PIECE];
        while let Ok(length @ 1..) = from_server.read(&mut piece).await {
            tokio::time::sleep(late).await;
            let Some(read) = piece.get(..length) else { return };
            if to_caller.write_all(read).await.is_err() {
                return;
            }
        }
    };
    tokio::select! {
        _ = said => {}
        () = answered => {}
    }
}
