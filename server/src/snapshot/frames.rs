//! Frames, encoded once and shared by all connections.
//!
//! A [`FrameSet`] is the current state of an environment with every frame that leads to it: the delta from the revision before, one
//! combined delta for each older revision that a reader still has, the snapshot, the overlay. Each is encoded when the first
//! reader needs it, on that reader's thread, and then shared; a commit without readers encodes nothing.

use std::collections::HashMap;
use std::sync::{Arc, OnceLock};
use std::time::Instant;

use bytes::{BufMut, Bytes, BytesMut};
use parking_lot::Mutex;
use ripcord_proto::frame::{self, FrameKind, Goodbye, Heartbeat, Overlay};
use ripcord_proto::{Position, Revision};

use super::history::{self, History};
use super::publication::Served;

/// One encoded frame. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Frame(Arc<Encoded>);

#[derive(Debug)]
struct Encoded {
    kind: FrameKind,
    /// The position of a reader that has received it; only for snapshots and deltas.
    leads_to: Option<Position>,
    /// The WebSocket's header, then the JSON.
    websocket: Bytes,
    header: usize,
    /// One chunk of a chunked body: its length, the event, a line break.
    sse: OnceLock<Bytes>,
}

/// What ends a chunk's length, and the chunk.
const LINE_BREAK: &[u8] = b"\r\n";

impl Frame {
    /// Wraps the JSON of a frame. `leads_to` is the position of a reader that has received it, for snapshots and deltas.
    pub fn new(kind: FrameKind, leads_to: Option<Position>, json: &str) -> Self {
        let mut bytes = BytesMut::with_capacity(json.len() + 10);
        put_text_header(&mut bytes, json.len());
        let header = bytes.len();
        bytes.put_slice(json.as_bytes());
        Self(Arc::new(Encoded {
            kind,
            leads_to,
            websocket: bytes.freeze(),
            header,
            sse: OnceLock::new(),
        }))
    }

    pub fn heartbeat(heartbeat: &Heartbeat) -> Option<Self> {
        let json = encoded(FrameKind::Heartbeat, frame::encode_heartbeat(heartbeat))?;
        Some(Self::new(FrameKind::Heartbeat, None, &json))
    }

    pub fn goodbye(goodbye: &Goodbye) -> Self {
        let json = encoded(FrameKind::Goodbye, frame::encode_goodbye(goodbye));
        let json = json.as_deref().unwrap_or(r#"{"type":"goodbye","why":"the stream ends"}"#);
        Self::new(FrameKind::Goodbye, None, json)
    }

    pub fn kind(&self) -> FrameKind {
        self.0.kind
    }

    /// The position of a reader that has received it; `None` for frames that do not move readers.
    pub fn leads_to(&self) -> Option<Position> {
        self.0.leads_to
    }

    /// As one unmasked text frame of a WebSocket, header and all.
    pub fn websocket(&self) -> &Bytes {
        &self.0.websocket
    }

    /// The bare JSON; shares the bytes.
    pub fn json(&self) -> Bytes {
        self.0.websocket.slice(self.0.header..)
    }

    /// As an event of an event stream; shares the bytes of [`Self::sse_chunk`].
    pub fn sse(&self) -> Bytes {
        let chunk = self.sse_chunk();
        let length = chunk.windows(LINE_BREAK.len()).position(|bytes| bytes == LINE_BREAK).unwrap_or_default();
        chunk.slice(length + LINE_BREAK.len()..chunk.len() - LINE_BREAK.len())
    }

    /// As an event that is one chunk of a chunked body (RFC 9112, 7.1).
    pub fn sse_chunk(&self) -> &Bytes {
        self.0.sse.get_or_init(|| {
            let event = self.event();
            let length = format!("{:X}", event.len());
            let parts = [length.as_bytes(), LINE_BREAK, &event, LINE_BREAK];
            Bytes::from(parts.concat())
        })
    }

    fn event(&self) -> BytesMut {
        let json = self.json();
        let mut bytes = BytesMut::with_capacity(json.len() + 64);
        bytes.put_slice(b"event: ");
        bytes.put_slice(self.0.kind.as_str().as_bytes());
        if let Some(position) = self.0.leads_to {
            bytes.put_slice(format!("\nid: {position}").as_bytes());
        }
        // A line break can only be white space between tokens here, since JSON escapes it in strings.
        for line in json.split(|byte| *byte == b'\n') {
            bytes.put_slice(b"\ndata: ");
            bytes.put_slice(line);
        }
        bytes.put_slice(b"\n\n");
        bytes
    }
}

/// The header of a final, unmasked text frame (RFC 6455, 5.2).
fn put_text_header(bytes: &mut BytesMut, length: usize) {
    const FINAL_TEXT: u8 = 0x81;
    bytes.put_u8(FINAL_TEXT);
    if let Ok(short) = u8::try_from(length)
        && short < 126
    {
        bytes.put_u8(short);
    } else if let Ok(middle) = u16::try_from(length) {
        bytes.put_u8(126);
        bytes.put_u16(middle);
    } else {
        bytes.put_u8(127);
        bytes.put_u64(length as u64);
    }
}

/// Encoding data in memory does not fail. If it did, the reader would be disconnected instead of missing the change.
fn encoded(kind: FrameKind, json: Result<String, serde_json::Error>) -> Option<String> {
    json.inspect_err(|error| tracing::error!(frame = kind.as_str(), %error, "a frame cannot be encoded"))
        .ok()
}

/// The answer to a poll: the snapshot frame's JSON and its entity tag.
#[derive(Debug, Clone)]
pub struct SnapshotDocument {
    pub body: Bytes,
    /// The entity tag with its quotes.
    pub etag: Bytes,
}

/// The current state of an environment, and the frames that lead to it.
#[derive(Debug)]
pub struct FrameSet {
    pub served: Arc<Served>,
    /// When it was swapped in.
    pub at: Instant,
    /// Grows by one with every change of the overlay.
    pub overlay_number: u64,
    history: Arc<Mutex<History>>,
    /// Where the newest delta starts, which is the revision that nearly every reader has.
    previous: Option<Revision>,
    newest: CachedFrame,
    by_origin: Mutex<HashMap<Revision, Arc<CachedFrame>>>,
    snapshot: CachedFrame,
    overlay: CachedFrame,
    document: OnceLock<Option<SnapshotDocument>>,
}

type CachedFrame = OnceLock<Option<Frame>>;

impl FrameSet {
    /// The state after a swap. `previous` is the revision that the newest delta of `history` starts from.
    pub fn new(served: Arc<Served>, at: Instant, overlay_number: u64, history: Arc<Mutex<History>>, previous: Option<Revision>) -> Self {
        Self {
            served,
            at,
            overlay_number,
            history,
            previous,
            newest: OnceLock::new(),
            by_origin: Mutex::default(),
            snapshot: OnceLock::new(),
            overlay: OnceLock::new(),
            document: OnceLock::new(),
        }
    }

