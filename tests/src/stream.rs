//! Readers of `/v1/stream` that know nothing but the protocol (DESIGN 6).

use std::time::Duration;

use anyhow::{Context, bail, ensure};
use serde_json::Value;

mod sse;
mod websocket;

pub use sse::Sse;
pub use websocket::{Refused, WebSocket, hello, hello_having};

/// A frame from the server.
#[derive(Debug, Clone)]
pub struct Frame {
    /// Its name.
    pub kind: String,
    /// Over SSE: the event's id.
    pub id: Option<String>,
    /// The frame as one JSON object.
    pub data: Value,
}

impl Frame {
    /// Reads a frame's JSON; its `type` is its name.
    pub fn parse(text: &str, id: Option<String>) -> anyhow::Result<Self> {
        let data: Value = serde_json::from_str(text).with_context(|| format!("not JSON: {text}"))?;
        let kind = data["type"].as_str().with_context(|| format!("a frame without type: {text}"))?.to_owned();
        Ok(Self { kind, id, data })
    }
}

/// How a stream went on.
#[derive(Debug, Clone)]
pub enum Next {
    /// With a frame.
    Frame(Frame),
    /// It ended.
    End,
}

/// What both transports can.
#[allow(async_fn_in_trait, reason = "used by tests only, which name the concrete reader")]
pub trait Reader {
    /// The next frame, or the end.
    async fn next(&mut self) -> anyhow::Result<Next>;

    /// The next frame; an end, or silence for `within`, is an error.
    async fn frame(&mut self, within: Duration) -> anyhow::Result<Frame> {
        match tokio::time::timeout(within, self.next()).await {
            Ok(Ok(Next::Frame(frame))) => Ok(frame),
            Ok(Ok(Next::End)) => bail!("the stream ended"),
            Ok(Err(error)) => Err(error),
            Err(_) => bail!("no frame within {within:?}"),
        }
    }

    /// The next frame of this kind; heartbeats in between are skipped, other frames are an error.
    async fn expect(&mut self, kind: &str, within: Duration) -> anyhow::Result<Frame> {
        loop {
            let frame = self.frame(within).await?;
            if frame.kind == kind {
                return Ok(frame);
            }
            ensure!(frame.kind == "heartbeat", "expected a {kind}, got {:?}", frame.data);
        }
    }

    /// Reads on until the stream ends; a goodbye on the way is returned.
    async fn until_end(&mut self, within: Duration) -> anyhow::Result<Option<Frame>> {
        let reading = async {
            let mut goodbye = None;
            loop {
                match self.next().await {
                    Ok(Next::Frame(frame)) if frame.kind == "goodbye" => goodbye = Some(frame),
                    Ok(Next::Frame(_)) => {}
                    // A connection that is reset has ended as well.
                    Ok(Next::End) | Err(_) => return goodbye,
                }
            }
        };
        tokio::time::timeout(within, reading).await.context("the stream did not end")
    }
}
