//! What every endpoint shares: reading a request, answering it, and reporting errors. Knows no resource and no rule.
//!
//! ```text
//! request_tracing   the middleware: request id, tracing span, duration, security headers; errors become problem documents
//!   credentials     the key in Authorization or X-API-Key
//!   body            content type, size, UTF-8, JSON, then the type's own validation; all problems at once
//!   addresses       those in a body that this server would call, and may not
//!   query           ?wait=  ?reason=  ?after=  ?limit=; unknown parameters are refused
//!   precondition    If-Match, If-None-Match
//!   idempotency     Idempotency-Key
//! documented        headers and answers that many operations share, for the API's description
//! response          JSON, with ETag and Ripcord-Stale
//! heavy             what computes for long, away from the threads that take requests
//! error             ApiError: a problem document and its headers
//! ```

pub mod addresses;
pub mod body;
pub mod compress;
pub mod credentials;
pub mod documented;
pub mod error;
pub mod heavy;
pub mod idempotency;
pub mod precondition;
pub mod public_url;
pub mod query;
pub mod request_id;
pub mod request_tracing;
pub mod response;
pub mod surrogates;

pub use self::body::{Body, OptionalBody};
pub use self::error::ApiError;
pub use self::heavy::{away, heavy};
pub use self::response::ApiResponse;
