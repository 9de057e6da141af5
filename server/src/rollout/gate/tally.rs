//! Counts of a step, added up from the growing sums of every node.

use std::collections::BTreeMap;

use ripcord_proto::gate::{Arm, Figures};
use ripcord_proto::outcome::Traffic;

use crate::outcome::reports::SeriesSums;

/// What was counted since a step began or was resumed. The first report of a node tells what it had counted before.
#[derive(Debug, Clone, Default)]
pub(super) struct GateTally {
    before: BTreeMap<String, [SeriesSums; 2]>,
    counted: [SeriesSums; 2],
}

impl GateTally {
    /// Continues from what was recorded.
    pub(super) fn from(figures: &Figures, traffic: Traffic) -> Self {
        let arms = |counts: Arm, aside: Arm| match traffic {
            Traffic::Real => SeriesSums {
                real: counts,
                synthetic: aside,
            },
            Traffic::Synthetic => SeriesSums {
                real: aside,
                synthetic: counts,
            },
        };
        let control = if figures.frozen { Arm::default() } else { figures.control };
        Self {
            before: BTreeMap::new(),
            counted: [arms(figures.treatment, figures.aside), arms(control, Arm::default())],
        }
    }

    /// Takes in the sums of a node, of the variant and of the control. `earlier` is what they were at the last reading, for a node
    /// that was not met before: one that restarted has dropped its window, and what is older than it was counted then.
    pub(super) fn take(&mut self, node: &str, sums: [SeriesSums; 2], earlier: [SeriesSums; 2]) {
        let before = self.before.insert(node.to_owned(), sums).unwrap_or(earlier);
        for ((counted, now), before) in self.counted.iter_mut().zip(sums).zip(before) {
            counted.real = counted.real.and(now.real.since(before.real));
            counted.synthetic = counted.synthetic.and(now.synthetic.since(before.synthetic));
        }
    }

    /// What was counted, with the control's frozen figures in place of its own if they are given.
    pub(super) fn figures(&self, traffic: Traffic, frozen: Option<Arm>) -> Figures {
        let [treatment, control] = self.counted;
        let (counts, aside, own) = match traffic {
            Traffic::Real => (treatment.real, treatment.synthetic, control.real),
            Traffic::Synthetic => (treatment.synthetic, treatment.real, control.synthetic),
        };
        Figures {
            treatment: counts,
            control: frozen.unwrap_or(own),
            frozen: frozen.is_some(),
            aside,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn served(real: (u64, u64), synthetic: (u64, u64)) -> SeriesSums {
        let arm = |(served, errors)| Arm::new(served, errors);
        SeriesSums {
            real: arm(real),
            synthetic: arm(synthetic),
        }
    }

    #[test]
    fn what_came_before_the_step_does_not_count_and_every_node_does() {
        let mut tally = GateTally::default();
        let of = |sum| [served((sum, sum / 10), (7, 7)), served((2 * sum, 0), (0, 0))];
        for (node, sum) in [("a", 1_000), ("b", 50), ("a", 1_010), ("b", 55)] {
            tally.take(node, of(sum), of(sum));
        }
        let figures = tally.figures(Traffic::Real, None);
        assert_eq!(figures.treatment, Arm::new(15, 1));
        assert_eq!(figures.control, Arm::new(30, 0));
        assert_eq!(figures.aside, Arm::default(), "synthetic traffic came before the step");
    }

    #[test]
    fn a_node_that_is_met_late_counts_from_the_last_reading_on() {
        let mut tally = GateTally::default();
        tally.take(
            "a",
            [served((110, 2), (3, 0)), SeriesSums::default()],
            [served((100, 1), (0, 0)), SeriesSums::default()],
        );
        let figures = tally.figures(Traffic::Real, Some(Arm::new(9, 1)));
        assert_eq!((figures.treatment, figures.aside.served), (Arm::new(10, 1), 3));
        assert_eq!((figures.control.served, figures.frozen), (9, true));
    }

    #[test]
    fn a_record_is_gone_on_from() {
        let figures = Figures {
            treatment: Arm::new(15, 1),
            control: Arm::new(9, 1),
            frozen: true,
            aside: Arm::new(3, 0),
        };
        let again = GateTally::from(&figures, Traffic::Real).figures(Traffic::Real, None);
        assert_eq!((again.treatment, again.aside), (figures.treatment, figures.aside));
        assert_eq!(again.control, Arm::default(), "frozen figures are not this step's own");
    }
}
