//! `/v1/backup`: every log of the store in one file, with digests that verify it.

use actix_web::HttpResponse;
use actix_web::http::header::{CACHE_CONTROL, CONTENT_DISPOSITION};
use ripcord_proto::problem::Code;

use super::services::guarded::Administration;
use crate::http::documented::Problems;
use crate::http::{ApiError, heavy};
use crate::store::backup::{Backup, BackupError};

/// Everything in the store: environments with their history, and hashed keys. Restore it with `ripcord serve --restore-backup`.
#[utoipa::path(get, path = "/v1/backup", tag = "operation", operation_id = "downloadBackup",
    responses((status = 200, description = "The backup, as JSON lines", body = String, content_type = "application/x-ndjson"), Problems))]
pub(super) async fn download(administration: Administration) -> Result<HttpResponse, ApiError> {
    let taken = heavy(async move {
        let backup = Backup::take(administration.store(), administration.now()).await?;
        let mut file = Vec::new();
        backup.write(&mut file)?;
        Ok((backup.at, file))
    });
    let (at, file) = taken.await?;
    let name = format!("ripcord-backup-{}.jsonl", at.strftime("%Y%m%dT%H%M%SZ"));
    tracing::info!(bytes = file.len(), "backup taken");
    Ok(HttpResponse::Ok()
        .content_type("application/x-ndjson")
        .insert_header((CONTENT_DISPOSITION, format!("attachment; filename=\"{name}\"")))
        .insert_header((CACHE_CONTROL, "no-store"))
        .body(file))
}

impl From<BackupError> for ApiError {
    fn from(error: BackupError) -> Self {
        match error {
            BackupError::Store(error) => error.into(),
            BackupError::File(_)
            | BackupError::NoBackup
            | BackupError::Version(_)
            | BackupError::Cut(_)
            | BackupError::Damaged { .. }
            | BackupError::Chain { .. }
            | BackupError::Encode(_) => {
                tracing::error!(%error, "backup failed");
                Self::new(Code::Internal, format!("The backup could not be taken: {error}."))
            }
        }
    }
}
