//! Permits: the proof that a caller may do something at an environment. Handlers take them as arguments, so that the data
//! cannot be reached without one; their only makers are here.

use std::marker::PhantomData;
use std::sync::Arc;

use ripcord_proto::EnvironmentKey;
use ripcord_proto::problem::{Code, Problem};
use ripcord_proto::role::{Action, Role};

use super::{Access, Holder};
use crate::commit::Author;
use crate::http::Refusal;

/// Something that may be permitted.
pub trait Allows: 'static {
    /// One of these must be the role's to do.
    const ACTIONS: &'static [Action];
    /// What it counts as for the rate limits.
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
    Report = &[Action::Stream], Action::Read;
    /// To have flags evaluated.
    Evaluate = &[Action::Evaluate], Action::Evaluate;
    /// To read.
    Read = &[Action::Read], Action::Read;
    /// To change flags and segments.
    Edit = &[Action::Edit], Action::Edit;
    /// To kill.
    Kill = &[Action::Kill], Action::Kill;
    /// To restore, and to say why something was killed.
    Restore = &[Action::Restore], Action::Restore;
    /// To take checkpoints.
    TakeCheckpoint = &[Action::Checkpoint], Action::Edit;
    /// To vouch for checkpoints, and to doubt them.
    Vouch = &[Action::Vouch], Action::Edit;
    /// To begin, describe and finish releases.
    ManageRelease = &[Action::Release], Action::Edit;
    /// To roll back, and to stop, hurry and review rollbacks.
    RollBack = &[Action::Rollback], Action::Kill;
    /// To start rollouts, and to let them go on.
    RunRollout = &[Action::Rollout], Action::Edit;
    /// To pause, abort and take back rollouts.
    StopRollout = &[Action::StopRollout], Action::Kill;
    /// To approve a step of a rollout.
    ApproveRollout = &[Action::ApproveRollout], Action::Edit;
    /// To make and delete triggers.
    ManageTrigger = &[Action::Trigger], Action::Edit;
    /// To change triggers; whoever may only answer them may disarm them.
    ChangeTrigger = &[Action::Trigger, Action::AnswerTrigger], Action::AnswerTrigger;
    /// To answer what a trigger asks.
    AnswerTrigger = &[Action::AnswerTrigger], Action::AnswerTrigger;
    /// To approve and decline proposals; what they do must be permitted too.
    DecideProposal = &[Action::Decide], Action::Edit;
    /// To take back proposals of one's own.
    WithdrawProposal = &[Action::Withdraw], Action::Edit;
    /// To send a ping.
    SendPing = &[Action::Ping], Action::Edit;
    /// To keep the report of a drill.
    KeepDrill = &[Action::Drill], Action::Edit;
    /// To set an environment's policy.
    SetPolicy = &[Action::SetPolicy], Action::Edit;
    /// To manage keys, environments and settings.
    Administer = &[Action::Administer], Action::Administer;
    /// To write something; what exactly is known when the body is read.
    WriteSomething = &[Action::Edit, Action::Kill, Action::Restore, Action::Administer], Action::Edit;
    /// To write everything that the body asks for.
    WriteThis = &[], Action::Edit;
}

/// The holder of a key may do `A` at an environment that exists.
#[derive(Debug)]
pub struct Permit<A> {
    environment: EnvironmentKey,
    holder: Holder,
    author: Author,
    allows: PhantomData<fn() -> A>,
}

impl<A> Permit<A> {
    /// Where.
    pub fn environment(&self) -> &EnvironmentKey {
        &self.environment
    }

    /// Who, and from where, for the log.
    pub fn author(&self) -> Author {
        self.author.clone()
    }

    /// The key's id, or `admin`.
    pub fn caller(&self) -> &Arc<str> {
        &self.holder.id
    }
}

impl Permit<Evaluate> {
    /// Whose key it is: a public one sees less.
    pub const fn role(&self) -> Role {
        self.holder.role
    }

    pub(super) const fn holder(&self) -> &Holder {
        &self.holder
    }
}

impl<A> Permit<A> {
    /// Whether the holder may do all of `actions` too.
    pub fn also(&self, actions: &[Action]) -> Result<(), Refusal> {
        Ok(self.holder.check_all(actions)?)
    }
}

impl Permit<WriteSomething> {
    /// The permit to do all of `actions`.
    pub fn narrow(self, actions: &[Action]) -> Result<Permit<WriteThis>, Refusal> {
        self.holder.check_all(actions)?;
        Ok(Permit {
            environment: self.environment,
            holder: self.holder,
            author: self.author,
            allows: PhantomData,
        })
    }
}

/// The holder of a key may do `A` everywhere.
#[derive(Debug)]
pub struct Clearance<A> {
    holder: Holder,
    author: Author,
    allows: PhantomData<fn() -> A>,
}

impl<A> Clearance<A> {
    /// Who, and from where, for the log.
    pub fn author(&self) -> Author {
        self.author.clone()
    }

    /// The key's id, or `admin`.
    pub fn caller(&self) -> &Arc<str> {
        &self.holder.id
    }
}

impl Access {
    /// Permits `A` at `environment`, or says who may. Whether the environment exists is told only to those who reach it.
    pub fn permit<A: Allows>(&self, holder: &Holder, author: Author, environment: &EnvironmentKey) -> Result<Permit<A>, Refusal> {
        holder.check_any(A::ACTIONS)?;
        holder.check_reach(environment)?;
        let system = self.environments().system();
        if !system.environments.contains_key(environment.as_str()) {
            let names: Vec<&str> = system
                .environments
                .keys()
                .filter(|key| holder.reach.covers(key))
                .map(EnvironmentKey::as_str)
                .collect();
            let detail = format!("There is no environment {environment}; there are {}.", names.join(", "));
            return Err(Problem::new(Code::EnvironmentNotFound, detail).into());
        }
        Ok(Permit {
            environment: environment.clone(),
            holder: holder.clone(),
            author,
            allows: PhantomData,
        })
    }

    /// Permits `A` at each environment that the holder reaches.
    pub fn permits<A: Allows>(&self, holder: &Holder, author: &Author) -> Result<Vec<Permit<A>>, Refusal> {
        holder.check_any(A::ACTIONS)?;
        let system = self.environments().system();
        let reached = system.environments.keys().filter(|key| holder.reach.covers(key));
        reached.map(|key| self.permit(holder, author.clone(), key)).collect()
    }

    /// Permits `A` everywhere, or says who may.
    pub fn clear<A: Allows>(holder: &Holder, author: Author) -> Result<Clearance<A>, Refusal> {
        holder.check_any(A::ACTIONS)?;
        match &holder.reach {
            super::Reach::Everywhere => Ok(Clearance {
                holder: holder.clone(),
                author,
                allows: PhantomData,
            }),
            super::Reach::Only(_) => Err(Problem::new(
                Code::Forbidden,
                "This key is valid in some environments only; this needs one that is valid everywhere: an admin's.",
            )
            .into()),
        }
    }
}
