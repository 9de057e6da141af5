//! Torn, cut and altered bytes: what was answered is read back, or the file is refused.

use proptest::prelude::*;
use ripcord_proto::Sequence;

use super::batch::BatchEncoder;
use super::replay::{LogDamage, LoggedEntry, entries};
use crate::store::LogName;

const LAP: u64 = 7;

/// Batches as they lie in the file, and where each ends.
struct WrittenLap {
    bytes: Vec<u8>,
    batches: Vec<Vec<LoggedEntry>>,
    ends: Vec<usize>,
}

impl WrittenLap {
    fn of(lap: u64, batches: Vec<Vec<LoggedEntry>>) -> Self {
        let (mut bytes, mut ends) = (Vec::new(), Vec::new());
        for (number, batch) in batches.iter().enumerate() {
            bytes.extend(encode(lap, number as u64, batch));
            ends.push(bytes.len());
        }
        Self { bytes, batches, ends }
    }

    /// The entries of the first batches.
    fn first(&self, count: usize) -> Vec<LoggedEntry> {
        self.batches[..count].concat()
    }

    /// How many batches are whole in the first `length` bytes.
    fn whole(&self, length: usize) -> usize {
        self.ends.iter().filter(|end| **end <= length).count()
    }
}

fn encode(lap: u64, number: u64, batch: &[LoggedEntry]) -> Vec<u8> {
    let mut encoder = BatchEncoder::new();
    for entry in batch {
        encoder.push(&entry.log, entry.sequence, &entry.stored);
    }
    encoder.seal(lap, number)
}

fn logged(sequence: u64, stored: &[u8]) -> LoggedEntry {
    LoggedEntry {
        log: LogName::parse("production").unwrap(),
        sequence: Sequence(sequence),
        stored: stored.to_vec(),
    }
}

fn three_batches() -> WrittenLap {
    let batches = vec![
        vec![logged(1, b"the first")],
        vec![logged(2, b"the second"), logged(3, b"and what gathered with it")],
        vec![logged(4, b"the last")],
    ];
    WrittenLap::of(LAP, batches)
}

/// The file as the disk may have it: the first `length` bytes are written, behind them is what was there before.
fn torn(written: &WrittenLap, length: usize, before: &[u8]) -> Vec<u8> {
    let mut bytes = before.to_vec();
    bytes[..length].copy_from_slice(&written.bytes[..length]);
    bytes
}

#[test]
fn at_every_byte_a_torn_end_costs_only_what_was_not_answered() {
    let written = three_batches();
    let older = WrittenLap::of(6, vec![vec![logged(9, &[b'x'; 40])]; 9]);
    let zeros = vec![0; written.bytes.len() + 64];
    for before in [zeros, older.bytes] {
        for length in 0..=written.bytes.len() {
            let read = entries(&torn(&written, length, &before), LAP).unwrap();
            assert_eq!(read, written.first(written.whole(length)), "torn at {length}");
        }
    }
}

#[test]
fn a_batch_whose_later_pages_came_first_is_left_out() {
    let written = three_batches();
    let last = written.ends[1];
    for hole in last + 1..=written.bytes.len() {
        let mut bytes = written.bytes.clone();
        bytes[last..hole].fill(0);
        assert_eq!(entries(&bytes, LAP).unwrap(), written.first(2), "a hole up to {hole}");
    }
}

#[test]
fn every_flipped_bit_before_the_last_batch_is_refused() {
    let written = three_batches();
    for place in 0..written.ends[1] {
        for bit in 0..8 {
            let mut bytes = written.bytes.clone();
            bytes[place] ^= 1 << bit;
            let refused = entries(&bytes, LAP).unwrap_err();
            let number = written.whole(place) as u64;
            assert!(
                matches!(refused, LogDamage::Batch { number: found, .. } if found == number),
                "bit {bit} of byte {place}: {refused}"
            );
        }
    }
}

#[test]
fn batches_of_another_lap_are_leftovers() {
    let written = three_batches();
    assert_eq!(entries(&written.bytes, LAP + 1).unwrap(), []);
    let mut bytes = written.bytes.clone();
    let newer = encode(LAP + 1, 0, &[logged(5, b"new")]);
    bytes[..newer.len()].copy_from_slice(&newer);
    assert_eq!(entries(&bytes, LAP + 1).unwrap(), [logged(5, b"new")]);
}

proptest! {
    #[test]
    fn no_damage_gives_anything_but_the_first_batches_or_a_refusal(
        sizes in proptest::collection::vec(proptest::collection::vec(0_usize..300, 1..4), 1..6),
        (from, length) in (any::<proptest::sample::Index>(), 1_usize..400),
        fill in any::<u8>(),
    ) {
        let mut sequence = 0;
        let batches = sizes.iter().map(|batch| {
            let entry = |size: &usize| { sequence += 1; logged(sequence, &vec![b'j'; *size]) };
            batch.iter().map(entry).collect()
        });
        let written = WrittenLap::of(LAP, batches.collect());
        let from = from.index(written.bytes.len());
        let until = (from + length).min(written.bytes.len());
        let mut bytes = written.bytes.clone();
        bytes[from..until].fill(fill);
        prop_assume!(bytes != written.bytes);
        match entries(&bytes, LAP) {
            Ok(read) => {
                let whole = written.whole(from);
                prop_assert_eq!(read, written.first(whole));
                let mut later_begin = written.ends.iter().take(written.ends.len() - 1).skip(whole);
                prop_assert!(later_begin.all(|place| *place < until), "a later batch is there, and it was not refused");
            }
            Err(damage) => prop_assert!(matches!(damage, LogDamage::Batch { .. }), "{}", damage),
        }
    }
}
