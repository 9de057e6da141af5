//! The parts of the server that the benches of this repository measure, and what its fuzzers feed. Not an API: it changes with the rooms.

#[allow(clippy::missing_panics_doc, reason = "a panic is what a fuzzer looks for")]
pub mod untrusted;

pub use crate::access::{EnvironmentAccess, Principal};
pub use crate::clock::SystemClock;
pub use crate::commit::{Applied, Author, Draft, Expected, Operation, Renderer};
pub use crate::environment::{EnvironmentDeps, Environments, Orphans};
pub use crate::fleet::{ConfirmationTarget, Fleet, FleetSettings, NoPeers};
pub use crate::http::ApiError;
pub use crate::impact::SampleUsers;
pub use crate::outcome::statistics::RateTest;
pub use crate::outcome::statistics::means::MeansTest;
pub use crate::rollback::{PreparedRollback, RollbackSpec, answer_of, plan, prepare};
pub use crate::serve::http_server::{HttpServerSettings, start as start_http};
pub use crate::snapshot::board::{Board, Listener};
pub use crate::snapshot::frames::{Frame, FrameSet};
pub use crate::snapshot::history::{History, HistoryLimits};
pub use crate::snapshot::publication::{Publication, PublishedChange, Served};
pub use crate::store::Store;
pub use crate::store::embedded::{EmbeddedStore, Flush};
pub use crate::store::journal::Journal;
pub use crate::store::memory::MemoryStore;
pub use crate::store::redis::{RedisConfig, RedisStore};
pub use crate::stream::{Authorise, StreamSettings, Streams, Worker};
pub use crate::system::{SystemDraft, SystemOperation};
pub use crate::tasks::TaskSet;
