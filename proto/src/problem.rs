//! Problem documents (RFC 9457) and the one table of all public error codes.

use crate::validation::ValidationError;

macro_rules! codes {
    ($(#[doc = $meaning:literal] $name:ident = $code:literal, $status:literal, $refusal:ident, $retry:expr, $title:literal;)*) => {
        /// A public error code. Codes never change their meaning; programs match on them.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
        #[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
        pub enum Code {
            $(#[doc = $meaning] #[serde(rename = $code)] $name,)*
        }

        impl Code {
            /// All codes.
            pub const ALL: &'static [Self] = &[$(Self::$name),*];

            /// The code as it is written: `FLAG_KILLED`.
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$name => $code),* }
            }

            /// The HTTP status that goes with it.
            pub const fn status(self) -> u16 {
                match self { $(Self::$name => $status),* }
            }

            /// A short title, the same for every occurrence.
            pub const fn title(self) -> &'static str {
                match self { $(Self::$name => $title),* }
            }

            /// What the code means, in a sentence, as the documentation lists it.
            pub fn meaning(self) -> &'static str {
                match self { $(Self::$name => $meaning.trim_ascii()),* }
            }

            /// Whether a guard or a gate refused (the command line ends with 3), or something failed (1).
            pub const fn refusal(self) -> Refusal {
                match self { $(Self::$name => Refusal::$refusal),* }
            }

            /// Seconds after which a repeat can succeed without anyone's doing: the `Retry-After` of the answer.
            pub const fn retry_after_seconds(self) -> Option<u64> {
                match self { $(Self::$name => $retry),* }
            }
        }
    };
}

/// Why a request was not carried out, in the two classes that scripts tell apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refusal {
    /// A kill, a plan that no longer holds, a role, a policy or a state forbids it.
    Guard,
    /// The request is wrong, or something broke.
    Failure,
}

