//! `proposals`, `proposals/{id}`, and the decisions on one.

use std::time::Duration;

use actix_web::http::StatusCode;
use ripcord_proto::ProposalId;
use ripcord_proto::problem::Problem;
use ripcord_proto::proposal::{Proposal, ProposalState, ProposedOperation};
use ripcord_proto::record::RecordKey;
use ripcord_proto::rest::kills::ReasonRequest;
use ripcord_proto::rest::list::Page;
use ripcord_proto::role::Action;
use ripcord_proto::rollout::Attribution;

use super::page;
use super::path::PathKey;
use super::services::guarded::{EnvironmentReader, Guarded};
use super::write::Write;
use crate::access::permit::{Allows, DecideProposal, Read, WithdrawProposal};
use crate::commit::{CommitError, MissingItem};
use crate::http::documented::{Problems, WriteHeaders};
use crate::http::query::{Limit, PageQuery, Query, Wait, WriteQuery};
use crate::http::{ApiError, ApiResponse, OptionalBody, heavy};
use crate::proposal::{DecidedProposal, ProposalDecision, Proposals, Rejection};

/// Query of `GET proposals`.
#[derive(Debug, serde::Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct ProposalsQuery {
    /// The `next` of the previous page.
    after: Option<String>,
    /// Items per page: 1 to 1,000, 100 by default.
    #[serde(default)]
    #[param(value_type = Option<u16>, minimum = 1, maximum = 1000)]
    limit: Limit,
    /// Only proposals in this state.
    state: Option<ProposalState>,
}

/// The proposals, newest first. The newest 200 are kept, and all that are pending.
#[utoipa::path(get, path = "/v1/environments/{env}/proposals", tag = "proposals", operation_id = "listProposals",
    params(crate::api::path::EnvironmentPath, ProposalsQuery),
    responses((status = 200, description = "A page of proposals", body = Page<Proposal>), Problems))]
pub(super) async fn list(environment: Guarded<Read, EnvironmentReader>, query: Query<ProposalsQuery>) -> Result<ApiResponse, ApiError> {
    let (records, stale, now, Query(query)) = (environment.records()?, environment.stale(), environment.now(), query);
    let ProposalsQuery { after, limit, state } = query;
    let newest_first = records.proposals.values().rev();
    let found = newest_first
        .map(|proposal| proposal.clone().at(now))
        .filter(|proposal| state.is_none_or(|state| proposal.state == state));
    let query = PageQuery { after, limit };
    let page = page::newest_first(found, |proposal| proposal.id.as_str(), |proposal| proposal, &query, stale.is_some());
    Ok(ApiResponse::ok(&page)?.stale(stale))
}

/// Query of `GET proposals/{id}`.
#[derive(Debug, serde::Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct ProposalQuery {
    /// How long to wait for a decision: `30s`, at most `60s`.
    #[param(value_type = Option<String>, example = "30s")]
    wait: Option<Wait>,
}

/// One proposal: its state and why, what it would change, and for how many users.
#[utoipa::path(get, path = "/v1/environments/{env}/proposals/{key}", tag = "proposals", operation_id = "getProposal",
    params(crate::api::path::EnvironmentPath, ("key" = String, Path, description = "The proposal's id", example = "pr_01jd3x7q8v9w0y2z4a6b8c0d2e"), ProposalQuery),
    responses((status = 200, description = "The proposal", body = Proposal), Problems))]
pub(super) async fn get(
    guarded: Guarded<Read, (EnvironmentReader, Proposals)>,
    id: PathKey<ProposalId>,
    query: Query<ProposalQuery>,
) -> Result<ApiResponse, ApiError> {
    let (environment, proposals) = &*guarded;
    let (PathKey(id), Query(query)) = (id, query);
    let patience = query.wait.map_or(Duration::ZERO, |Wait(patience)| patience);
    let proposal = proposals.settled(environment.key(), &id, patience).await?;
    Box::pin(heavy(async move {
        let (environment, proposals) = &*guarded;
        let proposal = proposals.with_shares(environment.key(), proposal, guarded.permit().author()).await?;
        Ok(ApiResponse::ok(&proposal)?.stale(environment.stale()))
    }))
    .await
}

/// Approves a proposal: it is applied in this commit exactly as shown, or refused as stale. The key must be a person's, different from
/// the one that proposed it, and allowed to make the proposed change itself.
#[utoipa::path(post, path = "/v1/environments/{env}/proposals/{key}/approve", tag = "proposals", operation_id = "approveProposal",
    params(crate::api::path::EnvironmentPath, ("key" = String, Path, description = "The proposal's id", example = "pr_01jd3x7q8v9w0y2z4a6b8c0d2e"), WriteQuery, WriteHeaders),
    request_body(content = Option<ReasonRequest>, example = json!({"reason": "looked at it with Anna"})),
    responses((status = 200, description = "Applied, now or before", body = Proposal), (status = 409, description = "`PROPOSAL_STALE`: it would do something different from what was shown", body = Problem, content_type = "application/problem+json"), Problems))]
