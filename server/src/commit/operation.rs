//! What a commit can be asked to do, one step at a time. [`ChangeRequest`] is what callers send, [`ProposedOperation`] what a
//! proposal keeps; both are converted here, and nowhere else.

use std::sync::Arc;

use ripcord_proto::digest::Digest;
use ripcord_proto::file_set::FileSet;
use ripcord_proto::ping::PingId;
use ripcord_proto::proposal::ProposedOperation;
use ripcord_proto::record::{Record, RecordKey};
use ripcord_proto::rest::commits::ChangeRequest;
use ripcord_proto::rest::settings::SettingsRequest;
use ripcord_proto::settings::Settings;
use ripcord_proto::{Flag, FlagKey, Kill, KillId, KillScope, Segment, SegmentKey};

use super::error::CommitError;
use super::reversal::Reversal;
use super::state::EnvironmentState;

/// One step of a draft.
#[derive(Debug, Clone)]
pub enum Operation {
    /// Creates or replaces a flag.
    PutFlag(FlagKey, Box<Flag>),
    /// Deletes a flag.
    DeleteFlag(FlagKey),
    /// Switches a flag on or off.
    SetEnabled(FlagKey, bool),
    /// Creates or replaces a segment.
    PutSegment(SegmentKey, Box<Segment>),
    /// Deletes a segment.
    DeleteSegment(SegmentKey),
    /// Replaces the settings.
    PutSettings(Settings),
    /// Kills. The commit finds the flags that a kill by tag latches onto. A scope that is killed already stays as it is.
    Kill(Box<Kill>),
    /// Adds a provisional kill to the log, once, whatever else covers its flags.
    Merge(Box<Kill>),
    /// Withdraws a provisional kill: its id never enters the log, and is lifted if another node has merged it.
    Withdraw(KillId),
    /// Lifts a kill.
    Restore(KillId),
    /// Gives a kill a reason.
    GiveReason(KillId, String),
    /// Refuses the whole draft unless the leader lease with this token is still held.
    Driven(u64),
    /// Creates or replaces a record, if it is as expected.
    PutRecord(Record, Expected),
    /// Deletes a record, if it is as expected.
    DeleteRecord(RecordKey, Expected),
    /// Finds its operations on the state that the commit is admitted on.
    Decide(Precheck),
    /// The same, ahead of everything that is queued: for what takes something back.
    DecideNow(Precheck),
    /// A revision that changes nothing.
    Ping(PingId),
    /// Returns flags to an earlier state, and keeps the record of that.
    Rollback(Box<Reversal>),
}

impl Operation {
    /// An operation that `decision` finds on the state that the commit is admitted on.
    pub fn decide(decision: impl Fn(&EnvironmentState) -> Result<Vec<Self>, CommitError> + Send + Sync + 'static) -> Self {
        Self::Decide(Precheck::new(decision))
    }

    /// Whether it goes ahead of everything that is queued.
    pub fn is_urgent(&self) -> bool {
        match self {
            Self::Kill(_) | Self::Merge(_) | Self::Withdraw(_) | Self::Restore(_) | Self::Rollback(_) | Self::DecideNow(_) => true,
            Self::PutFlag(..)
            | Self::DeleteFlag(_)
            | Self::SetEnabled(..)
            | Self::PutSegment(..)
            | Self::DeleteSegment(_)
            | Self::PutSettings(_)
            | Self::Driven(_)
            | Self::PutRecord(..)
            | Self::DeleteRecord(..)
            | Self::Decide(_)
            | Self::Ping(_)
            | Self::GiveReason(..) => false,
        }
    }

    /// The same in a form that another node can carry out; `None` if no proposal can hold it.
    pub(super) fn kept(&self) -> Option<ProposedOperation> {
        let change = match self {
            Self::PutFlag(key, flag) => ChangeRequest::PutFlag {
                key: key.clone(),
                flag: flag.clone(),
            },
            Self::DeleteFlag(key) => ChangeRequest::DeleteFlag(key.clone()),
            Self::SetEnabled(key, enabled) => ChangeRequest::SetEnabled {
                key: key.clone(),
                enabled: *enabled,
            },
            Self::PutSegment(key, segment) => ChangeRequest::PutSegment {
                key: key.clone(),
                segment: segment.clone(),
            },
            Self::DeleteSegment(key) => ChangeRequest::DeleteSegment(key.clone()),
            Self::PutSettings(settings) => ChangeRequest::PutSettings(SettingsRequest {
                bucketing: settings.bucketing,
                context: settings.context.clone(),
                context_from_headers: settings.context_from_headers.clone(),
                reassign_users: true,
                reason: None,
            }),
            Self::Restore(id) => ChangeRequest::Restore(id.clone()),
            Self::PutRecord(record, _) => return Some(ProposedOperation::PutRecord(record.into())),
            Self::Decide(decider) | Self::DecideNow(decider) => return decider.asked.clone(),
            Self::Rollback(reversal) => return Some(ProposedOperation::RollBack(Box::new(reversal.record.clone()))),
            Self::Kill(_) | Self::Merge(_) | Self::Withdraw(_) | Self::GiveReason(..) | Self::Driven(_) | Self::DeleteRecord(..) | Self::Ping(_) => {
                return None;
            }
        };
        Some(ProposedOperation::Change(change))
    }
}

