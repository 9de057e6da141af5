//! Problem documents (RFC 9457) and the one table of all public error codes.

use crate::validation::ValidationError;

/// How a command exits with a problem.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CommandExit {
    /// Exit code 1: the request was wrong, or the server could not do it.
    Failed,
    /// Exit code 3: a guard or a gate refused it.
    Refused,
}

macro_rules! codes {
    ($(#[doc = $meaning:literal] $name:ident = $code:literal, $status:literal, $exit:ident, $retry:expr, $title:literal;)*) => {
        /// A public error code. Codes never change their meaning; programs match on them.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
        pub enum Code {
            $(#[doc = $meaning] #[serde(rename = $code)] $name,)*
        }

        impl Code {
            /// All codes.
            pub const ALL: &'static [Self] = &[$(Self::$name),*];

            /// The meaning of the code in one sentence, as listed in the documentation.
            pub fn meaning(self) -> &'static str {
                match self { $(Self::$name => $meaning.trim_ascii()),* }
            }

            /// The name of the code: `FLAG_KILLED`.
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$name => $code),* }
            }

            /// The HTTP status that goes with it.
            pub const fn status(self) -> u16 {
                match self { $(Self::$name => $status),* }
            }

            /// How a command exits with this problem.
            pub const fn exit(self) -> CommandExit {
                match self { $(Self::$name => CommandExit::$exit),* }
            }

            /// Seconds after which repeating the request may help; `None` if waiting does not help, or if the answer states its own time.
            pub const fn retry_after_seconds(self) -> Option<u64> {
                match self { $(Self::$name => $retry),* }
            }

            /// A short title, the same for every occurrence.
            pub const fn title(self) -> &'static str {
                match self { $(Self::$name => $title),* }
            }
        }
    };
}

// By hand: the names of a macro's variants are not known to the derive.
#[cfg(feature = "openapi")]
impl utoipa::PartialSchema for Code {
    fn schema() -> utoipa::openapi::RefOr<utoipa::openapi::Schema> {
        utoipa::openapi::ObjectBuilder::new()
            .schema_type(utoipa::openapi::schema::Type::String)
            .enum_values(Some(Self::ALL.iter().map(|code| code.as_str())))
            .description(Some("A public error code. Codes never change their meaning; programs match on them."))
            .into()
    }
}

#[cfg(feature = "openapi")]
impl utoipa::ToSchema for Code {}

