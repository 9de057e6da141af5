//! The global options: which server, with which key, and how to print.

use std::path::PathBuf;

use clap::Args;
use ripcord_proto::EnvironmentKey;
use ripcord_proto::duration::HumanDuration;

use super::duration;

/// The options of every command that calls a server. Each can come from the command line, a variable or a profile, in this order.
#[derive(Debug, Clone, Default, Args)]
#[command(next_help_heading = "Global options")]
#[expect(clippy::doc_markdown, reason = "these comments are the help, which is not Markdown")]
pub(crate) struct Global {
    /// The server; separate several with commas, the next is tried if one is down [env: RIPCORD_SERVER] [default: the server on this
    /// machine]
    #[arg(long, global = true, value_name = "URL")]
    pub(crate) server: Option<String>,
    /// The key; visible to other users of this machine, so prefer --key-file [env: RIPCORD_KEY]
    #[arg(long, global = true, value_name = "KEY", hide_default_value = true)]
    pub(crate) key: Option<String>,
    /// A file that holds the key [env: RIPCORD_KEY_FILE]
    #[arg(long, global = true, value_name = "FILE", conflicts_with = "key")]
    pub(crate) key_file: Option<PathBuf>,
    /// The environment [env: RIPCORD_ENV] [default: production]
    #[arg(long = "env", global = true, value_name = "ENV", value_delimiter = ',')]
    pub(crate) environment: Vec<EnvironmentKey>,
    /// A profile of ~/.config/ripcord/config.toml [env: RIPCORD_PROFILE]
    #[arg(long, global = true, value_name = "PROFILE")]
    pub(crate) profile: Option<String>,
    /// Print the API's JSON
    #[arg(long, global = true)]
    pub(crate) json: bool,
    /// If a second person is needed, wait this long (30m, 2h) [env: RIPCORD_AWAIT_APPROVAL]
    #[arg(long, global = true, value_name = "DURATION", env = "RIPCORD_AWAIT_APPROVAL", hide_env = true, value_parser = duration::long_wait)]
    pub(crate) await_approval: Option<HumanDuration>,
    /// Also trust the certificates in this PEM file [env: RIPCORD_CA_CERT]
    #[arg(long, global = true, value_name = "FILE", env = "RIPCORD_CA_CERT", hide_env = true)]
    pub(crate) ca_cert: Option<PathBuf>,
}
