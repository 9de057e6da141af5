//! Ripcord in an application: flags evaluated in-process, in nanoseconds, from a state that the server streams; and a kill that
//! arrives within milliseconds and holds whatever else is down.
//!
//! ```no_run
//! use std::time::Duration;
//! use ripcord_sdk::{BoolFlag, Client, Context};
//!
//! const NEW_CHECKOUT: BoolFlag = BoolFlag::new("checkout-v2", false);
//!
//! let client = Client::builder("http://127.0.0.1:8016", "rc_sdk_…")
//!     .environment("production")
//!     .cache_dir("/var/cache/checkout")
//!     .start()?;
//! client.wait_until_ready(Duration::from_secs(2))?;
//!
//! let user = Context::new("user-42").with("email", "ada@example.com").with("app.version", "2.3.0");
//! if NEW_CHECKOUT.get(&client, &user) {
//!     // the new checkout
//! }
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # What an evaluation costs and promises
//!
//! It reads memory on the calling thread: no lock, no allocation for booleans, numbers and lent strings, no clock, no waiting. It
//! cannot fail. Where there is nothing to say it gives the caller's own default, and the `_detail` twin says why
//! ([`engine::Reason`]): before any data that is `NOT_READY`.
//!
//! ```
//! use ripcord_sdk::engine::Reason;
//! use ripcord_sdk::{Client, Context};
//!
//! let client = Client::from_flags_file(
//!     "
//! flags:
//!   checkout-v2:
//!     variants: { on: true, off: false }
//!     default: off
//!     safe: off
//!     rules:
//!       - id: staff
//!         when: { attribute: email, ends_with: '@example.com' }
//!         serve: on
//! ",
//! )?;
//! let answer = client.bool_detail("checkout-v2", &Context::new("user-42").with("email", "ada@example.com"), false);
//! assert!(answer.value);
//! assert_eq!(answer.reason, Reason::TargetingMatch);
//! assert_eq!(answer.rule.as_deref(), Some("staff"));
//! # Ok::<(), ripcord_sdk::testing::TestError>(())
//! ```
//!
//! Flags that must agree within one request are evaluated through a [`View`], which pins one revision:
//!
//! ```
//! # use ripcord_sdk::{Client, Context};
//! # fn handle(client: &Client) {
//! let view = client.view();
//! let user = Context::new("user-42");
//! let (new_cart, new_checkout) = (view.bool("cart-v2", &user, false), view.bool("checkout-v2", &user, false));
//! # }
//! ```
//!
//! # When the server is away
//!
//! The client goes on from memory, a restarted one from its disk cache ([`Builder::cache_dir`], [`StartPolicy`]). A flag with a
//! lease falls to its safe variant once the server has been unheard for that long. [`Client::status`] says where the client is:
//! [`State`] has the state machine.
//!
//! # Parts
//!
//! - [`Client`], [`Builder`], [`View`], the typed handles [`BoolFlag`], [`StringFlag`], [`NumberFlag`], [`ObjectFlag`]: what an
//!   application uses. With the feature `client`, which is on unless switched off.
//! - [`testing`]: clients fed by hand, for an application's own tests.
//! - [`engine`]: the evaluation alone, without I/O; what the server evaluates with too.
#![warn(missing_docs)]
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

#[cfg(feature = "client")]
pub use client::{
    Answer, BoolFlag, Builder, CacheStatus, Changes, Client, Counting, Evaluate, Handle, NotReady, NumberFlag, ObjectFlag, Outcome, OutcomeStatus, Source,
    StartError, StartPolicy, State, Status, StatusWatch, StringFlag, Subscription, Transport, Trouble, View,
};
pub use engine::Context;
