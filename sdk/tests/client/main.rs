//! The client against a real server on a real socket, which misbehaves as each test says.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test that fails may panic"
)]
#![allow(missing_docs, unreachable_pub, reason = "the harness of these tests alone")]

mod server;
mod streaming;
mod world;
