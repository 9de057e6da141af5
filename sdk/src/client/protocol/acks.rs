//! When acknowledgements are sent. They are cumulative, so one covers all before it.

use std::time::Instant;

use crate::client::time_point::TimePoint;

/// The last acknowledgement, and the one that is held back.
#[derive(Debug, Default)]
pub(super) struct Acks {
    pub(super) last: Option<Instant>,
    pub(super) due: Option<Instant>,
}

impl Acks {
    /// One was sent, so none is due.
    pub(super) fn sent(&mut self, now: TimePoint) {
        *self = Self {
            last: Some(now.instant),
            due: None,
        };
    }
}
