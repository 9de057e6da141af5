//! The REST API (DESIGN 7), a file per resource: extract → permit → one call → reply. No rule is decided here; the shapes are
//! [`ripcord_proto::rest`]'s, and `/openapi.json` is generated from these handlers.

mod audit;
mod backup;
mod checkpoints;
mod commits;
mod confirm;
mod confirmations;
mod connections;
mod drills;
mod environments;
mod explain;
mod flags;
mod front;
mod hooks;
mod keys;
mod kills;
mod metrics;
mod named;
mod openapi;
mod outcomes;
mod peers;
mod pings;
mod policy;
mod proposals;
mod records;
mod releases;
mod revisions;
mod rollbacks;
mod rollouts;
mod rooms;
mod routes;
mod segments;
mod sets;
mod settings;
mod stale_flags;
#[cfg(test)]
mod tests;
mod triggers;
mod write;

pub use self::rooms::Parts;
pub use self::routes::Api;
