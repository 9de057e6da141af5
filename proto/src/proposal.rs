//! Proposals: writes that wait for a second person, kept exactly as they were asked for, with what they would change.

use std::collections::BTreeSet;

use crate::actor::Actor;
use crate::digest::Digest;
use crate::key::{EnvironmentKey, ReleaseName, TriggerName};
use crate::policy::{GuardedOperation, Policy};
use crate::raw_record::RawRecord;
use crate::rest::commits::ChangeRequest;
use crate::revision::{Position, Revision};
use crate::role::Action;
use crate::rollback::Rollback;
use crate::rollout::{Attribution, Rollout, RolloutId};
use crate::table::Entity;
use crate::validation::ValidationErrors;

pub use crate::diff::{PolicyDiff, ProposalDiff};
pub use crate::id::ProposalId;

/// A write that waits for a second person, or that one has decided on.
#[derive(Debug, Clone, serde::Serialize, serde::Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Proposal {
    /// The proposal's id.
    pub id: ProposalId,
    /// The environment to change.
    #[cfg_attr(feature = "openapi", schema(value_type = String))]
    pub environment: EnvironmentKey,
    /// The state of the proposal.
    pub state: ProposalState,
    /// Why it is in this state and what to do next, in words.
    #[serde(alias = "says")]
    pub message: String,
    /// What it does, in words.
    #[serde(alias = "what")]
    pub summary: String,
    /// Why it needs a second person: its operations that the environment's policy guards.
    pub guarded: BTreeSet<GuardedOperation>,
    /// Who asked for it.
    pub by: Actor,
    /// When the change was proposed.
    #[cfg_attr(feature = "openapi", schema(value_type = String, format = DateTime))]
    pub at: jiff::Timestamp,
    /// The reason given for the change.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// The release that it belongs to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(value_type = Option<String>))]
    pub release: Option<ReleaseName>,
    /// The position that `diff` was computed against.
    #[serde(alias = "shown")]
    #[cfg_attr(feature = "openapi", schema(value_type = String, example = "1:41"))]
    pub base: Position,
    /// The hash of its effect; it is applied only if it would have exactly that effect.
    #[cfg_attr(feature = "openapi", schema(value_type = String))]
    pub plan: Digest,
    /// The changes that approval would make.
    pub diff: ProposalDiff,
    /// What was asked for.
    #[cfg_attr(feature = "openapi", schema(value_type = Vec<Object>))]
    pub asked: Vec<ProposedOperation>,
    /// Whether its author knows that it changes what a killed flag serves.
    #[serde(default, skip_serializing_if = "std::ops::Not::not", alias = "changes_served")]
    pub allow_killed_edit: bool,
    /// When it expires if no one decides on it.
    #[cfg_attr(feature = "openapi", schema(value_type = String, format = DateTime))]
    pub expires: jiff::Timestamp,
    /// Who decided on it: the second person, or its author who withdrew it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub decided: Option<Attribution>,
    /// The revision that applying it made; `null` until then, and where it changed records alone.
    #[serde(default)]
    pub revision: Option<Revision>,
}

/// The state of a proposal.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "lowercase")]
pub enum ProposalState {
    /// It waits for a second person.
    Proposed,
    /// A second person approved it, and it was done in the same commit.
    Applied,
    /// A second person said no.
    Declined,
    /// Its author took it back.
    Withdrawn,
    /// It was not decided on in time.
    Expired,
    /// Its effect is no longer the one that was shown.
    Stale,
}

impl ProposalState {
    /// Whether nothing can be decided any more.
    pub const fn is_final(self) -> bool {
        !matches!(self, Self::Proposed)
    }

    /// As it is written.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Proposed => "proposed",
            Self::Applied => "applied",
            Self::Declined => "declined",
            Self::Withdrawn => "withdrawn",
            Self::Expired => "expired",
            Self::Stale => "stale",
        }
    }
}

/// One thing that was asked for, as another node can do it.
#[derive(Debug, Clone, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ProposedOperation {
    /// A change, as in a commit.
    Change(ChangeRequest),
    /// A record to write.
    PutRecord(RawRecord),
    /// A rollout, as its record begins.
    StartRollout(Box<Rollout>),
    /// A rollout continues from where it was held.
    ResumeRollout {
        /// The id of the rollout.
        rollout: RolloutId,
        /// Who asked for it.
        word: Attribution,
    },
    /// A rollout's next step begins at once.
    AdvanceRollout {
        /// The id of the rollout.
        rollout: RolloutId,
        /// Who asked for it.
        word: Attribution,
    },
    /// A rollback, as its record begins.
    RollBack(Box<Rollback>),
    /// A trigger is armed, or its action is changed.
    ChangeTrigger {
        /// Its name.
        trigger: TriggerName,
        /// What changes, as in `PATCH triggers/{name}`.
        patch: serde_json::Value,
    },
}

