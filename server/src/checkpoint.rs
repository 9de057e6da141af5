//! Checkpoints: named pointers to revisions, and whether they are known to be good.
//!
//! A checkpoint holds no copy of its state: it names a revision and the content hash there. The log never forgets an entry, so the
//! state can be made again however old it is, and the hash proves that it is the one that was meant.
//!
//! ```text
//! api/checkpoints.rs -> Ask::Decide (keep.rs: on the state that the commit finds) -> the log
//! a name -> resolve.rs -> the state, read back and proven
//! nothing happens for long -> soak.rs decides -> vouching.rs: the environment vouches by itself
//! ```

mod keep;
mod resolve;
mod show;
mod soak;
#[cfg(test)]
mod tests;
mod vouching;

pub use self::keep::{Taking, delete, judge, record, take};
pub use self::resolve::{ResolveError, Resolved, resolve};
pub use self::show::{distance, known_good, view};
pub use self::vouching::Vouching;
