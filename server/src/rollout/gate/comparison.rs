//! A variant compared with its control.

use ripcord_proto::gate::{Arm, Comparison, Figures, Verdict};

use crate::outcome::statistics::Test;

/// What the counts say, and in which words.
pub(in crate::rollout) fn judge(comparison: &Comparison, figures: &Figures) -> (Verdict, String) {
    let Figures { treatment, control, .. } = *figures;
    let fewest = treatment.served.min(control.served);
    if fewest < comparison.min_samples {
        let which = if treatment.served <= control.served { "the variant" } else { "the control" };
        let detail = format!("{fewest} of {} evaluations of {which}", comparison.min_samples);
        return (Verdict::Samples, detail);
    }
    let test = Test {
        margin: comparison.worse_by.share(),
        alpha: 1.0 - comparison.confidence.share(),
    };
    let frozen = if figures.frozen { " (as it was when it was last served)" } else { "" };
    let figures = format!(
        "{} errors of {} against {} of {} of the control{frozen}",
        percent(treatment),
        treatment.served,
        percent(control),
        control.served
    );
    if test.is_worse(treatment, control) {
        let worse_by = comparison.worse_by.to_string();
        let points = worse_by.trim_end_matches('%');
        return (
            Verdict::Fail,
            format!("{figures}: worse by more than {points} points, {} sure", comparison.confidence),
        );
    }
    (Verdict::Pass, figures)
}

fn percent(arm: Arm) -> String {
    format!("{:.2}%", arm.rate() * 100.0)
}

#[cfg(test)]
mod tests {
    use ripcord_proto::gate::{Gate, Measure};
    use ripcord_proto::rollout::Plan;

    use super::*;

    fn comparison() -> Comparison {
        let plan = "flag: f\nvariant: on\nsteps: [{to: 1%, hold: 1s}]\ngates: [{name: e, outcome: error, worse_by: 0.5%, on_fail: hold}]";
        let Gate { measure, .. } = Plan::parse(plan).unwrap().gates.remove(0);
        let Measure::Outcome(comparison) = measure else { panic!("{measure:?}") };
        comparison
    }

    fn figures(treatment: (u64, u64), control: (u64, u64)) -> Figures {
        let arm = |(served, errors)| Arm { served, errors };
        Figures {
            treatment: arm(treatment),
            control: arm(control),
            ..Figures::default()
        }
    }

    #[test]
    fn a_gate_says_what_it_lacks_before_it_says_anything_else() {
        let (verdict, detail) = judge(&comparison(), &figures((120, 120), (9_000, 0)));
        assert_eq!((verdict, detail.as_str()), (Verdict::Samples, "120 of 500 evaluations of the variant"));
        let (_, detail) = judge(&comparison(), &figures((9_000, 0), (0, 0)));
        assert_eq!(detail, "0 of 500 evaluations of the control");
    }

    #[test]
    fn a_gate_tells_the_figures_that_it_goes_by() {
        let (verdict, detail) = judge(&comparison(), &figures((5_000, 150), (5_000, 50)));
        assert_eq!(verdict, Verdict::Fail);
        assert_eq!(
            detail,
            "3.00% errors of 5000 against 1.00% of 5000 of the control: worse by more than 0.5 points, 95% sure"
        );
        assert_eq!(judge(&comparison(), &figures((5_000, 50), (5_000, 50))).0, Verdict::Pass);
    }
}
