//! Permits: proof that a caller may do something in an environment. Handlers take them as arguments, so that data cannot be reached
//! without one. Only this file makes them.

use std::marker::PhantomData;
use std::sync::Arc;

use ripcord_proto::EnvironmentKey;
use ripcord_proto::problem::{Code, Problem};
use ripcord_proto::role::{Action, Role};
use ripcord_proto::similar::nearest;

use super::error::AccessError;
use super::principal::{EnvironmentAccess, Principal};
use crate::commit::Author;
use crate::system::SystemState;

/// A kind of permission.
pub trait Allows: 'static {
    /// The role must be allowed at least one of these.
    const ACTIONS: &'static [Action];
    /// What it counts as towards the rate limits.
    const COUNTS_AS: Action;
}

macro_rules! allows {
    ($($(#[$doc:meta])* $name:ident = $actions:expr, $counts_as:expr;)*) => {
        $($(#[$doc])* #[derive(Debug)] pub enum $name {}
        impl Allows for $name {
            const ACTIONS: &'static [Action] = $actions;
            const COUNTS_AS: Action = $counts_as;
        })*
    };
}

allows! {
    /// To report outcomes, as applications do.
    Report = &[Action::Report], Action::Report;
    /// To have flags evaluated.
    Evaluate = &[Action::Evaluate], Action::Evaluate;
    /// To read.
    Read = &[Action::Read], Action::Read;
    /// To change flags and segments.
    Edit = &[Action::Edit], Action::Edit;
    /// To kill.
    Kill = &[Action::Kill], Action::Kill;
    /// To restore, and to add the reason for a kill.
    Restore = &[Action::Restore], Action::Restore;
    /// To take checkpoints.
    TakeCheckpoint = &[Action::Checkpoint], Action::Edit;
    /// To vouch for checkpoints, and to doubt them.
    Vouch = &[Action::Vouch], Action::Edit;
    /// To begin, describe and finish releases.
    ManageRelease = &[Action::Release], Action::Edit;
    /// To roll back, and to stop, resume and review rollbacks.
    RollBack = &[Action::Rollback], Action::Kill;
    /// To start and resume rollouts.
    RunRollout = &[Action::Rollout], Action::Edit;
    /// To pause, abort and roll back rollouts.
    StopRollout = &[Action::StopRollout], Action::Kill;
    /// To approve a step of a rollout.
    ApproveRollout = &[Action::ApproveRollout], Action::Edit;
    /// To make and delete triggers.
    ManageTrigger = &[Action::Trigger], Action::Edit;
    /// To change triggers; a role that may only answer them may disarm them.
    ChangeTrigger = &[Action::Trigger, Action::AnswerTrigger], Action::AnswerTrigger;
    /// To confirm or decline a firing.
    AnswerTrigger = &[Action::AnswerTrigger], Action::AnswerTrigger;
    /// To approve and decline proposals; what they do must be permitted too.
    DecideProposal = &[Action::Decide], Action::Edit;
    /// To withdraw one's own proposals.
    WithdrawProposal = &[Action::Withdraw], Action::Edit;
    /// To send a ping.
    SendPing = &[Action::Ping], Action::Edit;
    /// To store the report of a drill.
    KeepDrill = &[Action::Drill], Action::Edit;
    /// To set an environment's policy.
    SetPolicy = &[Action::SetPolicy], Action::Edit;
    /// To manage keys, environments and settings.
    Administer = &[Action::Administer], Action::Administer;
    /// To write something; the body decides what.
    WriteSomething = &[Action::Edit, Action::Kill, Action::Restore, Action::Administer], Action::Edit;
    /// To write everything in the body.
    WriteThis = &[], Action::Edit;
}

/// The principal may do `A` in an environment, which exists.
#[derive(Debug)]
pub struct Permit<A> {
    environment: EnvironmentKey,
    principal: Principal,
    author: Author,
    allows: PhantomData<fn() -> A>,
}

impl<A> Permit<A> {
    pub fn environment(&self) -> &EnvironmentKey {
        &self.environment
    }

    /// Recorded in the log with each commit.
    pub fn author(&self) -> Author {
        self.author.clone()
    }

    /// The key's id, or `admin`.
    pub fn caller(&self) -> &Arc<str> {
        &self.principal.id
    }
}

impl<A: Allows> Permit<A> {
    /// Permits `A` in `environment`, or names the roles that may. Only a key that covers the environment learns whether it exists.
    pub(super) fn issue(system: &SystemState, principal: &Principal, author: Author, environment: &EnvironmentKey) -> Result<Self, AccessError> {
        principal.check_any(A::ACTIONS)?;
        principal.check_environment(environment)?;
        if !system.environments.contains_key(environment.as_str()) {
            let names: Vec<&str> = system
                .environments
                .keys()
                .filter(|key| principal.environments.covers(key))
                .map(EnvironmentKey::as_str)
                .collect();
            let near = nearest(environment.as_str(), names.iter().copied());
            let meant = near.map(|near| format!(" Did you mean {near}?")).unwrap_or_default();
            let detail = format!("Environment {environment} does not exist.{meant} This key is valid in {}.", names.join(", "));
            let problem = Problem::new(Code::EnvironmentNotFound, detail);
            return Err(match near {
                Some(near) => problem.with("did_you_mean", near),
                None => problem,
            }
            .into());
        }
        Ok(Self {
            environment: environment.clone(),
            principal: principal.clone(),
            author,
            allows: PhantomData,
        })
    }

    /// Permits `A` in each environment of the principal.
    pub(super) fn issue_all(system: &SystemState, principal: &Principal, author: &Author) -> Result<Vec<Self>, AccessError> {
        principal.check_any(A::ACTIONS)?;
        let reached = system.environments.keys().filter(|key| principal.environments.covers(key));
        reached.map(|key| Self::issue(system, principal, author.clone(), key)).collect()
    }
}

impl Permit<Evaluate> {
    /// The role of the key: a public one sees less.
    pub const fn role(&self) -> Role {
        self.principal.role
    }

    pub(super) const fn principal(&self) -> &Principal {
        &self.principal
    }
}

impl<A> Permit<A> {
    /// Whether the principal may do all of `actions` too.
    pub fn also(&self, actions: &[Action]) -> Result<(), AccessError> {
        Ok(self.principal.check_all(actions)?)
    }
}

impl Permit<WriteSomething> {
    /// The permit to do all of `actions`.
    pub fn narrow(self, actions: &[Action]) -> Result<Permit<WriteThis>, AccessError> {
        self.principal.check_all(actions)?;
        Ok(Permit {
            environment: self.environment,
            principal: self.principal,
            author: self.author,
            allows: PhantomData,
        })
    }
}

/// The principal may do `A` in every environment.
#[derive(Debug)]
pub struct GlobalPermit<A> {
    principal: Principal,
    author: Author,
    allows: PhantomData<fn() -> A>,
}

impl<A> GlobalPermit<A> {
    /// Recorded in the log with each commit.
    pub fn author(&self) -> Author {
        self.author.clone()
    }

    /// The key's id, or `admin`.
    pub fn caller(&self) -> &Arc<str> {
        &self.principal.id
    }
}

impl<A: Allows> GlobalPermit<A> {
    /// Permits `A` in every environment, or names the roles that may.
    pub(super) fn issue(principal: &Principal, author: Author) -> Result<Self, AccessError> {
        principal.check_any(A::ACTIONS)?;
        match &principal.environments {
            EnvironmentAccess::All => Ok(Self {
                principal: principal.clone(),
                author,
                allows: PhantomData,
            }),
            EnvironmentAccess::Only(_) => {
                Err(Problem::new(Code::Forbidden, "This requires a key that is valid in all environments, such as an admin key.").into())
            }
        }
    }
}
