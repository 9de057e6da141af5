//! Outcomes that applications report for the variants that they serve, as sums per series.
//!
//! ```text
//! POST /v1/outcomes -> dedup -> counters (sums, metrics) + window (the last hour) -> persistence (on disk)
//! reports: the sums of all nodes, for gates     peers: how often something was served, on all nodes
//! ```

mod counters;
mod counts;
mod dedup;
mod peers;
pub mod persistence;
mod query;
mod registry;
pub mod reports;
mod series;
mod stale;
pub mod statistics;
#[cfg(test)]
mod tests;
mod window;

pub use self::counters::{BatchResult, OutcomeTotal};
#[cfg(test)]
pub use self::peers::NoPeerOutcomes;
pub use self::peers::{PeerExposure, PeerOutcomes};
pub use self::query::{ExposureQuery, FallingVariant, TotalsQuery};
pub use self::registry::Outcomes;
pub use self::stale::stale;
