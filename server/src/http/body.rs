//! Request bodies: bounded, JSON, read strictly.

use std::future::Future;
use std::pin::Pin;
use std::time::Duration;

use actix_web::dev::Payload;
use actix_web::http::header::{self, HeaderValue};
use actix_web::{FromRequest, HttpMessage as _, HttpRequest, web};
use ripcord_proto::digest::Digest;
use ripcord_proto::outcome::OutcomeBatch;
use ripcord_proto::policy::Policy;
use ripcord_proto::problem::{Code, Problem};
use ripcord_proto::rest::checkpoints::{CheckpointRequest, DoubtRequest, VouchRequest};
use ripcord_proto::rest::commits::CommitRequest;
use ripcord_proto::rest::drills::DrillRequest;
use ripcord_proto::rest::environments::EnvironmentRequest;
use ripcord_proto::rest::explain::ExplainRequest;
use ripcord_proto::rest::flags::FlagPatch;
use ripcord_proto::rest::keys::KeyRequest;
use ripcord_proto::rest::kills::{KillRequest, ReasonRequest};
use ripcord_proto::rest::releases::{ReleasePatch, ReleaseRequest};
use ripcord_proto::rest::rollback_acts::{ResumeRequest, ReviewRequest, UndoRequest};
use ripcord_proto::rest::rollbacks::{PlanRequest, RollbackRequest};
use ripcord_proto::rest::rollouts::ReplayRequest;
use ripcord_proto::rest::settings::SettingsRequest;
use ripcord_proto::rest::triggers::{TriggerPatch, TriggerRequest, TriggerTestRequest};
use ripcord_proto::rest::{self, Request};
use ripcord_proto::rollout::RolloutPlan;
use ripcord_proto::text::grouped_len;
use ripcord_proto::{Flag, Segment, ValidationErrors, limits};

use super::addresses::{self, CallsOut};
use super::error::ApiError;
use super::heavy::heavy;
use super::surrogates;
use crate::outbound::Outbound;

/// The limits of a body of this type.
pub trait Bounded: Request + CallsOut {
    /// Largest size, in bytes.
    const BYTES: usize;
    /// Accepted content types.
    const KIND: ContentKind = ContentKind::Json;
}

/// The content types that a body accepts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ContentKind {
    /// JSON, or no `Content-Type`.
    Json,
    /// The same, with contexts of users in it: half a surrogate pair in a text is read as U+FFFD.
    Contexts,
    /// Any `Content-Type`, if the body is JSON: a kill is never refused for a header, such as the one that a bare `curl -d` sends.
    Any,
}

/// Room for whitespace in bodies written by people, in bytes.
const SLACK: usize = 64 * 1024;
/// A small body.
const SMALL: usize = 16 * 1024;
/// Beyond this a body is parsed away from the threads that take requests, unless it is of a kill or a rollback, which waits for nothing.
const LARGE: usize = 512 * 1024;

/// The limit of each body, and whether it may come without a JSON content type.
macro_rules! bounded {
    ($($bytes:expr, $kind:ident: $($body:ty),+;)+) => {
        $($(
            impl Bounded for $body {
                const BYTES: usize = $bytes;
                const KIND: ContentKind = ContentKind::$kind;
            }
        )+)+
    };
}

bounded! {
    limits::FLAG_BYTES + SLACK, Json: Flag;
    limits::SEGMENT_BYTES + SLACK, Json: Segment;
    limits::COMMIT_BYTES, Json: CommitRequest;
    1024 * 1024, Json: OutcomeBatch;
    limits::PLAN_BYTES + SLACK, Json: RolloutPlan;
    SMALL, Json: ReplayRequest, FlagPatch, ReasonRequest, ReviewRequest, SettingsRequest, CheckpointRequest, DoubtRequest, KeyRequest, EnvironmentRequest;
    256 * 1024, Contexts: ExplainRequest;
    256 * 1024, Json: VouchRequest, Policy, DrillRequest, TriggerRequest, TriggerPatch;
    SMALL, Any: KillRequest, ResumeRequest;
    4 * 1024 * 1024, Any: RollbackRequest;
    32 * 1024 * 1024, Contexts: PlanRequest;
    256 * 1024, Any: UndoRequest;
    4 * 1024 * 1024, Json: ReleaseRequest, ReleasePatch;
    limits::SIGNAL_BYTES + SLACK, Json: TriggerTestRequest;
}

/// A body and its digest, which tells a repeated call from a different one.
#[derive(Debug)]
pub struct Body<T> {
    /// Its content.
    pub value: T,
    /// SHA-256 of its bytes.
    pub digest: Digest,
}

impl<T: Bounded> Body<T> {
    fn of(bytes: web::Bytes) -> Result<Self, ApiError> {
        Ok(Self {
            digest: Digest::of([bytes.as_ref()]),
            value: read(&mended(bytes, T::KIND))?,
        })
    }
}

