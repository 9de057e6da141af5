//! Who has confirmed a revision, how fast, and who is missing.
//!
//! Three levels, shown apart and never summed: *applied* (a native SDK acknowledged that it evaluates at the revision),
//! *fetched* (an OFREP client fetched at it or later), *sent* (a client that cannot answer was sent it).

use crate::kill::KillId;
use crate::revision::{Epoch, Revision};

/// The confirmations of one revision, or of one provisional kill, over all nodes that could be reached.
#[derive(Debug, Clone, PartialEq, serde::Serialize, serde::Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Confirmation {
    /// The epoch of the revision; revisions of different epochs cannot be compared.
    pub epoch: Epoch,
    /// The revision; absent for a provisional kill.
    pub revision: Option<Revision>,
    /// The provisional kill that is asked about.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kill: Option<KillId>,
    /// Whether every client that can acknowledge has done so and every node was reached. True if no client is connected.
    pub complete: bool,
    /// Native SDKs, which acknowledge the revision that they evaluate at.
    pub applied: LevelCounts,
    /// OFREP clients, counted when they fetch at this revision or a later one.
    pub fetched: LevelCounts,
    /// Clients that cannot answer.
    pub sent: LevelCounts,
    /// The nodes that the figures are from.
    pub nodes: Vec<String>,
    /// Nodes that should have been asked and did not answer.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub nodes_not_reached: Vec<String>,
}

/// One level of confirmation.
#[derive(Debug, Clone, Default, PartialEq, serde::Serialize, serde::Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct LevelCounts {
    /// The denominator: clients connected at the commit, and those that came back within the grace time.
    pub connected: u64,
    /// How many of them have confirmed.
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
    /// Who is missing, at most 100 by name.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub missing: Vec<MissingInstance>,
    /// Connections lost for more than a minute; no longer counted as connected.
    #[serde(default)]
    pub gone: u64,
}

/// A process that evaluates flags.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, serde::Serialize, serde::Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Instance {
    /// The name that it was given: `checkout-7f9c`.
    pub name: String,
    /// Random, new for each process.
    pub id: String,
    /// Name and version of its SDK: `ripcord-rust/0.1.0`.
    pub sdk: String,
    /// The node that it is connected to.
    pub node: String,
}

/// An instance that has not confirmed, and where it stands.
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
