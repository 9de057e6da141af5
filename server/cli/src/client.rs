//! The HTTP client of all commands: each call returns one answer, as a type and as the received text.

use std::error::Error;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use percent_encoding::utf8_percent_encode;
use reqwest::StatusCode;
use reqwest::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE, HeaderMap, HeaderValue, IF_MATCH};
use ripcord_proto::problem::Problem;
use ripcord_proto::proposal::Proposal;
use ripcord_proto::proxy::ProxySettings;
use ripcord_proto::rest::list::Page;
use serde::de::DeserializeOwned;
use serde_json::value::RawValue;

use super::answer::{Answer, ClientError, DifferenceShown, Effect, Proposed, RefusedCall};
use super::call;
use super::exit::without_numbers;
use super::patience;
use super::proxies;
use super::target::Target;

pub(crate) use super::call::Call;

/// How long a connection may take.
const CONNECT: Duration = Duration::from_secs(5);
/// The answer to a write that waits.
#[derive(serde::Deserialize)]
struct ProposalAnswer {
    proposal: Proposal,
}

/// Talks to one server; if it cannot be reached, to the next of its target.
#[derive(Debug, Clone)]
pub(crate) struct Client {
    http: reqwest::Client,
    target: Target,
    /// Which of the target's servers is called: 0 is the first, the others are its alternatives.
    current: Arc<AtomicUsize>,
    proxies: ProxySettings,
    /// How long any call may take, for someone who looks for what is wrong.
    limit: Option<Duration>,
    /// Whether a call has changed something.
    written: Arc<AtomicBool>,
}

impl Client {
    /// A client for `target`.
    pub(crate) fn new(target: Target) -> Result<Self, ClientError> {
        // A second command in this process (the demo) finds it installed already.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let mut headers = HeaderMap::new();
        if let Some(key) = &target.key {
            let mut value = HeaderValue::from_str(&format!("Bearer {key}"))
                .map_err(|_| ClientError::Usage("The key contains an invalid character. Pass it exactly as it was printed.".to_owned()))?;
            value.set_sensitive(true);
            headers.insert(AUTHORIZATION, value);
        }
        if let Some(actor) = target.actor.as_deref().and_then(|actor| HeaderValue::from_str(actor).ok()) {
            headers.insert("x-ripcord-actor", actor);
        }
        let mut builder = reqwest::Client::builder()
            .user_agent(concat!("ripcord-cli/", env!("CARGO_PKG_VERSION")))
            .connect_timeout(CONNECT)
            .default_headers(headers);
        if let Some(path) = &target.ca_cert {
            builder = builder.tls_certs_merge(certificates(path)?);
        }
        let proxies = ProxySettings::from_vars(|name| std::env::var(name).ok());
        let http = proxies::set(builder, &proxies)?
            .build()
            .map_err(|error| ClientError::Usage(format!("cannot set up a connection: {}", root(&error))))?;
        Ok(Self {
            http,
            target,
            current: Arc::default(),
            proxies,
            limit: None,
            written: Arc::default(),
        })
    }

    /// The same client, with this limit for each call, and without repeats.
    pub(crate) fn hurried(&self, limit: Duration) -> Self {
        Self {
            limit: Some(limit),
            ..self.clone()
        }
    }

    /// Whether a call has changed something.
    pub(crate) fn has_written(&self) -> bool {
        self.written.load(Ordering::Relaxed)
    }

    /// The proxy through which the server is called, if any.
    pub(crate) fn proxy(&self) -> Option<String> {
        proxies::between(&self.proxies, self.server())
    }

    /// The target of this client.
    pub(crate) const fn target(&self) -> &Target {
        &self.target
    }

    /// The server that is called.
    pub(crate) fn server(&self) -> &str {
        let current = self.current.load(Ordering::Relaxed);
        let alternative = current.checked_sub(1).and_then(|index| self.target.alternatives.get(index));
        alternative.unwrap_or(&self.target.server)
    }

    /// Switches to the next server; false if there is none left.
    fn next_server(&self) -> bool {
        let has_more = |current: usize| (current < self.target.alternatives.len()).then_some(current + 1);
        self.current.fetch_update(Ordering::Relaxed, Ordering::Relaxed, has_more).is_ok()
    }

    /// Makes a call and reads its answer.
    pub(crate) async fn call<T: DeserializeOwned>(&self, call: Call) -> Result<Answer<T>, ClientError> {
        let (status, text) = self.exchange(call).await?;
        if !status.is_success() {
            return Err(self.refusal(status, text));
        }
        if status == StatusCode::ACCEPTED
            && let Ok(ProposalAnswer { proposal }) = serde_json::from_str(&text)
        {
            return Err(ClientError::Proposed(Box::new(Proposed {
                proposal,
                text,
                difference: DifferenceShown::NotYet,
            })));
        }
        match serde_json::from_str(&text) {
            Ok(value) => Ok(Answer { value, text, status }),
            Err(error) => Err(self.foreign(status, &error)),
        }
    }

