//! What every write shares: who asks, under which conditions, and how it is answered.

use std::future::{Ready, ready};
use std::sync::Arc;

use actix_web::dev::Payload;
use actix_web::http::StatusCode;
use actix_web::http::header::HeaderName;
use actix_web::{FromRequest, HttpRequest};
use ripcord_proto::change::Change;
use ripcord_proto::confirmation::Confirmation;
use ripcord_proto::digest::Digest;
use ripcord_proto::problem::Code;
use ripcord_proto::rest::responses::WriteResponse;
use ripcord_proto::role::Action;
use ripcord_proto::{EnvironmentKey, FlagKey, Position, SegmentKey};

use crate::access::Permit;
use crate::access::permit::{Allows, WriteSomething, WriteThis};
use crate::commit::{Answer, Applied, Draft, IdempotentCall, KilledEdit, Operation, Precondition, ResponseBuilder};
use crate::http::idempotency::Identity;
use crate::http::precondition::{Condition, RecordCondition};
use crate::http::query::{Query, Reason, Wait, WriteQuery};
use crate::http::{ApiError, ApiResponse};

/// SHA-256 of nothing: the digest of a call without a body.
pub(super) const NO_BODY: Digest = Digest::from_bytes([
    0xe3, 0xb0, 0xc4, 0x42, 0x98, 0xfc, 0x1c, 0x14, 0x9a, 0xfb, 0xf4, 0xc8, 0x99, 0x6f, 0xb9, 0x24, 0x27, 0xae, 0x41, 0xe4, 0x64, 0x9b, 0x93, 0x4c, 0xa4, 0x95,
    0x99, 0x1b, 0x78, 0x52, 0xb8, 0x55,
]);

/// The header of an answer that was given before.
pub(super) const REPLAYED: HeaderName = HeaderName::from_static("idempotency-replayed");

/// A write on its way in: the permit for it, and what its headers and its query say.
#[derive(Debug)]
pub(super) struct Write<A, C = Condition> {
    pub(super) permit: Permit<A>,
    pub(super) condition: C,
    pub(super) identity: Identity,
    pub(super) query: WriteQuery,
}

/// A write of a record on its way in.
pub(super) type WriteRecord<A> = Write<A, RecordCondition>;

impl<A: Allows, C: FromRequest<Error = ApiError, Future = Ready<Result<C, ApiError>>> + 'static> FromRequest for Write<A, C> {
    type Error = ApiError;
    type Future = Ready<Result<Self, ApiError>>;

    fn from_request(request: &HttpRequest, payload: &mut Payload) -> Self::Future {
        ready(read(request, payload))
    }
}

fn read<A, C>(request: &HttpRequest, payload: &mut Payload) -> Result<Write<A, C>, ApiError>
where
    A: Allows,
    C: FromRequest<Error = ApiError, Future = Ready<Result<C, ApiError>>>,
{
    let permit = Permit::from_request(request, payload).into_inner()?;
    let condition = C::from_request(request, payload).into_inner()?;
    let identity = Identity::from_request(request, payload).into_inner()?;
    let Query(query) = Query::from_request(request, payload).into_inner()?;
    Ok(Write {
        permit,
        condition,
        identity,
        query,
    })
}

impl<A: Allows, C> Write<A, C> {
    /// How long the answer waits for confirmations.
    pub(super) fn wait(&self) -> Option<Wait> {
        self.query.wait
    }

    /// The reason of the query.
    pub(super) fn given_reason(&self) -> Option<String> {
        self.query.reason.clone().map(Reason::into_text)
    }

    /// The call, where it was given a key.
    pub(super) fn call(&self, body: &Digest) -> Option<IdempotentCall> {
        self.identity.clone().call(self.permit.caller(), body)
    }

    /// What is to be submitted. The query's reason gives way to one of the body.
    pub(super) fn prepare(
        self,
        asked: WriteRequest,
        body: &Digest,
        answer: impl Fn(&Applied) -> Result<Answer, ApiError> + Send + Sync + 'static,
    ) -> PreparedWrite<A> {
        let call = self.call(body);
        let draft = Draft {
            killed_edit: if asked.allow_killed_edit || self.query.allow_killed_edit {
                KilledEdit::Accept
            } else {
                KilledEdit::Refuse
            },
            release: self.query.release.clone(),
            reason: asked.reason.or_else(|| self.query.reason()),
            precondition: asked.precondition,
            plan: asked.plan,
            call,
            answer: ResponseBuilder(Arc::new(move |made| answer(made).unwrap_or_else(|refusal| failed(&refusal)))),
            ..Draft::new(self.permit.environment().clone(), self.permit.author(), asked.operations)
        };
        PreparedWrite { permit: self.permit, draft }
    }
}

impl Write<WriteSomething> {
    /// The write, where the caller may do all of `actions`.
    pub(super) fn narrow(self, actions: &[Action]) -> Result<Write<WriteThis>, ApiError> {
        Ok(Write {
            permit: self.permit.narrow(actions)?,
            condition: self.condition,
            identity: self.identity,
            query: self.query,
        })
    }
}

/// What a write asks for.
#[derive(Debug, Default)]
pub(super) struct WriteRequest {
    pub(super) operations: Vec<Operation>,
    pub(super) precondition: Option<Precondition>,
    pub(super) reason: Option<String>,
    pub(super) plan: Option<Digest>,
    pub(super) allow_killed_edit: bool,
}

