//! Ripcord's types: what a flag is, what a commit changes, what a snapshot holds, and what goes over the wire.
//!
//! This crate parses and validates. It has no I/O, no clock and no threads. Input from outside becomes one of these types at the
//! edge, or is rejected with [`ValidationErrors`], which name every invalid field and say how to correct it.
//!
//! ```text
//! key  value  variant  condition  split  rule  lease   ->  flag, segment            the definitions
//! actor  change  kill                                  ->  commit (one log entry)   what happened
//! table (entries by key, each with its digest)         ->  snapshot, delta          the state, and its changes
//! checkpoint  release  rollback  rollout  trigger  proposal  …     ->  record       what is stored besides flags
//! scenario                                             ->  drill                    a rehearsed rollback and its report
//! frame  rest  problem                                                              what goes over the wire
//! text  visible  flag_text                                                              counted nouns, lists, commands; flags in words
//! ```
#![deny(clippy::incompatible_msrv)]
#![cfg_attr(
    test,
    allow(
        clippy::unwrap_used,
        clippy::expect_used,
        clippy::indexing_slicing,
        clippy::panic,
        reason = "a test that fails may panic"
    )
)]

pub mod actor;
pub mod change;
pub mod check;
pub mod checkpoint;
pub mod commit;
pub mod condition;
pub mod confirmation;
pub mod delta;
pub mod diff;
pub mod digest;
pub mod drill;
pub mod driver;
pub mod duration;
pub mod file_set;
pub mod flag;
pub mod flag_text;
pub mod flagd;
pub mod flags_file;
pub mod frame;
pub mod gate;
#[cfg(feature = "grpc")]
pub mod grpc;
pub mod id;
pub mod instant;
mod json;
pub mod key;
pub mod kill;
pub mod lease;
pub mod limits;
pub mod one_way;
pub mod outcome;
pub mod ownership;
pub mod ping;
pub mod policy;
pub mod problem;
pub mod proposal;
pub mod proxy;
mod raw_record;
mod reader;
pub mod record;
pub mod references;
pub mod release;
pub mod rest;
pub mod revision;
pub mod role;
pub mod rollback;
pub mod rollout;
pub mod rule;
pub mod scenario;
pub mod segment;
pub mod settings;
pub mod similar;
pub mod snapshot;
pub mod split;
pub mod table;
pub mod target;
pub mod text;
pub mod trigger;
pub mod validation;
pub mod value;
pub mod variant;
pub mod visible;
mod yaml;

pub use flag::Flag;
pub use flags_file::FlagsFile;
pub use key::{CheckpointName, EnvironmentKey, FlagKey, NumberName, ReleaseName, RuleId, SegmentKey, SetName, Tag, TriggerName, VariantName};
pub use kill::{Kill, KillId, KillScope};
pub use validation::{ValidationError, ValidationErrors};

pub use proposal::ProposalId;
pub use raw_record::RawRecord;
pub use revision::{Epoch, Position, Revision, Sequence};
pub use rollback::RollbackId;
pub use rollout::RolloutId;
pub use segment::Segment;
pub use snapshot::Snapshot;
pub use target::TargetName;
pub use trigger::FiringId;

/// The code of the README compiles and runs.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
