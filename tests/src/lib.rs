//! The harness of the whole-system tests: real `ripcord` and `redis-server` processes on free ports, readers of streams that
//! know nothing but the protocol, and applications with the SDK.
//!
//! ```sh
//! ./tests/run --only promises                          # one suite
//! ./tests/run --only promises p04_kill_wins::latches   # the tests of it whose names contain this
//! cargo test -p ripcord-tests --test promises p04      # the same without the script
//! ```
//!
//! - `redis-server` must be on the PATH (`./tests/run` installs it). Tests of OpenFeature clients need more tool chains and are
//!   skipped by name if those are missing; with `CI=true` they fail instead.
//! - `RIPCORD_BIN` is the binary under test. Without it the first test builds the workspace (`cargo build --workspace
//!   --all-targets`), which takes minutes the first time, and runs `target/debug/ripcord`.
//! - `RIPCORD_TEST_THREADS` (default 4, `./tests/run` only) is how many tests run at once; with plain cargo it is
//!   `-- --test-threads=4`. Most tests wait for processes, so a few more than cores is right; many more makes deadlines meaningless.
//! - `RIPCORD_UPDATE_DOCS=1` has the suite `docs` write what commands really print into README.md and the tutorial.
//!
//! ```text
//! World = Server (+ Redis)        one node on either store            on_both_stores! makes two tests of a function
//! Cluster                         two nodes over one Redis, peers of each other
//! Api                             a caller with a key: REST as a program outside writes it
//! CommandOutput                   a command's exit code and output
//! stream::{WebSocket, Sse}        frames as they come; Replica applies them
//! flood                           everything at once, and kills that must take effect meanwhile
//! Proxy                           a TCP proxy that can be pointed at another server
//! app, shop                       applications with the SDK, here or in their own processes; their users and a health endpoint
//! waiting                         the only place that sleeps; `eventually` waits for a condition
//! ```
//!
//! No test reads a sentence: fields, codes and exit codes are the interface. The wording is compared in one place only, the documents
//! that the suite `docs` follows (and rewrites with `RIPCORD_UPDATE_DOCS=1`). Every process is ended when its owner is dropped, and
//! every wait has a deadline. The folders beside this one are the test binaries.

pub mod api;
pub mod app;
pub mod cluster;
pub mod command_output;
pub mod flags;
pub mod flood;
pub mod ports;
pub mod process;
pub mod proxy;
pub mod redis;
pub mod replica;
pub mod server;
pub mod shop;
pub mod stream;
pub mod waiting;
pub mod world;

pub use api::{Answer, Api};
pub use app::App;
pub use cluster::Cluster;
pub use command_output::CommandOutput;
pub use proxy::Proxy;
pub use redis::{Durability, Redis};
pub use replica::Replica;
pub use server::{Server, Setup};
pub use waiting::{SOON, eventually};
pub use world::World;

/// What a test returns. An error of the harness fails the test with its whole context.
pub type Outcome = anyhow::Result<()>;

/// Makes two tests of each named `async fn(World) -> Outcome`: `NAME::on_the_embedded_store` and `NAME::on_redis`, each in a
/// [`World`] of its own.
#[macro_export]
macro_rules! on_both_stores {
    ($($name:ident),+ $(,)?) => {$(
        mod $name {
            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn on_the_embedded_store() -> $crate::Outcome {
                super::$name($crate::World::embedded().await?).await
            }

            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn on_redis() -> $crate::Outcome {
                super::$name($crate::World::redis().await?).await
            }
        }
    )+};
}
