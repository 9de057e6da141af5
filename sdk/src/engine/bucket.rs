//! Bucketing: murmur3 (x86, 32 bit, seed 0), fed in pieces without copying, and its projection onto a line of weights.

use ripcord_proto::settings::Bucketing;

const C1: u32 = 0xcc9e_2d51;
const C2: u32 = 0x1b87_3593;
/// For values up to this length (ids, e-mail addresses, UUIDs) the hash of everything before them is precomputed.
const PRECOMPUTED: usize = 40;

/// The state of a hash.
#[derive(Debug, Clone, Copy, Default)]
struct Murmur3 {
    hash: u32,
    /// Bytes that do not fill a block yet, the first one lowest.
    carry: u32,
    /// How many bits of `carry` are in use: 0, 8, 16 or 24.
    carried: u32,
    length: u32,
}

#[inline]
const fn scramble(block: u32) -> u32 {
    block.wrapping_mul(C1).rotate_left(15).wrapping_mul(C2)
}

#[inline]
const fn mix(hash: u32, block: u32) -> u32 {
    (hash ^ scramble(block)).rotate_left(13).wrapping_mul(5).wrapping_add(0xe654_6b64)
}

impl Murmur3 {
    #[inline]
    #[must_use]
    #[expect(
        clippy::cast_possible_truncation,
        reason = "a remainder has at most three bytes; the algorithm takes the length modulo 2^32"
    )]
    fn fed(&self, bytes: &[u8]) -> Self {
        let length = self.length.wrapping_add(bytes.len() as u32);
        let Some(after) = bytes.get(self.missing()..) else {
            return Self {
                carry: self.carry | start_of(bytes) << self.carried,
                carried: self.carried + 8 * bytes.len() as u32,
                length,
                ..*self
            };
        };
        let mut hash = self.hash;
        if self.carried > 0 {
            hash = mix(hash, self.carry | start_of(bytes) << self.carried);
        }
        let (blocks, rest) = after.as_chunks::<4>();
        for block in blocks {
            hash = mix(hash, u32::from_le_bytes(*block));
        }
        let carried = 8 * rest.len() as u32;
        Self {
            hash,
            carry: end_of(bytes, rest, carried),
            carried,
            length,
        }
    }

    /// How many bytes the block of the carry still needs, if there is a carry.
    #[inline]
    const fn missing(&self) -> usize {
        (self.carried.wrapping_neg() / 8 % 4) as usize
    }

    #[inline]
    const fn finish(self) -> u32 {
        // An empty carry scrambles to nothing.
        let mut hash = self.hash ^ scramble(self.carry) ^ self.length;
        hash = (hash ^ (hash >> 16)).wrapping_mul(0x85eb_ca6b);
        hash = (hash ^ (hash >> 13)).wrapping_mul(0xc2b2_ae35);
        hash ^ (hash >> 16)
    }
}

/// The first four bytes, or all of them if there are fewer.
#[inline]
fn start_of(bytes: &[u8]) -> u32 {
    match bytes.first_chunk::<4>() {
        Some(first) => u32::from_le_bytes(*first),
        None => few(bytes),
    }
}

/// The up to three bytes of `rest`, which has that many `bits`, read at once as part of the last four bytes if there are four.
#[inline]
fn end_of(bytes: &[u8], rest: &[u8], bits: u32) -> u32 {
    match bytes.last_chunk::<4>() {
        // In 64 bits, so that shifting all 32 out is allowed.
        Some(last) => (u64::from(u32::from_le_bytes(*last)) << bits >> 32) as u32,
        None => few(rest),
    }
}

/// Up to three bytes.
#[inline]
fn few(bytes: &[u8]) -> u32 {
    bytes.iter().rev().fold(0, |all, byte| all << 8 | u32::from(*byte))
}

/// A salt, hashed as far as possible before the value is known.
#[derive(Debug)]
pub(super) struct Salt {
    text: Box<str>,
    bucketing: Bucketing,
    /// The hash of head and salt for each length of the value. In v2 there is no head, so there is one for all lengths.
    precomputed: Box<[Murmur3]>,
}

impl Salt {
    pub(super) fn new(text: &str, bucketing: Bucketing) -> Self {
        let lengths = match bucketing {
            Bucketing::V2 => 0..=0,
            Bucketing::V3 => 0..=PRECOMPUTED,
        };
        let precomputed = lengths.map(|length| begin(bucketing, text, length)).collect();
        Self {
            text: text.into(),
            bucketing,
            precomputed,
        }
    }

    /// The hash of the text `salt + value` in the generation: of its CBOR in v3, of its UTF-8 bytes in v2.
    #[inline]
    pub(super) fn hash(&self, value: &str) -> u32 {
        let length = match self.bucketing {
            Bucketing::V2 => 0,
            Bucketing::V3 => value.len(),
        };
        match self.precomputed.get(length) {
            // Not copied: a copy would go through the stack, on the critical path.
            Some(begun) => begun.fed(value.as_bytes()).finish(),
            None => self.hash_long(value),
        }
    }

    #[cold]
    fn hash_long(&self, value: &str) -> u32 {
        begin(self.bucketing, &self.text, value.len()).fed(value.as_bytes()).finish()
    }

    pub(super) const fn text(&self) -> &str {
        &self.text
    }
}

/// The hash of everything before a value of this length.
#[cold]
fn begin(bucketing: Bucketing, salt: &str, length: usize) -> Murmur3 {
    let hasher = Murmur3::default();
    let headed = match bucketing {
        Bucketing::V2 => hasher,
        Bucketing::V3 => feed_text_head(hasher, salt.len() + length),
    };
    headed.fed(salt.as_bytes())
}

/// The hash of bytes that are already encoded.
#[cfg_attr(not(feature = "jsonlogic"), allow(dead_code, reason = "only JSONLogic rules need it"))]
pub(super) fn hash_bytes(bytes: &[u8]) -> u32 {
    Murmur3::default().fed(bytes).finish()
}

/// The head of a CBOR text: its length in the fewest bytes, as RFC 8949 requires.
#[expect(clippy::cast_possible_truncation, reason = "each arm has checked the range")]
fn feed_text_head(hasher: Murmur3, length: usize) -> Murmur3 {
    match length {
        0..=23 => hasher.fed(&[0x60 | length as u8]),
        24..=0xff => hasher.fed(&[0x78, length as u8]),
        0x100..=0xffff => hasher.fed(&[0x79]).fed(&(length as u16).to_be_bytes()),
        _ => hasher.fed(&[0x7a]).fed(&(length as u32).to_be_bytes()),
    }
}

/// The position of a hash on a line of `total` units.
#[inline]
pub(super) const fn project(hash: u32, total: u32) -> u32 {
    ((hash as u64 * total as u64) >> 32) as u32
}
