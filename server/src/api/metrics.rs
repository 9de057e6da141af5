//! `/metrics`, for Prometheus. Open to whoever reaches the port, as scrapers expect it: it names flags and variants, and holds
//! no values, users or secrets.

use actix_web::{HttpResponse, web};

use super::services::AppState;

/// The metrics of this node.
#[utoipa::path(get, path = "/metrics", tag = "operation", security(()),
    responses((status = 200, description = "Prometheus text exposition", body = String, content_type = "text/plain")))]
pub(super) async fn scrape(app: web::Data<AppState>) -> HttpResponse {
    app.gauge();
    HttpResponse::Ok()
        .content_type("text/plain; version=0.0.4; charset=utf-8")
        .body(app.metrics().render())
}
