//! The entry that begins a new epoch of a log.

use ripcord_proto::Epoch;
use ripcord_proto::actor::{Actor, Origin};
use ripcord_proto::change::{Change, EpochCause};
use ripcord_proto::commit::{Commit, Sealed};

use super::Head;

/// The circumstances of a new epoch.
#[derive(Debug, Clone, Copy)]
pub(crate) struct EpochStart<'a> {
    /// When it begins.
    pub(crate) at: jiff::Timestamp,
    /// The node that begins it.
    pub(crate) node: &'a str,
    pub(crate) cause: EpochCause,
    /// Why, for people.
    pub(crate) reason: &'a str,
}

/// The entry that begins `epoch` after `head`. It has no revision, because flags evaluate as before.
pub(crate) fn begin(head: Head, epoch: Epoch, beginning: EpochStart<'_>) -> Result<Sealed, serde_json::Error> {
    let commit = Commit {
        sequence: head.sequence.next(),
        epoch,
        revision: None,
        at: beginning.at,
        actor: Actor::server(beginning.node),
        origin: Origin {
            node: beginning.node.to_owned(),
            address: None,
            request: None,
        },
        reason: Some(beginning.reason.to_owned()),
        release: None,
        approved: None,
        urgent: false,
        changes: vec![Change::NewEpoch(beginning.cause)],
        hash: None,
        idempotency: None,
    };
    Sealed::seal(commit, &head.chain)
}
