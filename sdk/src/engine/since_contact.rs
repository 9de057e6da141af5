//! How long the server has been silent, which decides whether a lease has expired.

/// Seconds since the last heartbeat marked `fresh`. The engine reads no clock, so the caller passes this in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct SinceContact(u32);

impl SinceContact {
    /// No time at all: no lease has expired. A server that evaluates its own flags passes this.
    pub const FRESH: Self = Self(0);
    /// Longer than any lease: every lease has expired.
    pub const FOREVER: Self = Self(u32::MAX - 1);

    /// This many seconds, at most [`Self::FOREVER`].
    pub const fn seconds(seconds: u32) -> Self {
        if seconds > Self::FOREVER.0 { Self::FOREVER } else { Self(seconds) }
    }

    #[inline]
    pub(super) const fn reaches(self, lease_seconds: u32) -> bool {
        self.0 >= lease_seconds
    }
}
