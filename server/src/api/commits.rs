//! `commits`: many changes at once, all of them or none; and `commits/plan`: what they would do.

mod unapplied;
mod warnings;

use std::collections::{BTreeMap, BTreeSet};

use actix_web::http::StatusCode;
use jiff::Timestamp;
use ripcord_proto::file_set::FileSet;
use ripcord_proto::flagd;
use ripcord_proto::kill::Kill;
use ripcord_proto::rest::commits::{ChangeRequest, CommitRequest};
use ripcord_proto::rest::plan::{FlagDiff, PlanResponse, SegmentDiff};
use ripcord_proto::rest::responses::WriteResponse;
use ripcord_proto::role::Action;
use ripcord_proto::table::Entity as _;
use ripcord_proto::{Flag, KillId, Segment, ValidationErrors};
use ripcord_sdk::engine::Compiled;

use super::preconditions::of_environment;
use super::services::guarded::EnvironmentReader;
use super::settings::{rebuckets, warning};
use super::write::{Write, WriteRequest, reply, written, written_with};
use super::{cautions, dead_rules};
use crate::access::permit::{Read, WriteSomething, WriteThis};
use crate::clock::new_id;
use crate::commit::plan::{CommitPlan, PlannedCommit};
use crate::commit::{Author, CommitError, InvalidDraft, Operation};
use crate::http::documented::{MaybeProposed, Problems, WriteHeaders};
use crate::http::{ApiError, ApiResponse, Body, heavy};
use crate::impact::{self, ImpactComparison, SampleUsers};
use crate::outcome::Outcomes;
use crate::{file_set, kill, proposal};

/// Changes many things at once. `If-Match` takes the environment's ETag.
#[utoipa::path(post, path = "/v1/environments/{env}/commits", tag = "commits", operation_id = "createCommit",
    params(crate::api::path::EnvironmentPath, crate::http::query::WriteQuery, WriteHeaders),
    request_body(content = CommitRequest, example = json!({"reason": "launch", "changes": [{"set_enabled": {"key": "checkout-v2", "enabled": true}}, {"delete_flag": "checkout-v1"}]})),
    responses((status = 200, description = "Committed, or so already", body = WriteResponse), MaybeProposed, Problems))]
pub(super) async fn commit(write: Write<WriteSomething>, body: Body<CommitRequest>) -> Result<ApiResponse, ApiError> {
    let actions: BTreeSet<Action> = body.value.changes.iter().map(ChangeRequest::action).collect();
    let actions: Vec<Action> = actions.into_iter().collect();
    let write = write.narrow(&actions)?;
    // A file set is decided on when it is committed; that an edit by a person says why is known before.
    if body.value.changes.iter().any(|change| set_of(change).is_some()) && !gives_reason(&write, &body.value) {
        return Err(CommitError::Invalid(InvalidDraft::ReasonRequired).into());
    }
    let ignored = ignored(&body.value);
    let mut asked = asked(body.value, &write.permit.author(), write.now())?;
    asked.precondition = of_environment(write.condition)?;
    let warnings: Vec<String> = asked.operations.iter().filter_map(warning).chain(ignored).collect();
    let (wait, confirmations) = (write.wait(), write.confirmations());
    let prepared = write.prepare(asked, &body.digest, move |made| written_with(made, StatusCode::OK, warnings.clone()));
    let committed = prepared.submit().await?;
    tracing::Span::current().record("revision", committed.position.revision.0);
    let confirmation = confirmations.of_revision(committed.position, wait).await;
    Ok(reply(&committed.answer, committed.replayed, confirmation)?.etag(committed.position))
}

/// What a commit would do, and the hash with which it does exactly that. Changes nothing.
#[utoipa::path(post, path = "/v1/environments/{env}/commits/plan", tag = "commits", operation_id = "planCommit",
    params(crate::api::path::EnvironmentPath, crate::http::query::WriteQuery, WriteHeaders),
    request_body(content = CommitRequest, example = json!({"changes": [{"set_enabled": {"key": "checkout-v2", "enabled": true}}]})),
    responses((status = 200, description = "What would happen", body = PlanResponse), Problems))]
pub(super) async fn plan(write: Write<Read>, body: Body<CommitRequest>) -> Result<ApiResponse, ApiError> {
    heavy(planned(write, body)).await
}

