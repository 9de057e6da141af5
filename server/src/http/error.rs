//! Errors as problem documents (RFC 9457).

use std::fmt;

use actix_web::http::StatusCode;
use actix_web::http::header::{self, HeaderName, HeaderValue};
use actix_web::{HttpRequest, HttpResponse, ResponseError};
use ripcord_proto::commit::Recorded;
use ripcord_proto::problem::{Code, Problem};
use ripcord_proto::{EnvironmentKey, ProposalId, ValidationErrors};

use super::request_id::RequestId;
use crate::commit::{CommitError, RenderedAnswer, StoreFailure};
use crate::store::StoreError;

/// The media type of problem documents.
pub const MEDIA_TYPE: &str = "application/problem+json";

/// An error response: the problem document and its headers.
#[derive(Debug, Clone)]
pub struct ApiError {
    problem: Box<Problem>,
    headers: Vec<(HeaderName, HeaderValue)>,
    /// The answer of a write that waits for a second person: refused until it is approved, and not an error.
    proposed: Option<Box<RenderedAnswer>>,
}

impl ApiError {
    /// An error with this code.
    pub fn new(code: Code, detail: impl Into<String>) -> Self {
        Problem::new(code, detail).into()
    }

    /// Invalid fields in the body.
    pub fn invalid(faults: ValidationErrors) -> Self {
        Problem::new(Code::Invalid, "Nothing was changed. The list `errors` names each invalid field.")
            .with_errors(faults)
            .into()
    }

    /// An invalid header or query parameter.
    pub fn bad_parameter(name: &str, faults: ValidationErrors) -> Self {
        let detail = format!("Invalid {name}: {faults}");
        Problem::new(Code::BadRequest, detail).with_errors(faults.under(name)).into()
    }

    /// With a header.
    #[must_use]
    pub fn with_header(mut self, name: HeaderName, value: HeaderValue) -> Self {
        self.headers.push((name, value));
        self
    }

    /// With `Retry-After`, in seconds.
    #[must_use]
    pub fn retry_after(self, seconds: u64) -> Self {
        self.with_header(header::RETRY_AFTER, HeaderValue::from(seconds.max(1)))
    }

    /// The problem.
    pub fn problem(&self) -> &Problem {
        &self.problem
    }

    /// A write that waits for a second person: `answer` tells of its proposal, `id` of `environment`.
    fn proposed(answer: RenderedAnswer, proposal: Option<(&EnvironmentKey, &ProposalId)>) -> Self {
        let refusal = Self::new(Code::SecondPersonNeeded, "It waits for a second person.");
        let location = proposal.and_then(|(environment, id)| HeaderValue::from_str(&format!("/v1/environments/{environment}/proposals/{id}")).ok());
        let refusal = match location {
            Some(location) => refusal.with_header(header::LOCATION, location),
            None => refusal,
        };
        Self {
            proposed: Some(Box::new(answer)),
            ..refusal
        }
    }

    /// The same, as it was answered before.
    fn proposed_before(recorded: &Recorded) -> Self {
        #[derive(serde::Deserialize)]
        struct Body {
            proposal: Named,
        }
        #[derive(serde::Deserialize)]
        struct Named {
            id: ProposalId,
            environment: EnvironmentKey,
        }
        let body = serde_json::from_str::<Body>(recorded.answer.get()).ok();
        let proposal = body.as_ref().map(|body| (&body.proposal.environment, &body.proposal.id));
        let answer = RenderedAnswer {
            status: recorded.status,
            body: recorded.answer.clone(),
        };
        Self::proposed(answer, proposal)
    }

    /// The answer.
    pub fn render(&self, id: Option<&RequestId>) -> HttpResponse {
        if let Some(answer) = &self.proposed {
            let mut response = HttpResponse::build(self.status_code());
            for header in &self.headers {
                response.insert_header(header.clone());
            }
            return response.content_type("application/json").body(answer.body.get().to_owned());
        }
        let mut problem = (*self.problem).clone();
        problem.request_id = id.map(ToString::to_string);
        let mut response = HttpResponse::build(self.status_code());
        for header in &self.headers {
            response.insert_header(header.clone());
        }
        let body = serde_json::to_vec(&problem).unwrap_or_default();
        response.content_type(MEDIA_TYPE).body(body)
    }
}

