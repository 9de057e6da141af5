//! `/v1/keys`: create, list and revoke keys. A key is only shown when it is created.

use actix_web::http::StatusCode;
use actix_web::web;
use ripcord_proto::change::KeyRecord;
use ripcord_proto::rest::keys::{KeyCreated, KeyRequest, KeyView};
use ripcord_proto::rest::list::Page;
use ripcord_proto::rest::responses::RecordResponse;

use super::services::guarded::Administration;
use super::system;
use super::write::{Answered, NO_BODY, answer, reply};
use crate::access::keys;
use crate::commit::{Applied, RenderedAnswer};
use crate::http::documented::{IdempotencyHeader, Problems};
use crate::http::idempotency::Identity;
use crate::http::query::{PageQuery, Query, WriteQuery};
use crate::http::{ApiError, ApiResponse, Body};
use crate::system::SystemOperation;

/// The valid keys, without their secrets.
#[utoipa::path(get, path = "/v1/keys", tag = "keys", operation_id = "listKeys", params(PageQuery),
    responses((status = 200, description = "A page of keys", body = Page<KeyView>), Problems))]
pub(super) async fn list(administration: Administration, query: Query<PageQuery>) -> Result<ApiResponse, ApiError> {
    let (system, stale, Query(query)) = (administration.system(), administration.stale(), query);
    let after = query.after.unwrap_or_default();
    let mut found = system.keys.values().filter(|record| record.id > after);
    let items: Vec<KeyView> = found.by_ref().take(query.limit.get()).map(view).collect();
    let next = found.next().and(items.last().map(|item| item.id.clone()));
    let page = Page {
        items,
        next,
        stale: stale.is_some(),
    };
    Ok(ApiResponse::ok(&page)?.stale(stale))
}

fn view(record: &KeyRecord) -> KeyView {
    KeyView {
        id: record.id.clone(),
        name: record.name.clone(),
        role: record.role,
        environments: record.environments.clone(),
        created: record.created,
    }
}

/// Creates a key. Only this answer contains it; the answer to a repeated call does not.
#[utoipa::path(post, path = "/v1/keys", tag = "keys", operation_id = "createKey",
    params(IdempotencyHeader),
    request_body(content = KeyRequest, example = json!({"role": "sdk", "environment": "production", "name": "checkout service"})),
    responses((status = 201, description = "Created", body = KeyCreated), Problems))]
pub(super) async fn create(administration: Administration, identity: Identity, body: Body<KeyRequest>) -> Result<ApiResponse, ApiError> {
    let KeyRequest {
        role,
        environments,
        name,
        reason,
    } = body.value;
    let secret = keys::mint(role);
    let record = KeyRecord {
        id: keys::mint_id(),
        name,
        role,
        environments,
        hash: keys::hash(secret.expose()),
        created: administration.now(),
    };
    let id = record.id.clone();
    let shown_id = id.clone();
    let answer = move |made: &Applied| created(&id, made);
    let call = identity.call(administration.permit().caller(), &body.digest);
    let draft = system::draft(administration.permit(), SystemOperation::CreateKey(record), reason, call, answer);
    let committed = Answered::to_system(draft, &administration).await?;
    if committed.replayed {
        return reply(&committed.answer, true, None);
    }
    let shown = KeyCreated {
        id: shown_id,
        key: Some(secret.expose().to_owned()),
        epoch: committed.position.epoch,
        revision: None,
    };
    ApiResponse::json(StatusCode::CREATED, &shown)
}

/// The recorded answer to the creation of a key: everything but the key.
fn created(id: &str, made: &Applied) -> Result<RenderedAnswer, ApiError> {
    let body = KeyCreated {
        id: id.to_owned(),
        key: None,
        epoch: made.position.epoch,
        revision: None,
    };
    answer(StatusCode::CREATED, &body)
}

/// Revokes a key at once and ends its streams.
#[utoipa::path(delete, path = "/v1/keys/{key}", tag = "keys", operation_id = "revokeKey", params(("key" = String, Path, description = "The key's id", example = "key_4fK2mQ9xWz1B"), WriteQuery, IdempotencyHeader),
    responses((status = 200, description = "Revoked", body = RecordResponse), Problems))]
pub(super) async fn revoke(
    administration: Administration,
    identity: Identity,
    id: web::Path<String>,
    query: Query<WriteQuery>,
) -> Result<ApiResponse, ApiError> {
    let (id, Query(query)) = (id.into_inner(), query);
    let recorded = id.clone();
    let answer = move |made: &Applied| {
        let body = RecordResponse {
            id: recorded.clone(),
            epoch: made.position.epoch,
            revision: None,
        };
        answer(StatusCode::OK, &body)
    };
    let call = identity.call(administration.permit().caller(), &NO_BODY);
    let draft = system::draft(administration.permit(), SystemOperation::RevokeKey(id), query.reason(), call, answer);
    let committed = Answered::to_system(draft, &administration).await?;
    reply(&committed.answer, committed.replayed, None)
}
