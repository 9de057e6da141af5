//! A TCP proxy in front of servers, like a load balancer: pointed at another server, it cuts the connections that are open.

use tokio::io::copy_bidirectional;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinHandle;

/// A TCP proxy on a port of its own.
#[derive(Debug)]
pub struct Proxy {
    port: u16,
    target: watch::Sender<u16>,
    task: JoinHandle<()>,
}

impl Proxy {
    /// A proxy of the server on `port`.
    pub async fn to(port: u16) -> anyhow::Result<Self> {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
        let (target, now) = watch::channel(port);
        Ok(Self {
            port: listener.local_addr()?.port(),
            target,
            task: tokio::spawn(accept(listener, now)),
        })
    }

    /// Its port.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Cuts every connection, and takes no others until it points at a server again.
    pub fn cut(&self) {
        self.point_to(0);
    }

    /// Its address.
    pub fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// Points it at another server; open connections end.
    pub fn point_to(&self, port: u16) {
        self.target.send_replace(port);
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn accept(listener: TcpListener, now: watch::Receiver<u16>) {
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
