//! How readers are connected.

use anyhow::{Result, bail};

/// How a reader is connected.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Transport {
    WebSocket,
    Sse,
}

impl Transport {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::WebSocket => "websocket",
            Self::Sse => "sse",
        }
    }

    pub fn parse(text: &str) -> Result<Self> {
        match text {
            "websocket" => Ok(Self::WebSocket),
            "sse" => Ok(Self::Sse),
            other => bail!("unknown transport {other:?}"),
        }
    }
}

/// Whether readers acknowledge; those of the event stream never do, since each would need a connection more.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Acks {
    Yes,
    No,
}

impl Acks {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Yes => "acks",
            Self::No => "mute",
        }
    }
}
