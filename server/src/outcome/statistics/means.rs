//! Whether the mean of a number is worse with a variant than with its control. It may be evaluated at any time and any number of times.
//!
//! The same mixture as for rates, over the difference of two means beyond the margin, with the variances that the numbers have shown.
//! It is valid in the limit: the difference of means is normal for large numbers whatever the numbers' distribution, as long as that
//! has a variance, uniformly over all looks from a first one on. Sources: I. Waudby-Smith, D. Arbour, R. Sinha, E. H. Kennedy,
//! A. Ramdas, "Time-uniform central limit theory and asymptotic confidence sequences", Annals of Statistics 52(6), 2024; R. Johari,
//! P. Koomen, L. Pekelis, D. Walsh, Operations Research 70(3), 2022. `min_samples` is the first look.
//!
//! Numbers that are mostly nothing and now and then very large need more samples than others before their mean is near to normal;
//! `benches/benches/gates/means.rs` measures the false alarms of some.

use ripcord_proto::gate::{Arm, Threshold, WorseDirection};

/// The effects that are mixed have this share of the numbers' standard deviation.
const SCALE: f64 = 0.1;

/// A comparison of two means.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct MeansTest {
    /// Which way is worse.
    pub worse: WorseDirection,
    /// By how much the variant may be worse: a share of the control's mean, or an absolute amount.
    pub margin: Threshold,
    /// The chance of a false alarm, over all evaluations together.
    pub alpha: f64,
}

impl MeansTest {
    /// Whether the variant's mean is worse than the control's by more than the margin.
    pub fn is_worse(&self, treatment: Arm, control: Arm) -> bool {
        let sign = self.sign();
        // A margin that is a share of the control's mean inherits the uncertainty of that mean.
        let (factor, margin) = match self.margin {
            Threshold::Share(share) => (1.0 + sign * share.share() * control.mean().signum(), 0.0),
            Threshold::Number(margin) => (1.0, margin),
        };
        let difference = sign * (treatment.mean() - factor * control.mean()) - margin;
        let variance = variance_of_mean(treatment) + factor * factor * variance_of_mean(control);
        self.is_sure(difference, variance, spread(treatment).max(spread(control)))
    }

    /// Whether the variant's mean is on the worse side of the margin, whatever the control's is.
    pub fn is_beyond(&self, treatment: Arm) -> bool {
        let limit = match self.margin {
            Threshold::Share(share) => share.share(),
            Threshold::Number(limit) => limit,
        };
        let difference = self.sign() * (treatment.mean() - limit);
        self.is_sure(difference, variance_of_mean(treatment), spread(treatment))
    }

    const fn sign(&self) -> f64 {
        match self.worse {
            WorseDirection::Higher => 1.0,
            WorseDirection::Lower => -1.0,
        }
    }

    fn is_sure(&self, difference: f64, variance: f64, spread: f64) -> bool {
        if variance <= 0.0 {
            // Without variance no test is needed: constant numbers differ or do not.
            return difference > 0.0;
        }
        super::mixture(difference, variance, (SCALE * SCALE) * spread) >= 1.0 / self.alpha
    }
}

/// The variance of the numbers.
#[expect(clippy::cast_precision_loss, reason = "counts are far below 2^53")]
fn spread(arm: Arm) -> f64 {
    if arm.served < 2 {
        return 0.0;
    }
    let (count, mean) = (arm.served as f64, arm.mean());
    ((arm.squares - count * mean * mean) / (count - 1.0)).max(0.0)
}

#[expect(clippy::cast_precision_loss, reason = "counts are far below 2^53")]
fn variance_of_mean(arm: Arm) -> f64 {
    if arm.served == 0 { 0.0 } else { spread(arm) / arm.served as f64 }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `count` numbers, half of them one below the mean and half of them one above.
    fn around(mean: f64, pairs: u32) -> Arm {
        let count = f64::from(2 * pairs);
        Arm {
            served: u64::from(2 * pairs),
            errors: 0,
            sum: count * mean,
            squares: f64::from(pairs) * ((mean - 1.0).powi(2) + (mean + 1.0).powi(2)),
        }
    }

    fn test(worse: WorseDirection, margin: Threshold) -> MeansTest {
        MeansTest { worse, margin, alpha: 0.05 }
    }

    #[test]
    fn a_mean_is_worse_on_its_worse_side_alone() {
        let lower = test(WorseDirection::Lower, Threshold::Number(0.1));
        assert!(lower.is_worse(around(9.0, 1_000), around(10.0, 1_000)));
        assert!(!lower.is_worse(around(11.0, 1_000), around(10.0, 1_000)));
        assert!(!lower.is_worse(around(9.95, 100_000), around(10.0, 100_000)), "within the margin");
        assert!(!lower.is_worse(around(9.0, 5), around(10.0, 5)), "ten say little");
        assert!(test(WorseDirection::Higher, Threshold::Number(0.1)).is_worse(around(11.0, 1_000), around(10.0, 1_000)));
    }

    #[test]
    fn a_margin_may_be_a_share_of_the_controls_mean() {
        let share = |thousandths| Threshold::Share(ripcord_proto::gate::Percent::from_thousandths(thousandths));
        let (worse, control) = (around(9.0, 5_000), around(10.0, 5_000));
        assert!(test(WorseDirection::Lower, share(5_000)).is_worse(worse, control));
        assert!(!test(WorseDirection::Lower, share(15_000)).is_worse(worse, control));
        assert!(
            test(WorseDirection::Lower, share(5_000)).is_worse(around(-11.0, 5_000), around(-10.0, 5_000)),
            "below nothing, too"
        );
    }

    #[test]
    fn a_mean_is_beyond_a_limit_when_that_is_sure() {
        assert!(test(WorseDirection::Higher, Threshold::Number(10.0)).is_beyond(around(11.0, 1_000)));
        assert!(!test(WorseDirection::Higher, Threshold::Number(10.0)).is_beyond(around(9.0, 1_000)));
        assert!(test(WorseDirection::Lower, Threshold::Number(10.0)).is_beyond(around(9.0, 1_000)));
    }
}
