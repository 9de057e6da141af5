//! The streaming client: evaluates flags from memory and keeps them up to date in the background.
//!
//! ```text
//!            evaluations (any thread)                       one background thread
//!   Client ──► Evaluator ──► engine::Compiled ◄── swap ── worker ◄──► protocol (sans-I/O)
//!                          │ counts                         │  └────► cache_writer ──► disk
//!                          ▼                                ▼
//!                       outcomes ──► POST                transport: websocket, sse, poll
//! ```
//!
//! The background thread has its own small runtime, so the application needs none, a busy runtime of the application delays
//! nothing here, and only evaluations run on the application's threads.

mod alarms;
mod backoff;
mod cache;
mod cache_writer;
mod changes;
#[expect(clippy::module_inception, reason = "it defines `Client`; this file only lists the parts")]
mod client;
mod detail;
mod evaluator;
mod flags_file;
mod lease;
mod listeners;
mod observer;
mod options;
mod outcomes;
mod protocol;
mod ready;
mod shared;
mod start;
mod start_error;
mod status;
mod status_channel;
mod thread_cache;
mod time_point;
mod transport;
mod typed_flag;
mod view;
mod worker;

pub use changes::Changes;
pub use client::Client;
pub use detail::Detail;
pub use flags_file::FlagsFileError;
pub(crate) use flags_file::snapshot_of;
pub use listeners::Subscription;
pub use observer::EvaluationEvent;
pub use options::{ClientBuilder, Reporting, StartPolicy, Transport};
pub use outcomes::Outcome;
pub use ready::{NotReady, StatusWatch};
pub use start_error::StartError;
pub use status::{CacheStatus, ConnectionError, OutcomeStatus, Source, State, Status};
pub use typed_flag::{BoolFlag, IntegerFlag, JsonFlag, NumberFlag, ObjectFlag, StringFlag, TypedFlag};
pub use view::View;
