//! Checkpoints: named pointers to revisions, and whether they are known to be good.
//!
//! A checkpoint holds no copy of its state: it names a revision and the content hash there. The log never forgets an entry, so the
//! state can be rebuilt however old it is, and the hash proves that it is the right one.
//!
//! ```text
//! api/checkpoints.rs -> Operation::decide (commands.rs: on the state that the commit finds) -> the log
//! a name -> resolve.rs -> the state, from memory or the log, verified by its hash
//! nothing happens for long -> soak.rs decides -> auto_vouch.rs: the environment vouches automatically
//! ```

mod auto_vouch;
mod commands;
mod evidence;
mod resolve;
mod soak;
#[cfg(test)]
mod tests;
mod view;

pub use self::auto_vouch::AutoVouch;
pub use self::commands::{NewCheckpoint, delete, judge, put, take};
pub use self::evidence::EvidenceSources;
pub use self::resolve::{ResolveError, ResolvedTarget, prove, resolve};
pub use self::view::{distance, known_good, view};