impl WriteRequest {
    /// For one thing.
    pub(super) fn one(ask: Operation) -> Self {
        Self {
            operations: vec![ask],
            ..Self::default()
        }
    }

    /// Under a condition.
    pub(super) fn under(mut self, precondition: Option<Precondition>) -> Self {
        self.precondition = precondition;
        self
    }

    /// For a reason that the body gives.
    pub(super) fn because(mut self, reason: Option<String>) -> Self {
        self.reason = reason;
        self
    }
}

/// A draft and the permit for it: nothing else is submitted.
#[derive(Debug)]
pub(super) struct PreparedWrite<A> {
    permit: Permit<A>,
    draft: Draft,
}

impl<A> PreparedWrite<A> {
    /// Where.
    pub(super) fn environment(&self) -> &EnvironmentKey {
        self.permit.environment()
    }

    /// The draft.
    pub(super) fn draft(&self) -> &Draft {
        &self.draft
    }

    /// The draft, the permit having been shown.
    pub(super) fn into_draft(self) -> Draft {
        self.draft
    }
}

/// The precondition on a flag.
pub(super) fn of_flag(condition: Condition, key: &FlagKey) -> Option<Precondition> {
    match condition {
        Condition::Unconditional => None,
        Condition::At(position) => Some(Precondition::Flag(key.clone(), position)),
        Condition::Absent => Some(Precondition::NoFlag(key.clone())),
    }
}

/// The precondition on a segment.
pub(super) fn of_segment(condition: Condition, key: &SegmentKey) -> Option<Precondition> {
    match condition {
        Condition::Unconditional => None,
        Condition::At(position) => Some(Precondition::Segment(key.clone(), position)),
        Condition::Absent => Some(Precondition::NoSegment(key.clone())),
    }
}

/// The precondition on an environment, which always exists here.
pub(super) fn of_environment(condition: Condition) -> Result<Option<Precondition>, ApiError> {
    match condition {
        Condition::Unconditional => Ok(None),
        Condition::At(position) => Ok(Some(Precondition::Environment(position))),
        Condition::Absent => Err(ApiError::new(
            Code::BadRequest,
            "If-None-Match makes no sense here; send If-Match with the environment's ETag, or neither.",
        )),
    }
}

/// The answer to an edit.
pub(super) fn written(made: &Applied, status: StatusCode) -> Result<Answer, ApiError> {
    written_with(made, status, Vec::new())
}

/// The answer to an edit, with what the caller should know although all went well.
pub(super) fn written_with(made: &Applied, status: StatusCode, warnings: Vec<String>) -> Result<Answer, ApiError> {
    let body = WriteResponse {
        epoch: made.position.epoch,
        revision: Some(made.position.revision),
        changed: made
            .changes
            .iter()
            .any(|change| !matches!(change, Change::PutRecord(_) | Change::DeleteRecord(_))),
        flags: made.flags.clone(),
        segments: made.changes.iter().filter_map(Change::segment).cloned().collect(),
        warnings,
        confirmation: None,
    };
    answer(status, &body)
}

/// An answer to be recorded and sent.
pub(super) fn answer(status: StatusCode, body: &impl serde::Serialize) -> Result<Answer, ApiError> {
    let body = serde_json::value::to_raw_value(body);
    let body = body.map_err(|error| ApiError::new(Code::Internal, format!("The answer could not be written: {error}.")))?;
    Ok(Answer { status: status.as_u16(), body })
}

pub(super) fn failed(refusal: &ApiError) -> Answer {
    let body = serde_json::value::to_raw_value(refusal.problem()).unwrap_or_default();
    Answer { status: 500, body }
}

/// Sends an answer, with who has confirmed it. A repeated answer says so in `Idempotency-Replayed`.
pub(super) fn reply(answer: &Answer, replayed: bool, confirmation: Option<Confirmation>) -> Result<ApiResponse, ApiError> {
    let status = StatusCode::from_u16(answer.status).unwrap_or(StatusCode::OK);
    let internal = |error: serde_json::Error| ApiError::new(Code::Internal, format!("The answer could not be read back: {error}."));
    let reply = match confirmation {
        Some(confirmation) => {
            let mut body: serde_json::Map<String, serde_json::Value> = serde_json::from_str(answer.body.get()).map_err(internal)?;
            body.insert("confirmation".to_owned(), serde_json::to_value(confirmation).map_err(internal)?);
            ApiResponse::json(status, &body)?
        }
        None => ApiResponse::json(status, &answer.body)?,
    };
    Ok(if replayed { reply.header(REPLAYED, "true") } else { reply })
}

/// The ETag of a thing after a write at `position`: that position where the thing changed, else that of its last change, if
/// nobody has changed it since.
pub(super) fn etag_after(answer: &Answer, position: Position, last_change: Option<Position>) -> Option<Position> {
    #[derive(serde::Deserialize)]
    struct Changed {
        changed: bool,
    }
    let changed = serde_json::from_str::<Changed>(answer.body.get()).is_ok_and(|body| body.changed);
    if changed {
        Some(position)
    } else {
        last_change.filter(|last| *last <= position)
    }
}
