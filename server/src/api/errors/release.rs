//! Releases whose changes cannot be read.

use crate::http::ApiError;
use crate::release::ReleaseChangesError;

impl From<ReleaseChangesError> for ApiError {
    fn from(error: ReleaseChangesError) -> Self {
        match error {
            ReleaseChangesError::Commit(error) => error.into(),
            ReleaseChangesError::Store(error) => error.into(),
        }
    }
}
