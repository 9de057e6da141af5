//! The bytes of the file: batches, one behind the other, each a header and entries.
//!
//! | bytes | what |
//! |---|---|
//! | 8 | [`MAGIC`] |
//! | 8 | the lap |
//! | 8 | the batch's number in the lap, from 0 |
//! | 8 | the bytes of the entries |
//! | 8 | the begin of the digest of lap, number and length |
//! | 32 | the digest of lap, number, length and entries |
//! | | entries: length of the log's name (2), name, sequence (8), length (8), `StoredEntry` |
//!
//! Numbers are big-endian.

use ripcord_proto::Sequence;
use ripcord_proto::digest::Digest;

use crate::store::LogName;

/// Bytes of the file. When they are used up the database takes the entries over.
pub(super) const CAPACITY: usize = 4 * 1024 * 1024;

/// Begins every batch. It is no valid UTF-8, so it appears in no name and no commit.
const MAGIC: [u8; 8] = [FIRST, b'r', b'i', b'p', b'w', b'a', b'l', FIRST];
const FIRST: u8 = 0xff;
const PAGE: usize = 4096;
/// Bytes of the three numbers behind it.
const NUMBERS: usize = 24;
/// Bytes of the digest of the numbers: a torn header, over what was there before, must not look like a later one.
const CHECK: usize = 8;
/// Bytes of a header.
const HEADER: usize = MAGIC.len() + NUMBERS + CHECK + 32;

/// Encodes a batch.
#[derive(Debug)]
pub(in super::super) struct BatchEncoder {
    /// Space for the header, then entries.
    bytes: Vec<u8>,
}

impl BatchEncoder {
    pub(in super::super) fn new() -> Self {
        Self { bytes: vec![0; HEADER] }
    }

    /// Adds an entry, encoded as `StoredEntry` has it.
    pub(in super::super) fn push(&mut self, log: &LogName, sequence: Sequence, stored: &[u8]) {
        let name = log.as_str().as_bytes();
        // A name is far shorter; one that is not could not be read back, and would be refused.
        let length = u16::try_from(name.len()).unwrap_or(u16::MAX);
        self.bytes.extend_from_slice(&length.to_be_bytes());
        self.bytes.extend_from_slice(name);
        self.bytes.extend_from_slice(&sequence.0.to_be_bytes());
        self.bytes.extend_from_slice(&(stored.len() as u64).to_be_bytes());
        self.bytes.extend_from_slice(stored);
    }

    /// Bytes so far, the header included.
    pub(in super::super) const fn len(&self) -> usize {
        self.bytes.len()
    }

    /// Whether it has no entries.
    pub(in super::super) const fn is_empty(&self) -> bool {
        self.bytes.len() == HEADER
    }

    /// The bytes to write.
    pub(super) fn seal(mut self, lap: u64, number: u64) -> Vec<u8> {
        if let Some((header, entries)) = self.bytes.split_first_chunk_mut::<HEADER>() {
            let numbers = numbers(lap, number, entries.len() as u64);
            let digest = Digest::of([numbers.as_slice(), entries]);
            let parts = [MAGIC.as_slice(), &numbers, &check(&numbers), digest.bytes()].concat();
            header.copy_from_slice(&parts);
        }
        self.bytes
    }
}

fn numbers(lap: u64, number: u64, length: u64) -> [u8; NUMBERS] {
    let mut bytes = [0; NUMBERS];
    let parts = [lap, number, length].into_iter().flat_map(u64::to_be_bytes);
    bytes.iter_mut().zip(parts).for_each(|(place, byte)| *place = byte);
    bytes
}

fn check(numbers: &[u8; NUMBERS]) -> [u8; CHECK] {
    let digest = Digest::of([numbers.as_slice()]);
    digest.bytes().first_chunk().copied().unwrap_or_default()
}

/// The numbers of the header that the bytes begin with, and the bytes behind them.
fn header(bytes: &[u8]) -> Option<([u8; NUMBERS], &[u8])> {
    let rest = bytes.strip_prefix(&MAGIC)?;
    let (numbers, rest) = rest.split_first_chunk::<NUMBERS>()?;
    let (stated, rest) = rest.split_first_chunk::<CHECK>()?;
    (*stated == check(numbers)).then_some((*numbers, rest))
}

/// An entry of a batch that was read.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct BatchEntry<'a> {
    pub(super) log: &'a str,
    pub(super) sequence: Sequence,
    pub(super) stored: &'a [u8],
}

/// What the bytes begin with, if it is this batch and nothing of it is damaged or missing: its entries, and the bytes behind it.
pub(super) fn decode(bytes: &[u8], lap: u64, number: u64) -> Option<(Vec<BatchEntry<'_>>, &[u8])> {
    let (stated, rest) = header(bytes)?;
    let (digest, rest) = rest.split_first_chunk::<32>()?;
    let length = u64::from_be_bytes(*stated.last_chunk()?);
    let (mut entries, rest) = rest.split_at_checked(usize::try_from(length).ok()?)?;
    let is_whole = Digest::of([stated.as_slice(), entries]) == Digest::from_bytes(*digest);
    if stated != numbers(lap, number, length) || !is_whole {
        return None;
    }
    let mut found = Vec::new();
    while !entries.is_empty() {
        let (entry, others) = entry(entries)?;
        found.push(entry);
        entries = others;
    }
    Some((found, rest))
}

fn entry(bytes: &[u8]) -> Option<(BatchEntry<'_>, &[u8])> {
    let (length, rest) = bytes.split_first_chunk()?;
    let (log, rest) = rest.split_at_checked(usize::from(u16::from_be_bytes(*length)))?;
    let (sequence, rest) = rest.split_first_chunk()?;
    let (length, rest) = rest.split_first_chunk()?;
    let (stored, rest) = rest.split_at_checked(usize::try_from(u64::from_be_bytes(*length)).ok()?)?;
    let entry = BatchEntry {
        log: std::str::from_utf8(log).ok()?,
        sequence: Sequence(u64::from_be_bytes(*sequence)),
        stored,
    };
    Some((entry, rest))
}

/// Whether the header of a batch of this lap with a higher number than `number` is anywhere in the bytes.
pub(super) fn has_later(bytes: &[u8], lap: u64, number: u64) -> bool {
    // Most of the file is zeros or text, which is told in one step for each page.
    let pages = bytes.chunks(PAGE).enumerate().filter(|(_, page)| page.contains(&FIRST));
    let mut places = pages.flat_map(|(index, page)| {
        let offsets = page.iter().enumerate().filter(|(_, byte)| **byte == FIRST);
        offsets.map(move |(offset, _)| index * PAGE + offset)
    });
    places.any(|place| {
        let Some((found, _)) = bytes.get(place..).and_then(header) else {
            return false;
        };
        let (of, found) = (found.first_chunk(), found.get(8..).and_then(<[u8]>::first_chunk));
        of.copied().map(u64::from_be_bytes) == Some(lap) && found.copied().map(u64::from_be_bytes) > Some(number)
    })
}