/// A change of a request that is more than one operation by itself.
#[derive(Debug)]
pub enum CompoundChange {
    /// A kill, whose id and time are made when it is pulled.
    Kill(KillScope),
    /// A file set, which is decided on when it is committed.
    ApplySet(Box<FileSet>),
}

impl TryFrom<ChangeRequest> for Operation {
    type Error = CompoundChange;

    fn try_from(change: ChangeRequest) -> Result<Self, CompoundChange> {
        Ok(match change {
            ChangeRequest::PutFlag { key, flag } => Self::PutFlag(key, flag),
            ChangeRequest::DeleteFlag(key) => Self::DeleteFlag(key),
            ChangeRequest::SetEnabled { key, enabled } => Self::SetEnabled(key, enabled),
            ChangeRequest::PutSegment { key, segment } => Self::PutSegment(key, segment),
            ChangeRequest::DeleteSegment(key) => Self::DeleteSegment(key),
            ChangeRequest::Restore(id) => Self::Restore(id),
            ChangeRequest::PutSettings(request) => Self::PutSettings(request.settings()),
            ChangeRequest::ApplySet(set) => return Err(CompoundChange::ApplySet(set)),
            ChangeRequest::Kill { scope, .. } => return Err(CompoundChange::Kill(scope)),
        })
    }
}

/// What a record must be before it is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Expected {
    /// Anything, or nothing.
    Anything,
    /// It must not exist.
    Absent,
    /// It must have this digest.
    Digest(Digest),
}

/// Finds the operations on the state that the commit is admitted on, so that nothing comes between what is read and what is written.
#[derive(Clone)]
pub struct Precheck {
    decision: Arc<PrecheckFn>,
    /// What a proposal keeps of it; `None` if no proposal can hold it.
    asked: Option<ProposedOperation>,
}

/// From the state that a commit finds to the operations, or why there are none.
type PrecheckFn = dyn Fn(&EnvironmentState) -> Result<Vec<Operation>, CommitError> + Send + Sync;

impl Precheck {
    /// The operations that `decision` finds.
    pub fn new(decision: impl Fn(&EnvironmentState) -> Result<Vec<Operation>, CommitError> + Send + Sync + 'static) -> Self {
        Self {
            decision: Arc::new(decision),
            asked: None,
        }
    }

    /// The same, which a proposal keeps as `asked`.
    #[must_use]
    pub fn kept_as(self, asked: ProposedOperation) -> Self {
        Self { asked: Some(asked), ..self }
    }

    pub(super) fn run(&self, state: &EnvironmentState) -> Result<Vec<Operation>, CommitError> {
        (self.decision)(state)
    }
}

impl std::fmt::Debug for Precheck {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Precheck").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_a_caller_sends_is_what_its_proposal_keeps() {
        let flag = json!({"variants": {"on": true, "off": false}, "default": "off", "safe": "off"});
        let segment = json!({"attribute": "plan", "equals": "beta"});
        for sent in [
            json!({"put_flag": {"key": "a", "flag": flag}}),
            json!({"delete_flag": "a"}),
            json!({"set_enabled": {"key": "a", "enabled": false}}),
            json!({"put_segment": {"key": "staff", "segment": segment}}),
            json!({"delete_segment": "staff"}),
            json!({"restore": "k_01jd3x7q8v9w0y2z4a6b8c0d2e"}),
            json!({"put_settings": {"bucketing": "v2", "reassign_users": true}}),
        ] {
            let change = ChangeRequest::from_value(&sent).unwrap();
            let expected = serde_json::to_string(&ProposedOperation::Change(change.clone())).unwrap();
            let kept = Operation::try_from(change).unwrap().kept().unwrap();
            assert_eq!(serde_json::to_string(&kept).unwrap(), expected);
        }
    }

    #[test]
    fn kills_and_file_sets_are_no_single_operation() {
        let kill = ChangeRequest::from_value(&json!({"kill": {"scope": {"flag": "a"}}})).unwrap();
        assert!(matches!(Operation::try_from(kill), Err(CompoundChange::Kill(_))));
    }
}
