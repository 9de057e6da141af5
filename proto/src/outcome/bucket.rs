//! Classes of latencies, the same in every process and node, so that their counts can be added up.

/// Number of classes per doubling. Neighbouring bounds differ by at most 3 %.
const PER_DOUBLING: u64 = 32;
const BITS: u32 = PER_DOUBLING.trailing_zeros();
/// The doubling that contains the last class. Everything above two minutes is in the last class.
const LAST: u32 = 26;

/// A class of latencies. Below 32 microseconds each latency has a class of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize)]
pub struct LatencyBucket(u16);

impl LatencyBucket {
    /// Number of classes.
    pub const COUNT: usize = ((LAST - BITS + 2) as usize) << BITS;

    /// The class of a latency in microseconds.
    #[inline]
    #[expect(clippy::cast_possible_truncation, reason = "there are fewer than a thousand classes")]
    pub const fn of(micros: u64) -> Self {
        if micros < PER_DOUBLING {
            return Self(micros as u16);
        }
        let doubling = micros.ilog2();
        if doubling > LAST {
            return Self(Self::COUNT as u16 - 1);
        }
        let within = (micros >> (doubling - BITS)) - PER_DOUBLING;
        Self((((doubling - BITS + 1) as u64) * PER_DOUBLING + within) as u16)
    }

    /// The class with this index, from 0, at most the last.
    #[expect(clippy::cast_possible_truncation, reason = "there are fewer than a thousand classes")]
    pub const fn at(place: usize) -> Self {
        if place >= Self::COUNT {
            Self(Self::COUNT as u16 - 1)
        } else {
            Self(place as u16)
        }
    }

    /// The index of the class, from 0.
    #[inline]
    pub const fn place(self) -> usize {
        self.0 as usize
    }

    /// The shortest latency of the class, in microseconds.
    pub const fn shortest(self) -> u64 {
        let place = self.0 as u64;
        if place < PER_DOUBLING {
            return place;
        }
        let (doubling, within) = (place / PER_DOUBLING - 1, place % PER_DOUBLING);
        (PER_DOUBLING + within) << doubling
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn classes_follow_each_other_without_a_gap_and_are_narrow() {
        for place in 0..LatencyBucket::COUNT {
            let bucket = LatencyBucket::at(place);
            assert_eq!(bucket.place(), place);
            assert_eq!(LatencyBucket::of(bucket.shortest()), bucket, "place {place}");
            if place > 0 {
                let (below, own) = (LatencyBucket::at(place - 1).shortest(), bucket.shortest());
                assert_eq!(LatencyBucket::of(own - 1), LatencyBucket::at(place - 1));
                assert!(own > below && (own - below) * 32 <= own.max(32), "{below} to {own}");
            }
        }
        assert_eq!(LatencyBucket::of(u64::MAX).place(), LatencyBucket::COUNT - 1);
        assert!(LatencyBucket::at(LatencyBucket::COUNT).shortest() > 120_000_000);
    }
}
