//! Bodies of `connections`: the connected applications, and the revision that each evaluates.

use crate::confirmation::Instance;
use crate::flagd::{EngineGeneration, SkippedFlag};
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
    /// The level of its confirmations.
    pub level: ConnectionLevel,
    /// The epoch that it confirmed, or that it was sent if it cannot confirm.
    pub epoch: Option<Epoch>,
    /// The revision that it confirmed, or that it was sent if it cannot confirm.
    pub revision: Option<Revision>,
    /// When it connected.
    #[cfg_attr(feature = "openapi", schema(value_type = String, format = DateTime))]
    pub since: jiff::Timestamp,
    /// Whether its connection is lost. Lost applications are listed for 15 minutes.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub lost: bool,
    /// The generations of the bucketing hash that its engine may use, if it evaluates by itself and its client is known.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub bucketing: Vec<EngineGeneration>,
    /// Whether its engine splits users differently from this environment: in every split, they get other variants from it than from
    /// everything else.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub splits_differently: bool,
    /// The flags that it is not sent because its protocol cannot express them, each with the reason.
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
    /// flagd's stream of events, beside remote evaluation.
    #[serde(rename = "flagd-rpc")]
    FlagdRpc,
}

/// The level of a client's confirmation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema), schema(as = ConnectionLevel))]
#[serde(rename_all = "lowercase")]
pub enum ConnectionLevel {
    /// The client acknowledges the revision that it evaluates.
    Applied,
    /// The client fetched the results of evaluations.
    Fetched,
    /// The client was sent the state and cannot acknowledge it.
    Sent,
}
