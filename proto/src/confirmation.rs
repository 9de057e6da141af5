//! Confirmations of a revision: who confirmed it, how fast, and who is missing.
//!
//! There are three levels, which are never added up: *applied* (a native SDK acknowledged that it evaluates the revision),
//! *fetched* (an OFREP client fetched it or a later one), *sent* (it was sent to a client that cannot acknowledge).

use crate::kill::KillId;
use crate::revision::{Epoch, Revision};

/// The confirmations of one revision or one provisional kill, over all nodes that could be reached.
#[derive(Debug, Clone, PartialEq, serde::Serialize, serde::Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Confirmation {
    /// The epoch of the revision; revisions of different epochs cannot be compared.
    pub epoch: Epoch,
    /// The revision; absent for a provisional kill.
    pub revision: Option<Revision>,
    /// The provisional kill that is confirmed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kill: Option<KillId>,
    /// Whether every client that can acknowledge has done so and every node was reached. False if there was none to ask. Says nothing
    /// of clients at the levels `fetched` and `sent`, nor of applications that were lost more than two minutes before: `lost` names those.
    pub complete: bool,
    /// Native SDKs, which acknowledge the revision that they evaluate.
    pub applied: LevelCounts,
    /// OFREP clients, which count as confirmed when they fetch this revision or a later one.
    pub fetched: LevelCounts,
    /// Clients that cannot acknowledge.
    pub sent: LevelCounts,
    /// The nodes whose clients are counted.
    pub nodes: Vec<String>,
    /// Nodes that could not be reached, so that their clients are not counted.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub nodes_not_reached: Vec<String>,
    /// Applications that were lost without a goodbye in the last 15 minutes and have not confirmed, at most 100 by name.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub lost: Vec<LostApplication>,
    /// How many such applications there are.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub lost_total: u64,
}

impl Confirmation {
    /// Whether any application could be asked.
    pub const fn has_asked(&self) -> bool {
        self.applied.connected > 0
    }

    /// Whether nothing is left to wait for: no application is missing, and every node was reached. If none was asked, this proves
    /// nothing.
    pub const fn is_settled(&self) -> bool {
        self.nodes_not_reached.is_empty() && self.applied.confirmed >= self.applied.connected
    }
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde calls it so")]
const fn is_zero(number: &u64) -> bool {
    *number == 0
}

/// One level of confirmation.
#[derive(Debug, Clone, Default, PartialEq, serde::Serialize, serde::Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct LevelCounts {
    /// Number of clients that were connected at the commit, or reconnected shortly after it.
    pub connected: u64,
    /// Number of clients that confirmed.
    pub confirmed: u64,
    /// Median milliseconds from the commit to the confirmation.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub p50_ms: Option<f64>,
    /// 99th percentile of milliseconds from the commit to the confirmation.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub p99_ms: Option<f64>,
    /// Milliseconds from the commit to the last confirmation so far.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_ms: Option<f64>,
    /// The instance that confirmed last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub slowest: Option<Instance>,
    /// The instances that have not confirmed, at most 100.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub missing: Vec<MissingInstance>,
    /// Clients lost for so long that they are no longer named; not counted as connected.
    #[serde(default)]
    pub gone: u64,
}

/// A process that evaluates flags.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, serde::Serialize, serde::Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Instance {
    /// The configured name: `checkout-7f9c`.
    pub name: String,
    /// Random, new for each process.
    pub id: String,
    /// Name and version of its SDK: `ripcord-rust/0.1.0`.
    pub sdk: String,
    /// The node that it is connected to.
    pub node: String,
}

/// An instance that has not confirmed, and its revision.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct MissingInstance {
    /// The instance that has not confirmed.
    #[serde(flatten)]
    pub instance: Instance,
    /// The revision that it last acknowledged.
    pub revision: Option<Revision>,
    /// Whether its connection is lost.
    pub lost: bool,
}

/// An application that was lost without a goodbye. Until it is back, stops, or its lease has expired, it may serve an old state.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct LostApplication {
    /// The lost instance.
    #[serde(flatten)]
    pub instance: Instance,
    /// When its connection was lost.
    #[cfg_attr(feature = "openapi", schema(value_type = String, format = DateTime))]
    pub at: jiff::Timestamp,
    /// The revision that it last acknowledged.
    pub revision: Option<Revision>,
    /// Whether it counts as connected, because it was lost shortly before the commit or after it.
    pub missing: bool,
    /// Seconds after the loss until it serves the safe variants of all flags that the commit changes; absent if one of them has
    /// no lease.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lease_seconds: Option<u32>,
}
