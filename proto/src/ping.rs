//! Pings: revisions with identical content that measure how fast a change reaches everybody.

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
    /// Its id.
    pub id: PingId,
    /// The epoch of its revision.
    pub epoch: Epoch,
    /// Its revision.
    pub revision: Revision,
    /// Who sent it; a node where the environment's policy has it sent.
    pub by: Actor,
    /// When.
    #[cfg_attr(feature = "openapi", schema(value_type = String, format = DateTime))]
    pub at: jiff::Timestamp,
    /// Who had confirmed it when it was closed.
    pub confirmation: Confirmation,
}

impl Entity for Ping {
    type Key = PingId;
    const KIND: &'static str = "ping";

    fn parse(json: &str) -> Result<Self, ValidationErrors> {
        serde_json::from_str(json).map_err(|error| ValidationErrors::one("", error.to_string()))
    }
}
