//! Request bodies: bounded, JSON, read strictly.

use std::future::Future;
use std::pin::Pin;

use actix_web::dev::Payload;
use actix_web::http::header;
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
use ripcord_proto::{Flag, Segment, ValidationErrors, limits};

use super::error::ApiError;

/// The limits of a body of this type.
pub trait Bounded: Request {
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
    /// Any `Content-Type`, if the body is JSON: a kill is never refused for a header, such as the one that a bare `curl -d` sends.
    Any,
}

/// Room for whitespace in bodies written by people, in bytes.
const SLACK: usize = 64 * 1024;
/// A small body.
const SMALL: usize = 16 * 1024;

impl Bounded for Flag {
    const BYTES: usize = limits::FLAG_BYTES + SLACK;
}
impl Bounded for Segment {
    const BYTES: usize = limits::SEGMENT_BYTES + SLACK;
}
impl Bounded for CommitRequest {
    const BYTES: usize = limits::COMMIT_BYTES;
}
impl Bounded for OutcomeBatch {
    const BYTES: usize = 1024 * 1024;
}
impl Bounded for RolloutPlan {
    const BYTES: usize = limits::PLAN_BYTES + SLACK;
}
impl Bounded for ReplayRequest {
    const BYTES: usize = SMALL;
}
impl Bounded for ExplainRequest {
    const BYTES: usize = 256 * 1024;
}
impl Bounded for FlagPatch {
    const BYTES: usize = SMALL;
}
impl Bounded for KillRequest {
    const BYTES: usize = SMALL;
    const KIND: ContentKind = ContentKind::Any;
}
impl Bounded for RollbackRequest {
    const BYTES: usize = 4 * 1024 * 1024;
    const KIND: ContentKind = ContentKind::Any;
}
impl Bounded for PlanRequest {
    const BYTES: usize = 32 * 1024 * 1024;
}
impl Bounded for ReasonRequest {
    const BYTES: usize = SMALL;
}
impl Bounded for ResumeRequest {
    const BYTES: usize = SMALL;
    const KIND: ContentKind = ContentKind::Any;
}
impl Bounded for UndoRequest {
    const BYTES: usize = 256 * 1024;
    const KIND: ContentKind = ContentKind::Any;
}
impl Bounded for ReviewRequest {
    const BYTES: usize = SMALL;
}
impl Bounded for SettingsRequest {
    const BYTES: usize = SMALL;
}
impl Bounded for CheckpointRequest {
    const BYTES: usize = SMALL;
}
impl Bounded for VouchRequest {
    const BYTES: usize = 256 * 1024;
}
impl Bounded for DoubtRequest {
    const BYTES: usize = SMALL;
}
impl Bounded for ReleaseRequest {
    const BYTES: usize = 4 * 1024 * 1024;
}
impl Bounded for ReleasePatch {
    const BYTES: usize = 4 * 1024 * 1024;
}
impl Bounded for Policy {
    const BYTES: usize = 256 * 1024;
}
impl Bounded for KeyRequest {
    const BYTES: usize = SMALL;
}
impl Bounded for DrillRequest {
    const BYTES: usize = 256 * 1024;
}
impl Bounded for TriggerRequest {
    const BYTES: usize = 256 * 1024;
}
impl Bounded for TriggerPatch {
    const BYTES: usize = 256 * 1024;
}
impl Bounded for TriggerTestRequest {
    const BYTES: usize = limits::SIGNAL_BYTES + SLACK;
}
impl Bounded for EnvironmentRequest {
    const BYTES: usize = SMALL;
}

/// A body and its digest, which tells a repeated call from a different one.
#[derive(Debug)]
pub struct Body<T> {
    /// Its content.
    pub value: T,
    /// SHA-256 of its bytes.
    pub digest: Digest,
}

impl<T: Bounded + 'static> FromRequest for Body<T> {
    type Error = ApiError;
    type Future = Pin<Box<dyn Future<Output = Result<Self, ApiError>>>>;

    fn from_request(request: &HttpRequest, payload: &mut Payload) -> Self::Future {
        let taken = web::Payload::from_request(request, payload);
        let request = request.clone();
        Box::pin(async move {
            check_kind(&request, T::KIND)?;
            let payload = taken.await.map_err(|error| ApiError::new(Code::BadRequest, error.to_string()))?;
            let bytes = collect(&request, payload, T::BYTES).await?;
            Ok(Self {
                digest: Digest::of([bytes.as_ref()]),
                value: read(&bytes)?,
            })
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
        let taken = web::Payload::from_request(request, payload);
        let request = request.clone();
        Box::pin(async move {
            let payload = taken.await.map_err(|error| ApiError::new(Code::BadRequest, error.to_string()))?;
            let bytes = collect(&request, payload, T::BYTES).await?;
            let digest = Digest::of([bytes.as_ref()]);
            if bytes.is_empty() {
                return Ok(Self { value: None, digest });
            }
            check_kind(&request, T::KIND)?;
            Ok(Self {
                value: Some(read(&bytes)?),
                digest,
            })
        })
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

/// The bytes of a body, at most `most`. A larger one is refused before it is read completely.
pub async fn collect(request: &HttpRequest, payload: web::Payload, most: usize) -> Result<web::Bytes, ApiError> {
    let too_large = || ApiError::new(Code::TooLarge, format!("The body is larger than {most} bytes, the limit of this path."));
    let stated = request
        .headers()
        .get(header::CONTENT_LENGTH)
        .and_then(|value| value.to_str().ok()?.parse::<u64>().ok());
    if stated.is_some_and(|stated| stated > most as u64) {
        return Err(too_large());
    }
    match payload.to_bytes_limited(most).await {
        Ok(Ok(bytes)) => Ok(bytes),
        Ok(Err(error)) => Err(ApiError::new(Code::ParseError, format!("The body could not be read: {error}."))),
        Err(_) => Err(too_large()),
    }
}

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
