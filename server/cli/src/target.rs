//! Which server, with which key: from the command line, else the environment, else the server that runs on this machine.

use std::path::PathBuf;

use super::caller::{self, Caller};
use super::config::{self, Profile};
use super::discovery::{self, Announced, LocalServers};
use super::exit::Failure;
use super::global::Global;

pub(crate) use super::caller::From;

/// Where a server without settings listens.
pub(crate) const DEFAULT_SERVER: &str = "http://127.0.0.1:8016";

/// The server and the key that a command uses.
#[derive(Clone)]
pub(crate) struct Target {
    /// The server's address without a slash at its end.
    pub(crate) server: String,
    /// Others, which are tried in order if it cannot be reached.
    pub(crate) alternatives: Vec<String>,
    /// Where the address is from.
    pub(crate) server_from: From,
    /// The key, if there is one.
    pub(crate) key: Option<String>,
    /// Where the key is from.
    pub(crate) key_from: From,
    /// The name of the caller, for the log.
    pub(crate) actor: Option<String>,
    /// Certificates that are trusted beside the system's.
    pub(crate) ca_cert: Option<PathBuf>,
    /// Other servers that run on this machine and may be meant as well.
    pub(crate) rivals: Vec<Announced>,
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
    /// From the command line, else variables, else the profile, else the server on this machine.
    pub(crate) fn find(global: &Global, profile: &Profile) -> Result<Self, Failure> {
        let server = setting(global.server.clone(), "RIPCORD_SERVER");
        let server = server.map(|(text, from)| (text.split(',').map(normal).collect(), from));
        let of_profile = (!profile.server.is_empty()).then(|| (profile.server.iter().map(|text| normal(text)).collect(), From::Profile));
        let given = Given {
            key: given_key(global)?,
            profile_key: profile.key_file.as_deref().map(config::key).transpose(),
            ca_cert: global.ca_cert.clone().or_else(|| profile.ca_cert.clone()),
            server: server.or_else(|| of_profile.clone()),
            profile_servers: of_profile.map(|(servers, _)| servers).unwrap_or_default(),
        };
        let local = if given.server.is_some() && (given.key.is_some() || profile.key_file.is_some()) {
            None
        } else {
            discovery::find().map_err(|error| Failure::Local(error.to_string()))?
        };
        Self::choose(given, local, actor())
    }

    /// A key of the local server is only for the local server, and one of the profile only for the profile's servers.
    fn choose(given: Given, local: Option<LocalServers>, actor: Option<String>) -> Result<Self, Failure> {
        let (servers, server_from): (Vec<String>, From) = match (given.server, &local) {
            (Some(given), _) => given,
            (None, Some(found)) => (vec![normal(&found.server.address)], From::Local),
            (None, None) => (vec![DEFAULT_SERVER.to_owned()], From::Default),
        };
        let mut servers = servers.into_iter();
        let server = servers.next().unwrap_or_else(|| DEFAULT_SERVER.to_owned());
        let of_profile = given.profile_servers.is_empty() || given.profile_servers.contains(&server);
        let profile_key = if given.key.is_none() && of_profile { given.profile_key? } else { None };
        let (key, key_from) = match (given.key, profile_key, &local) {
            (Some((key, from)), ..) => (Some(key), from),
            (None, Some(key), _) => (Some(key), From::Profile),
            (None, None, Some(found)) => {
                let mut known = std::iter::once(&found.server).chain(&found.rivals);
                let local = known.find(|local| normal(&local.address) == server);
                local.map_or((None, From::Default), |local| (local.key.clone(), From::Local))
            }
            (None, None, None) => (None, From::Default),
        };
        Ok(Self {
            server,
            alternatives: servers.collect(),
            server_from,
            key,
            key_from,
            actor,
            ca_cert: given.ca_cert,
            rivals: local.map(|found| found.rivals).unwrap_or_default(),
        })
    }

    /// Who calls, for messages.
    pub(crate) fn caller(&self) -> Caller {
        Caller {
            key: self.key.as_deref().and_then(caller::beginning),
            key_from: self.key_from,
            actor: self.actor.clone(),
        }
    }

    /// What to do if the server cannot be reached.
    pub(crate) fn advice(&self) -> String {
        match self.server_from {
            From::Local => "The server that ran on this machine has stopped. Start it again: ripcord serve".to_owned(),
            From::Default => "Set RIPCORD_SERVER or --server to your server's address. To try Ripcord on this machine: ripcord serve".to_owned(),
            From::CommandLine | From::Variable(_) | From::Profile => {
                format!(
                    "The address is from {}. Applications keep serving their last flags meanwhile. Check the address, or use another node with --server.",
                    self.server_from
                )
            }
        }
    }
}

