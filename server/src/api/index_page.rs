//! `/`: what this server is, and where to go next.

use actix_web::{HttpRequest, HttpResponse};

use super::services::guarded::{NodeName, Unguarded};
use crate::http::documented::Problems;

const PAGE: &str = include_str!("index_page.html");

/// What this server is and where to go next: HTML for browsers, JSON for programs.
#[utoipa::path(get, path = "/", tag = "operation", operation_id = "getFrontPage", security(()),
    responses((status = 200, description = "Where to go", body = Object), Problems))]
pub(super) async fn page(request: HttpRequest, node: Unguarded<NodeName>) -> HttpResponse {
    let accepts = request.headers().get("accept").and_then(|value| value.to_str().ok()).unwrap_or_default();
    if accepts.contains("text/html") {
        return HttpResponse::Ok()
            .content_type("text/html; charset=utf-8")
            .insert_header((
                "content-security-policy",
                "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'",
            ))
            .body(PAGE.replace("{version}", env!("CARGO_PKG_VERSION")));
    }
    HttpResponse::Ok().json(serde_json::json!({
        "name": "ripcord",
        "version": env!("CARGO_PKG_VERSION"),
        "node": node.0.0,
        "api": "/v1/environments",
        "openapi": "/openapi.json",
        "ready": "/readyz",
        "metrics": "/metrics",
    }))
}
