//! `/metrics`, for Prometheus. It needs no key, as scrapers expect: it names flags and variants, but contains no values, users or
//! secrets.

use actix_web::HttpResponse;
use ripcord_proto::problem::Code;
use tokio::sync::Semaphore;

use super::services::guarded::Unguarded;
use crate::http::ApiError;
use crate::tasks;
use crate::telemetry::Metrics;

/// The metrics of this node.
#[utoipa::path(get, path = "/metrics", tag = "operation", security(()),
    responses((status = 200, description = "Prometheus text exposition", body = String, content_type = "text/plain")))]
pub(super) async fn scrape(Unguarded(metrics): Unguarded<Metrics>) -> Result<HttpResponse, ApiError> {
    // Off the workers, and one scrape at a time: a kill must not wait for a text of megabytes.
    static SCRAPES: Semaphore = Semaphore::const_new(1);
    let _alone = SCRAPES.acquire().await;
    let text = tasks::blocking(move || metrics.render())
        .await
        .map_err(|error| ApiError::new(Code::Internal, format!("The metrics could not be rendered: {error}.")))?;
    Ok(HttpResponse::Ok().content_type("text/plain; version=0.0.4; charset=utf-8").body(text))
}
