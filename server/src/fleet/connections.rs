//! Who is connected, as it is shown.

use ripcord_proto::Position;
use ripcord_proto::confirmation::Instance;

/// What an application is connected by.
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
}

impl Transport {
    /// As it is written.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::WebSocket => "websocket",
            Self::Sse => "sse",
            Self::Ofrep => "ofrep",
            Self::Flagd => "flagd",
        }
    }
}

/// What an application's confirmation is worth.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum ConfirmationLevel {
    /// It acknowledges what it evaluates at.
    Applied,
    /// It fetched the answers.
    Fetched,
    /// It was sent the state and cannot answer.
    Sent,
}

impl ConfirmationLevel {
    /// All three.
    pub const ALL: [Self; 3] = [Self::Applied, Self::Fetched, Self::Sent];
}

/// One connected application.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize, utoipa::ToSchema)]
pub struct Connected {
    /// Who.
    #[serde(flatten)]
    pub instance: Instance,
    /// What it is connected by.
    pub transport: Transport,
    /// What its confirmations are worth.
    pub level: ConfirmationLevel,
    /// What it last confirmed, as `epoch:revision`.
    #[schema(value_type = Option<String>)]
    pub confirmed: Option<Position>,
    /// Since when it is connected.
    #[schema(value_type = String, format = DateTime)]
    pub since: jiff::Timestamp,
    /// Whether its connection is lost; it is shown for a minute.
    pub lost: bool,
}

/// An application that connects.
#[derive(Debug, Clone)]
pub struct NewMember {
    /// The instance's name.
    pub name: String,
    /// Random, new for each process.
    pub id: String,
    /// Name and version of its SDK.
    pub sdk: String,
    /// The position that it already has.
    pub position: Option<Position>,
    /// Whether it will acknowledge (`applied`). If not, it counts as `sent`.
    pub acknowledges: bool,
    /// What it is connected by.
    pub transport: Transport,
}
