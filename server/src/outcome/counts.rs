//! The counts of one series.

use std::collections::BTreeMap;

use ripcord_proto::gate::{Arm, OutcomeMeasure};
use ripcord_proto::key::NumberName;
use ripcord_proto::outcome::{LatencyBucket, NUMBERS, NumberSums, OutcomeCount};

/// Counts of one series.
#[derive(Debug, Clone, Default, PartialEq, serde::Serialize, serde::Deserialize)]
pub(super) struct Counts {
    #[serde(default, rename = "e", skip_serializing_if = "is_zero")]
    pub(super) evaluations: u64,
    #[serde(default, rename = "s", skip_serializing_if = "is_zero")]
    pub(super) successes: u64,
    #[serde(default, rename = "x", skip_serializing_if = "is_zero")]
    pub(super) errors: u64,
    /// Most applications report neither latencies nor numbers.
    #[serde(default, rename = "m", skip_serializing_if = "Option::is_none")]
    pub(super) measured: Option<Box<Measured>>,
}

#[derive(Debug, Clone, Default, PartialEq, serde::Serialize, serde::Deserialize)]
pub(super) struct Measured {
    #[serde(default, rename = "l", skip_serializing_if = "BTreeMap::is_empty")]
    latencies: BTreeMap<LatencyBucket, u64>,
    #[serde(default, rename = "n", skip_serializing_if = "BTreeMap::is_empty")]
    numbers: BTreeMap<NumberName, NumberSums>,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde calls it so")]
const fn is_zero(count: &u64) -> bool {
    *count == 0
}

impl From<&OutcomeCount> for Counts {
    fn from(count: &OutcomeCount) -> Self {
        let measured = (!count.latencies_us.is_empty() || !count.numbers.is_empty()).then(|| {
            let mut measured = Measured::default();
            for (micros, times) in &count.latencies_us {
                *measured.latencies.entry(LatencyBucket::of(*micros)).or_default() += times;
            }
            measured.numbers.clone_from(&count.numbers);
            Box::new(measured)
        });
        Self {
            evaluations: count.evaluations,
            successes: count.successes,
            errors: count.errors,
            measured,
        }
    }
}

impl Counts {
    /// Adds other counts. New numbers beyond the limit per series are left out.
    pub(super) fn add(&mut self, other: &Self) {
        self.evaluations = self.evaluations.saturating_add(other.evaluations);
        self.successes = self.successes.saturating_add(other.successes);
        self.errors = self.errors.saturating_add(other.errors);
        let Some(more) = &other.measured else { return };
        let measured = self.measured.get_or_insert_default();
        for (bucket, times) in &more.latencies {
            let sum = measured.latencies.entry(*bucket).or_default();
            *sum = sum.saturating_add(*times);
        }
        for (name, sums) in &more.numbers {
            if measured.numbers.len() < NUMBERS || measured.numbers.contains_key(name) {
                measured.numbers.entry(name.clone()).or_default().add(*sums);
            }
        }
    }

    pub(super) fn size(&self) -> usize {
        1 + self.measured.as_ref().map_or(0, |measured| measured.latencies.len() + measured.numbers.len())
    }

    /// The figures for a gate that judges `what`.
    pub(super) fn arm(&self, what: &OutcomeMeasure) -> Arm {
        match what {
            OutcomeMeasure::Error => Arm::new(self.evaluations, self.errors),
            OutcomeMeasure::Latency(limit) => self.measured.as_ref().map_or_else(Arm::default, |measured| {
                let limit = limit.millis().saturating_mul(1_000);
                // A class that begins below the limit counts as fast enough: a gate must not fail by rounding.
                let slow = measured.latencies.iter().filter(|(bucket, _)| bucket.shortest() >= limit);
                Arm::new(measured.latencies.values().sum(), slow.map(|(_, times)| times).sum())
            }),
            OutcomeMeasure::Number(name, _) => {
                let sums = self
                    .measured
                    .as_ref()
                    .and_then(|measured| measured.numbers.get(name))
                    .copied()
                    .unwrap_or_default();
                Arm {
                    served: sums.count,
                    errors: 0,
                    sum: sums.sum,
                    squares: sums.squares,
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use ripcord_proto::duration::HumanDuration;
    use ripcord_proto::gate::WorseDirection;

    use super::*;

    fn counts(json: &str) -> Counts {
        let mut whole: serde_json::Map<String, serde_json::Value> = serde_json::from_str(json).unwrap();
        whole.insert("flag".to_owned(), "checkout".into());
        Counts::from(&serde_json::from_value::<OutcomeCount>(whole.into()).unwrap())
    }

    #[test]
    fn a_latency_is_slow_from_the_limit_on_to_within_three_in_a_hundred() {
        let counts = counts(r#"{"latencies_us": [[250000, 90], [299000, 5], [312000, 3], [2000000, 2]]}"#);
        let slow = |millis| counts.arm(&OutcomeMeasure::Latency(HumanDuration::from_millis(millis)));
        assert_eq!(slow(300), Arm::new(100, 5));
        assert_eq!(slow(100), Arm::new(100, 100));
        assert_eq!(slow(10_000), Arm::new(100, 0));
    }

    #[test]
    fn sums_add_up_and_survive_being_written() {
        let mut sum = Counts::default();
        for _ in 0..3 {
            sum.add(&counts(
                r#"{"evaluations": 2, "errors": 1, "latencies_us": [[1000, 2]], "numbers": {"basket": {"count": 2, "sum": 5.0, "squares": 13.0}}}"#,
            ));
        }
        let read: Counts = serde_json::from_str(&serde_json::to_string(&sum).unwrap()).unwrap();
        assert_eq!(read, sum);
        let basket = OutcomeMeasure::Number(NumberName::new("basket").unwrap(), WorseDirection::Lower);
        let arm = read.arm(&basket);
        assert_eq!((arm.served, arm.sum, arm.squares), (6, 15.0, 39.0));
        assert_eq!(read.arm(&OutcomeMeasure::Error), Arm::new(6, 3));
        assert_eq!(Counts::default().arm(&basket), Arm::default());
    }
}
