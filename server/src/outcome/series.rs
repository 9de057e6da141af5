//! Queries of gates: the sums of one variant of a flag.

use jiff::Timestamp;
use ripcord_proto::gate::{Arm, OutcomeMeasure};
use ripcord_proto::{FlagKey, VariantName};

/// A question for the sums of one variant of a flag.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct SeriesQuery {
    pub flag: FlagKey,
    pub variant: VariantName,
    pub what: OutcomeMeasure,
    /// The moment from which the caller counts.
    pub since: Timestamp,
}

/// Sums of a series, by traffic.
#[derive(Debug, Clone, Copy, Default, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct SeriesSums {
    /// Users.
    pub real: Arm,
    /// Probes and load tests.
    pub synthetic: Arm,
}
