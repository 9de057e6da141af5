//! The running environments. Each has a writer and a publisher, which are started when the system log creates the environment and
//! stopped when it deletes it. [`Environments`] gives access to all of them.

mod feed;
#[cfg(test)]
pub(crate) mod fixture;
mod heads;
mod history;
mod orphans;
mod per_environment;
mod registry;
mod revocations;
mod start;
#[cfg(test)]
mod tests;

pub use self::heads::NodeHeads;
#[cfg(test)]
pub(crate) use self::orphans::{LISTED, LISTED_BYTES};
pub use self::orphans::{Orphan, Orphans};
pub use self::per_environment::EnvironmentTask;
pub use self::registry::Environments;
pub use self::start::EnvironmentDeps;
