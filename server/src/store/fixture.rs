//! For tests: entries of a log.

use ripcord_proto::actor::{Actor, Origin};
use ripcord_proto::change::Change;
use ripcord_proto::commit::{Commit, Sealed};
use ripcord_proto::{Epoch, Revision};

use super::Head;

/// The entry that follows `head`, with these changes.
pub(crate) fn next_entry(head: &Head, epoch: Epoch, revision: Option<Revision>, changes: Vec<Change>) -> Sealed {
    let sequence = head.sequence.next();
    let commit = Commit {
        sequence,
        epoch,
        revision,
        at: "2026-11-24T12:00:00Z".parse().unwrap(),
        actor: Actor::server("test"),
        origin: Origin {
            node: "test".to_owned(),
            address: None,
            request: None,
        },
        reason: Some(format!("entry {sequence}")),
        release: None,
        approved: None,
        urgent: false,
        changes,
        hash: None,
        idempotency: None,
    };
    Sealed::seal(commit, &head.chain).unwrap()
}
