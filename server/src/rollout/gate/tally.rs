//! Counts of a step, added up from the growing sums of every node.

use std::collections::BTreeMap;

use ripcord_proto::gate::{Arm, Figures};
use ripcord_proto::outcome::Traffic;

use crate::outcome::reports::Served;

/// What came since a step began. A node that is met for the first time counts from then on; one that begins anew, from nothing.
#[derive(Debug, Clone, Default)]
pub(super) struct Tally {
    before: BTreeMap<String, [Served; 2]>,
    counted: [Served; 2],
}

impl Tally {
    /// One that goes on from what was recorded.
    pub(super) fn from(figures: &Figures, traffic: Traffic) -> Self {
        let arms = |counts: Arm, aside: Arm| match traffic {
            Traffic::Real => Served {
                real: counts,
                synthetic: aside,
            },
            Traffic::Synthetic => Served {
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

    /// Takes in the sums of a node, of the variant and of the control.
    pub(super) fn take(&mut self, node: &str, sums: [Served; 2]) {
        let Some(before) = self.before.insert(node.to_owned(), sums) else { return };
        for ((counted, now), before) in self.counted.iter_mut().zip(sums).zip(before) {
            add(&mut counted.real, now.real, before.real);
            add(&mut counted.synthetic, now.synthetic, before.synthetic);
        }
    }

    /// What was counted, with the control's frozen figures in place of its own where they are given.
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

fn add(counted: &mut Arm, now: Arm, before: Arm) {
    // Sums that shrank are those of a process that began anew.
    let grown = |now: u64, before: u64| if now >= before { now - before } else { now };
    counted.served = counted.served.saturating_add(grown(now.served, before.served));
    counted.errors = counted.errors.saturating_add(grown(now.errors, before.errors));
}

#[cfg(test)]
mod tests {
    use super::*;

    fn served(real: (u64, u64), synthetic: (u64, u64)) -> Served {
        let arm = |(served, errors)| Arm { served, errors };
        Served {
            real: arm(real),
            synthetic: arm(synthetic),
        }
    }

    #[test]
    fn what_came_before_the_step_does_not_count_and_every_node_does() {
        let mut tally = Tally::default();
        for (node, sum) in [("a", 1_000), ("b", 50), ("a", 1_010), ("b", 55)] {
            tally.take(node, [served((sum, sum / 10), (7, 7)), served((2 * sum, 0), (0, 0))]);
        }
        let figures = tally.figures(Traffic::Real, None);
        assert_eq!(figures.treatment, Arm { served: 15, errors: 1 });
        assert_eq!(figures.control, Arm { served: 30, errors: 0 });
        assert_eq!(figures.aside, Arm::default(), "synthetic traffic came before the step");
    }

    #[test]
    fn a_node_that_begins_anew_counts_from_nothing_and_a_record_is_gone_on_from() {
        let mut tally = Tally::default();
        tally.take("a", [served((100, 1), (0, 0)), Served::default()]);
        tally.take("a", [served((110, 2), (3, 0)), Served::default()]);
        tally.take("a", [served((5, 0), (3, 0)), Served::default()]);
        let figures = tally.figures(Traffic::Real, Some(Arm { served: 9, errors: 1 }));
        assert_eq!(figures.treatment, Arm { served: 15, errors: 1 });
        assert_eq!((figures.control.served, figures.frozen, figures.aside.served), (9, true, 3));
        let again = Tally::from(&figures, Traffic::Real).figures(Traffic::Real, None);
        assert_eq!((again.treatment, again.aside), (figures.treatment, figures.aside));
        assert_eq!(again.control, Arm::default(), "frozen figures are not this step's own");
    }
}