impl<T: Bounded + Send + 'static> FromRequest for Body<T> {
    type Error = ApiError;
    type Future = Pin<Box<dyn Future<Output = Result<Self, ApiError>>>>;

    fn from_request(request: &HttpRequest, payload: &mut Payload) -> Self::Future {
        let (kind, received) = (check_kind(request, T::KIND), receive::<T>(request, payload));
        let outbound = outbound(request);
        Box::pin(async move {
            kind?;
            let bytes = received.await?;
            let body = if bytes.len() > LARGE && T::KIND != ContentKind::Any {
                heavy(async move { Self::of(bytes) }).await?
            } else {
                Self::of(bytes)?
            };
            addresses::check(outbound.as_ref(), &body.value).await?;
            Ok(body)
        })
    }
}

/// A body that may be left out, and its digest.
#[derive(Debug)]
pub struct OptionalBody<T> {
    /// Its content; `None` if it is empty.
    pub value: Option<T>,
    /// SHA-256 of its bytes.
    pub digest: Digest,
}

impl<T: Bounded + 'static> FromRequest for OptionalBody<T> {
    type Error = ApiError;
    type Future = Pin<Box<dyn Future<Output = Result<Self, ApiError>>>>;

    fn from_request(request: &HttpRequest, payload: &mut Payload) -> Self::Future {
        let (kind, received) = (check_kind(request, T::KIND), receive::<T>(request, payload));
        let outbound = outbound(request);
        Box::pin(async move {
            let bytes = received.await?;
            let digest = Digest::of([bytes.as_ref()]);
            if bytes.is_empty() {
                return Ok(Self { value: None, digest });
            }
            kind?;
            let value = read(&bytes)?;
            addresses::check(outbound.as_ref(), &value).await?;
            Ok(Self { value: Some(value), digest })
        })
    }
}

/// What this server may call, if the application says so.
fn outbound(request: &HttpRequest) -> Option<Outbound> {
    request.app_data::<web::Data<Outbound>>().map(|outbound| outbound.get_ref().clone())
}

fn receive<T: Bounded>(request: &HttpRequest, payload: &mut Payload) -> impl Future<Output = Result<web::Bytes, ApiError>> + use<T> {
    let (taken, request) = (web::Payload::from_request(request, payload), request.clone());
    async move {
        let payload = taken.await.map_err(|error| ApiError::new(Code::BadRequest, error.to_string()))?;
        collect(&request, payload, T::BYTES).await
    }
}

fn mended(bytes: web::Bytes, kind: ContentKind) -> web::Bytes {
    match kind {
        ContentKind::Contexts => surrogates::replaced(bytes),
        ContentKind::Json | ContentKind::Any => bytes,
    }
}

fn check_kind(request: &HttpRequest, allowed: ContentKind) -> Result<(), ApiError> {
    let kind = request.content_type();
    if allowed == ContentKind::Any || kind.is_empty() || kind.eq_ignore_ascii_case("application/json") || kind.to_ascii_lowercase().ends_with("+json") {
        return Ok(());
    }
    Err(ApiError::new(
        Code::UnsupportedMediaType,
        format!("Unsupported Content-Type {kind:?}; send application/json."),
    ))
}

/// The bytes of a body, at most `most`. A larger one is refused before it is read completely, and so is one that comes too slowly: it
/// would keep a connection.
pub async fn collect(request: &HttpRequest, payload: web::Payload, most: usize) -> Result<web::Bytes, ApiError> {
    let too_large = || {
        ApiError::new(
            Code::TooLarge,
            format!("The body is larger than {} bytes, the limit of this path.", grouped_len(most)),
        )
    };
    let stated = request
        .headers()
        .get(header::CONTENT_LENGTH)
        .and_then(|value| value.to_str().ok()?.parse::<u64>().ok());
    if stated.is_some_and(|stated| stated > most as u64) {
        return Err(too_large());
    }
    let time = BODY_TIME + Duration::from_secs((most / SLOWEST) as u64);
    match tokio::time::timeout(time, payload.to_bytes_limited(most)).await {
        Ok(Ok(Ok(bytes))) => Ok(bytes),
        Ok(Ok(Err(error))) => Err(ApiError::new(Code::ParseError, format!("The body could not be read: {error}."))),
        Ok(Err(_)) => Err(too_large()),
        Err(_) => Err(ApiError::new(
            Code::BadRequest,
            format!("The body did not arrive within {} s, the limit of this path.", time.as_secs()),
        )
        .with_header(header::CONNECTION, HeaderValue::from_static("close"))),
    }
}

/// How long the smallest body may take to arrive.
const BODY_TIME: Duration = Duration::from_secs(10);
/// Bytes in a second of the slowest caller whose largest body still arrives in time.
const SLOWEST: usize = 256 * 1024;

/// Bytes → text → JSON → `T`.
fn read<T: Request>(bytes: &[u8]) -> Result<T, ApiError> {
    let text = std::str::from_utf8(bytes).map_err(|error| {
        let detail = format!("The body is not UTF-8: byte {} is invalid.", error.valid_up_to());
        ApiError::new(Code::ParseError, detail)
    })?;
    let value = rest::parse_json(text).map_err(not_json)?;
    T::from_value(&value).map_err(ApiError::invalid)
}

fn not_json(faults: ValidationErrors) -> ApiError {
    Problem::new(Code::ParseError, format!("The body {faults}.")).with_errors(faults).into()
}
