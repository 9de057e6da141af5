//! The test of means, on numbers that are near to normal, skewed, and mostly nothing.

use ripcord_benches::table::Row;
use ripcord_proto::gate::{Arm, Percent, Threshold, WorseDirection};
use ripcord_server::bench::MeansTest;

use crate::simulation::{Dice, MIN_SAMPLES, SECONDS, median, share};

/// Numbers reported a second, of each side.
const A_SECOND: usize = 50;

/// A distribution, all with a mean of 10.
#[derive(Clone, Copy)]
enum Numbers {
    Uniform,
    Exponential,
    /// Nothing for nine in ten, exponential for the others: what a shop sells.
    MostlyNothing,
    LogNormal,
}

impl Numbers {
    fn draw(self, dice: &mut Dice) -> f64 {
        // Zero is never thrown to a logarithm.
        let throw = |dice: &mut Dice| 1.0 - dice.throw();
        match self {
            Self::Uniform => 20.0 * throw(dice),
            Self::Exponential => -10.0 * throw(dice).ln(),
            Self::MostlyNothing => {
                if dice.throw() < 0.9 {
                    0.0
                } else {
                    -100.0 * throw(dice).ln()
                }
            }
            Self::LogNormal => {
                let normal = (-2.0 * throw(dice).ln()).sqrt() * (2.0 * std::f64::consts::PI * dice.throw()).cos();
                10.0 * (normal - 0.5).exp()
            }
        }
    }

    const fn name(self) -> &'static str {
        match self {
            Self::Uniform => "uniform",
            Self::Exponential => "exponential",
            Self::MostlyNothing => "nine in ten nothing",
            Self::LogNormal => "log-normal",
        }
    }
}

pub(super) fn rows(runs: usize, dice: &mut Dice) -> Vec<Row> {
    let mut rows = Vec::new();
    let test = |margin| MeansTest {
        worse: WorseDirection::Lower,
        margin,
        alpha: 0.05,
    };
    let none = Threshold::Number(0.0);
    let tenth = Threshold::Share(Percent::from_thousandths(5_000));
    for numbers in [Numbers::Uniform, Numbers::Exponential, Numbers::MostlyNothing, Numbers::LogNormal] {
        let alarms = (0..runs).filter_map(|_| alarm(numbers, 1.0, test(none), dice)).count();
        let what = format!("false alarms, {} numbers, {A_SECOND} a second on both sides, worse_by 0", numbers.name());
        rows.push(Row::new(what, format!("{:.2} %", share(alarms, runs) * 100.0)).limit("5 %"));
    }
    for numbers in [Numbers::Exponential, Numbers::MostlyNothing] {
        let mut found: Vec<usize> = (0..runs).filter_map(|_| alarm(numbers, 0.8, test(tenth), dice)).collect();
        found.sort_unstable();
        let what = format!("a mean that is 20 % lower, {} numbers, worse_by 5 %, is found in (median)", numbers.name());
        rows.push(Row::new(what, median(&found)));
    }
    rows
}

/// The second at which an alarm is raised over numbers of which the variant's are `factor` times the control's.
fn alarm(numbers: Numbers, factor: f64, test: MeansTest, dice: &mut Dice) -> Option<usize> {
    let (mut variant, mut control) = (Arm::default(), Arm::default());
    let add = |arm: &mut Arm, factor: f64, dice: &mut Dice| {
        for _ in 0..A_SECOND {
            let number = factor * numbers.draw(dice);
            arm.served += 1;
            arm.sum += number;
            arm.squares += number * number;
        }
    };
    (1..=SECONDS).find(|_| {
        add(&mut variant, factor, dice);
        add(&mut control, 1.0, dice);
        variant.served >= MIN_SAMPLES && test.is_worse(variant, control)
    })
}
