//! The other roles that this program plays, each in a process of its own.

use anyhow::{Result, bail};

use crate::{bare, publisher, readers, snapshots, whole};

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
            other => bail!("{other:?} is no transport"),
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

pub fn run(role: &str, arguments: &[String]) -> Result<()> {
    match (role, arguments) {
        ("role-server", [flags]) => publisher::run(flags.parse()?),
        ("role-whole", [flags]) => whole::run(flags.parse()?),
        ("role-bare", [transport, readers]) => bare::run(Transport::parse(transport)?, readers.parse()?),
        ("role-readers", [address, transport, count, acks]) => {
            let acks = if acks == Acks::Yes.as_str() { Acks::Yes } else { Acks::No };
            readers::run(address.parse()?, Transport::parse(transport)?, count.parse()?, acks)
        }
        ("role-pollers", [address, path, tag]) => snapshots::poll(address.parse()?, path, tag),
        _ => bail!("no such role: {role} {arguments:?}"),
    }
}
