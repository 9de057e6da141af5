//! Outcomes: batches of counts that say how often each variant was served, and how it went for the users.

mod bucket;

use std::collections::BTreeMap;

use crate::key::{FlagKey, NumberName, VariantName};
use crate::limits;
use crate::validation::ValidationErrors;
use crate::visible::check_name;

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

impl OutcomeCount {
    /// The member that no application can have counted.
    fn implausible(&self) -> Option<&'static str> {
        let latencies = self.latencies_us.iter().fold(0_u64, |sum, (_, count)| sum.saturating_add(*count));
        let numbers = self.numbers.values().map(|sums| sums.count).max().unwrap_or(0);
        let counted = [
            ("evaluations", self.evaluations),
            ("successes", self.successes),
            ("errors", self.errors),
            ("latencies_us", latencies),
            ("numbers", numbers),
        ];
        let over = counted
            .into_iter()
            .find(|(_, count)| *count > limits::OUTCOMES_PER_BATCH)
            .map(|(member, _)| member);
        over.or_else(|| (self.latencies_us.len() > LatencyBucket::COUNT).then_some("latencies_us"))
    }
}

impl OutcomeBatch {
    /// Refuses counts that no client can have made.
    ///
    /// # Errors
    /// If an id, a number or a count is one that no application can have, or if there are too many.
    pub fn check(self) -> Result<Self, ValidationErrors> {
        check_name(&self.instance_id, limits::INSTANCE_CHARACTERS).map_err(|problem| ValidationErrors::one("instance_id", problem))?;
        if self.batch > limits::NUMBER_MAX {
            return Err(ValidationErrors::one(
                "batch",
                format!("must be at most {}; batches are numbered from 1", limits::NUMBER_MAX),
            ));
        }
        if self.counts.len() > limits::OUTCOME_COUNTS {
            let problem = format!("has {} entries; a batch has at most {}", self.counts.len(), limits::OUTCOME_COUNTS);
            return Err(ValidationErrors::one("counts", problem));
        }
        for (place, count) in self.counts.iter().enumerate() {
            if let Some(member) = count.implausible() {
                let problem = format!("no application counts more than {} between two batches", limits::OUTCOMES_PER_BATCH);
                return Err(ValidationErrors::one(format!("counts[{place}].{member}"), problem));
            }
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
