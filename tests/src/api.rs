//! A caller of the REST API, written as a program outside would write it: JSON over HTTP, nothing of the product's own types.

use std::sync::Once;
use std::time::Duration;

use anyhow::{Context, ensure};
use reqwest::{Method, header::HeaderMap};
use serde_json::{Value, json};

use crate::waiting::{SOON, eventually};

/// A key on a server, for one environment.
#[derive(Debug, Clone)]
pub struct Api {
    http: reqwest::Client,
    url: String,
    key: Option<String>,
    environment: String,
}

/// An answer, whatever its status.
#[derive(Debug, Clone)]
pub struct Answer {
    /// HTTP status.
    pub status: u16,
    /// Its headers.
    pub headers: HeaderMap,
    /// Its body as JSON; `Null` if there is none, a string if it is not JSON.
    pub body: Value,
}

impl Answer {
    /// The body of an answer that means success.
    pub fn ok(self) -> anyhow::Result<Value> {
        ensure!((200..300).contains(&self.status), "answered {}: {}", self.status, self.body);
        Ok(self.body)
    }

    /// The problem document, which must have this status and code, a request id and a detail.
    pub fn problem(self, status: u16, code: &str) -> anyhow::Result<Value> {
        ensure!(
            self.status == status && self.body["code"] == code,
            "expected {status} {code}, got {}: {}",
            self.status,
            self.body
        );
        let kind = self.header("content-type").unwrap_or_default().to_owned();
        ensure!(kind.starts_with("application/problem+json"), "a problem came as {kind:?}");
        ensure!(
            self.body["detail"].as_str().is_some_and(|detail| !detail.is_empty()),
            "no detail: {}",
            self.body
        );
        ensure!(self.body["status"] == status, "the document's status differs: {}", self.body);
        Ok(self.body)
    }

    /// A header as text.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }

    /// The revision in the body.
    pub fn revision(&self) -> anyhow::Result<u64> {
        self.body["revision"]
            .as_u64()
            .with_context(|| format!("no revision in {} {}", self.status, self.body))
    }
}

/// An HTTP client that speaks rustls with ring, like everything here.
pub fn http() -> reqwest::Client {
    static PROVIDER: Once = Once::new();
    PROVIDER.call_once(|| {
        let _ = rustls::crypto::ring::default_provider().install_default();
    });
    reqwest::Client::builder()
        .timeout(Duration::from_mins(1))
        // Certificates are made by the tests themselves; who checks them is an SDK's or a command's business.
        .tls_danger_accept_invalid_certs(true)
        .build()
        .expect("a client with plain settings can be built")
}

impl Api {
    /// A caller with `key`.
    pub fn new(url: &str, key: &str, environment: &str) -> Self {
        Self {
            http: http(),
            url: url.to_owned(),
            key: Some(key.to_owned()),
            environment: environment.to_owned(),
        }
    }

    /// The same caller in another environment.
    #[must_use]
    pub fn environment(&self, environment: &str) -> Self {
        Self {
            environment: environment.to_owned(),
            ..self.clone()
        }
    }

    /// The same caller with another key; `None` = without one.
    #[must_use]
    pub fn with_key(&self, key: Option<&str>) -> Self {
        Self {
            key: key.map(str::to_owned),
            ..self.clone()
        }
    }

    /// The same caller at another node.
    #[must_use]
    pub fn at(&self, url: &str) -> Self {
        Self {
            url: url.to_owned(),
            ..self.clone()
        }
    }

    /// The same caller over connections of its own. A connection is driven by the runtime that opened it: who measures, or floods, shares none.
    #[must_use]
    pub fn alone(&self) -> Self {
        Self { http: http(), ..self.clone() }
    }

    /// The key.
    pub fn key(&self) -> &str {
        self.key.as_deref().unwrap_or_default()
    }

    /// The server's address.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// A caller with a new key of `role` in this environment (admins are everywhere).
    pub async fn role(&self, role: &str) -> anyhow::Result<Self> {
        Ok(self.role_with_id(role).await?.0)
    }

    /// The same, with the id by which the key can be revoked.
    pub async fn role_with_id(&self, role: &str) -> anyhow::Result<(Self, String)> {
        let mut body = json!({"role": role, "name": format!("test {role}")});
        if role != "admin" {
            body["environment"] = json!(self.environment);
        }
        let made = self.send(Method::POST, "/v1/keys", Some(&body), &[]).await?.ok()?;
        let secret = made["key"].as_str().context("no key in the answer")?;
        let id = made["id"].as_str().context("no id in the answer")?.to_owned();
        ensure!(secret.starts_with(&format!("rc_{role}_")), "a {role} key looks like {secret}");
        Ok((self.with_key(Some(secret)), id))
    }

    /// One request to `path` from the root, with an optional JSON body and headers.
    pub async fn send(&self, method: Method, path: &str, body: Option<&Value>, headers: &[(&str, &str)]) -> anyhow::Result<Answer> {
        let mut request = self.request(method, path);
        if let Some(body) = body {
            request = request.json(body);
        }
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        read(request).await
    }

    /// A request that the caller completes.
    pub fn request(&self, method: Method, path: &str) -> reqwest::RequestBuilder {
        let request = self.http.request(method, format!("{}{path}", self.url));
        match &self.key {
            Some(key) => request.bearer_auth(key),
            None => request,
        }
    }

    /// `/v1/environments/{env}/PATH`.
    pub fn path(&self, path: &str) -> String {
        format!("/v1/environments/{}/{path}", self.environment)
    }