async fn planned(write: Write<Read>, body: Body<CommitRequest>) -> Result<ApiResponse, ApiError> {
    let (environment, outcomes) = write.part::<(EnvironmentReader, Outcomes)>();
    let sets: Vec<FileSet> = body.value.changes.iter().filter_map(set_of).cloned().collect();
    let ignored = ignored(&body.value);
    let mut asked = asked(body.value, &write.permit.author(), write.now())?;
    asked.precondition = of_environment(write.condition)?;
    let warnings: Vec<String> = asked.operations.iter().filter_map(warning).chain(ignored).collect();
    let prepared = write.prepare(asked, &body.digest, |made| written(made, StatusCode::OK));
    let PlannedCommit {
        plan,
        before,
        after,
        mut touched,
    } = prepared.plan()?;
    let warnings = warnings
        .into_iter()
        .chain(warnings::of(&plan, &outcomes.totals(environment.key()), &before.records));
    let read = |step: &FlagDiff| Some((step.key.clone(), Flag::parse(step.to.as_ref()?.get()).ok()?));
    let flags: Vec<_> = plan.flags.iter().filter_map(read).collect();
    let dead_rules = dead_rules::of(flags.iter().map(|(key, flag)| (key, flag)), &after.segments);
    let read = |step: &SegmentDiff| Some((step.key.clone(), Segment::parse(step.to.as_ref()?.get()).ok()?));
    let cautions = cautions::planned(flags.iter().map(|(key, flag)| (key, flag)), plan.segments.iter().filter_map(read));
    let warnings = warnings.chain(dead_rules::warnings(&dead_rules)).chain(cautions).collect();
    let mut answer = answer(plan, warnings);
    answer.dead_rules = dead_rules;
    answer.warnings.extend(flagd::too_large(&after, []).map(flagd::too_large_warning));
    // A new flag does not change what any user was served before.
    touched.flags.retain(|key| before.snapshot.flags.get(key.as_str()).is_some());
    if !touched.flags.is_empty() || !touched.segments.is_empty() {
        let comparison = ImpactComparison {
            now: Compiled::new(&before.snapshot),
            before: before.snapshot.clone(),
            after,
            touched,
        };
        let shares = impact::shares(comparison, SampleUsers::default()).await?;
        answer.users = Some(shares.users);
        answer.shares = shares.flags.into_iter().filter(|(_, share)| share.changed > 0).collect();
    }
    for set in &sets {
        let decision = file_set::decide(set, &before)?;
        answer.unchanged += decision.unchanged;
        answer.adopted.extend(decision.adopted);
        answer.kept.extend(unapplied::told(decision.kept, &environment, &before).await?);
    }
    ApiResponse::ok(&answer)
}

fn gives_reason(write: &Write<WriteThis>, request: &CommitRequest) -> bool {
    let given = request.reason.is_some() || write.query.reason.is_some();
    given || !write.permit.author().actor.role.is_person()
}

fn set_of(change: &ChangeRequest) -> Option<&FileSet> {
    if let ChangeRequest::ApplySet(set) = change { Some(set) } else { None }
}

/// What stood beside the scopes of its kills.
fn ignored(request: &CommitRequest) -> Vec<String> {
    let told = request.changes.iter().filter_map(|change| match change {
        ChangeRequest::Kill { ignored, .. } => Some(ignored),
        ChangeRequest::PutFlag { .. }
        | ChangeRequest::DeleteFlag(_)
        | ChangeRequest::SetEnabled { .. }
        | ChangeRequest::PutSegment { .. }
        | ChangeRequest::DeleteSegment(_)
        | ChangeRequest::Restore(_)
        | ChangeRequest::PutSettings(_)
        | ChangeRequest::ApplySet(_) => None,
    });
    told.flatten().cloned().collect()
}

fn asked(request: CommitRequest, author: &Author, now: Timestamp) -> Result<WriteRequest, ApiError> {
    let (mut operations, mut tags) = (Vec::with_capacity(request.changes.len()), Vec::new());
    for (index, change) in request.changes.into_iter().enumerate() {
        let is_for_later = matches!(change, ChangeRequest::Kill { future: true, .. });
        let operation = ask(change, author, request.reason.as_ref(), now).map_err(|faults| ApiError::invalid(faults.under(&format!("changes[{index}]"))))?;
        if let Operation::Kill(kill) = &operation
            && !is_for_later
        {
            tags.push((kill.scope.clone(), kill.id.clone()));
        }
        operations.push(operation);
    }
    // Last: the commit itself may give a flag the tag.
    operations.extend(
        tags.into_iter()
            .map(|(scope, id)| Operation::decide(move |state| kill::check_tag(&scope, Some(&id), state).map(|()| Vec::new()))),
    );
    Ok(WriteRequest {
        operations,
        precondition: None,
        plan: request.plan,
        allow_killed_edit: request.allow_killed_edit,
        reason: request.reason,
    })
}

fn ask(change: ChangeRequest, author: &Author, reason: Option<&String>, now: Timestamp) -> Result<Operation, ValidationErrors> {
    if let ChangeRequest::PutSettings(request) = &change {
        rebuckets(request).map_err(|faults| faults.under("put_settings"))?;
    }
    Ok(proposal::change(change).unwrap_or_else(|scope| {
        Operation::Kill(Box::new(Kill {
            id: new_id(now, KillId::from_parts),
            scope,
            reason: reason.cloned(),
            actor: author.actor.clone(),
            at: now,
            flags: BTreeSet::new(),
        }))
    }))
}

fn answer(plan: CommitPlan, mut warnings: Vec<String>) -> PlanResponse {
    warnings.extend(plan.warnings);
    PlanResponse {
        hash: plan.hash,
        epoch: plan.at.epoch,
        revision: plan.at.revision,
        flags: plan.flags,
        segments: plan.segments,
        settings: plan.settings,
        unchanged: 0,
        kept: Vec::new(),
        adopted: Vec::new(),
        users: None,
        shares: BTreeMap::new(),
        kills: plan.kills,
        warnings,
        dead_rules: BTreeMap::new(),
    }
}