codes! {
    /// The body is not JSON, or not UTF-8.
    ParseError = "PARSE_ERROR", 400, Failure, None, "The request cannot be parsed";
    /// A header or query parameter is malformed; `errors` names it.
    BadRequest = "BAD_REQUEST", 400, Failure, None, "A header or query parameter is malformed";
    /// No key was sent, or it is not valid.
    Unauthenticated = "UNAUTHENTICATED", 401, Failure, None, "A valid key is required";
    /// The key's role or environments do not allow it; `roles` lists the roles that may.
    Forbidden = "FORBIDDEN", 403, Guard, None, "This key is not allowed to do this";
    /// The environment does not exist.
    EnvironmentNotFound = "ENVIRONMENT_NOT_FOUND", 404, Failure, None, "Environment not found";
    /// The flag does not exist in this environment.
    FlagNotFound = "FLAG_NOT_FOUND", 404, Failure, None, "Flag not found";
    /// Nothing exists under this path or id.
    NotFound = "NOT_FOUND", 404, Failure, None, "Not found";
    /// The path exists, but not with this method.
    MethodNotAllowed = "METHOD_NOT_ALLOWED", 405, Failure, None, "This path does not support the method";
    /// `If-Match` names an older state; `current` is the state now.
    StaleRevision = "STALE_REVISION", 409, Guard, None, "It has changed since you read it";
    /// A kill forbids the change; `kill` names it.
    FlagKilled = "FLAG_KILLED", 409, Guard, None, "The flag is killed";
    /// The plan no longer describes what would happen; `plan` is the hash of what would happen now.
    PlanStale = "PLAN_STALE", 409, Guard, None, "Something has changed since the plan";
    /// What the proposal would change is no longer what was shown.
    ProposalStale = "PROPOSAL_STALE", 409, Guard, None, "Something has changed since the proposal";
    /// A second person is needed, and the request cannot be kept as a proposal.
    SecondPersonNeeded = "SECOND_PERSON_NEEDED", 409, Guard, None, "A second person has to approve this";
    /// Another file set owns the flag or segment that a file would change, or none does.
    OtherOwner = "OTHER_OWNER", 409, Guard, None, "Another file set owns it";
    /// The release is finished: changes can no longer join it.
    ReleaseFinished = "RELEASE_FINISHED", 409, Guard, None, "The release is finished";
    /// No checkpoint is known-good.
    NoKnownGood = "NO_KNOWN_GOOD", 409, Guard, None, "There is no known-good checkpoint";
    /// Going back through a one-way door needs the flag's name in the request.
    OneWayDoor = "ONE_WAY_DOOR", 409, Guard, None, "Going back would not undo everything";
    /// A check that must pass beforehand has failed.
    CheckFailed = "CHECK_FAILED", 409, Guard, None, "A check failed";
    /// Another rollback of the same flags is in progress.
    RollbackUnderWay = "ROLLBACK_UNDER_WAY", 409, Guard, None, "Another rollback is in progress";
    /// The resource is in a state that does not allow it.
    WrongState = "WRONG_STATE", 409, Guard, None, "Not possible in its current state";
    /// The environment is protected, and the release lacks what protection requires.
    Protected = "PROTECTED", 422, Guard, None, "The environment is protected";
    /// Nothing matches the scope.
    EmptyScope = "EMPTY_SCOPE", 422, Failure, None, "Nothing matches this scope";
    /// Rules cannot express the requested state.
    CannotExpress = "CANNOT_EXPRESS", 422, Guard, None, "Rules cannot express this";
    /// It already exists; nothing was changed.
    AlreadyExists = "ALREADY_EXISTS", 409, Failure, None, "It already exists";
    /// Something else refers to it.
    InUse = "IN_USE", 409, Failure, None, "It is still in use";
    /// The body is larger than allowed.
    TooLarge = "TOO_LARGE", 413, Failure, None, "The request is too large";
    /// The body's content type is not supported.
    UnsupportedMediaType = "UNSUPPORTED_MEDIA_TYPE", 415, Failure, None, "The Content-Type is not supported";
    /// Fields are wrong; `errors` names each.
    Invalid = "INVALID", 422, Failure, None, "The request is not valid";
    /// This change needs a reason.
    ReasonRequired = "REASON_REQUIRED", 422, Failure, None, "A reason is required";
    /// The idempotency key was used for a different request within 24 hours.
    IdempotencyMismatch = "IDEMPOTENCY_MISMATCH", 422, Failure, None, "The Idempotency-Key was used for a different request";
    /// The key sends too many requests; `Retry-After` says how long to wait.
    RateLimited = "RATE_LIMITED", 429, Failure, None, "Too many requests";
    /// The fault is the server's; `request_id` finds it in the log.
    Internal = "INTERNAL", 500, Failure, None, "The server failed";
    /// The store cannot be reached; nothing was changed.
    StoreUnavailable = "STORE_UNAVAILABLE", 503, Failure, Some(5), "The store cannot be reached";
    /// The store did not answer in time; the outcome is settled when it is back, and the change is applied at most once.
    OutcomeUnknown = "OUTCOME_UNKNOWN", 503, Failure, Some(5), "Whether the change was made is not known yet";
    /// The log is being re-seeded; try again in a moment.
    Reseeding = "RESEEDING", 503, Failure, Some(2), "The store is being re-seeded";
    /// This node is behind, was never hydrated, or is shutting down.
    NotReady = "NOT_READY", 503, Failure, Some(5), "This node is not ready";
}

/// A problem document: the body of every error, as `application/problem+json`.
#[derive(Debug, Clone, PartialEq, serde::Serialize, serde::Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Problem {
    /// The identifier of the kind of problem: `urn:ripcord:problem:FLAG_KILLED`.
    pub r#type: String,
    /// The code's title.
    pub title: String,
    /// The HTTP status.
    pub status: u16,
    /// The stable code.
    pub code: Code,
    /// What happened and what to do next, for a person.
    pub detail: String,
    /// The fields that are wrong.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub errors: Vec<ValidationError>,
    /// The request's id, to find it in the logs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub request_id: Option<String>,
    /// Further members of this code: `current` (`STALE_REVISION`), `kill` (`FLAG_KILLED`), `roles` (`FORBIDDEN`).
    #[serde(flatten)]
    pub members: serde_json::Map<String, serde_json::Value>,
}

impl Problem {
    /// A problem of this code.
    pub fn new(code: Code, detail: impl Into<String>) -> Self {
        Self {
            r#type: format!("urn:ripcord:problem:{}", code.as_str()),
            title: code.title().to_owned(),
            status: code.status(),
            code,
            detail: detail.into(),
            errors: Vec::new(),
            request_id: None,
            members: serde_json::Map::new(),
        }
    }

    /// With the fields that are wrong.
    #[must_use]
    pub fn with_errors(mut self, errors: impl IntoIterator<Item = ValidationError>) -> Self {
        self.errors.extend(errors);
        self
    }

    /// With a further member.
    #[must_use]
    pub fn with(mut self, name: &str, value: impl Into<serde_json::Value>) -> Self {
        self.members.insert(name.to_owned(), value.into());
        self
    }
}
