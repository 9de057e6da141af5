//! `policy`: the protection that an environment requires, and its automation.

use actix_web::http::StatusCode;
use ripcord_proto::policy::{Policy, SingletonKey};
use ripcord_proto::record::RecordKey;
use ripcord_proto::rest::policy::PolicyResponse;

use super::records::{reason, submit};
use super::services::guarded::{EnvironmentReader, Guarded};
use super::write::WriteRecord;
use crate::access::permit::{Read, SetPolicy};
use crate::commit::{Applied, Expected, Operation, record_entry};
use crate::http::documented::{MaybeProposed, Problems, WriteHeaders};
use crate::http::precondition::RecordCondition;
use crate::http::query::WriteQuery;
use crate::http::{ApiError, ApiResponse, Body};

/// The environment's policy, or the default one.
#[utoipa::path(get, path = "/v1/environments/{env}/policy", tag = "policy", operation_id = "getPolicy", params(crate::api::path::EnvironmentPath),
    responses((status = 200, description = "The policy", body = Policy), Problems))]
pub(super) async fn get(environment: Guarded<Read, EnvironmentReader>) -> Result<ApiResponse, ApiError> {
    let (state, stale) = (environment.state()?, environment.stale());
    let reply = ApiResponse::ok(&state.records.policy())?.stale(stale);
    Ok(match state.records.digest(&RecordKey::Policy(SingletonKey)) {
        Some(digest) => reply.record_etag(&digest),
        None => reply,
    })
}

/// Sets the policy.
#[utoipa::path(put, path = "/v1/environments/{env}/policy", tag = "policy", operation_id = "putPolicy", params(crate::api::path::EnvironmentPath, WriteQuery, WriteHeaders),
    request_body(content = Policy, example = json!({"protection": "protected", "vouch_after_seconds": 1800})),
    responses((status = 200, description = "Set, or unchanged", body = PolicyResponse), MaybeProposed, Problems))]
pub(super) async fn put(write: WriteRecord<SetPolicy>, body: Body<Policy>) -> Result<ApiResponse, ApiError> {
    let expected = match write.condition {
        // An environment has a policy even before it is first set.
        RecordCondition::Unconditional | RecordCondition::Present => Expected::Anything,
        RecordCondition::Is(digest) => Expected::Digest(digest),
        RecordCondition::Absent => Expected::Absent,
    };
    let given = write.given_reason();
    let why = reason("set the policy", given.as_deref());
    let policy = body.value;
    let entry = record_entry(SingletonKey, policy.clone())?;
    let digest = *entry.digest();
    let ask = Operation::PutRecord(entry.into(), expected);
    let written = move |made: &Applied| {
        Ok(PolicyResponse {
            revision: None,
            changed: !made.changes.is_empty(),
            policy: policy.clone(),
        })
    };
    let (_, reply) = submit(write, &body.digest, (ask, why), StatusCode::OK, written).await?;
    Ok(reply.record_etag(&digest))
}
