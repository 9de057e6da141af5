//! Drills: reports of rehearsed rollbacks, kept with the environment that they were forked from.

use crate::actor::Actor;
use crate::fault::Faults;
use crate::id::made_id;
use crate::table::Member;

made_id!(
    /// The id of a drill: `d_` and 26 lower-case letters or digits. It sorts by time of making.
    DrillId, "d_", "drill", "ripcord drill list"
);

/// A drill that was run, as it is kept.
#[derive(Debug, Clone, PartialEq, serde::Serialize, serde::Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Drill {
    /// Its id.
    pub id: DrillId,
    /// The scenario's name.
    pub scenario: String,
    /// On which store it ran: `embedded` or `redis`.
    pub store: String,
    /// Whether everything was judged to be as it must be.
    pub passed: bool,
    /// Who ran it.
    pub by: Actor,
    /// When it was kept.
    #[cfg_attr(feature = "openapi", schema(value_type = String, format = DateTime))]
    pub at: jiff::Timestamp,
    /// How many applications took part.
    pub applications: u64,
    /// What was judged, in order.
    pub verdicts: Vec<DrillVerdict>,
    /// Figures to compare with other runs, by name: `applied_p99_ms`, `evaluations_bad`, …
    pub figures: std::collections::BTreeMap<String, f64>,
}

/// One thing that a drill judged.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct DrillVerdict {
    /// What must hold, as a sentence.
    pub name: String,
    /// Whether it did.
    pub passed: bool,
    /// What was seen.
    pub detail: String,
}

impl Member for Drill {
    type Key = DrillId;
    const KIND: &'static str = "drill";

    fn parse(json: &str) -> Result<Self, Faults> {
        serde_json::from_str(json).map_err(|error| Faults::one("", error.to_string()))
    }
}
