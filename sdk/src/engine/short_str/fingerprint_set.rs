//! A set of fingerprints for lists of values, which nearly always decides with one look.

use super::fingerprint::Fingerprint;

/// A hash table with open addressing that is at most half full.
#[derive(Debug)]
pub(in crate::engine) struct FingerprintSet {
    hash_bits: u32,
    /// `2^hash_bits` places, and one more for each fingerprint, so that no search wraps around or runs into the end.
    slots: Box<[Fingerprint]>,
}

impl Default for FingerprintSet {
    fn default() -> Self {
        Self::new(&[])
    }
}

impl FingerprintSet {
    pub(in crate::engine) fn new(fingerprints: &[Fingerprint]) -> Self {
        let hash_bits = (2 * fingerprints.len()).next_power_of_two().ilog2().max(1);
        let mut slots = vec![Fingerprint::NONE; (1 << hash_bits) + fingerprints.len()];
        for fingerprint in fingerprints {
            let own = slots.get_mut(place(*fingerprint, hash_bits)..).unwrap_or_default();
            if let Some(slot) = own.iter_mut().find(|slot| **slot == *fingerprint || **slot == Fingerprint::NONE) {
                *slot = *fingerprint;
            }
        }
        Self {
            hash_bits,
            slots: slots.into(),
        }
    }

    #[inline]
    pub(in crate::engine) fn contains(&self, fingerprint: Fingerprint) -> bool {
        let Some(own) = self.slots.get(place(fingerprint, self.hash_bits)..) else {
            return false;
        };
        own.iter().take_while(|slot| **slot != Fingerprint::NONE).any(|slot| *slot == fingerprint)
    }
}

/// The place at which the search for a fingerprint begins.
#[inline]
fn place(fingerprint: Fingerprint, hash_bits: u32) -> usize {
    #[expect(clippy::cast_possible_truncation, reason = "a table is smaller than memory")]
    (fingerprint.hash(hash_bits) as usize)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn it_contains_what_was_put_in_and_nothing_else(
            texts in prop::collection::vec("[a-c]{0,9}", 0..33),
            others in prop::collection::vec("[a-c]{0,9}", 0..33),
        ) {
            let fingerprints: Vec<_> = texts.iter().map(|text| Fingerprint::of(text)).collect();
            let set = FingerprintSet::new(&fingerprints);
            for text in texts.iter().chain(&others) {
                let fingerprint = Fingerprint::of(text);
                prop_assert_eq!(set.contains(fingerprint), fingerprints.contains(&fingerprint));
            }
        }
    }
}
