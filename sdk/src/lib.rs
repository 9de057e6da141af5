#![cfg_attr(feature = "client", doc = include_str!("../README.md"))]
#![cfg_attr(not(feature = "client"), doc = "The evaluation engine of Ripcord, without the client. Start at [`engine`].")]
//!
//! # Modules
//!
//! - The root: what an application uses, and the types that its interface names.
//! - [`engine`]: the evaluation alone, without I/O. The server evaluates with it, too.
//! - `testing`: clients for an application's own tests.
//! - `openfeature`: the OpenFeature provider, with the feature of that name.
//! - [`model`]: flags, snapshots and kills as the server sends them.
#![cfg_attr(docsrs, feature(doc_cfg))]
#![warn(missing_docs)]
#![deny(clippy::incompatible_msrv, clippy::missing_errors_doc)]
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

#[cfg(feature = "client")]
mod client;
pub mod engine;
#[cfg(feature = "openfeature")]
pub mod openfeature;
#[cfg(feature = "client")]
pub mod testing;

/// The types that the server and the SDK share: flags, snapshots, kills, and the names in them.
pub mod model {
    pub use ripcord_proto::actor::Actor;
    pub use ripcord_proto::key::RuleId;
    pub use ripcord_proto::outcome::Traffic;
    pub use ripcord_proto::references::TouchedKeys;
    pub use ripcord_proto::table::{Entity, Entry};
    pub use ripcord_proto::value::{Value, ValueType};
    pub use ripcord_proto::{
        EnvironmentKey, Epoch, Flag, FlagKey, Kill, KillId, KillScope, Position, Revision, Segment, Snapshot, ValidationErrors, VariantName,
    };
}

#[cfg(feature = "client")]
pub use client::{
    BoolFlag, CacheStatus, Changes, Client, ClientBuilder, ConnectionError, Detail, EvaluationEvent, FlagsFileError, IntegerFlag, JsonFlag, NotReady,
    NumberFlag, ObjectFlag, Outcome, OutcomeStatus, Reporting, Source, StartError, StartPolicy, State, Status, StatusWatch, StringFlag, Subscription,
    Transport, TypedFlag, View,
};
pub use engine::Context;
#[cfg(feature = "client")]
pub use jiff::Timestamp;
pub use model::{EnvironmentKey, FlagKey, KillId, Position, Snapshot, Traffic, VariantName};
pub use serde_json;

/// The Rust examples of the repository's README, as doc-tests.
#[cfg(all(doctest, feature = "client"))]
#[doc = include_str!("../../README.md")]
struct RepositoryReadme;
