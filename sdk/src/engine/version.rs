//! Versions of attributes: parsed leniently and compared by precedence, without allocation.

use std::cmp::Ordering;
use std::ops::Bound;

use ripcord_proto::condition::VersionBounds;
use semver::{BuildMetadata, Prerelease, Version};

/// A version that borrows its pre-release. Build metadata is dropped: it has no precedence.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct VersionRef<'a> {
    major: u64,
    minor: u64,
    patch: u64,
    pre: &'a str,
}

impl<'a> VersionRef<'a> {
    /// One leading `v` is dropped, and a missing minor or patch is 0. Anything else that is not `SemVer` 2 gives `None`.
    #[inline]
    pub(super) fn parse(text: &'a str) -> Option<Self> {
        let (major, rest) = major(text)?;
        Self::parse_after(text, major, rest)
    }

    /// The version in `text`, of which all but `rest` has been read.
    #[inline]
    fn parse_after(text: &'a str, major: u64, rest: &[u8]) -> Option<Self> {
        let (minor, rest) = next_number(rest)?;
        let (patch, rest) = next_number(rest)?;
        let pre = if rest.is_empty() {
            ""
        } else {
            pre_release(text.get(text.len() - rest.len()..)?)?
        };
        Some(Self { major, minor, patch, pre })
    }

    #[cfg_attr(not(feature = "jsonlogic"), allow(dead_code, reason = "only JSONLogic rules need it"))]
    pub(super) const fn major(&self) -> u64 {
        self.major
    }

    #[cfg_attr(not(feature = "jsonlogic"), allow(dead_code, reason = "only JSONLogic rules need it"))]
    pub(super) const fn minor(&self) -> u64 {
        self.minor
    }

    /// Compares by `SemVer` 2's precedence.
    #[inline]
    pub(super) fn cmp(&self, other: &Version) -> Ordering {
        let numbers = (self.major, self.minor, self.patch).cmp(&(other.major, other.minor, other.patch));
        numbers.then_with(|| compare_pre(self.pre, other.pre.as_str()))
    }

    /// An owned version. It allocates only if the pre-release is longer than eight bytes.
    #[cfg_attr(not(feature = "jsonlogic"), allow(dead_code, reason = "only JSONLogic rules need it"))]
    pub(super) fn to_version(self) -> Option<Version> {
        let pre = Prerelease::new(self.pre).ok()?;
        Some(Version {
            major: self.major,
            minor: self.minor,
            patch: self.patch,
            pre,
            build: BuildMetadata::EMPTY,
        })
    }

    /// Whether it lies within bounds, by precedence alone.
    pub(super) fn is_within(&self, (low, high): &VersionBounds) -> bool {
        let is_after = match low {
            Bound::Included(low) => self.cmp(low).is_ge(),
            Bound::Excluded(low) => self.cmp(low).is_gt(),
            Bound::Unbounded => true,
        };
        let is_before = match high {
            Bound::Included(high) => self.cmp(high).is_le(),
            Bound::Excluded(high) => self.cmp(high).is_lt(),
            Bound::Unbounded => true,
        };
        is_after && is_before
    }
}

/// Whether `accepts` the order of the version in `text` and `other`; `false` if it is not a version.
#[inline]
pub(super) fn compares(text: &str, other: &Version, accepts: impl Fn(Ordering) -> bool) -> bool {
    let Some((major, rest)) = major(text) else { return false };
    let order = major.cmp(&other.major);
    // If the first number settles that it is not accepted, what follows can no longer change that.
    if order.is_ne() && !accepts(order) {
        return false;
    }
    VersionRef::parse_after(text, major, rest).is_some_and(|own| accepts(own.cmp(other)))
}

/// The first number, after one `v`, and what follows it.
#[inline]
fn major(text: &str) -> Option<(u64, &[u8])> {
    match text.as_bytes() {
        [b'v' | b'V', rest @ ..] | rest => number(rest),
    }
}

/// The number after a dot, or 0 if there is no dot, and what follows it.
#[inline]
fn next_number(bytes: &[u8]) -> Option<(u64, &[u8])> {
    match bytes {
        [b'.', rest @ ..] => number(rest),
        _ => Some((0, bytes)),
    }
}

/// The value of the digits at the start, which have no leading zero, and what follows them.
#[inline]
fn number(bytes: &[u8]) -> Option<(u64, &[u8])> {
    let (first, mut rest) = bytes.split_first()?;
    let mut value = u64::from(digit(*first)?);
    while let [next, others @ ..] = rest
        && let Some(next) = digit(*next)
    {
        if value == 0 {
            return None;
        }
        value = value.checked_mul(10)?.checked_add(u64::from(next))?;
        rest = others;
    }
    Some((value, rest))
}

#[inline]
fn digit(byte: u8) -> Option<u8> {
    Some(byte.wrapping_sub(b'0')).filter(|digit| *digit <= 9)
}

/// The pre-release of what follows the numbers: `-rc.1+build` → `rc.1`.
#[cold]
fn pre_release(rest: &str) -> Option<&str> {
    let (rest, build) = rest.split_once('+').map_or((rest, None), |(rest, build)| (rest, Some(build)));
    if build.is_some_and(|build| !identifiers(build, LeadingZeros::Allowed)) {
        return None;
    }
    if rest.is_empty() {
        return Some("");
    }
    rest.strip_prefix('-').filter(|pre| identifiers(pre, LeadingZeros::Refused))
}

#[derive(Clone, Copy, PartialEq)]
enum LeadingZeros {
    Allowed,
    Refused,
}

fn identifiers(text: &str, zeros: LeadingZeros) -> bool {
    text.split('.').all(|part| {
        let well_formed = !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-');
        let padded = part.len() > 1 && part.starts_with('0') && part.bytes().all(|byte| byte.is_ascii_digit());
        well_formed && (zeros == LeadingZeros::Allowed || !padded)
    })
}

/// A release comes after its pre-releases; numeric identifiers come before others and compare as numbers.
fn compare_pre(own: &str, other: &str) -> Ordering {
    match (own.is_empty(), other.is_empty()) {
        (true, true) => return Ordering::Equal,
        (true, false) => return Ordering::Greater,
        (false, true) => return Ordering::Less,
        (false, false) => {}
    }
    let (mut own, mut other) = (own.split('.'), other.split('.'));
    loop {
        let order = match (own.next(), other.next()) {
            (None, None) => return Ordering::Equal,
            (None, Some(_)) => Ordering::Less,
            (Some(_), None) => Ordering::Greater,
            (Some(own), Some(other)) => compare_identifiers(own, other),
        };
        if order != Ordering::Equal {
            return order;
        }
    }
}

fn compare_identifiers(own: &str, other: &str) -> Ordering {
    let numeric = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    match (numeric(own), numeric(other)) {
        // Without leading zeros the longer number is the greater one.
        (true, true) => own.len().cmp(&other.len()).then_with(|| own.cmp(other)),
        (true, false) => Ordering::Less,
        (false, true) => Ordering::Greater,
        (false, false) => own.cmp(other),
    }
}
