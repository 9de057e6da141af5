//! Why a request is not permitted.

use ripcord_proto::problem::Problem;

/// The problem to report, and when another try makes sense.
#[derive(Debug, Clone, thiserror::Error)]
#[error("{}: {}", problem.code.as_str(), problem.detail)]
pub struct AccessError {
    problem: Box<Problem>,
    /// Seconds to wait, if the limit of requests is reached.
    pub retry_after: Option<u64>,
}

impl AccessError {
    /// After `seconds` the request will be permitted.
    pub(super) fn limited(problem: Problem, seconds: u64) -> Self {
        Self {
            problem: Box::new(problem),
            retry_after: Some(seconds),
        }
    }

    pub const fn problem(&self) -> &Problem {
        &self.problem
    }

    /// The problem by value.
    pub fn into_problem(self) -> Problem {
        *self.problem
    }
}

impl From<Box<Problem>> for AccessError {
    fn from(problem: Box<Problem>) -> Self {
        Self { problem, retry_after: None }
    }
}

impl From<Problem> for AccessError {
    fn from(problem: Problem) -> Self {
        Box::new(problem).into()
    }
}
