//! Outcomes: batches of counts that say how often each variant was served, and how it went for the users.

mod bucket;

use std::collections::BTreeMap;

use crate::key::{FlagKey, NumberName, VariantName};
use crate::limits;
use crate::validation::ValidationErrors;

pub use self::bucket::LatencyBucket;

/// Whether a real user or a machine was served, according to the context's attribute `traffic: synthetic`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, serde::Serialize, serde::Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "lowercase")]
pub enum Traffic {
    /// Traffic of real users.
    #[default]
    Real,
    /// Traffic of probes, load tests and other machines.
    Synthetic,
}

/// The body of `POST /v1/outcomes`: the counts of an instance since its last batch.
#[derive(Debug, Clone, PartialEq, serde::Serialize, serde::Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct OutcomeBatch {
    /// The random id of the process.
    pub instance_id: String,
    /// Increases by one with each batch of the process, so that a batch that is sent twice is counted once.
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
    /// The kind of traffic.
    #[serde(default)]
    pub traffic: Traffic,
    /// How often it was served.
    #[serde(default)]
    pub evaluations: u64,
    /// Number of reported successes.
    #[serde(default)]
    pub successes: u64,
    /// Number of reported failures.
    #[serde(default)]
    pub errors: u64,
    /// Latencies as pairs of microseconds and count. Latencies that differ by less than 3 % share a pair.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[cfg_attr(feature = "openapi", schema(value_type = Vec<Vec<u64>>, example = json!([[850, 3], [12_000, 1]])))]
    pub latencies_us: Vec<(u64, u64)>,
    /// Numbers that the application reported, by name; at most 16.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    #[cfg_attr(feature = "openapi", schema(value_type = std::collections::HashMap<String, NumberSums>))]
    pub numbers: BTreeMap<NumberName, NumberSums>,
}

/// The sums of one reported number, from which its mean and variance are computed.
#[derive(Debug, Clone, Copy, Default, PartialEq, serde::Serialize, serde::Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct NumberSums {
    /// How often it was reported.
    pub count: u64,
    /// The sum of the reported numbers.
    pub sum: f64,
    /// The sum of the squares of the reported numbers.
    pub squares: f64,
}

impl NumberSums {
    /// Whether numbers within ±(2^53-1) can have these sums.
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
    /// Refuses counts that no client can have made.
    ///
    /// # Errors
    /// If there are too many numbers, or sums that no numbers can have.
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

/// Maximum number of names for reported numbers.
pub const NUMBERS: usize = 16;