    /// `GET` from the root.
    pub async fn get_root(&self, path: &str) -> anyhow::Result<Answer> {
        self.send(Method::GET, path, None, &[]).await
    }

    /// `GET` below the environment.
    pub async fn get(&self, path: &str) -> anyhow::Result<Answer> {
        self.get_root(&self.path(path)).await
    }

    /// `POST` below the environment.
    pub async fn post(&self, path: &str, body: &Value) -> anyhow::Result<Answer> {
        self.send(Method::POST, &self.path(path), Some(body), &[]).await
    }

    /// `PUT` below the environment.
    pub async fn put(&self, path: &str, body: &Value) -> anyhow::Result<Answer> {
        self.send(Method::PUT, &self.path(path), Some(body), &[]).await
    }

    /// `DELETE` below the environment.
    pub async fn delete(&self, path: &str) -> anyhow::Result<Answer> {
        self.send(Method::DELETE, &self.path(path), None, &[]).await
    }

    /// Creates or replaces a flag.
    pub async fn put_flag(&self, key: &str, flag: &Value) -> anyhow::Result<Answer> {
        self.put(&format!("flags/{key}?reason=a+test"), flag).await
    }

    /// A flag as `GET flags/{key}` shows it.
    pub async fn flag(&self, key: &str) -> anyhow::Result<Value> {
        self.get(&format!("flags/{key}")).await?.ok()
    }

    /// One atomic commit of many changes.
    pub async fn commit(&self, changes: &[Value]) -> anyhow::Result<Answer> {
        self.post("commits", &json!({"reason": "a test", "changes": changes})).await
    }

    /// Kills a scope.
    pub async fn kill(&self, scope: &Value) -> anyhow::Result<Answer> {
        self.post("kills", &json!({"scope": scope, "reason": "a test"})).await
    }

    /// Kills a flag; the kill's id.
    pub async fn kill_flag(&self, key: &str) -> anyhow::Result<String> {
        let body = self.kill(&json!({"flag": key})).await?.ok()?;
        id_of(&body)
    }

    /// Restores a kill.
    pub async fn restore(&self, id: &str) -> anyhow::Result<Answer> {
        self.delete(&format!("kills/{id}?reason=fixed")).await
    }

    /// The ids of the kills in force.
    pub async fn kills(&self) -> anyhow::Result<Vec<String>> {
        let body = self.get("kills").await?.ok()?;
        items(&body)?.iter().map(id_of).collect()
    }

    /// Waits until so many applications are connected.
    pub async fn connected(&self, count: usize) -> anyhow::Result<()> {
        eventually(SOON, "the applications are connected", || async {
            let connections = self.get("connections").await?.ok()?;
            let there = connections["items"].as_array().map_or(0, Vec::len);
            ensure!(there == count, "{there} of {count}: {connections}");
            Ok(())
        })
        .await
    }

    /// What the server's own evaluation answers for a user.
    pub async fn explain(&self, flag: &str, user: &str) -> anyhow::Result<Value> {
        let body = json!({"flag": flag, "context": {"targetingKey": user}});
        self.post("explain", &body).await?.ok()
    }

    /// The value that the server's own evaluation gives `user`.
    pub async fn value(&self, flag: &str) -> anyhow::Result<Value> {
        Ok(self.explain(flag, "user-1").await?["value"].clone())
    }

    /// The whole snapshot.
    pub async fn snapshot(&self) -> anyhow::Result<Value> {
        self.get_root(&format!("/v1/snapshot?environment={}", self.environment)).await?.ok()
    }

    /// The revision that the server serves.
    pub async fn revision(&self) -> anyhow::Result<u64> {
        self.snapshot().await?["revision"].as_u64().context("a snapshot without revision")
    }

    /// Every commit that made a revision, newest first.
    pub async fn log(&self) -> anyhow::Result<Vec<Value>> {
        self.pages("revisions?limit=1000").await
    }

    /// All items of a list, page after page.
    pub async fn pages(&self, path: &str) -> anyhow::Result<Vec<Value>> {
        let mut all = Vec::new();
        let mut next: Option<String> = None;
        for _ in 0..1_000 {
            let separator = if path.contains('?') { '&' } else { '?' };
            let page = match &next {
                Some(next) => self.get(&format!("{path}{separator}after={next}")).await?,
                None => self.get(path).await?,
            }
            .ok()?;
            all.extend(items(&page)?.iter().cloned());
            next = match &page["next"] {
                Value::Null => return Ok(all),
                Value::String(next) => Some(next.clone()),
                other => Some(other.to_string()),
            };
        }
        anyhow::bail!("{path} has no last page")
    }
}

/// The `items` of a list.
pub fn items(body: &Value) -> anyhow::Result<&Vec<Value>> {
    body["items"].as_array().with_context(|| format!("no list: {body}"))
}

/// The `id` of a thing.
pub fn id_of(body: &Value) -> anyhow::Result<String> {
    Ok(body["id"].as_str().with_context(|| format!("no id in {body}"))?.to_owned())
}

/// Sends and reads whatever comes.
pub async fn read(request: reqwest::RequestBuilder) -> anyhow::Result<Answer> {
    let response = request.send().await?;
    let status = response.status().as_u16();
    let headers = response.headers().clone();
    let bytes = response.bytes().await?;
    let body = if bytes.is_empty() {
        Value::Null
    } else {
        serde_json::from_slice(&bytes).unwrap_or_else(|_| Value::String(String::from_utf8_lossy(&bytes).into_owned()))
    };
    Ok(Answer { status, headers, body })
}
