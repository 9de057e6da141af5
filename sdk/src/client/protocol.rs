//! The conversation with the server, without any I/O: messages and due times go in, effects come out. It reads no clock and owns no
//! socket and no file, so that a test can try every order of events.
//!
//! ```text
//!   opened · frame · lost · fetched · due   ->  Protocol  ->  Apply, Send, Connect, Disconnect, Fetch, Cache, SinceContact, Status
//! ```
//!
//! Invariants: a position never goes back within an epoch, nor to an older epoch. A state whose content hash differs from the one that
//! came with it is never applied. A provisional kill is never dropped because a server does not mention it.

mod acks;
mod apply;
mod config;
mod effect;
mod machine;
mod provisional_kills;
mod resync;
mod resync_state;
mod state_diff;
#[cfg(test)]
pub(super) mod tests;
mod timers;

pub(crate) use config::Config;
pub(crate) use effect::{Effect, FetchResult, Freshness, HeldState, NewState, Restored, StreamError};
pub(crate) use machine::Protocol;
pub(crate) use state_diff::StateDiff;
