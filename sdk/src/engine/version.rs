//! Versions of attributes: read leniently, compared by precedence, without allocation.

use std::cmp::Ordering;

use semver::{BuildMetadata, Prerelease, Version};

/// A version whose pre-release is still borrowed. Build metadata is dropped: it never counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Borrowed<'a> {
    major: u64,
    minor: u64,
    patch: u64,
    pre: &'a str,
}

impl<'a> Borrowed<'a> {
    /// One leading `v` is dropped, a missing minor or patch is 0; anything else that is no SemVer 2 gives `None`.
    pub(super) fn parse(text: &'a str) -> Option<Self> {
        let text = text.strip_prefix(['v', 'V']).unwrap_or(text);
        let (text, build) = text.split_once('+').map_or((text, None), |(text, build)| (text, Some(build)));
        let (numbers, pre) = text.split_once('-').map_or((text, None), |(numbers, pre)| (numbers, Some(pre)));
        if build.is_some_and(|build| !identifiers(build, LeadingZeros::Allowed)) || pre.is_some_and(|pre| !identifiers(pre, LeadingZeros::Refused)) {
            return None;
        }
        let mut parts = numbers.split('.');
        let major = number(parts.next()?)?;
        let minor = parts.next().map_or(Some(0), number)?;
        let patch = parts.next().map_or(Some(0), number)?;
        if parts.next().is_some() {
            return None;
        }
        Some(Self {
            major,
            minor,
            patch,
            pre: pre.unwrap_or_default(),
        })
    }

    pub(super) const fn major(&self) -> u64 {
        self.major
    }

    pub(super) const fn minor(&self) -> u64 {
        self.minor
    }

    /// By SemVer 2's precedence.
    pub(super) fn cmp(&self, other: &Version) -> Ordering {
        let numbers = (self.major, self.minor, self.patch).cmp(&(other.major, other.minor, other.patch));
        numbers.then_with(|| compare_pre(self.pre, other.pre.as_str()))
    }

    /// With a pre-release of its own; allocates only where that is longer than eight bytes.
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
}

/// Digits without a leading zero.
fn number(text: &str) -> Option<u64> {
    let mut value: u64 = 0;
    for byte in text.bytes() {
        let digit = byte.wrapping_sub(b'0');
        if digit > 9 {
            return None;
        }
        value = value.checked_mul(10)?.checked_add(u64::from(digit))?;
    }
    (!text.is_empty() && (text.len() == 1 || !text.starts_with('0'))).then_some(value)
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
