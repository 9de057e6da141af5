//! The Ripcord server.
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

pub mod commit;
pub mod snapshot;
pub mod store;
