//! Percentages of plans and gates.

use std::fmt;

use crate::split::Weight;

/// A percentage, in thousandths of a percent; written `0.5%`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Percent(u32);

impl Percent {
    /// From thousandths of a percent, at most 100 %.
    pub const fn from_thousandths(thousandths: u32) -> Self {
        if thousandths > 100_000 { Self(100_000) } else { Self(thousandths) }
    }

    /// In thousandths of a percent.
    pub const fn thousandths(self) -> u32 {
        self.0
    }

    /// As a fraction of one.
    pub fn share(self) -> f64 {
        f64::from(self.0) / 100_000.0
    }
}

impl fmt::Display for Percent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        Weight::Percent(self.0).fmt(f)
    }
}

impl serde::Serialize for Percent {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}
