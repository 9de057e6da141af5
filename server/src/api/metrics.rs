//! `/metrics`, for Prometheus: no values, users or secrets, but the names of environments, flags and variants. So it is open only on a
//! listener of its own or on loopback, which others cannot reach. Elsewhere it needs a key that may read, and shows what that key may see.

use actix_web::{HttpRequest, HttpResponse, web};
use ripcord_proto::EnvironmentKey;
use ripcord_proto::problem::Code;
use tokio::sync::Semaphore;

use super::authorize;
use super::services::guarded::Unguarded;
use crate::access::EnvironmentAccess;
use crate::http::ApiError;
use crate::http::documented::Problems;
use crate::tasks;
use crate::telemetry::Metrics;

/// Who may read the metrics of a listener.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MetricsAccess {
    /// Anyone who reaches it.
    Open,
    /// Keys that may read.
    WithKey,
    /// Nobody: another listener has them.
    Elsewhere,
}

/// The lines about these environments, and those about none.
fn only_of(seen: &EnvironmentAccess, text: String) -> String {
    if *seen == EnvironmentAccess::All {
        return text;
    }
    let is_seen = |line: &&str| {
        let named = line.split_once("env=\"").and_then(|(_, rest)| rest.split_once('"')).map(|(name, _)| name);
        named.is_none_or(|name| EnvironmentKey::new(name).is_ok_and(|key| seen.covers(&key)))
    };
    let mut kept = String::with_capacity(text.len());
    for line in text.lines().filter(is_seen) {
        kept.push_str(line);
        kept.push('\n');
    }
    kept
}

/// One scrape at a time.
static SCRAPES: Semaphore = Semaphore::const_new(1);

/// The metrics of this node. Without a listener of their own (`--metrics-listen`) they need a key that may read, unless the server listens
/// on loopback alone; such a key sees its own environments.
#[utoipa::path(get, path = "/metrics", tag = "operation", operation_id = "getMetrics", security(()),
    responses((status = 200, description = "Prometheus text exposition", body = String, content_type = "text/plain"), Problems))]
pub(super) async fn scrape(request: HttpRequest, Unguarded(metrics): Unguarded<Metrics>) -> Result<HttpResponse, ApiError> {
    let access = request
        .app_data::<web::Data<MetricsAccess>>()
        .map_or(MetricsAccess::WithKey, |access| ***access);
    let seen = match access {
        MetricsAccess::Open => EnvironmentAccess::All,
        MetricsAccess::WithKey => authorize::reader(&request)?.environments,
        MetricsAccess::Elsewhere => {
            let detail = "The metrics are on a listener of their own (--metrics-listen).";
            return Err(ApiError::new(Code::NotFound, detail));
        }
    };
    // Off the workers: a kill must not wait for a text of megabytes.
    let _alone = SCRAPES.acquire().await;
    let text = tasks::blocking(move || only_of(&seen, metrics.render()))
        .await
        .map_err(|error| ApiError::new(Code::Internal, format!("The metrics could not be rendered: {error}.")))?;
    Ok(HttpResponse::Ok().content_type("text/plain; version=0.0.4; charset=utf-8").body(text))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_sees_the_metrics_of_its_own_environments() {
        let production = EnvironmentAccess::Only([EnvironmentKey::new("production").unwrap()].into());
        let text = "# TYPE a gauge\na{env=\"production\"} 1\na{env=\"staging\"} 2\nb 3\n";
        assert_eq!(only_of(&production, text.to_owned()), "# TYPE a gauge\na{env=\"production\"} 1\nb 3\n");
        assert_eq!(only_of(&EnvironmentAccess::All, text.to_owned()), text);
    }
}
