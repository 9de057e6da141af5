//! A variant compared with its control, or with a limit.

use ripcord_proto::gate::{Arm, ComparedTo, Figures, GateVerdict, OutcomeComparison, OutcomeMeasure, Threshold};
use ripcord_proto::text::grouped;

use crate::outcome::statistics::RateTest;
use crate::outcome::statistics::means::MeansTest;

/// The verdict that follows from the counts, and its explanation.
pub(in crate::rollout) fn judge(comparison: &OutcomeComparison, figures: &Figures) -> (GateVerdict, String) {
    if let Some(lacking) = lacking(comparison, figures) {
        return (GateVerdict::Samples, lacking);
    }
    let Figures { treatment, control, .. } = *figures;
    let alpha = 1.0 - comparison.confidence.share();
    let failed = match (&comparison.outcome, comparison.against) {
        (OutcomeMeasure::Number(_, worse), against) => {
            let test = |margin| MeansTest { worse: *worse, margin, alpha };
            match against {
                ComparedTo::Control(margin) => test(margin).is_worse(treatment, control),
                ComparedTo::Limit(limit) => test(limit).is_beyond(treatment),
            }
        }
        (OutcomeMeasure::Error | OutcomeMeasure::Latency(_), against) => match against {
            ComparedTo::Control(margin) => rates(margin, alpha).is_worse(treatment, control),
            ComparedTo::Limit(limit) => rates(limit, alpha).is_above(treatment),
        },
    };
    let summary = summary(comparison, figures);
    if failed {
        (
            GateVerdict::Fail,
            format!("{summary}: {}, {} sure", too_much(comparison), comparison.confidence),
        )
    } else {
        (GateVerdict::Pass, summary)
    }
}

fn rates(margin: Threshold, alpha: f64) -> RateTest {
    let margin = match margin {
        Threshold::Share(share) => share.share(),
        Threshold::Number(number) => number,
    };
    RateTest { margin, alpha }
}

/// What there is too little of, if anything.
fn lacking(comparison: &OutcomeComparison, figures: &Figures) -> Option<String> {
    let (treatment, control) = (figures.treatment.served, figures.control.served);
    let needs_control = matches!(comparison.against, ComparedTo::Control(_));
    let (fewest, whose) = if needs_control && control < treatment {
        (control, "the control")
    } else {
        (treatment, "the variant")
    };
    let what = match &comparison.outcome {
        OutcomeMeasure::Error => "evaluations".to_owned(),
        OutcomeMeasure::Latency(_) => "latencies".to_owned(),
        OutcomeMeasure::Number(name, _) => format!("reports of {name}"),
    };
    (fewest < comparison.min_samples).then(|| format!("{} of {} {what} of {whose}", grouped(fewest), grouped(comparison.min_samples)))
}

/// The figures: `3.00% errors of 5,000 against 1.00% of 5,000 for the control`.
fn summary(comparison: &OutcomeComparison, figures: &Figures) -> String {
    let Figures { treatment, control, .. } = *figures;
    let served = grouped(treatment.served);
    let (own, its) = match &comparison.outcome {
        OutcomeMeasure::Error => (format!("{} errors of {served}", percent(treatment)), percent(control)),
        OutcomeMeasure::Latency(limit) => (format!("{} took {limit} or longer of {served}", percent(treatment)), percent(control)),
        OutcomeMeasure::Number(name, _) => (format!("mean {name} {:.4} of {served}", treatment.mean()), format!("{:.4}", control.mean())),
    };
    match comparison.against {
        ComparedTo::Control(_) => {
            let frozen = if figures.frozen { " (from when it was last served)" } else { "" };
            format!("{own} against {its} of {} for the control{frozen}", grouped(control.served))
        }
        ComparedTo::Limit(_) => own,
    }
}

/// `worse by more than 0.5 points`.
fn too_much(comparison: &OutcomeComparison) -> String {
    match (&comparison.outcome, comparison.against) {
        (OutcomeMeasure::Number(..), ComparedTo::Control(margin)) => format!("worse by more than {margin}"),
        (OutcomeMeasure::Error | OutcomeMeasure::Latency(_), ComparedTo::Control(margin)) => {
            let points = margin.to_string();
            let points = points.trim_end_matches('%');
            let noun = if points == "1" { "point" } else { "points" };
            format!("worse by more than {points} {noun}")
        }
        (OutcomeMeasure::Number(_, ripcord_proto::gate::WorseDirection::Lower), ComparedTo::Limit(limit)) => format!("below {limit}"),
        (OutcomeMeasure::Error | OutcomeMeasure::Latency(_) | OutcomeMeasure::Number(..), ComparedTo::Limit(limit)) => format!("above {limit}"),
    }
}

fn percent(arm: Arm) -> String {
    format!("{:.2}%", arm.rate() * 100.0)
}

