//! `/v1/backup`: everything that the server knows, in one file that proves itself.

use actix_web::{HttpResponse, web};
use ripcord_proto::problem::{Code, Problem};

use super::rooms::Rooms;
use crate::access::Clearance;
use crate::access::permit::Administer;
use crate::http::Refusal;
use crate::store::backup::{Backup, BackupError};

/// All logs, whole, as lines of JSON. `ripcord serve --restore-backup FILE` starts from it. Holds the SHA-256 of keys, never the
/// keys.
#[utoipa::path(get, path = "/v1/backup", tag = "operation",
    responses((status = 200, description = "A backup", body = String, content_type = "application/jsonl"), (status = "4XX", body = Problem)))]
pub(super) async fn take(clearance: Clearance<Administer>, rooms: web::Data<Rooms>) -> Result<HttpResponse, Refusal> {
    let backup = Backup::take(&**rooms.whole_store(&clearance)).await.map_err(refusal)?;
    let written = web::block(move || {
        let mut bytes = Vec::new();
        backup.write(&mut bytes).map(|()| bytes)
    });
    let bytes = written
        .await
        .map_err(|error| Refusal::new(Code::Internal, error.to_string()))?
        .map_err(refusal)?;
    Ok(HttpResponse::Ok()
        .content_type("application/jsonl")
        .insert_header(("Content-Disposition", "attachment; filename=\"ripcord-backup\""))
        .body(bytes))
}

fn refusal(error: BackupError) -> Refusal {
    if let BackupError::Store(error) = error {
        return error.into();
    }
    tracing::error!(%error, "a backup could not be taken");
    Refusal::new(Code::Internal, format!("The backup could not be taken: {error}."))
}
