//! The gates' test, by simulation: how often it raises a false alarm when it is looked at every second for an hour, and how long
//! it takes to find a rise. `cargo bench -p ripcord-benches --bench gates [-- RUNS]`.

mod means;
mod simulation;

use ripcord_benches::table::{Row, print};
use ripcord_proto::gate::Arm;
use ripcord_server::bench::RateTest;

use self::simulation::{Dice, MIN_SAMPLES, SECONDS, median, share};

const RUNS: usize = 4_000;

/// A traffic: evaluations a second and the rate of errors, of the variant and of its control.
#[derive(Clone, Copy)]
struct Traffic {
    treatment: (u32, f64),
    control: (u32, f64),
}

fn main() {
    let runs = std::env::args().skip(1).find_map(|argument| argument.parse().ok()).unwrap_or(RUNS);
    let mut dice = Dice(0x9e37_79b9_7f4a_7c15);
    let test = |margin: f64| RateTest { margin, alpha: 0.05 };
    let mut rows = Vec::new();
    for rate in [0.001, 0.01, 0.05, 0.3] {
        for (treatment, control) in [(50, 50), (5, 95), (95, 5)] {
            let equal = Traffic {
                treatment: (treatment, rate),
                control: (control, rate),
            };
            let alarms = alarms(equal, test(0.0), runs, &mut dice);
            let what = format!(
                "false alarms, {} % errors on both sides, {treatment} and {control} a second, worse_by 0",
                rate * 100.0
            );
            rows.push(Row::new(what, format!("{:.2} %", share(alarms.len(), runs) * 100.0)).limit("5 %"));
        }
    }
    let equal = Traffic {
        treatment: (50, 0.01),
        control: (50, 0.01),
    };
    let found = alarms(equal, test(0.005), runs, &mut dice);
    rows.push(
        Row::new(
            "the same at 1 %, 50 and 50, worse_by 0.5 points",
            format!("{:.2} %", share(found.len(), runs) * 100.0),
        )
        .limit("5 %"),
    );
    for (treatment, control) in [(50, 50), (10, 90), (5, 95)] {
        let rise = Traffic {
            treatment: (treatment, 0.03),
            control: (control, 0.01),
        };
        let mut found = alarms(rise, test(0.005), runs, &mut dice);
        found.sort_unstable();
        let at = |part: usize| {
            found
                .get(found.len() * part / 100)
                .map_or_else(|| "never".to_owned(), |second| format!("{second} s"))
        };
        let what = format!("a rise from 1 % to 3 %, {treatment} and {control} a second, is found in (median, 90 in 100)");
        rows.push(Row::new(what, format!("{}, {}", at(50), at(90))));
    }
    rows.extend(limits(runs, &mut dice));
    print("gates, a look every second for an hour, 95 % sure, min_samples 500", &rows);
    // Drawn one by one, they take longer.
    print("gates over numbers, the same", &means::rows(runs.div_ceil(8), &mut dice));
}

/// Rates that are compared with a limit instead of a control: as a latency gate does that says which share must be fast enough.
fn limits(runs: usize, dice: &mut Dice) -> Vec<Row> {
    let test = RateTest { margin: 0.01, alpha: 0.05 };
    let seconds = |rate: f64, dice: &mut Dice| {
        let draws = Draws::new((50, rate));
        let alarm = |dice: &mut Dice| {
            let mut arm = Arm::default();
            (1..=SECONDS).find(|_| {
                draws.add(&mut arm, dice);
                arm.served >= MIN_SAMPLES && test.is_above(arm)
            })
        };
        let mut found: Vec<usize> = (0..runs).filter_map(|_| alarm(dice)).collect();
        found.sort_unstable();
        found
    };
    let alarms = seconds(0.01, dice).len();
    let found = seconds(0.03, dice);
    vec![
        Row::new(
            "false alarms of a limit of 1 %, 1 % as it happens, 50 a second",
            format!("{:.2} %", share(alarms, runs) * 100.0),
        )
        .limit("5 %"),
        Row::new("3 % against a limit of 1 %, 50 a second, is found in (median)", median(&found)),
    ]
}

/// The seconds at which the runs raised an alarm; those that never did are left out.
fn alarms(traffic: Traffic, test: RateTest, runs: usize, dice: &mut Dice) -> Vec<usize> {
    let (treatment, control) = (Draws::new(traffic.treatment), Draws::new(traffic.control));
    (0..runs).filter_map(|_| alarm(&treatment, &control, test, dice)).collect()
}

fn alarm(treatment: &Draws, control: &Draws, test: RateTest, dice: &mut Dice) -> Option<usize> {
    let (mut variant, mut other) = (Arm::default(), Arm::default());
    (1..=SECONDS).find(|_| {
        treatment.add(&mut variant, dice);
        control.add(&mut other, dice);
        variant.served.min(other.served) >= MIN_SAMPLES && test.is_worse(variant, other)
    })
}

/// A second's errors, by the binomial distribution.
struct Draws {
    served: u32,
    below: Vec<f64>,
}

impl Draws {
    fn new((served, rate): (u32, f64)) -> Self {
        let mut chance = (1.0 - rate).powi(served.cast_signed());
        let mut sum = 0.0;
        let below = (0..=served).map(|errors| {
            sum += chance;
            chance *= f64::from(served - errors) / f64::from(errors + 1) * rate / (1.0 - rate);
            sum
        });
        Self {
            served,
            below: below.collect(),
        }
    }

    fn add(&self, arm: &mut Arm, dice: &mut Dice) {
        let throw = dice.throw();
        let errors = self.below.iter().position(|below| throw < *below).unwrap_or(self.below.len() - 1);
        arm.served += u64::from(self.served);
        arm.errors += errors as u64;
    }
}