/// What the caller or a profile says.
struct Given {
    server: Option<(Vec<String>, From)>,
    key: Option<(String, From)>,
    profile_servers: Vec<String>,
    /// Read when it is used: a file that cannot be read matters only then.
    profile_key: Result<Option<String>, Failure>,
    ca_cert: Option<PathBuf>,
}

/// `--key`, else `--key-file`, else the variables of the same names.
fn given_key(global: &Global) -> Result<Option<(String, From)>, Failure> {
    if let Some(key) = &global.key {
        if key.is_empty() {
            let empty = "--key is empty: is the variable that it names set? Without --key, RIPCORD_KEY is used.";
            return Err(Failure::Usage(empty.to_owned()));
        }
        return Ok(Some((key.clone(), From::CommandLine)));
    }
    if let Some(file) = &global.key_file {
        return Ok(Some((config::key(file)?, From::CommandLine)));
    }
    if let Some(key) = setting(None, "RIPCORD_KEY") {
        return Ok(Some(key));
    }
    let file = setting(None, "RIPCORD_KEY_FILE");
    file.map(|(file, from)| Ok((config::key(std::path::Path::new(&file))?, from))).transpose()
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

pub(crate) fn setting(given: Option<String>, variable: &'static str) -> Option<(String, From)> {
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
mod tests {
    use super::*;

    fn announced(address: &str) -> LocalServers {
        LocalServers {
            server: Announced {
                address: address.to_owned(),
                key: Some("rc_admin_local".to_owned()),
                data_dir: PathBuf::from("/data"),
                demo: false,
            },
            rivals: Vec::new(),
        }
    }

    fn chosen(server: Option<&str>, key: Option<&str>, local: Option<LocalServers>) -> Target {
        let given = |value: &str| (value.to_owned(), From::CommandLine);
        let given = Given {
            server: server.map(|value| (vec![normal(value)], From::CommandLine)),
            key: key.map(given),
            profile_servers: Vec::new(),
            profile_key: Ok(None),
            ca_cert: None,
        };
        Target::choose(given, local, None).unwrap()
    }

    #[test]
    fn the_key_of_a_profile_is_never_sent_to_another_server() {
        let choose = |server: &str| {
            let given = Given {
                server: Some((vec![server.to_owned(), "https://b.example".to_owned()], From::CommandLine)),
                key: None,
                profile_servers: vec!["https://a.example".to_owned()],
                profile_key: Ok(Some("rc_oncall_profile".to_owned())),
                ca_cert: None,
            };
            Target::choose(given, None, None).unwrap()
        };
        assert_eq!(choose("https://a.example").key.as_deref(), Some("rc_oncall_profile"));
        assert_eq!(choose("https://a.example").alternatives, ["https://b.example"]);
        assert_eq!(choose("https://evil.example").key, None);
    }

    #[test]
    fn the_server_on_this_machine_is_found_with_its_key() {
        let target = chosen(None, None, Some(announced("http://127.0.0.1:9000")));
        assert_eq!(target.server, "http://127.0.0.1:9000");
        assert_eq!(target.key.as_deref(), Some("rc_admin_local"));
        assert_eq!(target.key_from, From::Local);
    }

    #[test]
    fn the_local_key_is_never_sent_to_another_server() {
        let target = chosen(Some("https://flags.example.com"), None, Some(announced("http://127.0.0.1:9000")));
        assert_eq!(target.key, None);
        let target = chosen(Some("http://127.0.0.1:9000/"), None, Some(announced("http://127.0.0.1:9000")));
        assert_eq!(target.key.as_deref(), Some("rc_admin_local"));
    }

    #[test]
    fn a_key_that_is_given_wins() {
        let target = chosen(None, Some("rc_oncall_x"), Some(announced("http://127.0.0.1:9000")));
        assert_eq!(target.key.as_deref(), Some("rc_oncall_x"));
        assert_eq!(target.key_from, From::CommandLine);
    }

    #[test]
    fn without_anything_the_default_address_is_asked_without_a_key() {
        let target = chosen(None, None, None);
        assert_eq!(target.server, DEFAULT_SERVER);
        assert_eq!(target.key, None);
        assert!(target.advice().contains("ripcord serve"));
    }

    #[test]
    fn an_address_needs_no_scheme() {
        assert_eq!(normal("127.0.0.1:8016"), "http://127.0.0.1:8016");
        assert_eq!(normal(" https://flags.example.com/ "), "https://flags.example.com");
    }

    #[test]
    fn a_target_shows_no_key_when_it_is_logged() {
        let target = chosen(None, Some("rc_oncall_secret"), None);
        assert!(!format!("{target:?}").contains("secret"));
    }
}
