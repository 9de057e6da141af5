//! The stream as server-sent events, from the server only. Acknowledgements are separate requests.

use std::collections::VecDeque;

use futures_util::StreamExt as _;
use futures_util::stream::BoxStream;
use ripcord_proto::frame::Hello;
use ripcord_proto::limits::SNAPSHOT_BYTES;
use tokio_tungstenite::tungstenite::Utf8Bytes;

use super::http::Server;
use crate::client::protocol::StreamError;

/// The largest event: a snapshot frame, and a margin.
const EVENT_BYTES: usize = SNAPSHOT_BYTES + 4 * 1024 * 1024;

/// An open event stream.
pub(crate) struct Events {
    chunks: BoxStream<'static, Result<Vec<u8>, String>>,
    parser: Parser,
}

impl Events {
    /// Opens the stream. The hello is part of the request.
    pub(super) async fn open(server: &Server, hello: &Hello) -> Result<Self, StreamError> {
        let response = server.events(hello).await?;
        let chunks = response
            .bytes_stream()
            .map(|chunk| chunk.map(|bytes| bytes.to_vec()).map_err(|error| error.to_string()));
        Ok(Self {
            chunks: chunks.boxed(),
            parser: Parser::default(),
        })
    }

    /// The text of the next frame; `None` for an event without one, which still shows that the server is alive. The future may be dropped
    /// while it waits.
    pub(super) async fn receive(&mut self) -> Result<Option<Utf8Bytes>, StreamError> {
        if let Some(text) = self.parser.next() {
            return Ok(Some(text.into()));
        }
        match self.chunks.next().await {
            Some(Ok(bytes)) => self
                .parser
                .feed(&bytes)
                .map(|()| self.parser.next().map(Utf8Bytes::from))
                .map_err(StreamError::Broken),
            Some(Err(why)) => Err(StreamError::Broken(why)),
            None => Err(StreamError::Broken("the server closed the stream".to_owned())),
        }
    }
}

/// Bytes in, the `data` of whole events out. The data itself says which event it is.
#[derive(Debug, Default)]
struct Parser {
    line: Vec<u8>,
    data: String,
    ready: VecDeque<String>,
}

impl Parser {
    fn next(&mut self) -> Option<String> {
        self.ready.pop_front()
    }

    fn feed(&mut self, bytes: &[u8]) -> Result<(), String> {
        for part in bytes.split_inclusive(|byte| *byte == b'\n') {
            if self.line.len() + self.data.len() + part.len() > EVENT_BYTES {
                return Err(format!("an event exceeds {EVENT_BYTES} bytes"));
            }
            self.line.extend_from_slice(part);
            if self.line.ends_with(b"\n") {
                let line = std::mem::take(&mut self.line);
                let text = std::str::from_utf8(&line).map_err(|_| "an event is not UTF-8".to_owned())?;
                self.line(text.trim_end_matches(['\r', '\n']));
            }
        }
        Ok(())
    }

    fn line(&mut self, line: &str) {
        if line.is_empty() {
            if !self.data.is_empty() {
                self.ready.push_back(std::mem::take(&mut self.data));
            }
            return;
        }
        if let Some(data) = line.strip_prefix("data:") {
            if !self.data.is_empty() {
                self.data.push('\n');
            }
            self.data.push_str(data.strip_prefix(' ').unwrap_or(data));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn events(chunks: &[&[u8]]) -> Vec<String> {
        let mut parser = Parser::default();
        for chunk in chunks {
            parser.feed(chunk).unwrap();
        }
        std::iter::from_fn(|| parser.next()).collect()
    }

    #[test]
    fn events_come_whole_however_the_bytes_are_cut() {
        let text = b": hello\n\nevent: delta\nid: 1:2\ndata: {\"a\":1}\n\nevent: heartbeat\r\ndata:{\"b\":\"\xc3\xa4\"}\r\n\r\n";
        let expected = vec!["{\"a\":1}".to_owned(), "{\"b\":\"\u{e4}\"}".to_owned()];
        for size in 1..text.len() {
            let chunks: Vec<&[u8]> = text.chunks(size).collect();
            assert_eq!(events(&chunks), expected, "in chunks of {size}");
        }
    }

    #[test]
    fn half_an_event_is_no_event() {
        assert_eq!(events(&[b"event: delta\ndata: {\"a\":1}\n"]), Vec::<String>::new());
    }

    #[test]
    fn an_event_without_data_is_only_a_sign_of_life() {
        assert_eq!(events(&[b"event: heartbeat\n\n:\n\n"]), Vec::<String>::new());
    }

    #[test]
    fn what_is_not_utf8_ends_the_stream() {
        assert!(Parser::default().feed(b"data: \xff\n").is_err());
    }
}
