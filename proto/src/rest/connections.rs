//! `connections`: who is connected, and what each evaluates at.

use crate::confirmation::Instance;
use crate::revision::{Epoch, Revision};

/// A connection: an item of `GET connections`.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct ConnectionView {
    /// Who.
    #[serde(flatten)]
    pub instance: Instance,
    /// How.
    pub transport: Transport,
    /// Whether it acknowledges what it applies; one that does not is counted as `sent`.
    pub acknowledges: bool,
    /// The epoch that it has acknowledged, or was sent where it cannot acknowledge.
    pub epoch: Option<Epoch>,
    /// The revision that it has acknowledged, or was sent where it cannot acknowledge.
    pub revision: Option<Revision>,
    /// Since when it is connected.
    #[cfg_attr(feature = "openapi", schema(value_type = String, format = DateTime))]
    pub since: jiff::Timestamp,
}

/// How a client is connected.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "lowercase")]
pub enum Transport {
    /// A WebSocket.
    Websocket,
    /// Server-sent events.
    Sse,
}
