//! Outcomes: what happened to the users that were served a variant, and how often each variant was served, in batches.

mod bucket;

use std::collections::BTreeMap;

use crate::key::{FlagKey, NumberName, VariantName};
use crate::limits;
use crate::validation::ValidationErrors;

pub use self::bucket::LatencyBucket;

/// Whether a person or a machine was served; told by the context's attribute `traffic: synthetic`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, serde::Serialize, serde::Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "lowercase")]
pub enum Traffic {
    /// Traffic of real users.
    #[default]
    Real,
    /// Probes, load tests, canaries' own checks.
    Synthetic,
}

/// The body of `POST /v1/outcomes`: counts since the last batch of this instance.
#[derive(Debug, Clone, PartialEq, serde::Serialize, serde::Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct OutcomeBatch {
    /// The random id of the process.
    pub instance_id: String,
    /// Grows by one with each batch of the process, so that a batch sent twice is counted once.
    pub batch: u64,
    /// One count per flag, variant and kind of traffic.
    pub counts: Vec<OutcomeCount>,
}

/// Counts of one flag, variant and kind of traffic.
#[derive(Debug, Clone, PartialEq, serde::Serialize, serde::Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct OutcomeCount {
    /// The key of the flag.
    pub flag: FlagKey,
    /// The variant served; absent = the caller's own default.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub variant: Option<VariantName>,
    /// Whom it was served to.
    #[serde(default)]
    pub traffic: Traffic,
    /// How often it was served.
    #[serde(default)]
    pub evaluations: u64,
    /// How often the application said that it went well.
    #[serde(default)]
    pub successes: u64,
    /// How often it said that it went wrong.
    #[serde(default)]
    pub errors: u64,
    /// How long it took: pairs of microseconds and how often. What is nearer together than three in a hundred is one.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[cfg_attr(feature = "openapi", schema(value_type = Vec<Vec<u64>>, example = json!([[850, 3], [12_000, 1]])))]
    pub latencies_us: Vec<(u64, u64)>,
    /// Numbers that the application reported, by their names; at most 16.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    #[cfg_attr(feature = "openapi", schema(value_type = std::collections::HashMap<String, NumberSums>))]
    pub numbers: BTreeMap<NumberName, NumberSums>,
}

/// What is kept of the reports of one number: enough for its mean, and how far it spreads.
#[derive(Debug, Clone, Copy, Default, PartialEq, serde::Serialize, serde::Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct NumberSums {
    /// How often it was reported.
    pub count: u64,
    /// The sum of the reported numbers.
    pub sum: f64,
    /// The sum of the squares.
    pub squares: f64,
}

impl NumberSums {
    /// Whether numbers within ±(2^53-1) can add up to it.
    #[expect(clippy::cast_precision_loss, reason = "a bound may be off by a little")]
    fn is_sound(&self) -> bool {
        let (count, most) = (self.count as f64, limits::NUMBER_MAX as f64);
        self.sum.abs() <= count * most && (0.0..=count * most * most).contains(&self.squares)
    }

    /// Adds the sums of `other`.
    pub fn add(&mut self, other: Self) {
        self.count = self.count.saturating_add(other.count);
        self.sum += other.sum;
        self.squares += other.squares;
    }
}

impl OutcomeBatch {
    /// Refuses what no client can have counted.
    ///
    /// # Errors
    /// More numbers than a flag may have, or sums that no numbers add up to.
    pub fn check(self) -> Result<Self, ValidationErrors> {
        for (place, count) in self.counts.iter().enumerate() {
            if count.numbers.len() > NUMBERS {
                let problem = format!("has {} names; applications report {NUMBERS} numbers at most", count.numbers.len());
                return Err(ValidationErrors::one(format!("counts[{place}].numbers"), problem));
            }
            if let Some((name, _)) = count.numbers.iter().find(|(_, sums)| !sums.is_sound()) {
                let problem = "no numbers add up to this: each is within ±(2^53-1), and no square is negative";
                return Err(ValidationErrors::one(format!("counts[{place}].numbers.{name}"), problem));
            }
        }
        Ok(self)
    }
}

/// Numbers that an application may report, at most.
pub const NUMBERS: usize = 16;
