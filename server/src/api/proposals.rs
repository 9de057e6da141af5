//! `proposals`, `proposals/{id}`, and what is decided on one.

use std::time::Duration;

use actix_web::http::StatusCode;
use actix_web::{HttpRequest, web};
use ripcord_proto::ProposalId;
use ripcord_proto::problem::Problem;
use ripcord_proto::proposal::{Proposal, ProposalState};
use ripcord_proto::rest::kills::ReasonRequest;
use ripcord_proto::rest::list::Page;
use ripcord_proto::rollout::Attribution;

use super::confirm::Subject;
use super::path::PathKey;
use super::services::AppState;
use super::write::Write;
use crate::access::Permit;
use crate::access::permit::{Allows, DecideProposal, Read, WithdrawProposal};
use crate::http::query::{Limit, Query, Reason, Wait, WriteQuery};
use crate::http::{ApiError, ApiResponse, Body};
use crate::proposal::{DecidedProposal, ProposalDecision, Rejection};

/// `GET proposals`: which of them.
#[derive(Debug, serde::Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct ProposalsQuery {
    /// The `next` of the page before.
    after: Option<String>,
    /// Items of a page: 1 to 1,000, else 100.
    #[serde(default)]
    #[param(value_type = Option<u16>, minimum = 1, maximum = 1000)]
    limit: Limit,
    /// Only those that stand so.
    state: Option<ProposalState>,
}

/// The proposals, newest first. The newest 200 are kept, and all that wait.
#[utoipa::path(get, path = "/v1/environments/{env}/proposals", tag = "proposals",
    params(("env" = String, Path, example = "production"), ProposalsQuery),
    responses((status = 200, description = "A page of proposals", body = Page<Proposal>), (status = "4XX", body = Problem)))]
pub(super) async fn list(permit: Permit<Read>, query: Query<ProposalsQuery>, app: web::Data<AppState>) -> Result<ApiResponse, ApiError> {
    let (records, stale, now, Query(query)) = (app.records(&permit)?, app.stale(), app.now(), query);
    let mut proposals: Vec<&Proposal> = records.proposals.iter().filter_map(|entry| entry.value().ok()).collect();
    proposals.reverse();
    let before = |proposal: &Proposal| query.after.as_deref().is_none_or(|after| proposal.id.as_str() < after);
    let mut found = proposals
        .into_iter()
        .filter(|proposal| before(proposal))
        .map(|proposal| proposal.clone().at(now))
        .filter(|proposal| query.state.is_none_or(|state| proposal.state == state));
    let items: Vec<Proposal> = found.by_ref().take(query.limit.get()).collect();
    let next = found.next().and(items.last().map(|proposal| proposal.id.to_string()));
    let page = Page {
        items,
        next,
        stale: stale.is_some(),
    };
    Ok(ApiResponse::ok(&page)?.stale(stale))
}

/// `GET proposals/{id}`: whether to wait.
#[derive(Debug, serde::Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct ProposalQuery {
    /// How long to wait until it is decided on: `30s`, at most `60s`.
    #[param(value_type = Option<String>, example = "30s")]
    wait: Option<Wait>,
}

/// One proposal: how it stands and why, what it would change, and for how many users.
#[utoipa::path(get, path = "/v1/environments/{env}/proposals/{key}", tag = "proposals",
    params(("env" = String, Path, example = "production"), ("key" = String, Path, description = "The proposal's id", example = "pr_01jd3x7q8v9w0y2z4a6b8c0d2e"), ProposalQuery),
    responses((status = 200, description = "The proposal", body = Proposal), (status = "4XX", body = Problem)))]
pub(super) async fn get(permit: Permit<Read>, id: PathKey<ProposalId>, query: Query<ProposalQuery>, app: web::Data<AppState>) -> Result<ApiResponse, ApiError> {
    let (PathKey(id), Query(query)) = (id, query);
    let patience = query.wait.map_or(Duration::ZERO, |Wait(patience)| patience);
    let proposals = app.proposals();
    let proposal = proposals.settled(permit.environment(), &id, patience).await?;
    let proposal = proposals.with_shares(permit.environment(), proposal, permit.author()).await?;
    Ok(ApiResponse::ok(&proposal)?.stale(app.stale()))
}

