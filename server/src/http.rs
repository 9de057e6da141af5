//! What every endpoint shares: how a request is known, read and answered. It knows no resource and no rule.
//!
//! ```text
//! span::around    a request id, a tracing span, a time, security headers; every error becomes a problem document
//!   body          content type, size, UTF-8, JSON, then the type's own reading; every problem at once
//!   query         ?wait=  ?reason=  ?after=  ?limit=, strictly
//!   precondition  If-Match, If-None-Match
//!   idempotency   Idempotency-Key
//! reply           JSON out, with ETag and Ripcord-Stale
//! ```

pub mod body;
pub mod compress;
pub mod idempotency;
pub mod precondition;
pub mod problem;
pub mod query;
pub mod reply;
pub mod span;

pub use self::body::Body;
pub use self::problem::Refusal;
pub use self::query::Query;
pub use self::reply::Reply;
