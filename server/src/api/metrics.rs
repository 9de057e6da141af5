//! `/metrics`, for Prometheus. It needs no key, as scrapers expect: it names flags and variants, but contains no values, users or
//! secrets.

use actix_web::HttpResponse;

use super::services::guarded::Unguarded;
use crate::telemetry::Metrics;

/// The metrics of this node.
#[utoipa::path(get, path = "/metrics", tag = "operation", security(()),
    responses((status = 200, description = "Prometheus text exposition", body = String, content_type = "text/plain")))]
pub(super) async fn scrape(Unguarded(metrics): Unguarded<Metrics>) -> HttpResponse {
    HttpResponse::Ok()
        .content_type("text/plain; version=0.0.4; charset=utf-8")
        .body(metrics.render())
}
