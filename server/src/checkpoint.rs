//! Checkpoints: named pointers to revisions, and whether they are known to be good.
//!
//! A checkpoint holds no copy of its state: it names a revision and the content hash there. The log never forgets an entry, so the
//! state can be made again however old it is, and the hash proves that it is the one that was meant.

mod resolve;

pub use self::resolve::{ResolveError, Resolved, resolve};
