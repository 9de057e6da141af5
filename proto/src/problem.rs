//! Problem documents (RFC 9457) and the one table of all public error codes.

use crate::validation::ValidationError;

macro_rules! codes {
    ($($(#[$doc:meta])* $name:ident = $code:literal, $status:literal, $title:literal;)*) => {
        /// A public error code. Codes never change their meaning; programs match on them.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
        #[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
        pub enum Code {
            $($(#[$doc])* #[serde(rename = $code)] $name,)*
        }

        impl Code {
            /// All codes.
            pub const ALL: &'static [Self] = &[$(Self::$name),*];

            /// As it is written.
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
        }
    };
}

codes! {
    /// The body is no JSON, or not UTF-8.
    ParseError = "PARSE_ERROR", 400, "The request cannot be parsed";
    /// A header or query parameter is malformed.
    BadRequest = "BAD_REQUEST", 400, "The request is malformed";
    /// No key, or one that is not valid.
    Unauthenticated = "UNAUTHENTICATED", 401, "A valid key is needed";
    /// The key's role or environments do not allow it.
    Forbidden = "FORBIDDEN", 403, "The key may not do this";
    /// The environment does not exist.
    EnvironmentNotFound = "ENVIRONMENT_NOT_FOUND", 404, "There is no such environment";
    /// The flag does not exist.
    FlagNotFound = "FLAG_NOT_FOUND", 404, "There is no such flag";
    /// The thing does not exist.
    NotFound = "NOT_FOUND", 404, "There is no such thing";
    /// The path exists, the method does not.
    MethodNotAllowed = "METHOD_NOT_ALLOWED", 405, "The method is not allowed here";
    /// `If-Match` names an older state.
    StaleRevision = "STALE_REVISION", 409, "It has changed since you read it";
    /// A kill stands in the way.
    FlagKilled = "FLAG_KILLED", 409, "The flag is killed";
    /// The plan no longer describes what would happen.
    PlanStale = "PLAN_STALE", 409, "The world has moved since the plan";
    /// What a proposal would do is no longer what was shown.
    ProposalStale = "PROPOSAL_STALE", 409, "The world has moved since it was proposed";
    /// A second person is needed, and a proposal cannot say what was asked.
    SecondPersonNeeded = "SECOND_PERSON_NEEDED", 409, "A second person is needed";
    /// Another file set, or nobody, owns what a file set would change.
    OtherOwner = "OTHER_OWNER", 409, "It belongs to somebody else";
    /// Changes can no longer join the release.
    ReleaseFinished = "RELEASE_FINISHED", 409, "The release is finished";
    /// No checkpoint is known to be good.
    NoKnownGood = "NO_KNOWN_GOOD", 409, "Nothing is vouched for";
    /// A one-way door stands in the way of going back.
    OneWayDoor = "ONE_WAY_DOOR", 409, "Going back does not undo everything";
    /// A check that must pass before has failed.
    CheckFailed = "CHECK_FAILED", 409, "A check failed";
    /// Another rollback of the same flags is under way.
    RollbackUnderWay = "ROLLBACK_UNDER_WAY", 409, "Another rollback is under way";
    /// It cannot be done in the state that the thing is in.
    WrongState = "WRONG_STATE", 409, "It is not in a state for that";
    /// The environment is protected, and the release does not say what it must.
    Protected = "PROTECTED", 422, "The environment is protected";
    /// There is nothing in the scope.
    EmptyScope = "EMPTY_SCOPE", 422, "There is nothing in this scope";
    /// Rules cannot say it.
    CannotExpress = "CANNOT_EXPRESS", 422, "Rules cannot say this";
    /// It is there already.
    AlreadyExists = "ALREADY_EXISTS", 409, "It exists already";
    /// Something else refers to it.
    InUse = "IN_USE", 409, "It is still in use";
    /// The body is larger than allowed.
    TooLarge = "TOO_LARGE", 413, "The request is too large";
    /// The body is of the wrong kind.
    UnsupportedMediaType = "UNSUPPORTED_MEDIA_TYPE", 415, "The body has the wrong content type";
    /// Fields are wrong; `errors` names each.
    Invalid = "INVALID", 422, "The request is not valid";
    /// A reason is needed.
    ReasonRequired = "REASON_REQUIRED", 422, "A reason is needed";
    /// The idempotency key was used for another request.
    IdempotencyMismatch = "IDEMPOTENCY_MISMATCH", 422, "The Idempotency-Key was used for another request";
    /// Too many requests.
    RateLimited = "RATE_LIMITED", 429, "Too many requests";
    /// The fault is the server's.
    Internal = "INTERNAL", 500, "The server failed";
    /// The store cannot be reached; nothing was changed.
    StoreUnavailable = "STORE_UNAVAILABLE", 503, "The store cannot be reached";
    /// The store did not answer in time; whether the change was made is settled when it is back.
    OutcomeUnknown = "OUTCOME_UNKNOWN", 503, "It is not known whether the change was made";
    /// The log is being re-seeded; try again in a moment.
    Reseeding = "RESEEDING", 503, "The store is being filled again";
    /// This node is behind, was never hydrated, or is shutting down.
    NotReady = "NOT_READY", 503, "This node is not ready";
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
