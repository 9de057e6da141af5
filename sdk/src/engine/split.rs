//! A split, compiled.

use ripcord_proto::key::{FlagKey, VariantName};
use ripcord_proto::settings::Bucketing;
use ripcord_proto::split::Split;

use super::bucket::{Salt, project};
use super::context::TARGETING_KEY;
use super::outcome::Place;
use super::path::Path;

#[derive(Debug)]
pub(super) struct CompiledSplit {
    pub(super) by: Path,
    salt: Salt,
    total: u32,
    /// Where the first share ends on the line of `total` units, what it serves, and what the last share serves: all there is to
    /// a percentage rollout.
    first: (u32, Place),
    last: Place,
    /// The shares between the first and the last, and where each ends.
    between: Box<[(u32, Place)]>,
}

impl CompiledSplit {
    pub(super) fn new(split: &Split, key: &FlagKey, bucketing: Bucketing, place_of: impl Fn(&VariantName) -> Place) -> Self {
        let mut end = 0_u32;
        let ends = split.shares().iter().map(|share| {
            end = end.saturating_add(share.weight.units());
            (end, place_of(&share.variant))
        });
        let ends: Vec<(u32, Place)> = ends.collect();
        let between = ends.get(1..ends.len().saturating_sub(1)).unwrap_or_default();
        Self {
            by: split.by().map_or(Path::TargetingKey, Path::new),
            salt: Salt::new(split.salt().unwrap_or(key.as_str()), bucketing),
            total: split.total(),
            first: ends.first().copied().unwrap_or((0, Place::NONE)),
            last: ends.last().map_or(Place::NONE, |(_, variant)| *variant),
            between: between.into(),
        }
    }

    /// What the value of the bucketing attribute is served; `None` where it is empty.
    #[inline]
    pub(super) fn bucket(&self, value: &str) -> Option<Place> {
        self.place(value).map(|place| self.at(place))
    }

    /// Where the value falls on the line; `None` where it is empty.
    #[inline]
    pub(super) fn place(&self, value: &str) -> Option<u32> {
        if value.is_empty() {
            return None;
        }
        Some(project(self.salt.hash(value), self.total))
    }

    #[inline]
    fn at(&self, place: u32) -> Place {
        let (end, first) = self.first;
        if self.between.is_empty() {
            // Who falls where is a coin toss to the processor: choose, do not jump.
            return std::hint::select_unpredictable(place < end, first, self.last);
        }
        if place < end {
            return first;
        }
        let found = self.between.iter().find(|(end, _)| place < *end);
        found.map_or(self.last, |(_, variant)| *variant)
    }

    /// The name of the bucketing attribute.
    pub(super) fn by_name(&self) -> &str {
        match &self.by {
            Path::TargetingKey => TARGETING_KEY,
            Path::Plain(name) | Path::Dotted { whole: name, .. } => name.text(),
        }
    }

    /// What is hashed before the value.
    pub(super) fn salt(&self) -> &str {
        self.salt.text()
    }

    /// The sum of all weights.
    pub(super) const fn total(&self) -> u32 {
        self.total
    }
}