#[cfg(test)]
mod tests {
    use ripcord_proto::gate::{Gate, Measure};
    use ripcord_proto::rollout::RolloutPlan;

    use super::*;

    fn comparison() -> OutcomeComparison {
        gate("outcome: error, worse_by: 0.5%")
    }

    fn gate(members: &str) -> OutcomeComparison {
        let plan = format!("flag: f\nvariant: on\nsteps: [{{to: 1%, hold: 1s}}]\ngates: [{{name: e, {members}, on_fail: hold}}]");
        let Gate { measure, .. } = RolloutPlan::parse(&plan).unwrap().gates.remove(0);
        let Measure::Outcome(comparison) = measure else { panic!("{measure:?}") };
        comparison
    }

    fn figures(treatment: (u64, u64), control: (u64, u64)) -> Figures {
        let arm = |(served, errors)| Arm::new(served, errors);
        Figures {
            treatment: arm(treatment),
            control: arm(control),
            ..Figures::default()
        }
    }

    #[test]
    fn a_gate_says_what_it_lacks_before_it_says_anything_else() {
        let (verdict, detail) = judge(&comparison(), &figures((120, 120), (9_000, 0)));
        assert_eq!((verdict, detail.as_str()), (GateVerdict::Samples, "120 of 500 evaluations of the variant"));
        let (_, detail) = judge(&comparison(), &figures((9_000, 0), (0, 0)));
        assert_eq!(detail, "0 of 500 evaluations of the control");
    }

    #[test]
    fn a_gate_tells_the_figures_that_it_goes_by() {
        let (verdict, detail) = judge(&comparison(), &figures((5_000, 150), (5_000, 50)));
        assert_eq!(verdict, GateVerdict::Fail);
        assert_eq!(
            detail,
            "3.00% errors of 5,000 against 1.00% of 5,000 for the control: worse by more than 0.5 points, 95% sure"
        );
        assert_eq!(judge(&comparison(), &figures((5_000, 50), (5_000, 50))).0, GateVerdict::Pass);
    }

    #[test]
    fn latencies_are_judged_by_the_share_of_those_who_waited_too_long() {
        let compared = gate("outcome: latency, below: 300ms, worse_by: 1%");
        let (verdict, detail) = judge(&compared, &figures((5_000, 250), (5_000, 50)));
        assert_eq!(verdict, GateVerdict::Fail);
        assert_eq!(
            detail,
            "5.00% took 300ms or longer of 5,000 against 1.00% of 5,000 for the control: worse by more than 1 point, 95% sure"
        );
        assert_eq!(judge(&compared, &figures((5_000, 60), (5_000, 50))).0, GateVerdict::Pass);
        let limited = gate("outcome: latency, below: 300ms");
        let (verdict, detail) = judge(&limited, &figures((5_000, 250), (0, 0)));
        assert_eq!(
            (verdict, detail.as_str()),
            (GateVerdict::Fail, "5.00% took 300ms or longer of 5,000: above 1%, 95% sure"),
            "no control is needed, and 99 % must be fast enough where the gate does not say it"
        );
        assert_eq!(judge(&limited, &figures((5_000, 40), (0, 0))).0, GateVerdict::Pass);
    }

    #[test]
    fn numbers_are_judged_by_their_means() {
        let arm = |served: u32, mean: f64| Arm {
            served: served.into(),
            errors: 0,
            sum: f64::from(served) * mean,
            squares: f64::from(served) * (mean * mean + 1.0),
        };
        let figures = |treatment, control| Figures {
            treatment,
            control,
            ..Figures::default()
        };
        let lower = gate("outcome: number basket, worse: lower, worse_by: 5%");
        let (verdict, detail) = judge(&lower, &figures(arm(2_000, 9.0), arm(2_000, 10.0)));
        assert_eq!(
            (verdict, detail.as_str()),
            (
                GateVerdict::Fail,
                "mean basket 9.0000 of 2,000 against 10.0000 of 2,000 for the control: worse by more than 5%, 95% sure"
            )
        );
        assert_eq!(judge(&lower, &figures(arm(2_000, 11.0), arm(2_000, 10.0))).0, GateVerdict::Pass);
        let (verdict, detail) = judge(&lower, &figures(arm(2_000, 9.0), arm(100, 10.0)));
        assert_eq!(
            (verdict, detail.as_str()),
            (GateVerdict::Samples, "100 of 500 reports of basket of the control")
        );
        let most = gate("outcome: number queries, below: 3");
        assert_eq!(
            judge(&most, &figures(arm(2_000, 3.5), Arm::default())).1,
            "mean queries 3.5000 of 2,000: above 3, 95% sure"
        );
        let least = gate("outcome: number basket, above: 20");
        assert_eq!(
            judge(&least, &figures(arm(2_000, 19.0), Arm::default())).1,
            "mean basket 19.0000 of 2,000: below 20, 95% sure"
        );
    }
}
