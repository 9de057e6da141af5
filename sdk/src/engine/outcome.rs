//! What was decided, in a form that travels in a register.

use super::detail::{ErrorCode, Reason};

/// The place of a variant among those of its flag (at most 64); none = the caller's own default.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Place(u8);

impl Place {
    pub(super) const NONE: Self = Self(u8::MAX);

    /// `NONE` where there is no such place.
    pub(super) fn new(index: Option<usize>) -> Self {
        index.and_then(|index| u8::try_from(index).ok()).map_or(Self::NONE, Self)
    }

    #[inline]
    pub(super) const fn index(self) -> Option<usize> {
        if self.0 == u8::MAX { None } else { Some(self.0 as usize) }
    }
}

/// Variant, reason and rule in four bytes. As a struct of three fields it went through memory, byte by byte: 10 ns.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Outcome(u32);

/// In the upper half of an outcome: no rule served. Flags have at most 256.
const NO_RULE: u32 = 0xffff;

impl Outcome {
    #[inline]
    pub(super) const fn new(variant: Place, reason: Reason) -> Self {
        Self::pack(variant, reason, NO_RULE)
    }

    #[inline]
    pub(super) const fn by_rule(variant: Place, reason: Reason, index: usize) -> Self {
        #[expect(clippy::cast_possible_truncation, reason = "a flag has at most 256 rules")]
        Self::pack(variant, reason, index as u32)
    }

    #[inline]
    pub(super) const fn error(code: ErrorCode) -> Self {
        Self::new(Place::NONE, Reason::Error(code))
    }

    #[inline]
    const fn pack(variant: Place, reason: Reason, rule: u32) -> Self {
        Self(rule << 16 | (variant.0 as u32) << 8 | number(reason))
    }

    #[inline]
    pub(super) const fn variant(self) -> Place {
        #[expect(clippy::cast_possible_truncation, reason = "the second byte")]
        Place((self.0 >> 8) as u8)
    }

    pub(super) const fn rule(self) -> Option<usize> {
        let rule = self.0 >> 16;
        if rule == NO_RULE { None } else { Some(rule as usize) }
    }

    #[inline]
    pub(super) const fn reason(self) -> Reason {
        match self.0 & 0xff {
            0 => Reason::Static,
            1 => Reason::Default,
            2 => Reason::TargetingMatch,
            3 => Reason::Split,
            4 => Reason::Disabled,
            5 => Reason::Killed,
            6 => Reason::LeaseExpired,
            7 => Reason::Prerequisite,
            8 => Reason::Error(ErrorCode::FlagNotFound),
            9 => Reason::Error(ErrorCode::TypeMismatch),
            10 => Reason::Error(ErrorCode::ParseError),
            12 => Reason::NotReady,
            _ => Reason::Error(ErrorCode::General),
        }
    }
}

#[inline]
const fn number(reason: Reason) -> u32 {
    match reason {
        Reason::Static => 0,
        Reason::Default => 1,
        Reason::TargetingMatch => 2,
        Reason::Split => 3,
        Reason::Disabled => 4,
        Reason::Killed => 5,
        Reason::LeaseExpired => 6,
        Reason::Prerequisite => 7,
        Reason::Error(ErrorCode::FlagNotFound) => 8,
        Reason::Error(ErrorCode::TypeMismatch) => 9,
        Reason::Error(ErrorCode::ParseError) => 10,
        Reason::Error(ErrorCode::General) => 11,
        Reason::NotReady => 12,
    }
}

/// Whether a condition holds, or why that cannot be told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Truth {
    False,
    True,
    /// A segment is missing or cannot be compiled.
    Unreadable,
    /// An imported rule failed, or there was too much to look at.
    Failed,
}

impl Truth {
    /// For a person: `None` where it cannot be told.
    pub(super) const fn known(self) -> Option<bool> {
        match self {
            Self::False => Some(false),
            Self::True => Some(true),
            Self::Unreadable | Self::Failed => None,
        }
    }
}

impl From<bool> for Truth {
    #[inline]
    fn from(holds: bool) -> Self {
        if holds { Self::True } else { Self::False }
    }
}

impl std::ops::Not for Truth {
    type Output = Self;

    fn not(self) -> Self {
        match self {
            Self::False => Self::True,
            Self::True => Self::False,
            Self::Unreadable | Self::Failed => self,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_outcome_keeps_what_it_was_made_of() {
        let codes = [ErrorCode::FlagNotFound, ErrorCode::TypeMismatch, ErrorCode::ParseError, ErrorCode::General];
        let plain = [
            Reason::Static,
            Reason::Default,
            Reason::TargetingMatch,
            Reason::Split,
            Reason::Disabled,
            Reason::Killed,
            Reason::LeaseExpired,
            Reason::Prerequisite,
        ];
        for reason in codes.map(Reason::Error).into_iter().chain(plain) {
            for variant in [Place::NONE, Place::new(Some(0)), Place::new(Some(63))] {
                let outcome = Outcome::by_rule(variant, reason, 255);
                assert_eq!((outcome.variant(), outcome.reason(), outcome.rule()), (variant, reason, Some(255)));
                assert_eq!(Outcome::new(variant, reason).rule(), None);
            }
        }
    }
}