codes! {
    /// The body is not valid JSON or not UTF-8.
    ParseError = "PARSE_ERROR", 400, Failed, None, "The request body cannot be parsed";
    /// A header or query parameter is malformed.
    BadRequest = "BAD_REQUEST", 400, Failed, None, "The request is malformed";
    /// The key is missing or not valid.
    Unauthenticated = "UNAUTHENTICATED", 401, Failed, None, "A valid key is required";
    /// The key's role or environments do not allow this.
    Forbidden = "FORBIDDEN", 403, Refused, None, "The key does not allow this";
    /// The environment does not exist.
    EnvironmentNotFound = "ENVIRONMENT_NOT_FOUND", 404, Failed, None, "Environment not found";
    /// The flag does not exist.
    FlagNotFound = "FLAG_NOT_FOUND", 404, Failed, None, "Flag not found";
    /// The named object does not exist.
    NotFound = "NOT_FOUND", 404, Failed, None, "Not found";
    /// The path exists, but not with this method.
    MethodNotAllowed = "METHOD_NOT_ALLOWED", 405, Failed, None, "Method not allowed";
    /// `If-Match` names an older state.
    StaleRevision = "STALE_REVISION", 409, Refused, None, "Changed since it was read";
    /// A kill forbids the change; the member `kill` names it.
    FlagKilled = "FLAG_KILLED", 409, Refused, None, "The flag is killed";
    /// The plan no longer describes what would happen.
    PlanStale = "PLAN_STALE", 409, Refused, None, "The plan is out of date";
    /// The proposal would no longer do what was shown.
    ProposalStale = "PROPOSAL_STALE", 409, Refused, None, "The proposal is out of date";
    /// A second person must approve, but this request cannot be stored as a proposal.
    SecondPersonNeeded = "SECOND_PERSON_NEEDED", 409, Refused, None, "Approval by a second person is required";
    /// The file set does not own what the request would change.
    OtherOwner = "OTHER_OWNER", 409, Refused, None, "Owned by another file set";
    /// The release is finished; it takes no more changes.
    ReleaseFinished = "RELEASE_FINISHED", 409, Refused, None, "The release is finished";
    /// No checkpoint is known-good.
    NoKnownGood = "NO_KNOWN_GOOD", 409, Refused, None, "No known-good checkpoint";
    /// The rollback would cross a one-way door that the request does not acknowledge.
    OneWayDoor = "ONE_WAY_DOOR", 409, Refused, None, "Rolling back would cross a one-way door";
    /// A check that must pass before the rollback failed.
    CheckFailed = "CHECK_FAILED", 409, Refused, None, "A check failed";
    /// Another rollback of the same flags is in progress.
    RollbackUnderWay = "ROLLBACK_UNDER_WAY", 409, Refused, None, "Another rollback is in progress";
    /// The object is not in a state that allows this.
    WrongState = "WRONG_STATE", 409, Refused, None, "Not possible in the current state";
    /// The environment is protected, and the release lacks details that it requires.
    Protected = "PROTECTED", 422, Refused, None, "The environment is protected";
    /// No flag is in the scope, or none would change.
    EmptyScope = "EMPTY_SCOPE", 422, Refused, None, "Nothing to roll back";
    /// The requested state cannot be expressed by rules.
    CannotExpress = "CANNOT_EXPRESS", 422, Refused, None, "Rules cannot express this";
    /// An object of this name already exists.
    AlreadyExists = "ALREADY_EXISTS", 409, Failed, None, "Already exists";
    /// Something else refers to the object.
    InUse = "IN_USE", 409, Failed, None, "Still in use";
    /// The body is larger than allowed.
    TooLarge = "TOO_LARGE", 413, Failed, None, "The request is too large";
    /// The content type of the body is not supported.
    UnsupportedMediaType = "UNSUPPORTED_MEDIA_TYPE", 415, Failed, None, "Unsupported content type";
    /// Fields are invalid; `errors` names each.
    Invalid = "INVALID", 422, Failed, None, "The request is invalid";
    /// A reason is needed.
    ReasonRequired = "REASON_REQUIRED", 422, Failed, None, "A reason is required";
    /// The `Idempotency-Key` was used for a different request.
    IdempotencyMismatch = "IDEMPOTENCY_MISMATCH", 422, Failed, None, "The Idempotency-Key was used for a different request";
    /// Too many requests.
    RateLimited = "RATE_LIMITED", 429, Failed, None, "Too many requests";
    /// The server failed.
    Internal = "INTERNAL", 500, Failed, None, "Internal server error";
    /// The store cannot be reached; nothing was changed.
    StoreUnavailable = "STORE_UNAVAILABLE", 503, Failed, Some(5), "The store is unavailable";
    /// The store did not answer in time; whether the change was made is settled once it is back.
    OutcomeUnknown = "OUTCOME_UNKNOWN", 503, Failed, Some(5), "The outcome of the write is unknown";
    /// The store is being re-seeded; try again in a few seconds.
    Reseeding = "RESEEDING", 503, Failed, Some(2), "The store is being re-seeded";
    /// This node is behind, has no data yet, or is shutting down.
    NotReady = "NOT_READY", 503, Failed, Some(5), "This node is not ready";
}

/// A problem document: the body of every error, as `application/problem+json`.
#[derive(Debug, Clone, PartialEq, serde::Serialize, serde::Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[non_exhaustive]
pub struct Problem {
    /// The identifier of the kind of problem: `urn:ripcord:problem:FLAG_KILLED`.
    pub r#type: String,
    /// Short title of the problem; the same for every problem with this code.
    pub title: String,
    /// The HTTP status of the response.
    pub status: u16,
    /// The code; it never changes its meaning, so programs can rely on it.
    pub code: Code,
    /// What happened and what to do next, for a person.
    pub detail: String,
    /// The invalid fields.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub errors: Vec<ValidationError>,
    /// The request's id, to find it in the logs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub request_id: Option<String>,
    /// Further members of this code: `current` (`STALE_REVISION`), `kill` (`FLAG_KILLED`), `roles`,
    /// `role` and `key_name` (`FORBIDDEN`), `doors` (`ONE_WAY_DOOR`).
    #[serde(flatten)]
    pub members: serde_json::Map<String, serde_json::Value>,
}

impl Problem {
    /// A problem with this code.
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

    /// Adds invalid fields.
    #[must_use]
    pub fn with_errors(mut self, errors: impl IntoIterator<Item = ValidationError>) -> Self {
        self.errors.extend(errors);
        self
    }

    /// Adds a further member.
    #[must_use]
    pub fn with(mut self, name: &str, value: impl Into<serde_json::Value>) -> Self {
        self.members.insert(name.to_owned(), value.into());
        self
    }
}
