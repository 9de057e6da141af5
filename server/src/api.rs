//! The REST API, a file per resource: extract → permit → one call → reply. No rule is decided here; the shapes are
//! [`ripcord_proto::rest`]'s, and `/openapi.json` is generated from these handlers.

mod audit;
mod authorize;
mod backup;
mod cautions;
mod checkpoints;
mod commits;
mod confirmations;
mod connections;
mod dead_rules;
mod drills;
mod environments;
mod errors;
mod explain;
mod flags;
mod hooks;
mod index_page;
mod keys;
mod kills;
mod metrics;
mod openapi;
mod outcomes;
mod page;
mod path;
mod peers;
mod pings;
mod policy;
mod preconditions;
mod proposals;
mod records;
mod releases;
mod revisions;
mod rollbacks;
mod rollouts;
mod routes;
mod segments;
mod services;
mod sets;
mod settings;
mod stale_flags;
mod system;
#[cfg(test)]
mod tests;
mod triggers;
mod write;

pub use self::metrics::MetricsAccess;
pub use self::routes::Api;
pub use self::services::Services;
