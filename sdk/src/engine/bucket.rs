//! Bucketing: murmur3 (x86, 32 bit, seed 0) over pieces, and its projection onto cumulative weights.

use ripcord_proto::settings::Bucketing;

const C1: u32 = 0xcc9e_2d51;
const C2: u32 = 0x1b87_3593;

/// The hash of what it has been fed so far, in pieces of any length; nothing is copied.
#[derive(Debug, Clone, Copy, Default)]
struct Murmur3 {
    hash: u32,
    /// Bytes that do not fill a block yet, lowest first.
    carry: u64,
    /// How many bits of `carry` are in use: 0, 8, 16 or 24.
    carried: u32,
    length: u32,
}

const fn scramble(block: u32) -> u32 {
    block.wrapping_mul(C1).rotate_left(15).wrapping_mul(C2)
}

impl Murmur3 {
    #[inline]
    fn block(&mut self, block: u32) {
        self.hash = (self.hash ^ scramble(block)).rotate_left(13).wrapping_mul(5).wrapping_add(0xe654_6b64);
    }

    #[inline]
    fn feed(&mut self, bytes: &[u8]) {
        #[expect(clippy::cast_possible_truncation, reason = "the algorithm takes the length modulo 2^32")]
        let length = bytes.len() as u32;
        self.length = self.length.wrapping_add(length);
        let (blocks, rest) = bytes.as_chunks::<4>();
        for block in blocks {
            self.carry |= u64::from(u32::from_le_bytes(*block)) << self.carried;
            self.take_block();
        }
        for byte in rest {
            self.carry |= u64::from(*byte) << self.carried;
            self.carried += 8;
        }
        if self.carried >= 32 {
            self.take_block();
            self.carried -= 32;
        }
    }

    #[inline]
    fn take_block(&mut self) {
        #[expect(clippy::cast_possible_truncation, reason = "the lower half is the block")]
        self.block(self.carry as u32);
        self.carry >>= 32;
    }

    #[inline]
    fn finish(mut self) -> u32 {
        if self.carried > 0 {
            #[expect(clippy::cast_possible_truncation, reason = "at most 24 bits are carried")]
            let tail = self.carry as u32;
            self.hash ^= scramble(tail);
        }
        let mut hash = self.hash ^ self.length;
        hash = (hash ^ (hash >> 16)).wrapping_mul(0x85eb_ca6b);
        hash = (hash ^ (hash >> 13)).wrapping_mul(0xc2b2_ae35);
        hash ^ (hash >> 16)
    }
}

/// The hash of the text `salt + value` in a generation: of its CBOR in v3, of its UTF-8 bytes in v2.
#[inline]
pub(super) fn hash_text(bucketing: Bucketing, salt: &str, value: &str) -> u32 {
    let mut hasher = Murmur3::default();
    if bucketing == Bucketing::V3 {
        feed_cbor_head(&mut hasher, 0x60, salt.len() + value.len());
    }
    hasher.feed(salt.as_bytes());
    hasher.feed(value.as_bytes());
    hasher.finish()
}

/// The hash of bytes that are already encoded.
pub(super) fn hash_bytes(bytes: &[u8]) -> u32 {
    let mut hasher = Murmur3::default();
    hasher.feed(bytes);
    hasher.finish()
}

/// Major type (in the upper three bits) and argument in the fewest bytes, as RFC 8949 wants it.
#[inline]
#[expect(clippy::cast_possible_truncation, reason = "each arm has checked the range")]
fn feed_cbor_head(hasher: &mut Murmur3, major: u8, argument: usize) {
    match argument {
        0..=23 => hasher.feed(&[major | argument as u8]),
        24..=0xff => hasher.feed(&[major | 24, argument as u8]),
        0x100..=0xffff => hasher.feed(&[major | 25, (argument >> 8) as u8, argument as u8]),
        _ => {
            hasher.feed(&[major | 26]);
            hasher.feed(&(argument as u32).to_be_bytes());
        }
    }
}

/// The place of a hash on a line of `total` units.
#[inline]
pub(super) const fn project(hash: u32, total: u32) -> u32 {
    #[expect(clippy::cast_possible_truncation, reason = "the product of two 32-bit numbers, shifted by 32")]
    let place = ((hash as u64 * total as u64) >> 32) as u32;
    place
}
