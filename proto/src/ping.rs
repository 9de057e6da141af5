//! Pings: revisions with identical content that measure how fast a change reaches all applications.

use crate::actor::Actor;
use crate::confirmation::Confirmation;
use crate::revision::{Epoch, Revision};
use crate::table::Entity;
use crate::validation::ValidationErrors;

pub use crate::id::PingId;

/// A ping and what it measured.
#[derive(Debug, Clone, PartialEq, serde::Serialize, serde::Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Ping {
    /// The ping's id.
    pub id: PingId,
    /// The epoch of its revision.
    pub epoch: Epoch,
    /// The revision that the ping made.
    pub revision: Revision,
    /// Who sent it; a node, if the environment's policy schedules pings.
    pub by: Actor,
    /// When the ping was sent.
    #[cfg_attr(feature = "openapi", schema(value_type = String, format = DateTime))]
    pub at: jiff::Timestamp,
    /// The confirmations when the ping was closed.
    pub confirmation: Confirmation,
}

impl Entity for Ping {
    type Key = PingId;
    const KIND: &'static str = "ping";

    fn parse(json: &str) -> Result<Self, ValidationErrors> {
        serde_json::from_str(json).map_err(|error| ValidationErrors::one("", error.to_string()))
    }
}
