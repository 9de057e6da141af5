//! The socket of a WebSocket.

use bytes::Bytes;
use ripcord_proto::Position;

use super::client_socket::ClientSocket;
use super::codec::{self, Decoder};

/// A WebSocket's socket and what is being read from and written to it.
pub(super) struct Socket {
    pub(super) transport: ClientSocket,
    /// The rest of the frame that is being written, and the position that it leads to.
    pub(super) writing: Option<(Bytes, Option<Position>)>,
    /// Control frames that go before the next frame.
    control: Vec<u8>,
    pub(super) decoder: Decoder,
    pub(super) close_code: u16,
}

/// Close code of an orderly end (RFC 6455, 7.4.1).
const NORMAL: u16 = 1000;
/// Most bytes of queued control frames: pings of a client that does not read go unanswered.
const CONTROL_BYTES: usize = 512;

impl Socket {
    pub(super) fn new(transport: ClientSocket) -> Self {
        Self {
            transport,
            writing: None,
            control: Vec::new(),
            decoder: Decoder::default(),
            close_code: NORMAL,
        }
    }

    /// Pings the client.
    pub(super) fn ping(&mut self) {
        self.put_control(&codec::PING_FRAME);
    }

    /// The goodbye is on its way; the close frame follows it.
    pub(super) fn close_after_goodbye(&mut self) {
        self.control = codec::close_frame(self.close_code).to_vec();
    }

    /// The queued control frames.
    pub(super) fn take_control(&mut self) -> Option<Bytes> {
        if self.control.is_empty() {
            None
        } else {
            Some(std::mem::take(&mut self.control).into())
        }
    }

    /// Queues a control frame.
    pub(super) fn put_control(&mut self, frame: &[u8]) {
        if self.control.len() + frame.len() <= CONTROL_BYTES {
            self.control.extend_from_slice(frame);
        }
    }
}
