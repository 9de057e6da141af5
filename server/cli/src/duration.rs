//! Durations on the command line: `30s`, `30m`, `2h`, `3d`, or `never`.

use std::str::FromStr;

use ripcord_proto::duration::HumanDuration;
use ripcord_proto::rest::wait::Wait;

const UNITS: [(char, u64); 4] = [('d', 24 * 60 * 60), ('h', 60 * 60), ('m', 60), ('s', 1)];

/// A span in whole seconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Span(pub(crate) u64);

/// A span, or that something does not happen at all.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum After {
    /// It does not happen.
    Never,
    /// It happens after this.
    Span(Span),
}

impl FromStr for Span {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let refuse = || format!("{text:?} is not a duration; write 30s, 30m, 2h or 3d");
        let unit = text.chars().last().and_then(|last| UNITS.into_iter().find(|(unit, _)| *unit == last));
        let (unit, seconds) = unit.ok_or_else(refuse)?;
        let number: u64 = text.strip_suffix(unit).and_then(|number| number.parse().ok()).ok_or_else(refuse)?;
        number.checked_mul(seconds).map(Self).ok_or_else(refuse)
    }
}

impl FromStr for After {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if text == "never" {
            return Ok(Self::Never);
        }
        text.parse().map(Self::Span).map_err(|error: String| format!("{error}, or never"))
    }
}

impl After {
    /// The seconds, if any.
    pub(crate) const fn seconds(self) -> Option<u64> {
        match self {
            Self::Never => None,
            Self::Span(Span(seconds)) => Some(seconds),
        }
    }
}

/// The value of `--wait` if the server waits, up to a minute: `2s`, `500ms`, `1m`, or a bare number of seconds.
pub(crate) fn wait(text: &str) -> Result<Wait, String> {
    let minutes = text.strip_suffix('m').and_then(|number| number.parse::<u64>().ok());
    let text = match minutes {
        Some(minutes) => format!("{}s", minutes.saturating_mul(60)),
        None => with_unit(text),
    };
    text.parse().map_err(|faults: ripcord_proto::ValidationErrors| faults.to_string())
}

/// The value of `--wait` if the command itself waits, as long as needed: `30m`, `2h`, or a bare number of seconds.
pub(crate) fn long_wait(text: &str) -> Result<HumanDuration, String> {
    with_unit(text).parse().map_err(|faults: ripcord_proto::ValidationErrors| faults.to_string())
}

fn with_unit(text: &str) -> String {
    let is_number = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    if is_number { format!("{text}s") } else { text.to_owned() }
}

/// A span in its two largest units: `1 h 12 min`, `45 s`.
pub(crate) fn in_words(seconds: u64) -> String {
    let named = |unit: char| match unit {
        'd' => "d",
        'h' => "h",
        'm' => "min",
        _ => "s",
    };
    let (mut rest, mut parts) = (seconds, Vec::new());
    for (unit, worth) in UNITS {
        if rest >= worth && parts.len() < 2 {
            parts.push(format!("{} {}", rest / worth, named(unit)));
            rest %= worth;
        } else if !parts.is_empty() {
            break;
        }
    }
    if parts.is_empty() { "0 s".to_owned() } else { parts.join(" ") }
}

#[cfg(test)]
mod tests {
    use super::{After, Span, in_words, long_wait, wait};

    #[test]
    fn a_wait_may_be_a_bare_number_of_seconds() {
        for (text, millis) in [("5", 5_000), ("5s", 5_000), ("250ms", 250), ("1m", 60_000)] {
            assert_eq!(wait(text).unwrap().0.as_millis(), millis, "{text}");
        }
        assert_eq!(long_wait("90").unwrap().duration().as_secs(), 90);
        assert_eq!(long_wait("2h").unwrap().duration().as_secs(), 7_200);
        for wrong in ["soon", "", "-1", "2m30"] {
            assert!(wait(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_span_is_read_with_its_unit_and_never_is_a_word() {
        assert_eq!("30m".parse(), Ok(Span(1_800)));
        assert_eq!("3d".parse(), Ok(Span(259_200)));
        assert_eq!("never".parse(), Ok(After::Never));
        for wrong in ["30", "m", "-1s", "1.5h", "99999999999999999999d", ""] {
            assert!(wrong.parse::<Span>().is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_span_is_told_in_its_two_largest_units() {
        assert_eq!(in_words(0), "0 s");
        assert_eq!(in_words(45), "45 s");
        assert_eq!(in_words(4_321), "1 h 12 min");
        assert_eq!(in_words(86_401), "1 d");
    }
}