    /// Makes a call whose answer may be of any status, and reads it.
    pub(crate) async fn call_any_status<T: DeserializeOwned>(&self, call: Call) -> Result<Answer<T>, ClientError> {
        let (status, text) = self.exchange(call).await?;
        match serde_json::from_str(&text) {
            Ok(value) => Ok(Answer { value, text, status }),
            Err(_) => Err(self.refusal(status, text)),
        }
    }

    /// Reads a list to its end; at most `most` items.
    pub(crate) async fn list<T: DeserializeOwned>(&self, path: &[&str], most: usize) -> Result<Answer<Vec<T>>, ClientError> {
        self.list_with(path, &[], most).await
    }

    /// The same, with query parameters.
    pub(crate) async fn list_with<T: DeserializeOwned>(
        &self,
        path: &[&str],
        query: &[(&'static str, &str)],
        most: usize,
    ) -> Result<Answer<Vec<T>>, ClientError> {
        let mut items: Vec<Box<RawValue>> = Vec::new();
        let mut after: Option<String> = None;
        let mut stale = false;
        loop {
            let limit = (most - items.len()).clamp(1, 1_000);
            let call = Call::get(path.iter().copied()).query("limit", Some(limit)).query("after", after.take());
            let call = query.iter().fold(call, |call, (name, value)| call.query(name, Some(value)));
            let page: Answer<Page<Box<RawValue>>> = self.call(call).await?;
            items.extend(page.value.items);
            after = page.value.next;
            stale |= page.value.stale;
            if after.is_none() || items.len() >= most {
                break;
            }
        }
        let whole = Page { items, next: after, stale };
        let text = serde_json::to_string(&whole).map_err(|error| self.foreign(StatusCode::OK, &error))?;
        let read: Result<Vec<T>, _> = whole.items.iter().map(|item| serde_json::from_str(item.get())).collect();
        Ok(Answer {
            value: read.map_err(|error| self.foreign(StatusCode::OK, &error))?,
            text,
            status: StatusCode::OK,
        })
    }

    /// Makes a call whose answer is read as it arrives: a stream, a file.
    pub(crate) async fn open(&self, call: Call, accept: &'static str) -> Result<reqwest::Response, ClientError> {
        let response = loop {
            let request = self.request(&call, None).header(ACCEPT, accept);
            match self.head(request, &call, Effect::Nothing).await {
                Err(ClientError::Unreachable { .. }) if self.next_server() => {}
                sent => break sent?,
            }
        };
        if response.status().is_success() {
            return Ok(response);
        }
        let status = response.status();
        let text = response.text().await.map_err(|error| self.unanswered(&error, Effect::Nothing))?;
        Err(self.refusal(status, text))
    }

    async fn exchange(&self, call: Call) -> Result<(StatusCode, String), ClientError> {
        let effect = if call.reads { Effect::Nothing } else { Effect::Unknown };
        let identity = (effect == Effect::Unknown).then(|| call.identity.clone().unwrap_or_else(|| format!("{:032x}", rand::random::<u128>())));
        let mut repeats = 0;
        loop {
            let request = self.request(&call, identity.as_deref());
            match self.answer(request, &call, effect).await {
                Err(ClientError::Silent { .. }) if repeats < call.repeats.count() && self.limit.is_none() => repeats += 1,
                Err(ClientError::Silent { .. } | ClientError::Unreachable { .. }) if self.next_server() => repeats = 0,
                answered => {
                    let succeeded = answered.as_ref().is_ok_and(|(status, _)| status.is_success());
                    self.written.fetch_or(succeeded && effect == Effect::Unknown, Ordering::Relaxed);
                    return answered;
                }
            }
        }
    }

    async fn answer(&self, request: reqwest::RequestBuilder, call: &Call, effect: Effect) -> Result<(StatusCode, String), ClientError> {
        let response = self.head(request, call, effect).await?;
        let status = response.status();
        let limit = self.limit.unwrap_or(patience::BODY);
        let text = patience::wait(self.server(), Duration::ZERO, limit, response.text()).await;
        let text = text.map_err(|_| self.silent(limit, effect))?.map_err(|error| self.unanswered(&error, effect))?;
        Ok((status, text))
    }

    /// The beginning of an answer.
    async fn head(&self, request: reqwest::RequestBuilder, call: &Call, effect: Effect) -> Result<reqwest::Response, ClientError> {
        let limit = self.limit.unwrap_or(call.patience);
        let sent = patience::wait(self.server(), call.expected, limit, request.send()).await;
        sent.map_err(|_| self.silent(limit, effect))?.map_err(|error| self.unanswered(&error, effect))
    }

    fn silent(&self, limit: Duration, effect: Effect) -> ClientError {
        ClientError::Silent {
            address: self.address(),
            why: format!("none within {} s", limit.as_secs()),
            effect,
        }
    }

    /// The server, and the proxy on the way to it.
    fn address(&self) -> String {
        match self.proxy() {
            Some(proxy) => format!("{} through the proxy {proxy}", self.server()),
            None => self.server().to_owned(),
        }
    }

    fn request(&self, call: &Call, identity: Option<&str>) -> reqwest::RequestBuilder {
        let mut url = format!("{}{}", self.server(), call.path);
        for (index, (name, value)) in call.query.iter().enumerate() {
            url.push(if index == 0 { '?' } else { '&' });
            url.push_str(name);
            url.push('=');
            url.extend(utf8_percent_encode(value, call::PATH));
        }
        let mut request = self.http.request(call.method.clone(), url);
        if let Some(body) = &call.body {
            request = request.header(CONTENT_TYPE, "application/json").body(body.clone());
        }
        if let Some(position) = call.if_match {
            request = request.header(IF_MATCH, format!("\"{position}\""));
        }
        if let Some(identity) = identity {
            request = request.header("idempotency-key", identity);
        }
        request
    }

    fn unanswered(&self, error: &reqwest::Error, effect: Effect) -> ClientError {
        let address = self.server().to_owned();
        if error.is_builder() {
            return ClientError::Usage(format!("{address:?} is not a server address. Write it like http://127.0.0.1:8016."));
        }
        let why = root(error);
        if error.is_connect() {
            let advice = if speaks_no_tls(error) {
                format!(
                    "It does not speak TLS. Use http:// instead of https://, if you trust the network: {}",
                    address.replacen("https://", "http://", 1)
                )
            } else if self.proxy().is_some() {
                "The proxy is from the environment (HTTP_PROXY, HTTPS_PROXY, ALL_PROXY); list the server's host in NO_PROXY to reach it directly.".to_owned()
            } else {
                self.target.advice()
            };
            return ClientError::Unreachable {
                address: self.address(),
                why,
                advice,
            };
        }
        ClientError::Silent {
            address: self.address(),
            why,
            effect,
        }
    }

    fn refusal(&self, status: StatusCode, text: String) -> ClientError {
        match serde_json::from_str::<Problem>(&text) {
            Ok(problem) => ClientError::Problem(Box::new(RefusedCall {
                problem,
                text,
                caller: self.target.caller(),
            })),
            Err(error) => self.foreign(status, &error),
        }
    }

    fn foreign(&self, status: StatusCode, error: &serde_json::Error) -> ClientError {
        ClientError::Foreign {
            address: self.server().to_owned(),
            status,
            why: error.to_string(),
        }
    }
}

fn certificates(path: &std::path::Path) -> Result<Vec<reqwest::Certificate>, ClientError> {
    let refuse = |why: String| ClientError::Usage(format!("{} contains no usable certificate: {why}", path.display()));
    let pem = std::fs::read(path).map_err(|error| refuse(error.to_string()))?;
    reqwest::Certificate::from_pem_bundle(&pem).map_err(|error| refuse(root(&error)))
}

/// Whether a connection failed because the other side answered a TLS greeting with something else. Errors of the transport wrap each other.
fn speaks_no_tls(error: &(dyn Error + 'static)) -> bool {
    if matches!(error.downcast_ref(), Some(rustls::Error::InvalidMessage(_))) {
        return true;
    }
    // An I/O error's source is that of the error within it, which is therefore looked at itself.
    let within = error.downcast_ref::<std::io::Error>().and_then(std::io::Error::get_ref);
    let within = within.map(|inner| inner as &(dyn Error + 'static));
    within.into_iter().chain(error.source()).any(speaks_no_tls)
}

/// The innermost cause, which is the most specific one.
fn root(error: &dyn Error) -> String {
    let mut innermost = error;
    while let Some(source) = innermost.source() {
        innermost = source;
    }
    without_numbers(&innermost.to_string())
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

    use super::*;
    use crate::target::From;

    #[tokio::test]
    async fn a_server_without_tls_is_told_from_one_that_is_away() {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let plain = tokio::spawn(async move {
            let (mut connection, _) = listener.accept().await.unwrap();
            let mut greeting = [0; 64];
            let _ = connection.read(&mut greeting).await;
            connection.write_all(b"HTTP/1.1 400 Bad Request\r\ncontent-length: 0\r\n\r\n").await.unwrap();
        });
        let client = Client::new(Target {
            server: format!("https://127.0.0.1:{port}"),
            alternatives: Vec::new(),
            server_from: From::CommandLine,
            key: None,
            key_from: From::Default,
            actor: None,
            ca_cert: None,
            rivals: Vec::new(),
        })
        .unwrap();
        let error = client.http.get(client.server()).send().await.unwrap_err();
        assert!(error.is_connect() && speaks_no_tls(&error), "{error:?}");
        plain.await.unwrap();
        let error = client.http.get(client.server()).send().await.unwrap_err();
        assert!(error.is_connect() && !speaks_no_tls(&error), "{error:?}");
    }
}
