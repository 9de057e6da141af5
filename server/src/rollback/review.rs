//! The review that is due after a rollback: a rollback needs no approval, so people look at it afterwards.

use jiff::Timestamp;
use ripcord_proto::actor::Actor;
use ripcord_proto::record::Records;
use ripcord_proto::rollback::{Review, ReviewNote, Rollback};

use super::error::WrongRollbackState;

/// The record with its review.
pub fn reviewed(rollback: &Rollback, by: Actor, note: String, at: Timestamp) -> Result<Rollback, WrongRollbackState> {
    if rollback.review.done.is_some() {
        return Err(WrongRollbackState::of(
            rollback,
            "it has already been reviewed. See the review: `ripcord rollback show`",
        ));
    }
    Ok(Rollback {
        review: Review {
            done: Some(ReviewNote { by, at, note }),
            ..rollback.review.clone()
        },
        ..rollback.clone()
    })
}

/// The rollbacks whose review is overdue, oldest first.
pub fn overdue(records: &Records, now: Timestamp) -> impl Iterator<Item = &Rollback> {
    let rollbacks = records.rollbacks.values();
    rollbacks.filter(move |rollback| rollback.review.is_overdue(now))
}
