//! The decoder for client frames of a WebSocket (RFC 6455): masked frames in, text out. Pure.

/// What a client sent.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Incoming {
    /// A whole text message.
    Text(String),
    /// A ping, to be answered with its own payload.
    Ping(Vec<u8>),
    /// An answer to a ping.
    Pong,
    /// The client closes.
    Close,
}

/// A protocol violation; each has its close code.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(super) enum Violation {
    /// RFC 6455 does not allow it.
    #[error("the client broke the WebSocket protocol")]
    Protocol,
    /// A binary message.
    #[error("messages must be text")]
    Binary,
    /// Not UTF-8.
    #[error("messages must be UTF-8")]
    Utf8,
    /// Larger than any legitimate message.
    #[error("the message is too large")]
    TooLarge,
}

impl Violation {
    /// The status code of the close frame.
    pub(super) const fn close_code(self) -> u16 {
        match self {
            Self::Protocol => 1002,
            Self::Binary => 1003,
            Self::Utf8 => 1007,
            Self::TooLarge => 1009,
        }
    }
}

/// Decodes frames; keeps incomplete ones until the rest arrives.
#[derive(Debug, Default)]
pub(super) struct Decoder {
    partial: Vec<u8>,
    /// The fragments of a message so far.
    message: Option<Vec<u8>>,
}

/// Largest message of a client, in bytes. A hello or an acknowledgement has a few hundred.
const MESSAGE_BYTES: usize = 64 * 1024;

const CONTINUATION: u8 = 0x0;
const TEXT: u8 = 0x1;
const BINARY: u8 = 0x2;
const CLOSE: u8 = 0x8;
const PING: u8 = 0x9;
const PONG: u8 = 0xA;

struct Header {
    last: bool,
    opcode: u8,
    mask: [u8; 4],
    payload: usize,
    length: usize,
}

impl Decoder {
    /// Decodes `bytes` and passes every complete message to `each`, in order, up to the first violation.
    pub(super) fn feed(&mut self, bytes: &[u8], mut each: impl FnMut(Incoming)) -> Result<(), Violation> {
        let joined;
        let mut rest = if self.partial.is_empty() {
            bytes
        } else {
            let mut partial = std::mem::take(&mut self.partial);
            partial.extend_from_slice(bytes);
            joined = partial;
            &joined
        };
        while let Some(header) = header(rest)? {
            let Some(payload) = rest.get(header.payload..header.payload + header.length) else {
                break;
            };
            let mut payload = payload.to_vec();
            for (byte, mask) in payload.iter_mut().zip(header.mask.iter().cycle()) {
                *byte ^= mask;
            }
            if let Some(incoming) = self.frame(&header, payload)? {
                each(incoming);
            }
            rest = rest.get(header.payload + header.length..).unwrap_or_default();
        }
        self.partial = rest.to_vec();
        Ok(())
    }

    fn frame(&mut self, header: &Header, payload: Vec<u8>) -> Result<Option<Incoming>, Violation> {
        match (header.opcode, self.message.take()) {
            (PING, message) => {
                self.message = message;
                Ok(Some(Incoming::Ping(payload)))
            }
            (PONG, message) => {
                self.message = message;
                Ok(Some(Incoming::Pong))
            }
            (CLOSE, _) => Ok(Some(Incoming::Close)),
            (TEXT, None) => self.text(header.last, payload),
            (CONTINUATION, Some(mut message)) => {
                if message.len() + payload.len() > MESSAGE_BYTES {
                    return Err(Violation::TooLarge);
                }
                message.extend_from_slice(&payload);
                self.text(header.last, message)
            }
            (BINARY, None) => Err(Violation::Binary),
            _ => Err(Violation::Protocol),
        }
    }

    fn text(&mut self, last: bool, message: Vec<u8>) -> Result<Option<Incoming>, Violation> {
        if !last {
            self.message = Some(message);
            return Ok(None);
        }
        String::from_utf8(message).map(|text| Some(Incoming::Text(text))).map_err(|_| Violation::Utf8)
    }
}

/// The header of the frame at the start of `bytes`; `None` if it is incomplete.
fn header(bytes: &[u8]) -> Result<Option<Header>, Violation> {
    let &[first, second, ..] = bytes else {
        return Ok(None);
    };
    let (last, reserved, opcode) = (first & 0x80 != 0, first & 0x70, first & 0x0F);
    let masked = second & 0x80 != 0;
    let control = opcode & 0x8 != 0;
    let short = second & 0x7F;
    if reserved != 0 || !masked || (control && (!last || short > 125)) {
        return Err(Violation::Protocol);
    }
    let extended = bytes.get(2..).unwrap_or_default();
    let (length, after) = match short {
        126 => (extended.first_chunk().map(|length| u64::from(u16::from_be_bytes(*length))), 4),
        127 => (extended.first_chunk().map(|length| u64::from_be_bytes(*length)), 10),
        short => (Some(u64::from(short)), 2),
    };
    let Some(length) = length else {
        return Ok(None);
    };
    let length = usize::try_from(length).unwrap_or(usize::MAX);
    if length > MESSAGE_BYTES {
        return Err(Violation::TooLarge);
    }
    let Some(&mask) = bytes.get(after..).and_then(<[u8]>::first_chunk::<4>) else {
        return Ok(None);
    };
    Ok(Some(Header {
        last,
        opcode,
        mask,
        payload: after + 4,
        length,
    }))
}

/// How many messages `bytes` hold if they arrive `piece` bytes at a time; `None` if they break the protocol.
pub fn count_messages(bytes: &[u8], piece: usize) -> Option<usize> {
    let (mut decoder, mut count) = (Decoder::default(), 0);
    for piece in bytes.chunks(piece.max(1)) {
        decoder.feed(piece, |_| count += 1).ok()?;
    }
    Some(count)
}

/// A close frame with a status code.
pub(super) fn close_frame(code: u16) -> [u8; 4] {
    let [high, low] = code.to_be_bytes();
    [0x88, 2, high, low]
}

/// A ping without payload: any client's library answers it by itself.
pub(super) const PING_FRAME: [u8; 2] = [0x89, 0];

/// The answer to a ping. Its payload has at most 125 bytes, which the decoder has seen to.
pub(super) fn pong_frame(payload: &[u8]) -> Vec<u8> {
    let length = u8::try_from(payload.len()).unwrap_or(0);
    let mut frame = vec![0x80 | PONG, length];
    frame.extend(payload.iter().take(usize::from(length)));
    frame
}

#[cfg(test)]
mod tests;
