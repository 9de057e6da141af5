//! Requests to the server: opening a stream over SSE, fetching the whole state, acknowledgements, outcomes. All share one HTTP client.

use std::time::Duration;

use reqwest::header::{ACCEPT, AUTHORIZATION, ETAG, HeaderMap, HeaderValue, IF_NONE_MATCH, RETRY_AFTER};
use reqwest::{RequestBuilder, Response, StatusCode, Url};
use ripcord_proto::EnvironmentKey;
use ripcord_proto::frame::{Ack, Hello};
use ripcord_proto::outcome::OutcomeBatch;
use ripcord_proto::problem::Problem;
use ripcord_proto::proxy::ProxySettings;

use super::tls::Tls;
use super::tunnel::ProxyRoute;
use crate::client::protocol::{Freshness, StreamError};
use crate::client::start_error::StartError;

/// How long it may take to connect, or to answer a small request.
pub(crate) const REQUEST_TIMEOUT: Duration = Duration::from_secs(10);
/// How long the download of a whole state may take.
const DOWNLOAD_TIMEOUT: Duration = Duration::from_secs(120);
/// The header of a node that cannot reach its store.
const STALE: &str = "ripcord-stale";

/// A server, with the key for it.
#[derive(Clone)]
pub(crate) struct Server {
    client: reqwest::Client,
    base: Url,
    environment: Option<EnvironmentKey>,
    authorization: HeaderValue,
    tls: Tls,
    /// The proxy on the way to it.
    proxy: Option<ProxyRoute>,
}

impl std::fmt::Debug for Server {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Server")
            .field("base", &self.base.as_str())
            .field("environment", &self.environment)
            .finish_non_exhaustive()
    }
}

/// The answer to a request for the whole state.
#[derive(Debug)]
pub(crate) struct SnapshotResponse {
    /// The snapshot frame; `None` if it still has the entity tag that was sent.
    pub(crate) state: Option<String>,
    /// Its entity tag.
    pub(crate) tag: Option<String>,
    /// Whether the node can rule out that it missed a kill.
    pub(crate) freshness: Freshness,
}

impl Server {
    /// Checks address, key and certificates. It does not connect.
    pub(crate) fn new(address: &str, key: &str, environment: Option<EnvironmentKey>, root_certificates: &[Vec<u8>]) -> Result<Self, StartError> {
        let mut base = Url::parse(address).map_err(|error| StartError::Address {
            address: address.to_owned(),
            source: Some(error.into()),
        })?;
        if !matches!(base.scheme(), "http" | "https") || base.host().is_none() {
            return Err(StartError::Address {
                address: address.to_owned(),
                source: None,
            });
        }
        if !base.path().ends_with('/') {
            base.set_path(&format!("{}/", base.path()));
        }
        let mut authorization = HeaderValue::try_from(format!("Bearer {key}")).map_err(|error| StartError::Key(error.into()))?;
        authorization.set_sensitive(true);
        let tls = Tls::new(&base, root_certificates)?;
        let proxy = ProxyRoute::to(&base, &ProxySettings::from_vars(|name| std::env::var(name).ok()));
        let mut builder = reqwest::Client::builder().no_proxy();
        if let Some(proxy) = &proxy {
            builder = builder.proxy(reqwest::Proxy::all(proxy.url().clone()).map_err(|error| StartError::Tls(error.into()))?);
        }
        let client = builder
            .tls_backend_preconfigured(tls.config())
            .connect_timeout(REQUEST_TIMEOUT)
            .tcp_nodelay(true)
            .user_agent(concat!("ripcord-rust/", env!("CARGO_PKG_VERSION")))
            .build()
            .map_err(|error| StartError::Tls(error.into()))?;
        Ok(Self {
            client,
            base,
            environment,
            authorization,
            tls,
            proxy,
        })
    }

    /// The address.
    pub(crate) fn base(&self) -> &Url {
        &self.base
    }

    pub(super) fn authorization(&self) -> &HeaderValue {
        &self.authorization
    }

    pub(super) fn proxy(&self) -> Option<&ProxyRoute> {
        self.proxy.as_ref()
    }

    pub(super) fn tls(&self) -> &Tls {
        &self.tls
    }

    /// The URL of `path`, for this client's environment.
    pub(super) fn url(&self, path: &str) -> Url {
        let mut url = self.base.clone();
        url.set_path(&format!("{}{path}", self.base.path()));
        if let Some(environment) = &self.environment {
            url.query_pairs_mut().append_pair("environment", environment.as_str());
        }
        url
    }

    fn get(&self, url: Url) -> RequestBuilder {
        self.client.get(url).header(AUTHORIZATION, self.authorization.clone())
    }

