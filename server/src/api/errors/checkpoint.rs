//! Checkpoints: names that do not resolve to a state.

use ripcord_proto::problem::{Code, Problem};

use crate::checkpoint::ResolveError;
use crate::http::ApiError;

impl From<ResolveError> for ApiError {
    fn from(error: ResolveError) -> Self {
        let problem = match error {
            ResolveError::Commit(error) => return error.into(),
            ResolveError::Store(error) => return error.into(),
            ResolveError::Ahead { named, newest } => {
                let detail = format!("Revision {named} does not exist yet; the newest is {newest}. Name an earlier one, or a checkpoint.");
                Problem::new(Code::Invalid, detail).with("newest", newest.to_string())
            }
            ResolveError::NoRevision { named, newest } => {
                let detail = format!("This environment never had a revision {named}; the newest is {newest}. `ripcord audit` lists them.");
                Problem::new(Code::NotFound, detail).with("newest", newest.to_string())
            }
            ResolveError::Altered { .. } => {
                tracing::error!(%error, "a checkpoint does not match its hash");
                let detail = format!("Nothing was changed: {error}. `ripcord audit verify` shows where the log was altered; use another checkpoint.");
                Problem::new(Code::Internal, detail)
            }
        };
        problem.into()
    }
}
