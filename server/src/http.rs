//! What every endpoint shares: how a request is known, read and answered. It knows no resource and no rule.
//!
//! ```text
//! request_tracing::around    a request id, a tracing span, a time, security headers; every error becomes a problem document
//!   body          content type, size, UTF-8, JSON, then the type's own reading; every problem at once
//!   query         ?wait=  ?reason=  ?after=  ?limit=, strictly
//!   precondition  If-Match, If-None-Match
//!   idempotency   Idempotency-Key
//! reply           JSON out, with ETag and Ripcord-Stale
//! ```

pub mod body;
pub mod compress;
pub mod error;
pub mod idempotency;
pub mod precondition;
pub mod query;
pub mod request_tracing;
pub mod response;

pub use self::body::Body;
pub use self::error::ApiError;
pub use self::response::ApiResponse;
