//! Pings: not committed, or a repetition that cannot be answered.

use ripcord_proto::problem::Code;

use crate::http::ApiError;
use crate::ping::PingError;

impl From<PingError> for ApiError {
    fn from(error: PingError) -> Self {
        match error {
            PingError::Commit(error) => error.into(),
            PingError::Receipt(error) => Self::new(Code::Internal, error.to_string()),
        }
    }
}