/// Approves a proposal of somebody else: what it holds is done in this very commit, exactly as it was shown, or refused as stale. The
/// key must be another one than that which proposed it, a person's, and one that may do itself what is proposed.
#[utoipa::path(post, path = "/v1/environments/{env}/proposals/{key}/approve", tag = "proposals",
    params(("env" = String, Path, example = "production"), ("key" = String, Path, description = "The proposal's id", example = "pr_01jd3x7q8v9w0y2z4a6b8c0d2e"), WriteQuery),
    request_body(content = Option<ReasonRequest>, example = json!({"reason": "looked at it with Anna"})),
    responses((status = 200, description = "Applied, now or before", body = Proposal), (status = 409, description = "`PROPOSAL_STALE`: what it would do is no longer what was shown", body = Problem), (status = "4XX", body = Problem)))]
pub(super) async fn approve(
    write: Write<DecideProposal>,
    id: PathKey<ProposalId>,
    request: HttpRequest,
    payload: web::Payload,
    app: web::Data<AppState>,
) -> Result<ApiResponse, ApiError> {
    let PathKey(id) = id;
    write.permit.also(&app.proposed_actions(&write.permit, &id)?)?;
    let wait = write.wait();
    let decision = decision(&app, write, id, &request, payload).await?;
    let decided = app.proposals().approve(&decision).await?;
    let confirmation = match decided.position {
        Some(position) if wait.is_some() => app.confirmed(&decision.environment, Subject::Revision(position), wait).await,
        Some(_) | None => None,
    };
    if let Some(position) = decided.position {
        tracing::Span::current().record("revision", position.revision.0);
    }
    told(&decided, confirmation)
}

/// Says no to a proposal of somebody else. A reason is needed.
#[utoipa::path(post, path = "/v1/environments/{env}/proposals/{key}/decline", tag = "proposals",
    params(("env" = String, Path, example = "production"), ("key" = String, Path, description = "The proposal's id", example = "pr_01jd3x7q8v9w0y2z4a6b8c0d2e"), WriteQuery),
    request_body(content = Option<ReasonRequest>, example = json!({"reason": "not on a Friday"})),
    responses((status = 200, description = "Declined, now or before", body = Proposal), (status = "4XX", body = Problem)))]
pub(super) async fn decline(
    write: Write<DecideProposal>,
    id: PathKey<ProposalId>,
    request: HttpRequest,
    payload: web::Payload,
    app: web::Data<AppState>,
) -> Result<ApiResponse, ApiError> {
    let PathKey(id) = id;
    write.permit.also(&app.proposed_actions(&write.permit, &id)?)?;
    let decision = decision(&app, write, id, &request, payload).await?;
    told(&app.proposals().refuse(&decision, Rejection::Decline).await?, None)
}

/// Takes back a proposal of one's own. A reason is needed.
#[utoipa::path(post, path = "/v1/environments/{env}/proposals/{key}/withdraw", tag = "proposals",
    params(("env" = String, Path, example = "production"), ("key" = String, Path, description = "The proposal's id", example = "pr_01jd3x7q8v9w0y2z4a6b8c0d2e"), WriteQuery),
    request_body(content = Option<ReasonRequest>, example = json!({"reason": "superseded"})),
    responses((status = 200, description = "Withdrawn, now or before", body = Proposal), (status = "4XX", body = Problem)))]
pub(super) async fn withdraw(
    write: Write<WithdrawProposal>,
    id: PathKey<ProposalId>,
    request: HttpRequest,
    payload: web::Payload,
    app: web::Data<AppState>,
) -> Result<ApiResponse, ApiError> {
    let PathKey(id) = id;
    let decision = decision(&app, write, id, &request, payload).await?;
    told(&app.proposals().refuse(&decision, Rejection::Withdraw).await?, None)
}

async fn decision<A: Allows>(
    app: &AppState,
    write: Write<A>,
    id: ProposalId,
    request: &HttpRequest,
    payload: web::Payload,
) -> Result<ProposalDecision, ApiError> {
    let body = Body::<Option<ReasonRequest>>::optional(request, payload).await?;
    let reason = body.value.map(|body| body.reason).or_else(|| write.query.reason.clone().map(Reason::into_text));
    let author = write.permit.author();
    Ok(ProposalDecision {
        environment: write.permit.environment().clone(),
        id,
        word: Attribution {
            by: author.actor.clone(),
            at: app.now(),
            reason,
        },
        author,
        call: write.call(&body.digest),
    })
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
