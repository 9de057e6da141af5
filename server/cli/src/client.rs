//! The HTTP client of all commands: each call returns one answer, as a type and as the received text.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use reqwest::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE, HeaderMap, HeaderValue, IF_MATCH};
use reqwest::{Method, StatusCode};
use ripcord_proto::Position;
use ripcord_proto::problem::Problem;
use ripcord_proto::proposal::Proposal;
use ripcord_proto::rest::list::Page;
use serde::de::DeserializeOwned;
use serde_json::value::RawValue;

use super::answer::{Answer, ClientError, DifferenceShown, Effect, Proposed, RefusedCall};
use super::target::Target;

/// How long an answer may take, unless a call sets another limit.
const PATIENCE: Duration = Duration::from_secs(90);
/// How long an urgent answer may take beyond what the server was asked to wait.
const URGENT: Duration = Duration::from_secs(5);
/// How long a connection may take.
const CONNECT: Duration = Duration::from_secs(5);
/// How often a call without an answer is repeated, under the same `Idempotency-Key`.
const REPEATS: u32 = 2;
/// The characters that need no escape in a path.
const PATH: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// The answer to a write that waits.
#[derive(serde::Deserialize)]
struct ProposalAnswer {
    proposal: Proposal,
}

/// A call to make.
#[derive(Debug)]
pub(crate) struct Call {
    method: Method,
    path: String,
    query: Vec<(&'static str, String)>,
    body: Option<Vec<u8>>,
    if_match: Option<Position>,
    identity: Option<String>,
    patience: Duration,
}

impl Call {
    fn new<'a>(method: Method, path: impl IntoIterator<Item = &'a str>) -> Self {
        let path = path
            .into_iter()
            .flat_map(|part| std::iter::once("/").chain(utf8_percent_encode(part, PATH)))
            .collect();
        Self {
            method,
            path,
            query: Vec::new(),
            body: None,
            if_match: None,
            identity: None,
            patience: PATIENCE,
        }
    }

    /// `GET`: reads a resource.
    pub(crate) fn get<'a>(path: impl IntoIterator<Item = &'a str>) -> Self {
        Self::new(Method::GET, path)
    }

    /// `POST`: creates a resource, or sends a query with a body.
    pub(crate) fn post<'a>(path: impl IntoIterator<Item = &'a str>) -> Self {
        Self::new(Method::POST, path)
    }

    /// `PUT`: creates or replaces a resource.
    pub(crate) fn put<'a>(path: impl IntoIterator<Item = &'a str>) -> Self {
        Self::new(Method::PUT, path)
    }

    /// `PATCH`: changes parts of a resource.
    pub(crate) fn patch<'a>(path: impl IntoIterator<Item = &'a str>) -> Self {
        Self::new(Method::PATCH, path)
    }

    /// `DELETE`: deletes a resource.
    pub(crate) fn delete<'a>(path: impl IntoIterator<Item = &'a str>) -> Self {
        Self::new(Method::DELETE, path)
    }

    /// With this query parameter, if it has a value.
    pub(crate) fn query(mut self, name: &'static str, value: Option<impl ToString>) -> Self {
        self.query.extend(value.map(|value| (name, value.to_string())));
        self
    }

    /// With this body.
    pub(crate) fn json(mut self, body: &impl serde::Serialize) -> Result<Self, ClientError> {
        self.body = Some(serde_json::to_vec(body).map_err(|error| ClientError::Usage(error.to_string()))?);
        Ok(self)
    }

    /// Must be answered soon: `wait` is how long the server may wait for confirmations. If no answer arrives, the call is repeated.
    pub(crate) fn urgent(mut self, wait: Duration) -> Self {
        self.patience = wait + URGENT;
        self
    }

    /// With this `Idempotency-Key`, so that the call can be repeated later.
    pub(crate) fn identified(mut self, identity: &str) -> Self {
        self.identity = Some(identity.to_owned());
        self
    }

    /// Only if the resource has not changed since it was read.
    pub(crate) const fn if_match(mut self, position: Position) -> Self {
        self.if_match = Some(position);
        self
    }
}

/// Talks to one server; if it cannot be reached, to the next of its target.
#[derive(Debug, Clone)]
pub(crate) struct Client {
    http: reqwest::Client,
    target: Target,
    /// Which of the target's servers is called: 0 is the first, the others are its alternatives.
    current: Arc<AtomicUsize>,
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
        let http = builder
            .build()
            .map_err(|error| ClientError::Usage(format!("cannot set up a connection: {}", root(&error))))?;
        Ok(Self {
            http,
            target,
            current: Arc::default(),
        })
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
            match request.send().await.map_err(|error| self.unanswered(&error, Effect::Nothing)) {
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
        let effect = if call.method == Method::GET { Effect::Nothing } else { Effect::Unknown };
        let identity = (effect == Effect::Unknown).then(|| call.identity.clone().unwrap_or_else(|| format!("{:032x}", rand::random::<u128>())));
        let mut repeats = 0;
        loop {
            let request = self.request(&call, identity.as_deref()).timeout(call.patience);
            match self.answer(request, effect).await {
                Err(ClientError::Silent { .. }) if repeats < REPEATS => repeats += 1,
                Err(ClientError::Unreachable { .. }) if self.next_server() => {}
                answered => return answered,
            }
        }
    }

    async fn answer(&self, request: reqwest::RequestBuilder, effect: Effect) -> Result<(StatusCode, String), ClientError> {
        let response = request.send().await.map_err(|error| self.unanswered(&error, effect))?;
        let status = response.status();
        let text = response.text().await.map_err(|error| self.unanswered(&error, effect))?;
        Ok((status, text))
    }

    fn request(&self, call: &Call, identity: Option<&str>) -> reqwest::RequestBuilder {
        let mut url = format!("{}{}", self.server(), call.path);
        for (index, (name, value)) in call.query.iter().enumerate() {
            url.push(if index == 0 { '?' } else { '&' });
            url.push_str(name);
            url.push('=');
            url.extend(utf8_percent_encode(value, PATH));
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
            } else {
                self.target.advice()
            };
            return ClientError::Unreachable { address, why, advice };
        }
        ClientError::Silent { address, why, effect }
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

/// Whether a connection failed because the other side answered a TLS greeting with something else.
fn speaks_no_tls(error: &(dyn std::error::Error + 'static)) -> bool {
    let mut next = Some(error);
    while let Some(cause) = next {
        let within = cause.downcast_ref::<std::io::Error>().and_then(std::io::Error::get_ref);
        let tls = within.and_then(|error| error.downcast_ref()).or_else(|| cause.downcast_ref());
        if matches!(tls, Some(rustls::Error::InvalidMessage(_))) {
            return true;
        }
        next = cause.source();
    }
    false
}

/// The innermost cause, which is the most specific one.
fn root(error: &dyn std::error::Error) -> String {
    let mut innermost = error;
    while let Some(source) = innermost.source() {
        innermost = source;
    }
    innermost.to_string()
}
