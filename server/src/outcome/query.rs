//! Questions that nodes ask one another about outcomes.

use jiff::Timestamp;
use ripcord_proto::{EnvironmentKey, FlagKey, Position, VariantName};

/// A variant that fewer users get after a rollback.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, serde::Serialize, serde::Deserialize)]
pub struct FallingVariant {
    pub flag: FlagKey,
    /// The variant; `None` = the caller's own default.
    pub variant: Option<VariantName>,
    /// Whether some users still get it. Then a node counts it only until its applications have confirmed the rollback.
    pub remains: bool,
}

/// The question of one node to another: how often variants were served.
#[derive(Debug, Clone, serde::Serialize, serde::Deserialize)]
pub struct ExposureQuery {
    pub environment: EnvironmentKey,
    pub variants: Vec<FallingVariant>,
    pub from: Timestamp,
    pub to: Timestamp,
    /// The position of the rollback.
    pub rollback: Position,
}

/// The question of one node to another: what was reported of every variant between two moments of the last hour.
#[derive(Debug, Clone, serde::Serialize, serde::Deserialize)]
pub struct TotalsQuery {
    pub environment: EnvironmentKey,
    pub from: Timestamp,
    pub to: Timestamp,
}
