//! The outcome of a call: an answer, a proposal in its place, or why there is neither.

use reqwest::StatusCode;
use ripcord_proto::problem::Problem;
use ripcord_proto::proposal::Proposal;

use super::caller::Caller;

/// An answer: as a type, and as the received text, which `--json` prints.
#[derive(Debug, Clone)]
pub(crate) struct Answer<T> {
    /// What it says.
    pub(crate) value: T,
    /// The answer as it was received.
    pub(crate) text: String,
    pub(crate) status: StatusCode,
}

/// A proposal, returned instead of the requested result.
#[derive(Debug)]
pub(crate) struct Proposed {
    pub(crate) proposal: Proposal,
    /// The answer as it was received.
    pub(crate) text: String,
    /// Whether the caller has seen what it would change.
    pub(crate) difference: DifferenceShown,
}

/// Whether the difference was shown already.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum DifferenceShown {
    /// Not shown yet.
    NotYet,
    /// Shown already.
    Already,
}

/// A call that the server refused.
#[derive(Debug, Clone)]
pub(crate) struct RefusedCall {
    pub(crate) problem: Problem,
    /// The document as it was received.
    pub(crate) text: String,
    pub(crate) caller: Caller,
}

/// What a call without an answer may have changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Effect {
    /// Nothing: it only read.
    Nothing,
    /// What it asked for.
    Unknown,
}

/// What holds, and what helps, while a server does not answer.
const STUCK: &str = "Applications keep serving their last flags and kills meanwhile. Try another node with --server; `ripcord doctor` helps to find the cause.";

/// Characters of a parser's message that a person may want to read.
const READABLE: usize = 120;

/// Why a call has no usable answer.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ClientError {
    /// The server refused.
    #[error("{}", .0.problem.title)]
    Problem(Box<RefusedCall>),
    /// It waits for a second person.
    #[error("this needs approval by a second person: proposal {}", .0.proposal.id)]
    Proposed(Box<Proposed>),
    /// No server could be reached.
    #[error("cannot reach {address}: {why}")]
    Unreachable {
        /// The address that was tried.
        address: String,
        why: String,
        /// What to do.
        advice: String,
    },
    /// There was no answer, or only a part of one.
    #[error("no answer from {address}: {why}")]
    Silent {
        /// The address that was called.
        address: String,
        why: String,
        /// What the call may have changed all the same.
        effect: Effect,
    },
    /// The response is not from Ripcord, or is from another version.
    #[error("{address} answered {status}, but not as Ripcord does")]
    Foreign {
        /// The address that was called.
        address: String,
        /// The status.
        status: StatusCode,
        /// What is wrong with it.
        why: String,
    },
    /// An address, a key or a certificate cannot be used.
    #[error("{0}")]
    Usage(String),
}

impl ClientError {
    /// What to do next, if known.
    pub(crate) fn advice(&self) -> Option<String> {
        match self {
            Self::Unreachable { advice, .. } => Some(advice.clone()),
            Self::Silent { effect: Effect::Nothing, .. } => Some(STUCK.to_owned()),
            Self::Silent { .. } => Some(format!(
                "The command may or may not have taken effect: run it again, or check with `ripcord audit` later.\n  {STUCK}"
            )),
            Self::Foreign { address, why, .. } => {
                let short = why.chars().count() <= READABLE;
                let why = if short {
                    format!("The response cannot be read: {why}.\n  ")
                } else {
                    String::new()
                };
                Some(format!(
                    "{why}Check that {address} is a Ripcord server, or set another address with --server or RIPCORD_SERVER."
                ))
            }
            Self::Proposed(proposed) => Some(format!("A different person, with a different key, runs `{}`.", proposed.proposal.command())),
            Self::Problem(_) | Self::Usage(_) => None,
        }
    }
}
