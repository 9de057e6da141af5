//! Commands as a user types them.

mod apply;
mod bad_release;
mod basics;
mod declarative;
mod end_to_end;
mod exit_codes;
mod known_good;
mod narrow;
mod pipelines;
mod quickstart;
mod releases;
mod rollback;
mod shells;
mod trouble;

use ripcord_tests::{CommandOutput, Server};

/// Runs `ripcord ARGUMENTS` against a server, as its admin.
pub async fn ripcord(server: &Server, arguments: &[&str]) -> anyhow::Result<CommandOutput> {
    CommandOutput::of(server.ripcord(arguments)).await
}

/// The same with this key.
pub async fn ripcord_as(server: &Server, key: &str, arguments: &[&str]) -> anyhow::Result<CommandOutput> {
    CommandOutput::of(server.ripcord_as(key, arguments)).await
}
