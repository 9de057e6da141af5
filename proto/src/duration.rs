//! Durations as people write them: `500ms`, `30s`, `10m`, `1h30m`, `2d`.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use crate::validation::ValidationErrors;

const UNITS: [(&str, u64); 5] = [("ms", 1), ("s", 1_000), ("m", 60_000), ("h", 3_600_000), ("d", 86_400_000)];

/// A duration in whole milliseconds, at most a year.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct HumanDuration(u64);

impl HumanDuration {
    /// The longest duration: 366 days.
    pub const LONGEST: Self = Self(366 * 86_400_000);
    /// Zero seconds.
    pub const ZERO: Self = Self(0);

    /// From milliseconds, at most a year.
    pub const fn from_millis(millis: u64) -> Self {
        if millis > Self::LONGEST.0 { Self::LONGEST } else { Self(millis) }
    }

    /// The duration in milliseconds.
    pub const fn millis(self) -> u64 {
        self.0
    }

    /// As a duration of the standard library.
    pub const fn duration(self) -> Duration {
        Duration::from_millis(self.0)
    }

    /// The sum of both.
    #[must_use]
    pub const fn and(self, other: Self) -> Self {
        Self::from_millis(self.0.saturating_add(other.0))
    }
}

impl FromStr for HumanDuration {
    type Err = ValidationErrors;

    fn from_str(text: &str) -> Result<Self, ValidationErrors> {
        let refuse = || {
            ValidationErrors::one(
                "",
                format!("{text:?} is not a duration; write it as \"30s\", \"10m\", \"1h30m\" or \"2d\", at most 366d"),
            )
        };
        let mut rest = text;
        let mut sum: u64 = 0;
        while !rest.is_empty() {
            let digits = rest.bytes().take_while(u8::is_ascii_digit).count();
            let (number, after) = rest.split_at_checked(digits).ok_or_else(refuse)?;
            let letters = after.bytes().take_while(u8::is_ascii_alphabetic).count();
            let (unit, after) = after.split_at_checked(letters).ok_or_else(refuse)?;
            let millis = UNITS.iter().find(|(name, _)| *name == unit).map(|(_, millis)| *millis).ok_or_else(refuse)?;
            let number: u64 = number.parse().map_err(|_| refuse())?;
            sum = number.checked_mul(millis).and_then(|part| sum.checked_add(part)).ok_or_else(refuse)?;
            rest = after;
        }
        if text.is_empty() || sum > Self::LONGEST.0 {
            Err(refuse())
        } else {
            Ok(Self(sum))
        }
    }
}

impl fmt::Display for HumanDuration {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0 == 0 {
            return f.write_str("0s");
        }
        let mut rest = self.0;
        for (unit, millis) in UNITS.iter().rev() {
            let number = rest / millis;
            rest %= millis;
            if number > 0 {
                write!(f, "{number}{unit}")?;
            }
        }
        Ok(())
    }
}

impl serde::Serialize for HumanDuration {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> serde::Deserialize<'de> for HumanDuration {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_span_is_read_as_it_is_written() {
        for (text, millis) in [
            ("500ms", 500),
            ("1s", 1_000),
            ("10m", 600_000),
            ("1h30m", 5_400_000),
            ("1d", 86_400_000),
            ("0s", 0),
        ] {
            let span: HumanDuration = text.parse().unwrap();
            assert_eq!(span.millis(), millis);
            assert_eq!(span.to_string(), text);
        }
    }

    #[test]
    fn what_is_no_span_is_refused_with_an_example() {
        for text in ["", "10", "m", "1.5h", "-1s", "10 m", "1y", "400d", "99999999999999999999s"] {
            let faults = text.parse::<HumanDuration>().unwrap_err().to_string();
            assert!(faults.contains("\"10m\""), "{faults}");
        }
    }
}
