//! The view of connected applications.

use ripcord_proto::Position;
use ripcord_proto::confirmation::Instance;

/// How an application is connected.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
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
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
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
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Connected {
    /// The application.
    #[serde(flatten)]
    pub instance: Instance,
    /// The transport.
    pub transport: Transport,
    /// The confirmation level.
    pub level: ConfirmationLevel,
    /// The position that it last confirmed, as `epoch:revision`.
    pub confirmed: Option<Position>,
    /// Since when it is connected.
    pub since: jiff::Timestamp,
    /// Whether its connection is lost; a lost application is shown for 15 minutes.
    pub lost: bool,
}

/// The kinds of clients whose ids never touch each other's.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ClientKind {
    /// Ripcord's own streams: the client makes its id.
    Native,
    /// OFREP: this node makes the id.
    Ofrep,
    /// flagd: each stream has an id of its own.
    Flagd,
}

/// Whose member it is. An instance id belongs to the key that opened it: no other key can speak for it.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct MemberIdentity {
    pub kind: ClientKind,
    /// The id of the key.
    pub key: String,
    /// The id of the instance.
    pub instance_id: String,
}

impl MemberIdentity {
    /// An application on one of Ripcord's own streams.
    pub fn native(key: &str, instance_id: &str) -> Self {
        Self {
            kind: ClientKind::Native,
            key: key.to_owned(),
            instance_id: instance_id.to_owned(),
        }
    }

    /// A client of OFREP.
    pub fn ofrep(key: &str, client: &str) -> Self {
        Self {
            kind: ClientKind::Ofrep,
            ..Self::native(key, client)
        }
    }
}

/// An application that connects.
#[derive(Debug, Clone)]
pub struct NewMember {
    /// The instance's name.
    pub name: String,
    /// Random, new for each process.
    pub id: String,
    /// The id of the key that it connected with.
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

impl NewMember {
    /// Whose member it is.
    pub fn identity(&self) -> MemberIdentity {
        let kind = match self.transport {
            Transport::WebSocket | Transport::Sse => ClientKind::Native,
            Transport::Ofrep => ClientKind::Ofrep,
            Transport::Flagd | Transport::FlagdRpc => ClientKind::Flagd,
        };
        MemberIdentity {
            kind,
            ..MemberIdentity::native(&self.key, &self.id)
        }
    }
}
