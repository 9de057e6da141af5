//! Checks: HTTP probes that show whether a rollback is safe, and afterwards whether service is restored.
//!
//! All probes of a set run in parallel, and each ends at its own timeout, so that a set takes as long as its slowest
//! probe and never longer than the longest timeout. An outcome is words for people: what came, and what was expected. Texts of the services
//! that are asked are never among them, since many may read an outcome: only statuses, numbers, and what the check itself states.

mod body;
mod probe;

use std::sync::Arc;

use futures_util::future::join_all;
use ripcord_proto::check::{CheckOutcome, CheckPhase, ScopedCheck};

pub(crate) use self::body::{BodyMatch, compare};
use crate::clock::Clock;
use crate::outbound::Outbound;

/// Runs probes. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Checks {
    outbound: Outbound,
    http: Option<reqwest::Client>,
    clock: Arc<dyn Clock>,
}

impl Checks {
    /// Checks of whatever address.
    #[cfg(test)]
    pub fn new(clock: Arc<dyn Clock>) -> Self {
        Self::calling(Outbound::default(), clock)
    }

    /// With a client of their own: no redirects are followed, since the first status is the one that counts.
    pub fn calling(outbound: Outbound, clock: Arc<dyn Clock>) -> Self {
        let http = outbound.client("ripcord-check");
        let http = http.inspect_err(|error| tracing::error!(%error, "checks cannot run; all of them count as failed"));
        Self {
            outbound,
            http: http.ok(),
            clock,
        }
    }

    /// What may be called.
    pub fn outbound(&self) -> &Outbound {
        &self.outbound
    }

    /// Runs the `probes` that are meant for `when`, and returns the outcome of each, in their order. Dropping the future ends
    /// the probes.
    pub async fn run(&self, probes: &[ScopedCheck], when: CheckPhase) -> Vec<CheckOutcome> {
        let due = probes.iter().filter(|probe| probe.check.when.contains(&when));
        join_all(due.map(|probe| self.ask(probe, when))).await
    }

    async fn ask(&self, probe: &ScopedCheck, when: CheckPhase) -> CheckOutcome {
        let result = match &self.http {
            Some(http) => probe::ask(http, &self.outbound, &probe.check).await,
            None => Err("this node cannot run checks because its HTTP client could not be created; see its log".to_owned()),
        };
        let outcome = CheckOutcome {
            name: probe.check.name.clone(),
            of: probe.of.clone(),
            when,
            passed: result.is_ok(),
            detail: result.unwrap_or_else(std::convert::identity),
            at: self.clock.now(),
        };
        tracing::debug!(
            check = outcome.name,
            of = outcome.of,
            passed = outcome.passed,
            detail = outcome.detail,
            "checked"
        );
        outcome
    }
}

#[cfg(test)]
mod tests;
