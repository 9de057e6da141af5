//! The client against a real server on a real socket, which misbehaves as each test says.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::wildcard_enum_match_arm,
    reason = "a test that fails may panic"
)]
#![allow(missing_docs, unreachable_pub, reason = "the harness of these tests alone")]

mod cache;
mod faults;
mod reporting;
mod server;
mod streaming;
mod transports;
#[allow(dead_code, reason = "shared with the protocol's own tests")]
mod world;

use std::time::Duration;

use ripcord_sdk::{Client, ClientBuilder, Reporting};
use server::Server;

/// A client's settings for a test: nothing is sent but what the test is about.
fn builder(server: &Server) -> ClientBuilder {
    let builder = Client::builder(&server.url(), "rc_sdk_test").environment("production").instance("a");
    builder.reporting(Reporting::Off).reconcile_every(Duration::from_secs(3600))
}