impl ProposedOperation {
    /// What a key must be allowed to do, to ask for it and to approve it.
    pub fn actions(&self) -> Vec<Action> {
        match self {
            Self::Change(change) => vec![change.action()],
            Self::PutRecord(record) if record.kind == Policy::KIND => vec![Action::SetPolicy],
            Self::PutRecord(_) => Vec::new(),
            Self::StartRollout(_) | Self::ResumeRollout { .. } | Self::AdvanceRollout { .. } => vec![Action::Rollout],
            Self::RollBack(rollback) if rollback.acknowledged.is_empty() => vec![Action::Rollback],
            Self::RollBack(_) => vec![Action::Rollback, Action::PassOneWay],
            Self::ChangeTrigger { .. } => vec![Action::Trigger],
        }
    }
}

impl Proposal {
    /// The proposal at `now`: one that was not decided on in time has expired.
    #[must_use]
    pub fn at(mut self, now: jiff::Timestamp) -> Self {
        if self.state == ProposalState::Proposed && now >= self.expires {
            self.state = ProposalState::Expired;
            self.message = format!("It expired at {} without a decision. Ask for the change again.", self.expires);
        }
        self
    }

    /// Whether `other` is a second person to its author: the holder of another key and, where both say who they are, someone
    /// else.
    pub fn is_second(&self, other: &Actor) -> bool {
        let named = |actor: &Actor| actor.given_name().map(str::to_lowercase);
        let same_name = named(&self.by).is_some_and(|name| named(other) == Some(name));
        self.by.key != other.key && !same_name
    }

    /// The command with which a second person approves it.
    pub fn command(&self) -> String {
        format!("ripcord proposal approve {} --env {}", self.id, self.environment)
    }
}

impl Entity for Proposal {
    type Key = ProposalId;
    const KIND: &'static str = "proposal";

    fn parse(json: &str) -> Result<Self, ValidationErrors> {
        serde_json::from_str(json).map_err(|error| ValidationErrors::one("", error.to_string()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::role::Role;

    fn actor(name: &str, key: Option<&str>) -> Actor {
        Actor {
            name: name.to_owned(),
            role: Role::Editor,
            key: key.map(ToOwned::to_owned),
        }
    }

    fn proposal(by: Actor) -> Proposal {
        let at: jiff::Timestamp = "2026-11-25T03:00:00Z".parse().unwrap();
        Proposal {
            id: ProposalId::from_parts(1, 2),
            environment: "production".parse().unwrap(),
            state: ProposalState::Proposed,
            message: String::new(),
            summary: "change flag a".to_owned(),
            guarded: BTreeSet::from([GuardedOperation::Changes]),
            by,
            at,
            reason: None,
            release: None,
            base: Position::START,
            plan: Digest::ZERO,
            diff: ProposalDiff::default(),
            asked: vec![ProposedOperation::Change(ChangeRequest::DeleteFlag("a".parse().unwrap()))],
            allow_killed_edit: false,
            expires: "2026-11-26T03:00:00Z".parse().unwrap(),
            decided: None,
            revision: None,
        }
    }

    #[test]
    fn a_second_person_has_another_key_and_another_name() {
        let own = proposal(actor("anna (via release)", Some("key_1")));
        assert!(own.is_second(&actor("ben (via oncall)", Some("key_2"))));
        assert!(own.is_second(&actor("oncall", Some("key_2"))), "who gives no name is told apart by the key");
        assert!(own.is_second(&actor("admin", None)));
        assert!(
            !own.is_second(&actor("ben (via release)", Some("key_1"))),
            "one key is one holder, whatever names are given"
        );
        assert!(
            !own.is_second(&actor("Anna (via oncall)", Some("key_2"))),
            "a person with two keys is one person"
        );
        assert!(!proposal(actor("admin", None)).is_second(&actor("admin", None)));
    }

    #[test]
    fn what_nobody_decides_on_lapses_and_what_was_decided_stays() {
        let late: jiff::Timestamp = "2026-11-26T03:00:00Z".parse().unwrap();
        let open = proposal(actor("a", Some("key_1")));
        assert_eq!(open.clone().at(open.at).state, ProposalState::Proposed);
        assert_eq!(open.clone().at(late).state, ProposalState::Expired);
        let applied = Proposal {
            state: ProposalState::Applied,
            ..open
        };
        assert_eq!(applied.at(late).state, ProposalState::Applied);
    }

    #[test]
    fn a_proposal_that_was_stored_with_the_old_member_names_is_read() {
        let mut old = serde_json::to_value(proposal(actor("a", Some("key_1")))).unwrap();
        let members = old.as_object_mut().unwrap();
        for (name, before) in [("message", "says"), ("summary", "what"), ("base", "shown")] {
            let value = members.remove(name).unwrap();
            members.insert(before.to_owned(), value);
        }
        members.insert("changes_served".to_owned(), true.into());
        let read = Proposal::parse(&old.to_string()).unwrap();
        assert!(read.allow_killed_edit && read.summary == "change flag a" && read.base == Position::START);
    }

    #[test]
    fn a_proposal_is_read_back_as_it_was_kept() {
        let kept = serde_json::to_string(&proposal(actor("a", Some("key_1")))).unwrap();
        let read = Proposal::parse(&kept).unwrap();
        assert_eq!(serde_json::to_string(&read).unwrap(), kept);
        assert!(matches!(&read.asked[..], [ProposedOperation::Change(ChangeRequest::DeleteFlag(key))] if key.as_str() == "a"));
    }
}
