//! Drills: reports of rehearsed rollbacks, stored with the environment that was rehearsed on.

use crate::actor::Actor;
use crate::table::Entity;
use crate::validation::ValidationErrors;

pub use crate::id::DrillId;

/// The report of a drill, as it is stored.
#[derive(Debug, Clone, PartialEq, serde::Serialize, serde::Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Drill {
    /// The drill's id.
    pub id: DrillId,
    /// The scenario's name.
    pub scenario: String,
    /// The kind of store on which it ran.
    pub store: DrillStore,
    /// What it rehearsed on, in words: `production at 1:41`, the name of a file, or the built-in flags.
    pub fork: String,
    /// Whether all checks passed.
    pub passed: bool,
    /// Who ran the drill.
    pub by: Actor,
    /// When it was saved.
    #[cfg_attr(feature = "openapi", schema(value_type = String, format = DateTime))]
    pub at: jiff::Timestamp,
    /// How many applications took part.
    pub applications: u64,
    /// The verdicts, in order.
    pub verdicts: Vec<DrillVerdict>,
    /// Figures to compare with other runs, by name: `applied_p99_ms`, `evaluations_bad`, …
    pub figures: std::collections::BTreeMap<String, f64>,
}

/// The store that a drill runs on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "lowercase")]
pub enum DrillStore {
    /// One node with its own database file.
    Embedded,
    /// Two nodes over one Redis.
    Redis,
}

impl DrillStore {
    /// Both stores.
    pub const ALL: [Self; 2] = [Self::Embedded, Self::Redis];

    /// The name in JSON.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Embedded => "embedded",
            Self::Redis => "redis",
        }
    }
}

impl std::fmt::Display for DrillStore {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.as_str())
    }
}

impl std::str::FromStr for DrillStore {
    type Err = ValidationErrors;

    fn from_str(text: &str) -> Result<Self, ValidationErrors> {
        let found = Self::ALL.into_iter().find(|store| store.as_str() == text);
        found.ok_or_else(|| ValidationErrors::one("", format!("{text:?} is not a store for a drill; use \"embedded\" or \"redis\"")))
    }
}

/// The verdict of one check of a drill.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct DrillVerdict {
    /// Which check this is, for programs: `no_torn_view`. Empty in reports of older versions.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub check: String,
    /// What is expected, as a sentence.
    pub name: String,
    /// Whether the check passed.
    pub passed: bool,
    /// What was observed, in words.
    pub detail: String,
}

impl Entity for Drill {
    type Key = DrillId;
    const KIND: &'static str = "drill";

    fn parse(json: &str) -> Result<Self, ValidationErrors> {
        serde_json::from_str(json).map_err(|error| ValidationErrors::one("", error.to_string()))
    }
}
