//! What the program brings along: a server that runs in this process. The command line itself depends on none.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::PathBuf;

use tokio_util::sync::CancellationToken;

use super::discovery::{self, Announcement, DiscoveryError, Keep};
use super::exit::Failure;
use super::output::Output;

/// A server that `ripcord serve` and `ripcord demo` run.
pub trait Server {
    /// The arguments of `ripcord serve`.
    type Arguments: clap::Args;

    /// Runs `ripcord serve` until a signal ends it.
    ///
    /// # Errors
    /// The settings are not valid, or the server failed.
    fn serve(arguments: Self::Arguments, output: Output) -> Result<(), ServerError>;

    /// Runs a server that ignores the settings of this machine's own server, until `stop` fires. Calls `started` once it
    /// answers requests.
    fn run(settings: OwnServer, started: impl FnOnce(Started), stop: CancellationToken) -> impl Future<Output = Result<(), ServerError>>;
}

/// Settings of a server that belongs to one command.
#[derive(Debug, Clone)]
pub struct OwnServer {
    /// Where it listens.
    pub listen: SocketAddr,
    /// Its data folder.
    pub data_dir: PathBuf,
    /// Its name.
    pub node: String,
}

/// A server that answers requests.
#[derive(Clone)]
pub struct Started {
    /// Where it listens.
    pub address: SocketAddr,
    /// `http` or `https`.
    pub scheme: &'static str,
    /// The admin key, if this start made one.
    pub admin_key: Option<String>,
    /// Its data folder.
    pub data_dir: PathBuf,
}

/// Shows no key.
impl std::fmt::Debug for Started {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Started")
            .field("address", &self.address)
            .field("data_dir", &self.data_dir)
            .finish_non_exhaustive()
    }
}

/// Why a server did not start, or ended.
#[derive(Debug, thiserror::Error)]
pub enum ServerError {
    /// Its settings are not valid: exit code 2.
    #[error("{0}")]
    Usage(String),
    /// It failed: exit code 1.
    #[error("{0}")]
    Failed(String),
}

impl From<ServerError> for Failure {
    fn from(error: ServerError) -> Self {
        match error {
            ServerError::Usage(text) => Self::Usage(text),
            ServerError::Failed(text) => Self::Local(text),
        }
    }
}

impl Started {
    /// Its URL for callers on this machine: an unspecified address (`0.0.0.0`, `::`) becomes the loopback address.
    pub fn url(&self) -> String {
        let mut address = self.address;
        if address.ip().is_unspecified() {
            let loopback: IpAddr = if address.is_ipv4() {
                Ipv4Addr::LOCALHOST.into()
            } else {
                Ipv6Addr::LOCALHOST.into()
            };
            address.set_ip(loopback);
        }
        format!("{}://{address}", self.scheme)
    }

    /// Lets commands on this machine find the server; without it they need `--server` and `--key`.
    ///
    /// # Errors
    /// The file cannot be written.
    pub fn announce(&self, keep: Keep) -> Result<Announcement, DiscoveryError> {
        discovery::announce(&self.url(), &self.data_dir, self.admin_key.as_deref(), keep)
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    /// A stand-in for the server of the program.
    pub(crate) struct NoServer;

    /// `ripcord serve` without settings.
    #[derive(Debug, clap::Args)]
    pub(crate) struct NoArguments;

    impl Server for NoServer {
        type Arguments = NoArguments;

        fn serve(_: NoArguments, _: Output) -> Result<(), ServerError> {
            Ok(())
        }

        async fn run(_: OwnServer, _: impl FnOnce(Started), _: CancellationToken) -> Result<(), ServerError> {
            Ok(())
        }
    }

    fn started(address: &str) -> Started {
        Started {
            address: address.parse().unwrap(),
            scheme: "http",
            admin_key: None,
            data_dir: PathBuf::from("/var/lib/ripcord"),
        }
    }

    #[test]
    fn a_server_that_listens_everywhere_is_called_on_this_machine() {
        assert_eq!(started("0.0.0.0:9000").url(), "http://127.0.0.1:9000");
        assert_eq!(started("[::]:9000").url(), "http://[::1]:9000");
        assert_eq!(started("10.0.0.5:9000").url(), "http://10.0.0.5:9000");
    }
}
