//! What all writes share: the caller, the preconditions and the answer.

use std::future::{Ready, ready};

use actix_web::dev::Payload;
use actix_web::http::StatusCode;
use actix_web::http::header::HeaderName;
use actix_web::{FromRequest, HttpRequest};
use jiff::Timestamp;
use ripcord_proto::change::Change;
use ripcord_proto::commit::Recorded;
use ripcord_proto::confirmation::Confirmation;
use ripcord_proto::digest::Digest;
use ripcord_proto::problem::Code;
use ripcord_proto::rest::responses::WriteResponse;
use ripcord_proto::role::Action;
use ripcord_proto::{Epoch, KillId, Position, Revision};
use serde_json::value::RawValue;

use super::services::AppState;
use super::services::confirmations::Confirmations;
use super::services::guarded::{Administration, OpenedBy, app};
use super::{cautions, dead_rules};
use crate::access::Permit;
use crate::access::permit::{Allows, Read, WriteSomething, WriteThis};
use crate::commit::idempotency::tells_of_proposal;
use crate::commit::plan::PlannedCommit;
use crate::commit::{Applied, CommitError, Draft, IdempotentCall, KilledEdit, Operation, Outcome, Precondition, RenderedAnswer, Renderer};
use crate::environment::Environments;
use crate::http::idempotency::Identity;
use crate::http::precondition::{Condition, RecordCondition};
use crate::http::query::{Query, Reason, Wait, WriteQuery};
use crate::http::{ApiError, ApiResponse};
use crate::system::SystemDraft;

/// SHA-256 of nothing: the digest of a call without a body.
pub(super) const NO_BODY: Digest = Digest::from_bytes([
    0xe3, 0xb0, 0xc4, 0x42, 0x98, 0xfc, 0x1c, 0x14, 0x9a, 0xfb, 0xf4, 0xc8, 0x99, 0x6f, 0xb9, 0x24, 0x27, 0xae, 0x41, 0xe4, 0x64, 0x9b, 0x93, 0x4c, 0xa4, 0x95,
    0x99, 0x1b, 0x78, 0x52, 0xb8, 0x55,
]);

/// The header of a replayed answer.
pub(super) const REPLAYED: HeaderName = HeaderName::from_static("idempotency-replayed");

/// An incoming write: its permit with the parts that this opens, its headers and its query.
#[derive(Debug)]
pub(super) struct Write<A, C = Condition> {
    pub(super) app: AppState,
    pub(super) permit: Permit<A>,
    pub(super) condition: C,
    pub(super) identity: Identity,
    pub(super) query: WriteQuery,
}

/// An incoming write of a record.
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
        app: app(request)?.clone(),
        permit,
        condition,
        identity,
        query,
    })
}

impl<A: Allows, C> Write<A, C> {
    /// A part of the server that the permit opens.
    pub(super) fn part<R: OpenedBy<A>>(&self) -> R {
        R::open(&self.app, &self.permit)
    }

    /// Who has confirmed what it writes.
    pub(super) fn confirmations(&self) -> Confirmations {
        self.part()
    }

    /// The answer that its call got before, if any.
    pub(super) fn answered(&self, call: &IdempotentCall) -> Result<Option<RenderedAnswer>, ApiError> {
        self.app.environments().answered(self.permit.environment(), call)?.map(replayed).transpose()
    }

    /// The time.
    pub(super) fn now(&self) -> Timestamp {
        self.app.now()
    }

    /// How long the answer waits for confirmations.
    pub(super) fn wait(&self) -> Option<Wait> {
        self.query.wait
    }

    /// The reason of the query.
    pub(super) fn given_reason(&self) -> Option<String> {
        self.query.reason.clone().map(Reason::into_text)
    }

    /// The call, if it has an idempotency key.
    pub(super) fn call(&self, body: &Digest) -> Option<IdempotentCall> {
        self.identity.clone().call(self.permit.caller(), body)
    }

