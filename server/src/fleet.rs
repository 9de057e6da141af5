//! The fleet: the applications connected to this node, what each has confirmed, and how fast.
//!
//! ```text
//! Board::publish -> Members::published          the denominator: the applications connected at the commit
//! stream: hello -> Membership, ack -> Members   moves one member forward; skipping many revisions costs the same as one
//! api: confirmation(n), wait(n) -> report       this node's, merged with those of the peers that can be reached
//! ```
//!
//! Everything is in memory: by name for the last 1,000 revisions, figures only for older ones. Other nodes are asked through
//! [`PeerConfirmations`].

mod connections;
mod counters;
mod membership;
mod peers;
mod registry;
mod report;
mod settings;
mod target;
mod wait;

pub use self::connections::{ConfirmationLevel, Connected, MemberIdentity, NewMember, Transport};
pub use self::peers::{ConfirmationQuestion, NoPeers, PeerConfirmations};
pub use self::registry::{Fleet, Membership};
#[cfg(test)]
pub use self::report::merge;
pub use self::report::{ConfirmationReport, PeerAnswer};
pub use self::settings::FleetSettings;
pub use self::target::ConfirmationTarget;