    pub fn position(&self) -> Position {
        self.served.snapshot.position
    }

    /// The revision that the newest delta starts from.
    pub fn previous(&self) -> Option<Revision> {
        self.previous
    }

    /// The frame that brings a reader from `from` here: one delta, or the snapshot if that is smaller, if the history does not
    /// reach back that far, or if the epoch differs. `None` only if it cannot be encoded.
    pub fn frame_from(&self, from: Option<Position>) -> Option<Frame> {
        match from {
            Some(from) if from.epoch == self.position().epoch => self.frame_within(from.revision),
            _ => self.snapshot(),
        }
    }

    fn frame_within(&self, from: Revision) -> Option<Frame> {
        if self.previous == Some(from) {
            return self.newest.get_or_init(|| self.encode_from(from)).clone();
        }
        let frame = Arc::clone(self.by_origin.lock().entry(from).or_default());
        frame.get_or_init(|| self.encode_from(from)).clone()
    }

    fn encode_from(&self, from: Revision) -> Option<Frame> {
        let to = self.position();
        let deltas = self.history.lock().between(from, to);
        let delta =
            history::combined(&deltas).filter(|delta| delta.to == to && history::weight(delta) < history::snapshot_weight(&self.served.snapshot).max(SMALL));
        match delta {
            Some(delta) => {
                let json = encoded(FrameKind::Delta, frame::encode_delta(&delta))?;
                Some(Frame::new(FrameKind::Delta, Some(to), &json))
            }
            None => self.snapshot(),
        }
    }

    /// The whole state, including the overlay.
    pub fn snapshot(&self) -> Option<Frame> {
        let encode = || {
            let Served { snapshot, hash, overlay, .. } = &*self.served;
            let json = encoded(FrameKind::Snapshot, frame::encode_snapshot(snapshot, hash, overlay))?;
            Some(Frame::new(FrameKind::Snapshot, Some(self.position()), &json))
        };
        self.snapshot.get_or_init(encode).clone()
    }

    /// The whole state for a reader at `position`, which no node knows.
    pub fn superseding(&self, position: Position) -> Option<Frame> {
        let Served { snapshot, hash, overlay, .. } = &*self.served;
        let json = encoded(FrameKind::Snapshot, frame::encode_superseding(snapshot, hash, overlay, position))?;
        Some(Frame::new(FrameKind::Snapshot, Some(self.position()), &json))
    }

    /// The current overlay, even if it is empty.
    pub fn overlay(&self) -> Option<Frame> {
        let encode = || {
            let json = encoded(FrameKind::Overlay, frame::encode_overlay(&self.served.overlay))?;
            Some(Frame::new(FrameKind::Overlay, None, &json))
        };
        self.overlay.get_or_init(encode).clone()
    }

    /// Whether a new reader needs the overlay.
    pub fn has_overlay(&self) -> bool {
        let Overlay { kills, ended } = &*self.served.overlay;
        !(kills.is_empty() && ended.is_empty())
    }

    /// The snapshot for clients that poll, with an entity tag that changes with the revision and the overlay.
    pub fn document(&self) -> Option<&SnapshotDocument> {
        let make = || {
            let body = self.snapshot()?.json();
            let tag = frame::snapshot_tag(self.position(), &self.served.hash, &self.served.overlay).ok()?;
            Some(SnapshotDocument { body, etag: Bytes::from(tag) })
        };
        self.document.get_or_init(make).as_ref()
    }
}

/// A delta of less than this many bytes is sent even if the snapshot would be smaller: it keeps the reader's entries, and says what
/// changed.
const SMALL: usize = 4 * 1024;

#[cfg(test)]
mod tests;
