//! A call to a server, before it is made.

use std::time::Duration;

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use reqwest::Method;
use ripcord_proto::Position;

use super::answer::ClientError;
use super::patience::{self, Repeats};

/// The characters that need no escape in a path.
pub(super) const PATH: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// A call to make.
#[derive(Debug)]
pub(crate) struct Call {
    pub(super) method: Method,
    pub(super) path: String,
    pub(super) query: Vec<(&'static str, String)>,
    pub(super) body: Option<Vec<u8>>,
    pub(super) if_match: Option<Position>,
    pub(super) identity: Option<String>,
    /// How long the server was asked to wait.
    pub(super) expected: Duration,
    pub(super) patience: Duration,
    pub(super) repeats: Repeats,
    /// Whether it changes nothing.
    pub(super) reads: bool,
}

impl Call {
    fn new<'a>(method: Method, path: impl IntoIterator<Item = &'a str>) -> Self {
        let path = path
            .into_iter()
            .flat_map(|part| std::iter::once("/").chain(utf8_percent_encode(part, PATH)))
            .collect();
        let reads = method == Method::GET;
        let (patience, repeats) = if reads {
            (patience::READ, Repeats::Once)
        } else {
            (patience::LONG, Repeats::Twice)
        };
        Self {
            method,
            path,
            query: Vec::new(),
            body: None,
            if_match: None,
            identity: None,
            expected: Duration::ZERO,
            patience,
            repeats,
            reads,
        }
    }

    /// `GET`: reads a resource.
    pub(crate) fn get<'a>(path: impl IntoIterator<Item = &'a str>) -> Self {
        Self::new(Method::GET, path)
    }

    /// `POST`: creates a resource, or acts on one.
    pub(crate) fn post<'a>(path: impl IntoIterator<Item = &'a str>) -> Self {
        Self::new(Method::POST, path)
    }

    /// `POST`, of a question that needs a body: it changes nothing.
    pub(crate) fn ask<'a>(path: impl IntoIterator<Item = &'a str>) -> Self {
        Self {
            reads: true,
            ..Self::post(path)
        }
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
        (self.expected, self.patience, self.repeats) = (wait, wait + patience::URGENT, Repeats::Once);
        self
    }

    /// The server has much to do before it can answer.
    pub(crate) const fn slow(mut self) -> Self {
        self.patience = patience::LONG;
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
