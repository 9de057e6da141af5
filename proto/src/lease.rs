//! How long an application may keep serving a risky flag without hearing from the server.

/// A lease: 5 seconds to 30 days.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Lease {
    /// Seconds without a heartbeat marked `fresh` after which an SDK serves the safe variant.
    pub seconds: u32,
}
