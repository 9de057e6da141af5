//! Problem documents for those who get no stream, over HTTP and before a WebSocket exists.

use actix_web::HttpResponse;
use actix_web::http::StatusCode;
use actix_web::http::header::{CONTENT_TYPE, RETRY_AFTER};
use ripcord_proto::problem::{Code, Problem};

const PROBLEM: &str = "application/problem+json";

/// Why somebody gets no stream, and when to come back.
#[derive(Debug)]
pub(super) struct Refusal {
    pub(super) problem: Box<Problem>,
    pub(super) retry_after_s: Option<u32>,
}

impl From<Box<Problem>> for Refusal {
    fn from(problem: Box<Problem>) -> Self {
        Self { problem, retry_after_s: None }
    }
}

impl Refusal {
    /// Not now; come back after so many seconds.
    pub(super) fn later(detail: &str, retry_after_s: u32) -> Self {
        Self {
            problem: Box::new(Problem::new(Code::NotReady, detail)),
            retry_after_s: Some(retry_after_s),
        }
    }

    /// Something else is wrong.
    pub(super) fn new(code: Code, detail: impl Into<String>) -> Self {
        Box::new(Problem::new(code, detail)).into()
    }

    /// As an answer of the web framework.
    pub(super) fn response(&self) -> HttpResponse {
        let status = StatusCode::from_u16(self.problem.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let mut response = HttpResponse::build(status);
        response.insert_header((CONTENT_TYPE, PROBLEM));
        if let Some(seconds) = self.retry_after_s {
            response.insert_header((RETRY_AFTER, seconds.to_string()));
        }
        response.body(self.body())
    }

    /// As the bytes of an HTTP/1.1 response, for a socket that was taken from the framework.
    pub(super) fn http1(&self) -> Vec<u8> {
        let status = StatusCode::from_u16(self.problem.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let retry_after = self.retry_after_s.map(|seconds| format!("retry-after: {seconds}\r\n")).unwrap_or_default();
        let body = self.body();
        format!(
            "HTTP/1.1 {} {}\r\ncontent-type: {PROBLEM}\r\ncontent-length: {}\r\n{retry_after}connection: close\r\n\r\n{body}",
            status.as_u16(),
            status.canonical_reason().unwrap_or_default(),
            body.len(),
        )
        .into_bytes()
    }

    fn body(&self) -> String {
        serde_json::to_string(&self.problem).unwrap_or_default()
    }
}
