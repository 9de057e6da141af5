//! Addresses in bodies that this server would call: refused where they are written, not only when a check or a gate runs into it.

use ripcord_proto::check::Check;
use ripcord_proto::gate::Measure;
use ripcord_proto::outcome::OutcomeBatch;
use ripcord_proto::policy::Policy;
use ripcord_proto::release::ReleaseDetails;
use ripcord_proto::rest::checkpoints::{CheckpointRequest, DoubtRequest, VouchRequest};
use ripcord_proto::rest::commits::{ChangeRequest, CommitRequest};
use ripcord_proto::rest::drills::DrillRequest;
use ripcord_proto::rest::environments::EnvironmentRequest;
use ripcord_proto::rest::explain::ExplainRequest;
use ripcord_proto::rest::flags::FlagPatch;
use ripcord_proto::rest::keys::KeyRequest;
use ripcord_proto::rest::kills::{KillRequest, ReasonRequest};
use ripcord_proto::rest::releases::{ReleasePatch, ReleaseRequest};
use ripcord_proto::rest::rollback_acts::{ResumeRequest, ReviewRequest, UndoRequest};
use ripcord_proto::rest::rollbacks::{PlanRequest, RollbackRequest};
use ripcord_proto::rest::rollouts::ReplayRequest;
use ripcord_proto::rest::settings::SettingsRequest;
use ripcord_proto::rest::triggers::{TriggerPatch, TriggerRequest, TriggerTestRequest};
use ripcord_proto::rollout::RolloutPlan;
use ripcord_proto::validation::{ValidationError, ValidationErrors};
use ripcord_proto::{Flag, Segment};

use super::error::ApiError;
use crate::outbound::Outbound;

/// An address, and the field that contains it.
pub type ConfiguredAddress = (String, String);

/// A body that may have addresses in it.
pub trait CallsOut {
    /// All of them.
    fn addresses(&self) -> Vec<ConfiguredAddress>;
}

/// Refuses a body with an address that this server may not call.
pub(super) async fn check(outbound: Option<&Outbound>, body: &impl CallsOut) -> Result<(), ApiError> {
    let Some(outbound) = outbound else { return Ok(()) };
    let addresses = body.addresses();
    if addresses.is_empty() {
        return Ok(());
    }
    let urls: Vec<&str> = addresses.iter().map(|(_, url)| url.as_str()).collect();
    let judged = outbound.check_configured(&urls).await;
    let refused = addresses.iter().zip(judged).filter_map(|((field, _), judged)| {
        let refusal = judged.err()?;
        Some(ValidationError::new(field, refusal.to_string()))
    });
    ValidationErrors::check(refused.collect(), ()).map_err(ApiError::invalid)
}

fn of_checks(path: &str, checks: &[Check]) -> Vec<ConfiguredAddress> {
    let all = checks.iter().enumerate();
    all.map(|(index, check)| (format!("{path}checks[{index}].url"), check.url.clone())).collect()
}

macro_rules! calls_nothing {
    ($($body:ty),+ $(,)?) => {
        $(impl CallsOut for $body {
            fn addresses(&self) -> Vec<ConfiguredAddress> {
                Vec::new()
            }
        })+
    };
}

calls_nothing! {
    Segment, OutcomeBatch, ReplayRequest, FlagPatch, ReasonRequest, ReviewRequest, SettingsRequest, CheckpointRequest, DoubtRequest, KeyRequest,
    EnvironmentRequest, ExplainRequest, VouchRequest, DrillRequest, TriggerRequest, TriggerPatch, KillRequest, ResumeRequest, RollbackRequest,
    PlanRequest, UndoRequest, TriggerTestRequest,
}

impl CallsOut for Flag {
    fn addresses(&self) -> Vec<ConfiguredAddress> {
        of_checks("", &self.checks)
    }
}

impl CallsOut for CommitRequest {
    fn addresses(&self) -> Vec<ConfiguredAddress> {
        let of_change = |(index, change): (usize, &ChangeRequest)| match change {
            ChangeRequest::PutFlag { flag, .. } => of_checks(&format!("changes[{index}].put_flag.flag."), &flag.checks),
            ChangeRequest::ApplySet(set) => {
                let of_flag = |(key, flag): (_, &Flag)| of_checks(&format!("changes[{index}].apply_set.flags.{key}."), &flag.checks);
                set.flags.iter().flat_map(of_flag).collect()
            }
            ChangeRequest::DeleteFlag(_)
            | ChangeRequest::SetEnabled { .. }
            | ChangeRequest::PutSegment { .. }
            | ChangeRequest::DeleteSegment(_)
            | ChangeRequest::Kill { .. }
            | ChangeRequest::Restore(_)
            | ChangeRequest::PutSettings(_) => Vec::new(),
        };
        self.changes.iter().enumerate().flat_map(of_change).collect()
    }
}

impl CallsOut for Policy {
    fn addresses(&self) -> Vec<ConfiguredAddress> {
        let prometheus = self.prometheus.iter().map(|url| ("prometheus".to_owned(), url.clone()));
        prometheus.chain(of_checks("", &self.checks)).collect()
    }
}

impl CallsOut for ReleaseRequest {
    fn addresses(&self) -> Vec<ConfiguredAddress> {
        of_checks("", &self.details.checks)
    }
}

impl CallsOut for ReleasePatch {
    fn addresses(&self) -> Vec<ConfiguredAddress> {
        // A patch that cannot be applied is refused for that.
        let details = self.apply(&ReleaseDetails::default());
        details.map(|details| of_checks("", &details.checks)).unwrap_or_default()
    }
}

impl CallsOut for RolloutPlan {
    fn addresses(&self) -> Vec<ConfiguredAddress> {
        let gates = self.gates.iter().enumerate();
        let address = gates.filter_map(|(index, gate)| match &gate.measure {
            Measure::Probe { probe } => Some((format!("gates[{index}].probe.url"), probe.url.clone())),
            Measure::Prometheus(query) => query.url.clone().map(|url| (format!("gates[{index}].url"), url)),
            Measure::Outcome(_) => None,
        });
        address.collect()
    }
}
