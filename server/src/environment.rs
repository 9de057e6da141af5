//! Environments at work: for each a writer and a publisher, started when the system log says that it exists and stopped when it
//! says that it is gone. [`Environments`] is the way to all of them.

mod feed;
#[cfg(test)]
pub(crate) mod fixture;
mod history;
mod orphans;
mod per_environment;
mod registry;
mod start;

pub use self::orphans::Orphans;
pub use self::per_environment::EnvironmentTask;
pub use self::registry::Environments;
pub use self::start::EnvironmentDeps;
