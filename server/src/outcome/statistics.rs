//! Whether a variant fails more often than its control. It may be evaluated at any time and any number of times.
//!
//! An ordinary test is designed to be read once, and raises false alarms if it is read every second. This one is always valid: a
//! mixture sequential probability ratio test. Under the hypothesis that the variant is at most the margin worse, the mixture's
//! likelihood ratio Λ is a supermartingale that starts at 1, so the chance that it ever reaches 1/α is at most α (Ville),
//! no matter how often and when it is evaluated.
//!
//! With the difference of the rates beyond the margin `d`, its variance `v = p₁(1-p₁)/n₁ + p₂(1-p₂)/n₂`, and effects mixed over the
//! positive half of N(0, τ²):
//!
//! ```text
//! Λ = 2 · √(v / (v + τ²)) · exp(d² τ² / (2 v (v + τ²))) · Φ(d τ / √(v (v + τ²)))
//! ```
//!
//! Sources: R. Johari, P. Koomen, L. Pekelis, D. Walsh, "Always Valid Inference: Continuous Monitoring of A/B Tests", Operations
//! Research 70(3), 2022 (the mSPRT and its use with estimated variances); H. Robbins, "Statistical Methods Related to the Law of the
//! Iterated Logarithm", Annals of Mathematical Statistics 41(5), 1970 (the mixture, and its one-sided form). Counts are normal
//! only for large numbers: each side's variance is estimated with half an error more, and [`ERRORS`] must have been seen at all.
//! Comparing a rate with a limit instead of a control is the same test, with a control that is known exactly and whose
//! variance is the variant's own at the limit. Means of numbers: [`means`].
//!
//! The rates of false alarms are measured in `benches/benches/gates/main.rs`.

pub mod means;

use ripcord_proto::gate::Arm;

/// Errors that the variant must have had before it can be called worse: fewer say nothing.
pub const ERRORS: u64 = 8;
/// The least effect that the mixture is made for, as a share of one.
const LEAST_SCALE: f64 = 0.01;

/// A comparison of two rates of error.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct RateTest {
    /// By how much the variant may be worse, as a share of one.
    pub margin: f64,
    /// The chance of a false alarm, over all evaluations together.
    pub alpha: f64,
}

impl RateTest {
    /// Λ: how much likelier the counts are if the variant is worse by more than the margin than if it is not.
    pub fn evidence(&self, treatment: Arm, control: Arm) -> f64 {
        if treatment.served == 0 || control.served == 0 {
            return 0.0;
        }
        let difference = treatment.rate() - control.rate() - self.margin;
        // A small control that happens to have few errors must not count as certain.
        let supposed = treatment.rate() - self.margin;
        let variance = variance(treatment, 0.0) + variance(control, supposed);
        let scale = self.margin.max(LEAST_SCALE).powi(2);
        mixture(difference, variance, scale)
    }

    /// Whether the variant is worse by more than the margin, with the required confidence.
    pub fn is_worse(&self, treatment: Arm, control: Arm) -> bool {
        treatment.errors >= ERRORS && self.evidence(treatment, control) >= 1.0 / self.alpha
    }

    /// Whether the variant's rate is above the margin, with the required confidence, regardless of the control.
    pub fn is_above(&self, treatment: Arm) -> bool {
        if treatment.served == 0 || treatment.errors < ERRORS {
            return false;
        }
        let variance = variance(treatment, self.margin);
        mixture(treatment.rate() - self.margin, variance, self.margin.max(LEAST_SCALE).powi(2)) >= 1.0 / self.alpha
    }
}

/// Λ of a difference beyond the margin, its variance, and the variance τ² of the effects that are mixed.
fn mixture(difference: f64, variance: f64, scale: f64) -> f64 {
    let spread = variance + scale;
    let z = difference * (scale / (variance * spread)).sqrt();
    2.0 * (variance / spread).sqrt() * below(z)
}

/// The variance of a rate, never zero and never less than that of a rate of `least`.
#[expect(clippy::cast_precision_loss, reason = "counts are far below 2^53")]
fn variance(arm: Arm, least: f64) -> f64 {
    let served = arm.served as f64;
    let rate = ((arm.errors.min(arm.served) as f64 + 0.5) / (served + 1.0)).max(least.min(0.5));
    rate * (1.0 - rate) / served
}

/// exp(z²/2) · Φ(z), where Φ(z) is the share of the normal distribution below `z`, to seven digits (Abramowitz and Stegun,
/// 26.2.17). The two factors are never multiplied: far below the mean one of them is infinite and the other zero.
fn below(z: f64) -> f64 {
    const FACTORS: [f64; 5] = [0.319_381_530, -0.356_563_782, 1.781_477_937, -1.821_255_978, 1.330_274_429];
    let t = 1.0 / (1.0 + 0.231_641_9 * z.abs());
    let series = FACTORS.iter().rev().fold(0.0, |sum, factor| (sum + factor) * t);
    let beyond = series / (2.0 * std::f64::consts::PI).sqrt();
    if z < 0.0 { beyond } else { (z * z / 2.0).exp() - beyond }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEST: RateTest = RateTest { margin: 0.005, alpha: 0.05 };

    fn arm(served: u64, errors: u64) -> Arm {
        Arm::new(served, errors)
    }

    #[test]
    fn a_rate_is_above_a_limit_when_that_is_sure() {
        let limit = RateTest { margin: 0.01, alpha: 0.05 };
        assert!(limit.is_above(arm(5_000, 100)));
        assert!(!limit.is_above(arm(5_000, 55)));
        assert!(!limit.is_above(arm(20, 7)), "too few say nothing");
        assert!(!limit.is_above(arm(0, 0)));
    }

    #[test]
    fn a_clear_rise_is_worse_and_equal_rates_are_not() {
        assert!(TEST.is_worse(arm(5_000, 150), arm(5_000, 50)));
        assert!(!TEST.is_worse(arm(5_000, 50), arm(5_000, 50)));
        assert!(!TEST.is_worse(arm(5_000, 70), arm(5_000, 50)), "0.4 points are within the margin");
    }

    #[test]
    fn few_errors_say_nothing_however_sure_the_sums_look() {
        assert!(!TEST.is_worse(arm(60, 7), arm(1_000_000, 0)));
        assert!(!TEST.is_worse(arm(0, 0), arm(100, 1)));
        assert!(!TEST.is_worse(arm(100, 100), arm(0, 0)));
        assert!(
            TEST.evidence(arm(10, 30), arm(10, 0)).is_finite(),
            "more errors than evaluations are counted as all of them"
        );
    }

    #[test]
    fn the_normal_distribution_is_as_in_the_tables() {
        for (z, share) in [(0.0, 0.5), (1.0, 0.841_344_7), (-1.0, 0.158_655_3), (1.96, 0.975_002_1), (-3.0, 0.001_349_9)] {
            let own = below(z) * (-z * z / 2.0_f64).exp();
            assert!((own - share).abs() < 1e-6, "{z}: {own}");
        }
    }

    #[test]
    fn a_variant_that_is_better_by_far_is_never_worse() {
        for errors in (0..50_000).step_by(100) {
            assert!(!TEST.is_worse(arm(100_000, errors / 10 + 8), arm(100_000, errors + 5_000)), "{errors}");
        }
    }
}
