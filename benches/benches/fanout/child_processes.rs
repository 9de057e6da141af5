//! The child processes of this bench: the program starts itself again in one of these roles.

use anyhow::{Result, bail};

use crate::transport::{Acks, Transport};
use crate::{baseline, end_to_end, publisher, readers, snapshots};

pub fn run(role: &str, arguments: &[String]) -> Result<()> {
    match (role, arguments) {
        ("role-server", [flags]) => publisher::run(flags.parse()?),
        ("role-end-to-end", [flags]) => end_to_end::run(flags.parse()?),
        ("role-baseline", [transport, readers]) => baseline::run(Transport::parse(transport)?, readers.parse()?),
        ("role-readers", [address, transport, count, acks]) => {
            let acks = if acks == Acks::Yes.as_str() { Acks::Yes } else { Acks::No };
            readers::run(address.parse()?, Transport::parse(transport)?, count.parse()?, acks)
        }
        ("role-pollers", [address, path, tag]) => snapshots::poll(address.parse()?, path, tag),
        _ => bail!("unknown role: {role} {arguments:?}"),
    }
}
