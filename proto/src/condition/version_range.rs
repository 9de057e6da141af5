//! A range of versions as bounds, each of which compares as the operators `semver_gte` and `semver_lt` do: by precedence alone, so that a
//! pre-release belongs to a range as it belongs to two comparisons.

use std::ops::Bound;

use semver::{BuildMetadata, Comparator, Op, Prerelease, Version, VersionReq};

/// What a version must satisfy.
pub type VersionBounds = (Bound<Version>, Bound<Version>);

/// The bounds of a range; a version within all of them is within the range.
///
/// `^1.2`, `~1.2`, `=1.2` and `1.2.*` end before the pre-releases of the version that follows, `<2` before 2.0.0 itself.
pub fn version_bounds(range: &VersionReq) -> Vec<VersionBounds> {
    range.comparators.iter().map(bounds).collect()
}

fn bounds(comparator: &Comparator) -> VersionBounds {
    let low = start(comparator);
    match comparator.op {
        Op::Greater if comparator.patch.is_some() => (Bound::Excluded(low), Bound::Unbounded),
        // Greater than each version that begins so.
        Op::Greater => (Bound::Included(following(comparator, Prerelease::EMPTY)), Bound::Unbounded),
        Op::GreaterEq => (Bound::Included(low), Bound::Unbounded),
        Op::Less => (Bound::Unbounded, Bound::Excluded(low)),
        Op::LessEq if comparator.patch.is_some() => (Bound::Unbounded, Bound::Included(low)),
        Op::LessEq => (Bound::Unbounded, Bound::Excluded(following(comparator, lowest()))),
        Op::Tilde => (Bound::Included(low), Bound::Excluded(following(&without_patch(comparator), lowest()))),
        Op::Caret => (Bound::Included(low), Bound::Excluded(breaking(comparator))),
        Op::Exact | Op::Wildcard | _ if comparator.patch.is_some() => (Bound::Included(low.clone()), Bound::Included(low)),
        Op::Exact | Op::Wildcard | _ => (Bound::Included(low), Bound::Excluded(following(comparator, lowest()))),
    }
}

/// The pre-release before all others.
fn lowest() -> Prerelease {
    Prerelease::new("0").unwrap_or(Prerelease::EMPTY)
}

const fn version(major: u64, minor: u64, patch: u64, pre: Prerelease) -> Version {
    Version {
        major,
        minor,
        patch,
        pre,
        build: BuildMetadata::EMPTY,
    }
}

/// The first version that begins as the comparator says.
fn start(comparator: &Comparator) -> Version {
    let (minor, patch) = (comparator.minor.unwrap_or(0), comparator.patch.unwrap_or(0));
    version(comparator.major, minor, patch, comparator.pre.clone())
}

fn without_patch(comparator: &Comparator) -> Comparator {
    Comparator {
        patch: None,
        pre: Prerelease::EMPTY,
        ..comparator.clone()
    }
}

/// The first version after all those that begin with the numbers that are stated.
fn following(comparator: &Comparator, pre: Prerelease) -> Version {
    match (comparator.minor, comparator.patch) {
        (Some(minor), Some(patch)) => version(comparator.major, minor, patch.saturating_add(1), pre),
        (Some(minor), None) => version(comparator.major, minor.saturating_add(1), 0, pre),
        (None, _) => version(comparator.major.saturating_add(1), 0, 0, pre),
    }
}

/// The first version that is no longer compatible: the leftmost number that is not zero grows.
fn breaking(comparator: &Comparator) -> Version {
    match (comparator.major, comparator.minor, comparator.patch) {
        (0, Some(0), Some(patch)) => version(0, 0, patch.saturating_add(1), lowest()),
        (0, Some(minor), _) => version(0, minor.saturating_add(1), 0, lowest()),
        (major, _, _) => version(major.saturating_add(1), 0, 0, lowest()),
    }
}

/// Reads a range; a `v` before a number is dropped, as it is in versions.
pub(super) fn parse(text: &str) -> Result<VersionReq, semver::Error> {
    let part = |part: &str| {
        let numbers = part.trim_start_matches(|c: char| c.is_whitespace() || "<>=~^".contains(c));
        let operator = part.get(..part.len() - numbers.len()).unwrap_or_default();
        let plain = numbers.strip_prefix(['v', 'V']).filter(|rest| rest.starts_with(|c: char| c.is_ascii_digit()));
        format!("{operator}{}", plain.unwrap_or(numbers))
    };
    text.split(',').map(part).collect::<Vec<_>>().join(",").parse()
}
