//! `connections`: who is connected, and what each evaluates at.

use crate::confirmation::Instance;
use crate::flagd::SkippedFlag;
use crate::revision::{Epoch, Revision};

/// A connection: an item of `GET connections`.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct ConnectionView {
    /// The connected instance.
    #[serde(flatten)]
    pub instance: Instance,
    /// The protocol of the connection.
    pub transport: Transport,
    /// What its confirmations are worth.
    pub level: ConnectionLevel,
    /// The epoch that it has confirmed, or was sent where it cannot confirm.
    pub epoch: Option<Epoch>,
    /// The revision that it has confirmed, or was sent where it cannot confirm.
    pub revision: Option<Revision>,
    /// Since when it is connected.
    #[cfg_attr(feature = "openapi", schema(value_type = String, format = DateTime))]
    pub since: jiff::Timestamp,
    /// Whether its connection is lost; it is shown for a minute.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub lost: bool,
    /// The flags that it is not sent, since its protocol cannot express them, each with the reason.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub left_out: Vec<SkippedFlag>,
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
    /// OFREP.
    Ofrep,
    /// flagd's stream of flags.
    Flagd,
}

/// What a client's confirmation is worth.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema), schema(as = ConnectionLevel))]
#[serde(rename_all = "lowercase")]
pub enum ConnectionLevel {
    /// It acknowledges what it evaluates at.
    Applied,
    /// It fetched the answers.
    Fetched,
    /// It was sent the state and cannot answer.
    Sent,
}
