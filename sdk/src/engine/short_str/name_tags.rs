//! One byte for each of up to eight names, compared with that of another name all at once.

use super::fingerprint::Fingerprint;

/// The tags of the names, at the place of each name. A tag is not 0; a place without a name has 0.
#[derive(Debug, Clone, Copy)]
pub(in crate::engine) struct NameTags(u64);

/// The tag of one name, at each of the eight places.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::engine) struct EveryPlace(u64);

/// A one in each of eight bytes.
const ONES: u64 = 0x0101_0101_0101_0101;
/// All bits but the highest of each byte.
const LOW: u64 = 0x7f * ONES;

#[inline]
const fn tag_of(fingerprint: Fingerprint) -> u64 {
    fingerprint.hash(8) | 1
}

impl EveryPlace {
    pub(in crate::engine) const fn of(fingerprint: Fingerprint) -> Self {
        Self(tag_of(fingerprint) * ONES)
    }
}

impl NameTags {
    pub(in crate::engine) const NONE: Self = Self(0);

    /// Puts the tag of a name at a place, from 0 to 7, that has none yet.
    #[inline]
    pub(in crate::engine) const fn put(&mut self, place: usize, fingerprint: Fingerprint) {
        self.0 |= tag_of(fingerprint) << (8 * place);
    }

    /// The places at which the name may be, from the last to the first.
    #[inline]
    pub(in crate::engine) fn places_from_last(self, name: EveryPlace) -> PlacesFromLast {
        let differences = self.0 ^ name.0;
        // The highest bit of each byte that is 0, and of no other.
        PlacesFromLast(!(((differences & LOW) + LOW) | differences | LOW))
    }
}

/// Places in descending order.
pub(in crate::engine) struct PlacesFromLast(u64);

impl Iterator for PlacesFromLast {
    type Item = usize;

    #[inline]
    fn next(&mut self) -> Option<usize> {
        let highest = self.0.checked_ilog2()?;
        self.0 ^= 1 << highest;
        Some(highest as usize / 8)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_place_is_found_and_no_other_than_those_with_the_same_tag() {
        let names: Vec<String> = (0..400).map(|number| format!("name{number}")).collect();
        for window in names.windows(9) {
            let fingerprints: Vec<Fingerprint> = window.iter().map(|name| Fingerprint::of(name)).collect();
            let mut tags = NameTags::NONE;
            for (place, fingerprint) in fingerprints.iter().take(8).enumerate() {
                tags.put(place, *fingerprint);
            }
            for fingerprint in &fingerprints {
                let same = |place: &usize| tag_of(fingerprints[*place]) == tag_of(*fingerprint);
                let expected: Vec<usize> = (0..8).rev().filter(same).collect();
                let found: Vec<usize> = tags.places_from_last(EveryPlace::of(*fingerprint)).collect();
                assert_eq!(found, expected);
            }
        }
        assert_eq!(NameTags::NONE.places_from_last(EveryPlace::of(Fingerprint::of("a"))).count(), 0);
    }
}
