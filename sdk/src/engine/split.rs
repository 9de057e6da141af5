//! A split, compiled.

use ripcord_proto::key::{FlagKey, VariantName};
use ripcord_proto::settings::Bucketing;
use ripcord_proto::split::Split;

use super::bucket::{Salt, project};
use super::context::TARGETING_KEY;
use super::decision::VariantIndex;
use super::path::Path;

#[derive(Debug)]
pub(super) struct CompiledSplit {
    pub(super) by: Path,
    salt: Salt,
    total: u32,
    /// The end of the first share on the line of `total` units with its variant, and the variant of the last share. A percentage
    /// rollout needs no more.
    first: (u32, VariantIndex),
    last: VariantIndex,
    /// The shares between the first and the last, each with its end.
    between: Box<[(u32, VariantIndex)]>,
}

impl CompiledSplit {
    pub(super) fn new(split: &Split, key: &FlagKey, bucketing: Bucketing, index_of: impl Fn(&VariantName) -> VariantIndex) -> Self {
        let mut end = 0_u32;
        let ends = split.shares().iter().map(|share| {
            end = end.saturating_add(share.weight.units());
            (end, index_of(&share.variant))
        });
        let ends: Vec<(u32, VariantIndex)> = ends.collect();
        let between = ends.get(1..ends.len().saturating_sub(1)).unwrap_or_default();
        Self {
            by: split.by().map_or(Path::TargetingKey, Path::new),
            salt: Salt::new(split.salt().unwrap_or(key.as_str()), bucketing),
            total: split.total(),
            first: ends.first().copied().unwrap_or((0, VariantIndex::NONE)),
            last: ends.last().map_or(VariantIndex::NONE, |(_, variant)| *variant),
            between: between.into(),
        }
    }

    /// The variant for this value of the bucketing attribute; `None` if it is empty.
    #[inline]
    pub(super) fn bucket(&self, value: &str) -> Option<VariantIndex> {
        self.position(value).map(|position| self.at(position))
    }

    /// The position of the value on the line; `None` if it is empty.
    #[inline]
    pub(super) fn position(&self, value: &str) -> Option<u32> {
        if value.is_empty() {
            return None;
        }
        Some(project(self.salt.hash(value), self.total))
    }

    #[inline]
    fn at(&self, position: u32) -> VariantIndex {
        let (end, first) = self.first;
        if self.between.is_empty() {
            // The processor cannot predict this, so the result is selected instead of branching.
            return std::hint::select_unpredictable(position < end, first, self.last);
        }
        if position < end {
            return first;
        }
        let found = self.between.iter().find(|(end, _)| position < *end);
        found.map_or(self.last, |(_, variant)| *variant)
    }

    /// The name of the bucketing attribute.
    pub(super) fn by_name(&self) -> &str {
        match &self.by {
            Path::TargetingKey => TARGETING_KEY,
            Path::Plain(name) | Path::Dotted { whole: name, .. } => name.text(),
        }
    }

    /// The text that is hashed before the value.
    pub(super) fn salt(&self) -> &str {
        self.salt.text()
    }

    /// The sum of all weights.
    pub(super) const fn total(&self) -> u32 {
        self.total
    }
}
