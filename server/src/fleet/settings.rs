//! Settings of the fleet.

use std::time::Duration;

/// How applications are counted and how long their confirmations are kept.
#[derive(Debug, Clone)]
pub struct FleetSettings {
    /// This node's name in confirmations.
    pub node: String,
    /// An application that reconnects within this time after a commit counts as connected at the commit.
    pub grace: Duration,
    /// An application lost for less than this at a commit counts as connected at the commit: it may still serve what was before.
    pub missing: Duration,
    /// How long a lost application is named. After that it only counts as gone.
    pub lost: Duration,
    /// The same for clients that cannot say goodbye (OFREP, flagd).
    pub gone: Duration,
    /// Number of revisions whose members are kept by name.
    pub revisions: usize,
    /// Number of older revisions of which only the figures are kept.
    pub figures: usize,
}

impl FleetSettings {
    /// The defaults for a node of this name.
    pub fn new(node: impl Into<String>) -> Self {
        Self {
            node: node.into(),
            grace: Duration::from_secs(30),
            missing: Duration::from_mins(2),
            lost: Duration::from_mins(15),
            gone: Duration::from_mins(1),
            revisions: 1_000,
            figures: 20_000,
        }
    }
}