pub(super) async fn approve(write: Write<DecideProposal>, id: PathKey<ProposalId>, body: OptionalBody<ReasonRequest>) -> Result<ApiResponse, ApiError> {
    let PathKey(id) = id;
    write.permit.also(&proposed_actions(&write.part::<EnvironmentReader>(), &id)?)?;
    let wait = write.wait();
    let decision = decision(&write, id, body);
    let decided = write.part::<Proposals>().approve(&decision).await?;
    let confirmation = match decided.position {
        Some(position) if wait.is_some() => write.confirmations().of_revision(position, wait).await,
        Some(_) | None => None,
    };
    if let Some(position) = decided.position {
        tracing::Span::current().record("revision", position.revision.0);
    }
    told(&decided, confirmation)
}

/// Declines a proposal. Requires a reason.
#[utoipa::path(post, path = "/v1/environments/{env}/proposals/{key}/decline", tag = "proposals", operation_id = "declineProposal",
    params(crate::api::path::EnvironmentPath, ("key" = String, Path, description = "The proposal's id", example = "pr_01jd3x7q8v9w0y2z4a6b8c0d2e"), WriteQuery, WriteHeaders),
    request_body(content = Option<ReasonRequest>, example = json!({"reason": "not on a Friday"})),
    responses((status = 200, description = "Declined, now or before", body = Proposal), Problems))]
pub(super) async fn decline(write: Write<DecideProposal>, id: PathKey<ProposalId>, body: OptionalBody<ReasonRequest>) -> Result<ApiResponse, ApiError> {
    let PathKey(id) = id;
    write.permit.also(&proposed_actions(&write.part::<EnvironmentReader>(), &id)?)?;
    let decision = decision(&write, id, body);
    told(&write.part::<Proposals>().refuse(&decision, Rejection::Decline).await?, None)
}

/// Withdraws a proposal of the same key. Requires a reason.
#[utoipa::path(post, path = "/v1/environments/{env}/proposals/{key}/withdraw", tag = "proposals", operation_id = "withdrawProposal",
    params(crate::api::path::EnvironmentPath, ("key" = String, Path, description = "The proposal's id", example = "pr_01jd3x7q8v9w0y2z4a6b8c0d2e"), WriteQuery, WriteHeaders),
    request_body(content = Option<ReasonRequest>, example = json!({"reason": "superseded"})),
    responses((status = 200, description = "Withdrawn, now or before", body = Proposal), Problems))]
pub(super) async fn withdraw(write: Write<WithdrawProposal>, id: PathKey<ProposalId>, body: OptionalBody<ReasonRequest>) -> Result<ApiResponse, ApiError> {
    let PathKey(id) = id;
    let decision = decision(&write, id, body);
    told(&write.part::<Proposals>().refuse(&decision, Rejection::Withdraw).await?, None)
}

/// What a key must be allowed to do, to decide on a proposal.
fn proposed_actions(environment: &EnvironmentReader, id: &ProposalId) -> Result<Vec<Action>, ApiError> {
    let records = environment.records()?;
    let proposal = records.proposals.value(id.as_str());
    let proposal = proposal.ok_or_else(|| CommitError::NotFound(MissingItem::Record(RecordKey::Proposal(id.clone()))))?;
    Ok(proposal.asked.iter().flat_map(ProposedOperation::actions).collect())
}

fn decision<A: Allows>(write: &Write<A>, id: ProposalId, body: OptionalBody<ReasonRequest>) -> ProposalDecision {
    let reason = body.value.map(|body| body.reason).or_else(|| write.given_reason());
    let author = write.permit.author();
    ProposalDecision {
        environment: write.permit.environment().clone(),
        id,
        word: Attribution {
            by: author.actor.clone(),
            at: write.now(),
            reason,
        },
        author,
        call: write.call(&body.digest),
    }
}

fn told(decided: &DecidedProposal, confirmation: Option<ripcord_proto::confirmation::Confirmation>) -> Result<ApiResponse, ApiError> {
    #[derive(serde::Serialize)]
    struct Told<'a> {
        #[serde(flatten)]
        proposal: &'a Proposal,
        #[serde(skip_serializing_if = "Option::is_none")]
        confirmation: Option<ripcord_proto::confirmation::Confirmation>,
    }
    let told = Told {
        proposal: &decided.proposal,
        confirmation,
    };
    ApiResponse::json(StatusCode::OK, &told)
}
