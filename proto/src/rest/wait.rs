//! `wait=2s`: how long a call waits for confirmations.

use std::str::FromStr;
use std::time::Duration;

use serde::de::{Deserializer, Error as _};

use crate::ValidationErrors;

/// How long a call waits for confirmations before it answers: `2s`, `500ms`, at most 60 s.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Wait(pub Duration);

const LONGEST: Duration = Duration::from_secs(60);

impl FromStr for Wait {
    type Err = ValidationErrors;

    fn from_str(text: &str) -> Result<Self, ValidationErrors> {
        let refuse = || {
            ValidationErrors::one(
                "",
                format!("{text:?} is not a valid time to wait; write 2s or 500ms, at most {}s", LONGEST.as_secs()),
            )
        };
        let (number, unit) = match (text.strip_suffix("ms"), text.strip_suffix('s')) {
            (Some(number), _) => (number, 1),
            (None, Some(number)) => (number, 1_000),
            (None, None) => return Err(refuse()),
        };
        let number: u64 = number.parse().map_err(|_| refuse())?;
        let wait = number.checked_mul(unit).map(Duration::from_millis).filter(|wait| *wait <= LONGEST);
        wait.map(Self).ok_or_else(refuse)
    }
}

impl<'de> serde::Deserialize<'de> for Wait {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(D::Error::custom)
    }
}
