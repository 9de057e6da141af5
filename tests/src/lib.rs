//! The harness of the whole-system tests: real `ripcord` and `redis-server` processes on free ports, readers of streams that
//! know nothing but the protocol, and applications with the SDK.
//!
//! ```text
//! World = Server (+ Redis)        one node on either store            on_both_stores! runs a test on each
//! Cluster                         two nodes over one Redis, peers of each other
//! Api                             a caller with a key: REST as a program outside writes it
//! stream::{WebSocket, Sse}        frames as they come; Mirror applies them
//! shop                            applications, their users, and a health endpoint
//! app                             an application with the SDK, in this process or in one of its own
//! eventually                      the only place that waits
//! ```
//!
//! Every process is ended by its owner's drop; every wait has a deadline. Folders beside this one are the test binaries.

pub mod api;
pub mod app;
pub mod cluster;
pub mod flags;
pub mod gate;
pub mod mirror;
pub mod ports;
pub mod process;
pub mod redis;
pub mod server;
pub mod shop;
pub mod stream;
pub mod waiting;
pub mod world;

pub use api::{Answer, Api};
pub use app::App;
pub use cluster::Cluster;
pub use gate::Gate;
pub use mirror::Mirror;
pub use redis::{Durability, Redis};
pub use server::{Server, Setup};
pub use waiting::{SOON, eventually};
pub use world::World;

/// What a test returns: harness errors end it with their whole story.
pub type Outcome = anyhow::Result<()>;

/// Runs a test twice: on the embedded store and on Redis, each time in a [`World`] of its own.
#[macro_export]
macro_rules! on_both_stores {
    ($($(#[$doc:meta])* async fn $name:ident($world:ident) $body:block)*) => {$(
        $(#[$doc])*
        mod $name {
            #[allow(unused_imports, reason = "a body may need nothing from around it")]
            use super::*;

            #[allow(unused_mut, reason = "most bodies leave their world as it is")]
            async fn check(mut $world: $crate::World) -> $crate::Outcome {
                $body
                #[allow(unreachable_code, reason = "a body may end with an error")]
                Ok(())
            }

            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn on_the_embedded_store() -> $crate::Outcome {
                check($crate::World::embedded().await?).await
            }

            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn on_redis() -> $crate::Outcome {
                check($crate::World::redis().await?).await
            }
        }
    )*};
}
