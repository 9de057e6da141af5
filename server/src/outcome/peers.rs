//! What applications reported to other nodes: each application reports to the node that it is connected to.

use futures_util::future::BoxFuture;
use jiff::Timestamp;

use super::counters::OutcomeTotal;
use super::query::{ExposureQuery, FallingVariant, TotalsQuery};
use super::registry::{Exposure, Outcomes};

/// The answers of other nodes.
#[derive(Debug, Clone, Default)]
pub struct PeerExposure {
    /// One answer for each node that gave one.
    pub counts: Vec<Exposure>,
    /// The nodes that did not answer.
    pub nodes_not_reached: Vec<String>,
}

/// Asks other nodes.
pub trait PeerOutcomes: Send + Sync + std::fmt::Debug + 'static {
    /// Asks all of them, briefly; those that do not answer are named.
    fn served<'a>(&'a self, question: &'a ExposureQuery) -> BoxFuture<'a, PeerExposure>;

    /// What was reported to those that answer.
    fn totals<'a>(&'a self, question: &'a TotalsQuery) -> BoxFuture<'a, Vec<OutcomeTotal>>;
}

/// A node without peers.
#[cfg(test)]
#[derive(Debug, Clone, Copy, Default)]
pub struct NoPeerOutcomes;

#[cfg(test)]
impl PeerOutcomes for NoPeerOutcomes {
    fn served<'a>(&'a self, _: &'a ExposureQuery) -> BoxFuture<'a, PeerExposure> {
        Box::pin(std::future::ready(PeerExposure::default()))
    }

    fn totals<'a>(&'a self, _: &'a TotalsQuery) -> BoxFuture<'a, Vec<OutcomeTotal>> {
        Box::pin(std::future::ready(Vec::new()))
    }
}

impl Outcomes {
    /// This node's answer. `confirmed` is when its applications had all confirmed the rollback, if they have.
    pub fn answer(&self, question: &ExposureQuery, confirmed: Option<Timestamp>) -> Exposure {
        let remaining_to = confirmed.map_or(question.to, |confirmed| confirmed.min(question.to));
        let to = |variant: &FallingVariant| if variant.remains { remaining_to } else { question.to };
        let mut sum = self.served_between(&question.environment, &[], question.from, question.to);
        for is_remaining in [false, true] {
            let variants: Vec<FallingVariant> = question.variants.iter().filter(|variant| variant.remains == is_remaining).cloned().collect();
            if let Some(first) = variants.first() {
                let part = self.served_between(&question.environment, &variants, question.from, to(first));
                sum.counts = sum.counts.and(part.counts);
            }
        }
        sum
    }
}