impl From<Problem> for ApiError {
    fn from(problem: Problem) -> Self {
        let refusal = Self {
            headers: Vec::new(),
            problem: Box::new(problem),
            proposed: None,
        };
        let code = refusal.problem.code;
        let refusal = match code.retry_after_seconds() {
            Some(seconds) => refusal.retry_after(seconds),
            None => refusal,
        };
        if code == Code::Unauthenticated {
            refusal.with_header(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer realm=\"ripcord\""))
        } else {
            refusal
        }
    }
}

impl From<Box<Problem>> for ApiError {
    fn from(problem: Box<Problem>) -> Self {
        (*problem).into()
    }
}

impl From<CommitError> for ApiError {
    fn from(error: CommitError) -> Self {
        if let CommitError::Proposed(entry) = &error {
            let proposal = entry.value().ok().map(|proposal| (&proposal.environment, &proposal.id));
            return Self::proposed(RenderedAnswer::of_proposal(entry.json()), proposal);
        }
        if let CommitError::Replayed(recorded) = &error {
            return Self::proposed_before(recorded);
        }
        let is_loading = matches!(error, CommitError::Store(StoreFailure::NotReady(_)));
        let refusal = Self::from(error.problem());
        if is_loading { refusal.retry_after(1) } else { refusal }
    }
}

impl From<StoreError> for ApiError {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::Unavailable(why) => Self::new(
                Code::StoreUnavailable,
                format!("The history cannot be read: the store is unreachable ({why}). Flags are still served from memory, and kills work."),
            ),
            StoreError::InUse(_) | StoreError::File { .. } | StoreError::Newer { .. } | StoreError::Corrupt(_) | StoreError::Chain { .. } => {
                tracing::error!(%error, "store read failed");
                Self::new(Code::Internal, format!("The history cannot be read: {error}."))
            }
        }
    }
}

impl fmt::Display for ApiError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.problem.code.as_str(), self.problem.detail)
    }
}

impl std::error::Error for ApiError {}

impl ResponseError for ApiError {
    fn status_code(&self) -> StatusCode {
        let status = self.proposed.as_ref().map_or(self.problem.status, |answer| answer.status);
        StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR)
    }

    fn error_response(&self) -> HttpResponse {
        self.render(None)
    }
}

/// The error for an unknown path.
pub async fn no_such_path(request: HttpRequest) -> Result<HttpResponse, ApiError> {
    Err(unknown_path(request.path()))
}

/// What a path that does not exist is answered with.
pub(crate) fn unknown_path(path: &str) -> ApiError {
    let detail = format!("No such path: {path}. See /openapi.json for all paths.");
    Problem::new(Code::NotFound, detail).with("path", path).into()
}

/// Our error for a response that the framework made; `None` if its status is no error.
pub(super) fn of_status(status: StatusCode, path: &str) -> Option<ApiError> {
    let refusal = match status {
        StatusCode::NOT_FOUND => unknown_path(path),
        StatusCode::METHOD_NOT_ALLOWED => ApiError::new(Code::MethodNotAllowed, format!("{path} does not allow this method. See /openapi.json.")),
        StatusCode::PAYLOAD_TOO_LARGE => ApiError::new(Code::TooLarge, "The body is larger than this path allows."),
        StatusCode::UNSUPPORTED_MEDIA_TYPE => ApiError::new(Code::UnsupportedMediaType, "Unsupported Content-Type; send application/json."),
        status if status.is_client_error() => ApiError::new(Code::BadRequest, "The request is malformed."),
        status if status.is_server_error() => ApiError::new(Code::Internal, "Internal error. The server's log has the cause under this request id."),
        _ => return None,
    };
    Some(refusal)
}