    /// The draft to submit. A reason in the body takes precedence over one in the query.
    pub(super) fn prepare(
        self,
        asked: WriteRequest,
        body: &Digest,
        answer: impl Fn(&Applied) -> Result<RenderedAnswer, ApiError> + Send + Sync + 'static,
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
            renderer: renderer(answer),
            ..Draft::new(self.permit.environment().clone(), self.permit.author(), asked.operations)
        };
        PreparedWrite {
            environments: self.app.environments().clone(),
            _permit: self.permit,
            draft,
        }
    }
}

impl Write<WriteSomething> {
    /// The write, if the caller is allowed to do all of `actions`.
    pub(super) fn narrow(self, actions: &[Action]) -> Result<Write<WriteThis>, ApiError> {
        Ok(Write {
            app: self.app,
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

/// A draft and the permit for it. Only such a pair is submitted.
#[derive(Debug)]
pub(super) struct PreparedWrite<A> {
    environments: Environments,
    _permit: Permit<A>,
    draft: Draft,
}

impl<A> PreparedWrite<A> {
    /// The draft.
    pub(super) fn draft(&self) -> &Draft {
        &self.draft
    }

    /// The draft; its permit has been checked.
    pub(super) fn into_draft(self) -> Draft {
        self.draft
    }

    /// Commits it.
    pub(super) async fn submit(self) -> Result<Answered, ApiError> {
        Answered::to(self.draft, &self.environments).await
    }
}

impl PreparedWrite<Read> {
    /// What it would do.
    pub(super) fn plan(&self) -> Result<PlannedCommit, ApiError> {
        Ok(self.environments.plan(&self.draft)?)
    }
}

/// The answer to an edit.
pub(super) fn written(made: &Applied, status: StatusCode) -> Result<RenderedAnswer, ApiError> {
    written_with(made, status, Vec::new())
}

/// The answer to an edit, with warnings.
pub(super) fn written_with(made: &Applied, status: StatusCode, mut warnings: Vec<String>) -> Result<RenderedAnswer, ApiError> {
    let dead_rules = dead_rules::written(made);
    warnings.extend(dead_rules::warnings(&dead_rules));
    warnings.extend(cautions::written(&made.changes));
    let body = WriteResponse {
        epoch: made.position.epoch,
        revision: Some(made.position.revision),
        changed: changes_answers(made),
        flags: made.flags.clone(),
        segments: made.changes.iter().filter_map(Change::segment).cloned().collect(),
        warnings,
        dead_rules,
        confirmation: None,
    };
    answer(status, &body)
}

/// An answer to be recorded and sent.
pub(super) fn answer(status: StatusCode, body: &impl serde::Serialize) -> Result<RenderedAnswer, ApiError> {
    let body = serde_json::value::to_raw_value(body);
    let body = body.map_err(|error| ApiError::new(Code::Internal, format!("The answer could not be written: {error}.")))?;
    Ok(RenderedAnswer { status: status.as_u16(), body })
}

/// Renders with `answer`; if that fails, the answer is the problem.
pub(super) fn renderer<T>(answer: impl Fn(&T) -> Result<RenderedAnswer, ApiError> + Send + Sync + 'static) -> Renderer<T> {
    Renderer::new(move |done| {
        answer(done).unwrap_or_else(|error| RenderedAnswer {
            status: 500,
            body: serde_json::value::to_raw_value(error.problem()).unwrap_or_default(),
        })
    })
}

/// The result of a write, for its caller.
#[derive(Debug)]
pub(super) struct Answered {
    /// The answer, without the confirmation.
    pub(super) answer: RenderedAnswer,
    /// Whether the same call was answered before.
    pub(super) replayed: bool,
    /// The position from which it is in force; for a replay, the current end of the log.
    pub(super) position: Position,
    /// What was done; `None` for a replay.
    pub(super) applied: Option<Applied>,
    changed: bool,
}

impl Answered {
    /// Submits `draft`, and returns the answer to it.
    pub(super) async fn to(draft: Draft, environments: &Environments) -> Result<Self, ApiError> {
        let renderer = draft.renderer.clone();
        Self::of(environments.submit(draft).await?, &renderer)
    }

    /// Submits `draft` to the system log, and returns the answer to it.
    pub(super) async fn to_system(draft: SystemDraft, administration: &Administration) -> Result<Self, ApiError> {
        let renderer = draft.renderer.clone();
        Self::of(administration.environments().submit_system(draft).await?, &renderer)
    }

    /// The answer to `outcome`. A proposal is returned as an error, to be handled later.
    pub(super) fn of(outcome: Outcome, renderer: &Renderer<Applied>) -> Result<Self, ApiError> {
        match outcome {
            Outcome::Written(applied) | Outcome::Unchanged(applied) => Ok(Self {
                answer: renderer.render(&applied),
                replayed: false,
                position: applied.position,
                changed: changes_answers(&applied),
                applied: Some(applied),
            }),
            Outcome::Proposed(proposal) => Err(CommitError::Proposed(proposal).into()),
            Outcome::Replayed { recorded, position } => {
                let changed = RecordedBody::of(&recorded).changed;
                let answer = replayed(recorded)?;
                Ok(Self {
                    answer,
                    replayed: true,
                    position,
                    applied: None,
                    changed,
                })
            }
        }
    }

    /// The ETag of what was written: the write's position if it changed anything, else that of the last change before it.
    pub(super) fn etag(&self, last_change: Option<Position>) -> Option<Position> {
        if self.changed {
            Some(self.position)
        } else {
            last_change.filter(|last| *last <= self.position)
        }
    }
}

/// A recorded answer, to be sent again. A proposal is returned as an error, to be handled later.
pub(super) fn replayed(recorded: Recorded) -> Result<RenderedAnswer, ApiError> {
    if tells_of_proposal(&recorded) {
        return Err(CommitError::Replayed(Box::new(recorded)).into());
    }
    Ok(RenderedAnswer {
        status: recorded.status,
        body: recorded.answer,
    })
}

/// What is needed from a recorded answer to send it again. Only this type reads answers back.
#[derive(Debug, Default, serde::Deserialize)]
#[serde(default)]
pub(super) struct RecordedBody {
    changed: bool,
    epoch: Option<Epoch>,
    revision: Option<Revision>,
    id: Option<String>,
}

impl RecordedBody {
    pub(super) fn of(recorded: &Recorded) -> Self {
        serde_json::from_str(recorded.answer.get()).unwrap_or_default()
    }

    /// The position that it names.
    pub(super) fn position(&self) -> Option<Position> {
        Some(Position {
            epoch: self.epoch?,
            revision: self.revision?,
        })
    }

    /// The kill that it names.
    pub(super) fn kill(&self) -> Option<KillId> {
        KillId::new(self.id.clone()?).ok()
    }
}

/// Whether it changed anything besides records.
fn changes_answers(applied: &Applied) -> bool {
    let is_record = |change: &Change| matches!(change, Change::PutRecord(_) | Change::DeleteRecord(_));
    applied.changes.iter().any(|change| !is_record(change))
}

/// Sends an answer with its confirmation. A repeated answer has the header `Idempotency-Replayed`.
pub(super) fn reply(answer: &RenderedAnswer, replayed: bool, confirmation: Option<Confirmation>) -> Result<ApiResponse, ApiError> {
    let status = StatusCode::from_u16(answer.status).unwrap_or(StatusCode::OK);
    let reply = match confirmation {
        Some(confirmation) => ApiResponse::json(status, &with_confirmation(&answer.body, &confirmation)?)?,
        None => ApiResponse::json(status, &answer.body)?,
    };
    Ok(if replayed { reply.header(REPLAYED, "true") } else { reply })
}

/// Appends a member to the body, which is an object.
fn with_confirmation(body: &RawValue, confirmation: &Confirmation) -> Result<Box<RawValue>, ApiError> {
    let internal = |error: serde_json::Error| ApiError::new(Code::Internal, format!("The confirmation could not be added: {error}."));
    let confirmation = serde_json::to_string(confirmation).map_err(internal)?;
    let members = body.get().trim_end();
    let members = members.strip_suffix('}').unwrap_or(members);
    let comma = if members.trim_end().ends_with('{') { "" } else { "," };
    RawValue::from_string(format!("{members}{comma}\"confirmation\":{confirmation}}}")).map_err(internal)
}
