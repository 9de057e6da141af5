//! `commits`: many changes at once, all of them or none; and `commits/plan`: what they would do.

use std::collections::BTreeSet;

use actix_web::http::StatusCode;
use actix_web::web;
use ripcord_proto::kill::Kill;
use ripcord_proto::problem::Problem;
use ripcord_proto::rest::commits::{ChangeRequest, CommitRequest};
use ripcord_proto::rest::plan::{FlagStep, PlanAnswer, SegmentStep, SettingsStep};
use ripcord_proto::rest::written::Written;
use ripcord_proto::role::Action;
use ripcord_proto::{Faults, KillId};

use super::confirm::Subject;
use super::rooms::Rooms;
use super::settings::{rebuckets, warning};
use super::write::{Asked, Write, of_environment, reply, written, written_with};
use crate::access::permit::{Read, WriteSomething};
use crate::commit::plan::{Plan, Step};
use crate::commit::{Ask, Author};
use crate::http::{Body, Refusal, Reply};

/// Changes many things at once. `If-Match` takes the environment's ETag.
#[utoipa::path(post, path = "/v1/environments/{env}/commits", tag = "commits",
    params(("env" = String, Path, example = "production"), crate::http::query::WriteQuery),
    request_body(content = CommitRequest, example = json!({"reason": "launch", "changes": [{"set_enabled": {"key": "checkout-v2", "enabled": true}}, {"delete_flag": "checkout-v1"}]})),
    responses((status = 200, description = "Committed, or so already", body = Written), (status = "4XX", body = Problem)))]
pub(super) async fn commit(write: Write<WriteSomething>, body: Body<CommitRequest>, rooms: web::Data<Rooms>) -> Result<Reply, Refusal> {
    let actions: BTreeSet<Action> = body.value.changes.iter().map(ChangeRequest::action).collect();
    let actions: Vec<Action> = actions.into_iter().collect();
    let write = write.narrow(&actions)?;
    let mut asked = asked(body.value, &write.permit.author(), &rooms)?;
    asked.precondition = of_environment(write.condition)?;
    let warnings: Vec<String> = asked.asks.iter().filter_map(warning).collect();
    let wait = write.wait();
    let prepared = write.prepare(asked, &body.digest, move |made| written_with(made, StatusCode::OK, warnings.clone()));
    let environment = prepared.environment().clone();
    let committed = rooms.submit(prepared).await?;
    tracing::Span::current().record("revision", committed.position.revision.0);
    let confirmation = rooms.confirmed(&environment, Subject::Revision(committed.position), wait).await;
    Ok(reply(&committed.answer, committed.replayed, confirmation)?.etag(committed.position))
}

/// What a commit would do, and the hash with which it does exactly that. Changes nothing.
#[utoipa::path(post, path = "/v1/environments/{env}/commits/plan", tag = "commits",
    params(("env" = String, Path, example = "production"), crate::http::query::WriteQuery),
    request_body(content = CommitRequest, example = json!({"changes": [{"set_enabled": {"key": "checkout-v2", "enabled": true}}]})),
    responses((status = 200, description = "What would happen", body = PlanAnswer), (status = "4XX", body = Problem)))]
pub(super) async fn plan(write: Write<Read>, body: Body<CommitRequest>, rooms: web::Data<Rooms>) -> Result<Reply, Refusal> {
    let mut asked = asked(body.value, &write.permit.author(), &rooms)?;
    asked.precondition = of_environment(write.condition)?;
    let warnings: Vec<String> = asked.asks.iter().filter_map(warning).collect();
    let prepared = write.prepare(asked, &body.digest, |made| written(made, StatusCode::OK));
    let plan = rooms.plan(&prepared)?;
    Reply::ok(&answer(plan, warnings))
}

fn asked(request: CommitRequest, author: &Author, rooms: &Rooms) -> Result<Asked, Refusal> {
    let asks = request.changes.into_iter().enumerate().map(|(index, change)| {
        ask(change, author, request.reason.as_ref(), rooms).map_err(|faults| Refusal::invalid(faults.under(&format!("changes[{index}]"))))
    });
    Ok(Asked {
        asks: asks.collect::<Result<_, _>>()?,
        precondition: None,
        plan: request.plan,
        changes_served: request.changes_served,
        reason: request.reason,
    })
}

fn ask(change: ChangeRequest, author: &Author, reason: Option<&String>, rooms: &Rooms) -> Result<Ask, Faults> {
    Ok(match change {
        ChangeRequest::PutFlag { key, flag } => Ask::PutFlag(key, flag),
        ChangeRequest::DeleteFlag(key) => Ask::DeleteFlag(key),
        ChangeRequest::SetEnabled { key, enabled } => Ask::SetEnabled(key, enabled),
        ChangeRequest::PutSegment { key, segment } => Ask::PutSegment(key, segment),
        ChangeRequest::DeleteSegment(key) => Ask::DeleteSegment(key),
        ChangeRequest::Kill { scope } => Ask::Kill(Box::new(Kill {
            id: KillId::from_parts(u64::try_from(rooms.now().as_millisecond()).unwrap_or_default(), rand::random()),
            scope,
            reason: reason.cloned(),
            actor: author.actor.clone(),
            at: rooms.now(),
            flags: BTreeSet::new(),
        })),
        ChangeRequest::Restore(id) => Ask::Restore(id),
        ChangeRequest::PutSettings(request) => rebuckets(&request).map_err(|faults| faults.under("put_settings"))?,
    })
}

fn answer(plan: Plan, mut warnings: Vec<String>) -> PlanAnswer {
    let deleted = plan.flags.iter().filter(|step| step.to.is_none()).count();
    if deleted > 0 {
        warnings.push(format!(
            "{deleted} flags would be deleted; applications that still ask for them get their own defaults."
        ));
    }
    if !plan.kills.is_empty() {
        warnings.push(format!(
            "{} of these flags are killed and go on serving their safe variant until the kills are restored.",
            plan.kills.len()
        ));
    }
    warnings.extend(plan.warnings);
    PlanAnswer {
        hash: plan.hash,
        epoch: plan.at.epoch,
        revision: plan.at.revision,
        flags: plan.flags.into_iter().map(|Step { key, from, to }| FlagStep { key, from, to }).collect(),
        segments: plan.segments.into_iter().map(|Step { key, from, to }| SegmentStep { key, from, to }).collect(),
        settings: plan.settings.map(|step| SettingsStep { from: step.from, to: step.to }),
        kills: plan.kills,
        warnings,
    }
}
