//! A door in front of servers, as a load balancer is one: it can be turned to another server, and then cuts what is open.

use tokio::io::copy_bidirectional;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinHandle;

/// A door on a port of its own.
#[derive(Debug)]
pub struct Proxy {
    port: u16,
    leads_to: watch::Sender<u16>,
    open: JoinHandle<()>,
}

impl Proxy {
    /// A door to the server on `port`.
    pub async fn to(port: u16) -> anyhow::Result<Self> {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
        let (leads_to, now) = watch::channel(port);
        Ok(Self {
            port: listener.local_addr()?.port(),
            leads_to,
            open: tokio::spawn(keep_open(listener, now)),
        })
    }

    /// Its address.
    pub fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// From now on it leads elsewhere; connections that are open end.
    pub fn turn_to(&self, port: u16) {
        self.leads_to.send_replace(port);
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.open.abort();
    }
}

async fn keep_open(listener: TcpListener, now: watch::Receiver<u16>) {
    while let Ok((caller, _)) = listener.accept().await {
        let now = now.clone();
        tokio::spawn(pass_through(caller, now));
    }
}

async fn pass_through(mut caller: TcpStream, mut now: watch::Receiver<u16>) {
    let port = *now.borrow_and_update();
    let Ok(mut server) = TcpStream::connect(("127.0.0.1", port)).await else {
        return;
    };
    tokio::select! {
        _ = copy_bidirectional(&mut caller, &mut server) => {}
        _ = now.changed() => {}
    }
}
