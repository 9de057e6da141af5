//! A value with the reason for it.

use std::sync::Arc;

use ripcord_proto::outcome::Traffic;
use ripcord_proto::{KillId, Position, VariantName};

use super::outcomes::{Outcome, OutcomeCounters};
use crate::engine::{ErrorCode, Reason};

/// A value, and why it was served. Pass it to [`Client::outcome`](crate::Client::outcome) to report how it went.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Detail<T> {
    /// The value of a variant, or the caller's default.
    pub value: T,
    /// The variant; `None` means the caller's default.
    pub variant: Option<VariantName>,
    /// Why it was served. [`Reason::NotReady`] before there is any data.
    pub reason: Reason,
    /// The rule that served, if one did: its id, or its position (`rules[0]`).
    pub rule: Option<String>,
    /// The kill that forces the safe variant, if one does.
    pub kill: Option<KillId>,
    /// The position that was evaluated; `None` before there is any data.
    pub position: Option<Position>,
    pub(super) counter: Option<CounterRef>,
}

/// The counter of a variant, for outcomes.
#[derive(Debug, Clone)]
pub(super) struct CounterRef {
    pub(super) counters: Arc<OutcomeCounters>,
    pub(super) counter: usize,
    pub(super) traffic: Traffic,
}

impl<T> Detail<T> {
    /// The error, if the flag could not be evaluated.
    pub fn error(&self) -> Option<ErrorCode> {
        self.reason.error_code()
    }

    pub(super) fn record(&self, outcome: Outcome) {
        if let Some(CounterRef { counters, counter, traffic }) = &self.counter {
            counters.record(*counter, *traffic, outcome);
        }
    }
}
