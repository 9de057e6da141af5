//! `/v1/stream` as server-sent events.

use std::collections::VecDeque;

use anyhow::{Context, bail, ensure};
use reqwest::{Method, Response};

use super::{Frame, Next, Reader};
use crate::api::Api;

/// An event stream.
#[derive(Debug)]
pub struct Sse {
    response: Option<Response>,
    buffer: Vec<u8>,
    ready: VecDeque<Frame>,
}

impl Sse {
    /// Connects as an instance that can acknowledge by `POST /v1/stream/ack`.
    pub async fn connect(api: &Api, instance: &str, instance_id: &str) -> anyhow::Result<Self> {
        Self::with(api, &format!("sdk=raw-sse/1.0&instance={instance}&instance_id={instance_id}"), None).await
    }

    /// Connects with this query, and the id of the last event where there is one.
    pub async fn with(api: &Api, query: &str, last: Option<&str>) -> anyhow::Result<Self> {
        let response = Self::open(api, query, last).await?;
        let status = response.status();
        let kind = response
            .headers()
            .get("content-type")
            .and_then(|kind| kind.to_str().ok())
            .unwrap_or_default()
            .to_owned();
        if !status.is_success() {
            bail!("the event stream was refused with {status}: {}", response.text().await?);
        }
        ensure!(kind.starts_with("text/event-stream"), "an event stream came as {kind:?}");
        Ok(Self {
            response: Some(response),
            buffer: Vec::new(),
            ready: VecDeque::new(),
        })
    }

    /// The raw response.
    pub async fn open(api: &Api, query: &str, last: Option<&str>) -> anyhow::Result<Response> {
        let mut request = api.request(Method::GET, &format!("/v1/stream?{query}")).header("accept", "text/event-stream");
        if let Some(last) = last {
            request = request.header("last-event-id", last);
        }
        Ok(request.timeout(std::time::Duration::from_mins(2)).send().await?)
    }

    /// Takes whole events out of the buffer.
    fn cut(&mut self) -> anyhow::Result<()> {
        while let Some(end) = self.buffer.windows(2).position(|pair| pair == b"\n\n") {
            let event: Vec<u8> = self.buffer.drain(..end + 2).collect();
            let event = String::from_utf8(event).context("events are UTF-8")?;
            self.ready.extend(parse(&event)?);
        }
        Ok(())
    }
}

/// One event; `None` where it carries no data (comments, `retry:`).
fn parse(event: &str) -> anyhow::Result<Option<Frame>> {
    let (mut name, mut id, mut data) = (None, None, Vec::new());
    for line in event.lines() {
        let Some((field, value)) = line.split_once(':') else { continue };
        let value = value.strip_prefix(' ').unwrap_or(value);
        match field {
            "event" => name = Some(value.to_owned()),
            "id" => id = Some(value.to_owned()),
            "data" => data.push(value),
            _ => {}
        }
    }
    if data.is_empty() {
        return Ok(None);
    }
    let frame = Frame::parse(&data.join("\n"), id)?;
    ensure!(name.as_ref() == Some(&frame.kind), "event {name:?} carries a frame of type {}", frame.kind);
    Ok(Some(frame))
}

impl Reader for Sse {
    async fn next(&mut self) -> anyhow::Result<Next> {
        loop {
            if let Some(frame) = self.ready.pop_front() {
                return Ok(Next::Frame(frame));
            }
            let Some(response) = &mut self.response else { return Ok(Next::End) };
            match response.chunk().await? {
                Some(chunk) => self.buffer.extend(chunk),
                None => self.response = None,
            }
            self.cut()?;
        }
    }
}