    fn post(&self, path: &str) -> RequestBuilder {
        self.client
            .post(self.url(path))
            .header(AUTHORIZATION, self.authorization.clone())
            .timeout(REQUEST_TIMEOUT)
    }

    /// Fetches the whole state, unless its entity tag is still `known`.
    pub(crate) async fn snapshot(&self, known: Option<&str>) -> Result<SnapshotResponse, StreamError> {
        let mut request = self.get(self.url("v1/snapshot")).timeout(DOWNLOAD_TIMEOUT);
        if let Some(tag) = known {
            request = request.header(IF_NONE_MATCH, tag);
        }
        let response = request.send().await.map_err(|error| broken(&error))?;
        let freshness = if response.headers().contains_key(STALE) {
            Freshness::Stale
        } else {
            Freshness::Fresh
        };
        let tag = response.headers().get(ETAG).and_then(|tag| tag.to_str().ok()).map(str::to_owned);
        let state = if response.status() == StatusCode::NOT_MODIFIED {
            None
        } else {
            Some(accepted(response).await?.text().await.map_err(|error| broken(&error))?)
        };
        Ok(SnapshotResponse { state, tag, freshness })
    }

    /// Opens the stream as server-sent events.
    pub(super) async fn events(&self, hello: &Hello) -> Result<Response, StreamError> {
        let mut url = self.url("v1/stream");
        let members = serde_json::to_value(hello).map_err(|error| StreamError::Broken(error.to_string()))?;
        for (name, value) in members.as_object().into_iter().flatten() {
            let value = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
            url.query_pairs_mut().append_pair(name, &value);
        }
        let mut request = self.get(url).header(ACCEPT, "text/event-stream");
        if let Some(position) = hello.position() {
            request = request.header("last-event-id", position.to_string());
        }
        let opening = tokio::time::timeout(REQUEST_TIMEOUT, request.send()).await;
        let response = opening.map_err(|_| StreamError::Broken("the stream was not opened in time".to_owned()))?;
        accepted(response.map_err(|error| broken(&error))?).await
    }

    /// Acknowledges a state, for a stream that cannot carry acknowledgements.
    pub(super) async fn acknowledge(&self, instance_id: &str, ack: &Ack) -> Result<(), StreamError> {
        #[derive(serde::Serialize)]
        struct Body<'a> {
            instance_id: &'a str,
            #[serde(flatten)]
            ack: &'a Ack,
        }
        let request = self.post("v1/stream/ack").json(&Body { instance_id, ack });
        accepted(request.send().await.map_err(|error| broken(&error))?).await.map(drop)
    }

    /// Sends a batch of outcomes.
    pub(crate) async fn outcomes(&self, batch: &OutcomeBatch) -> Result<(), StreamError> {
        let request = self.post("v1/outcomes").json(batch);
        accepted(request.send().await.map_err(|error| broken(&error))?).await.map(drop)
    }
}

/// The response, if its status is a success.
async fn accepted(response: Response) -> Result<Response, StreamError> {
    let status = response.status();
    if status.is_success() {
        return Ok(response);
    }
    let wait = retry_after(response.headers());
    let body = tokio::time::timeout(REQUEST_TIMEOUT, response.text()).await;
    let detail = describe(&body.ok().and_then(Result::ok).unwrap_or_default());
    Err(status_error(status.as_u16(), wait, detail))
}

/// What a status other than success means for the next attempt.
pub(super) fn status_error(status: u16, retry_after: Option<Duration>, detail: String) -> StreamError {
    match (status, retry_after) {
        (400 | 401 | 403 | 404 | 413 | 422, _) => StreamError::Refused { status, detail },
        (_, Some(wait)) => StreamError::Later(format!("HTTP {status}: {detail}"), wait),
        (_, None) => StreamError::Broken(format!("HTTP {status}: {detail}")),
    }
}

/// The whole seconds of `Retry-After`.
pub(super) fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    let seconds = headers.get(RETRY_AFTER)?.to_str().ok()?.trim().parse().ok()?;
    Some(Duration::from_secs(seconds))
}

/// The detail of a problem document, or the beginning of any other body.
pub(super) fn describe(body: &str) -> String {
    match serde_json::from_str::<Problem>(body) {
        Ok(problem) => problem.detail,
        Err(_) => body.chars().take(200).collect(),
    }
}

/// An error with its sources, which name the address that did not answer.
fn broken(error: &reqwest::Error) -> StreamError {
    let mut text = error.to_string();
    let mut cause = std::error::Error::source(error);
    while let Some(error) = cause {
        text = format!("{text}: {error}");
        cause = error.source();
    }
    StreamError::Broken(text)
}
