//! Kills: serve the safe variant at once, without waiting for anything.
//!
//! ```text
//! order -> writer's urgent queue -> committed within 250 ms?  yes -> answered with its revision
//!                                                             no  -> journal (disk) -> overlay (memory, streams) -> peers
//!                                                                    answered as provisional; merged when the store is back
//! ```
//!
//! A kill crosses six types from request to reply: `KillRequest` (the body), [`KillOrder`], [`crate::commit::Draft`],
//! [`crate::commit::Applied`], [`KillInForce`], `KillResponse` (the body of the reply).
//!
//! A provisional kill has an id and no revision. The same id enters the log at most once, whoever merges it first: the writer
//! that still had the order, this room, or a peer. The journal keeps the kills of this node across restarts.

pub(crate) mod exchange;
pub(crate) mod merge;
mod order;
mod peers;
mod provisional;
mod service;
#[cfg(test)]
mod tests;

pub use self::order::{KillDurability, KillInForce, KillOrder, KillOutcome, PeersTold, RestoreOutcome, Withdrawal};
pub use self::provisional::overlay_from;
pub use self::service::Kills;
pub(crate) use self::service::check_tag;
