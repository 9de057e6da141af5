//! Which server, with which key: from the command line, else the environment, else the server that runs on this machine.

use std::path::PathBuf;

use super::Global;
use super::discovery;
use super::exit::Failure;

/// Where a server without settings listens.
pub(crate) const DEFAULT_SERVER: &str = "http://127.0.0.1:8016";

/// Whom the commands talk to, and as whom.
#[derive(Clone)]
pub(crate) struct Target {
    /// The server's address without a slash at its end.
    pub(crate) server: String,
    /// Where the address is from.
    pub(crate) server_from: From,
    /// The key, where there is one.
    pub(crate) key: Option<String>,
    /// Where the key is from.
    pub(crate) key_from: From,
    /// Who calls, for the log.
    pub(crate) actor: Option<String>,
    /// Certificates that are trusted beside the system's.
    pub(crate) ca_cert: Option<PathBuf>,
}

/// Where a setting is from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum From {
    /// The command line.
    CommandLine,
    /// An environment variable.
    Variable(&'static str),
    /// The file that a server on this machine wrote.
    Local,
    /// Nobody said.
    Default,
}

impl std::fmt::Display for From {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::CommandLine => f.write_str("the command line"),
            Self::Variable(name) => f.write_str(name),
            Self::Local => f.write_str("the server on this machine"),
            Self::Default => f.write_str("the default"),
        }
    }
}

/// Shows no key.
impl std::fmt::Debug for Target {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Target")
            .field("server", &self.server)
            .field("server_from", &self.server_from)
            .field("key_from", &self.key_from)
            .finish_non_exhaustive()
    }
}

impl Target {
    /// Finds it.
    pub(crate) fn find(global: &Global) -> Result<Self, Failure> {
        let given = setting(global.server.clone(), "RIPCORD_SERVER");
        let key = setting(global.key.clone(), "RIPCORD_KEY");
        let local = discovery::find().map_err(|error| Failure::Local(error.to_string()));
        let local = if given.is_some() && key.is_some() { None } else { local? };
        Ok(Self::choose(given, key, local, global.ca_cert.clone(), actor()))
    }

    /// The local server's key is only for the local server.
    fn choose(
        server: Option<(String, From)>,
        key: Option<(String, From)>,
        local: Option<discovery::Announced>,
        ca_cert: Option<PathBuf>,
        actor: Option<String>,
    ) -> Self {
        let (server, server_from) = match (server, &local) {
            (Some(given), _) => given,
            (None, Some(local)) => (local.address.clone(), From::Local),
            (None, None) => (DEFAULT_SERVER.to_owned(), From::Default),
        };
        let server = normal(&server);
        let (key, key_from) = match (key, local) {
            (Some((key, from)), _) => (Some(key), from),
            (None, Some(local)) if normal(&local.address) == server => (local.key, From::Local),
            (None, _) => (None, From::Default),
        };
        Self {
            server,
            server_from,
            key,
            key_from,
            actor,
            ca_cert,
        }
    }

    /// What to do when nobody answers there.
    pub(crate) fn advice(&self) -> String {
        match self.server_from {
            From::Local => "The server that ran on this machine has stopped. Start it again: ripcord serve".to_owned(),
            From::Default => "Start a server with `ripcord serve`, or name one with --server or RIPCORD_SERVER.".to_owned(),
            From::CommandLine | From::Variable(_) => format!("The address is from {}; is it right, and does the server run?", self.server_from),
        }
    }
}

/// An address with its scheme and without a slash at its end.
fn normal(address: &str) -> String {
    let address = address.trim().trim_end_matches('/');
    if address.contains("://") {
        address.to_owned()
    } else {
        format!("http://{address}")
    }
}

fn setting(given: Option<String>, variable: &'static str) -> Option<(String, From)> {
    let given = given.map(|value| (value, From::CommandLine));
    given.or_else(|| {
        let value = std::env::var(variable).ok().filter(|value| !value.is_empty())?;
        Some((value, From::Variable(variable)))
    })
}

/// The name of the person at this machine, which the log shows beside the key's.
fn actor() -> Option<String> {
    ["RIPCORD_ACTOR", "USER", "LOGNAME"]
        .into_iter()
        .find_map(|name| std::env::var(name).ok().filter(|value| !value.is_empty()))
}

#[cfg(test)]
mod tests;
