//! The harness of the whole-system tests: real `ripcord` and `redis-server` processes on free ports, readers of streams that
//! know nothing but the protocol, and applications with the SDK.
//!
//! ```text
//! World = Server (+ Redis)        one node on either store            on_both_stores! runs a test on each
//! Cluster                         two nodes over one Redis, peers of each other
//! Api                             a caller with a key: REST as a program outside writes it
//! stream::{WebSocket, Sse}        frames as they come; Replica applies them
//! shop                            applications, their users, and a health endpoint
//! app                             an application with the SDK, in this process or in one of its own
//! eventually                      the only place that waits
//! ```
//!
//! Every process is ended by its owner's drop; every wait has a deadline. Folders beside this one are the test binaries.

pub mod api;
pub mod app;
pub mod cluster;
pub mod command_output;
pub mod flags;
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

/// What a test returns: harness errors end it with their whole story.
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
