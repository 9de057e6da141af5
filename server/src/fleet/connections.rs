//! The view of connected applications.

use ripcord_proto::Position;
use ripcord_proto::confirmation::Instance;

/// How an application is connected.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum Transport {
    /// A WebSocket.
    WebSocket,
    /// An event stream.
    Sse,
    Ofrep,
    /// flagd's stream of flags.
    Flagd,
    /// flagd's stream of events, beside remote evaluation.
    #[serde(rename = "flagd-rpc")]
    FlagdRpc,
}

impl Transport {
    /// As it is written.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::WebSocket => "websocket",
            Self::Sse => "sse",
            Self::Ofrep => "ofrep",
            Self::Flagd => "flagd",
            Self::FlagdRpc => "flagd-rpc",
        }
    }
}

/// How an application confirms.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum ConfirmationLevel {
    /// It acknowledges the revision that it evaluates.
    Applied,
    /// It fetched answers of that revision.
    Fetched,
    /// It was sent the state, but cannot acknowledge.
    Sent,
}

impl ConfirmationLevel {
    /// All three.
    pub const ALL: [Self; 3] = [Self::Applied, Self::Fetched, Self::Sent];
}

/// One connected application.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize, utoipa::ToSchema)]
pub struct Connected {
    /// The application.
    #[serde(flatten)]
    pub instance: Instance,
    /// The transport.
    pub transport: Transport,
    /// The confirmation level.
    pub level: ConfirmationLevel,
    /// The position that it last confirmed, as `epoch:revision`.
    #[schema(value_type = Option<String>)]
    pub confirmed: Option<Position>,
    /// Since when it is connected.
    #[schema(value_type = String, format = DateTime)]
    pub since: jiff::Timestamp,
    /// Whether its connection is lost; a lost application is shown for 15 minutes.
    pub lost: bool,
}

/// An application that connects.
#[derive(Debug, Clone)]
pub struct NewMember {
    /// The instance's name.
    pub name: String,
    /// Random, new for each process.
    pub id: String,
    /// The id of the key that it connected with; empty for clients that are not recognised by it.
    pub key: String,
    /// Name and version of its SDK.
    pub sdk: String,
    /// The position that it already has.
    pub position: Option<Position>,
    /// Whether it will acknowledge (`applied`). If not, it counts as `sent`.
    pub acknowledges: bool,
    /// The transport.
    pub transport: Transport,
}
