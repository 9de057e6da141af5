//! What an evaluation decided, in a form that fits a register.

use super::reason::{ErrorCode, Reason};

/// The index of a variant among those of its flag (at most 64), or none for the caller's default.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct VariantIndex(u8);

impl VariantIndex {
    pub(super) const NONE: Self = Self(u8::MAX);

    /// `NONE` if there is no index.
    pub(super) fn new(index: Option<usize>) -> Self {
        index.and_then(|index| u8::try_from(index).ok()).map_or(Self::NONE, Self)
    }

    #[inline]
    pub(super) const fn get(self) -> Option<usize> {
        if self.0 == u8::MAX { None } else { Some(self.0 as usize) }
    }
}

/// Variant, reason and rule in four bytes. A struct of three fields was passed through memory byte by byte, which cost 10 ns.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Decision(u32);

/// In the upper half of a decision: no rule served. A flag has at most 256.
const NO_RULE: u32 = 0xffff;

impl Decision {
    #[inline]
    pub(super) const fn new(variant: VariantIndex, reason: Reason) -> Self {
        Self::pack(variant, reason, NO_RULE)
    }

    #[inline]
    pub(super) const fn by_rule(variant: VariantIndex, reason: Reason, index: usize) -> Self {
        #[expect(clippy::cast_possible_truncation, reason = "a flag has at most 256 rules")]
        Self::pack(variant, reason, index as u32)
    }

    #[inline]
    pub(super) const fn error(code: ErrorCode) -> Self {
        Self::new(VariantIndex::NONE, Reason::Error(code))
    }

    #[inline]
    const fn pack(variant: VariantIndex, reason: Reason, rule: u32) -> Self {
        Self(rule << 16 | (variant.0 as u32) << 8 | reason.code() as u32)
    }

    #[inline]
    pub(super) const fn variant(self) -> VariantIndex {
        #[expect(clippy::cast_possible_truncation, reason = "the second byte")]
        VariantIndex((self.0 >> 8) as u8)
    }

    pub(super) const fn rule(self) -> Option<usize> {
        let rule = self.0 >> 16;
        if rule == NO_RULE { None } else { Some(rule as usize) }
    }

    #[inline]
    pub(super) const fn reason(self) -> Reason {
        // The reverse of `Reason::code`.
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

/// Whether a condition holds, or why that is not known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Truth {
    False,
    True,
    /// A segment is missing or could not be compiled.
    Unreadable,
    /// An imported rule failed, or the evaluation's budget was used up.
    Failed,
}

impl Truth {
    /// `None` if it is not known whether the condition holds.
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
    fn a_decision_keeps_what_it_was_made_of() {
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
            Reason::NotReady,
        ];
        for reason in codes.map(Reason::Error).into_iter().chain(plain) {
            for variant in [VariantIndex::NONE, VariantIndex::new(Some(0)), VariantIndex::new(Some(63))] {
                let decision = Decision::by_rule(variant, reason, 255);
                assert_eq!((decision.variant(), decision.reason(), decision.rule()), (variant, reason, Some(255)));
                assert_eq!(Decision::new(variant, reason).rule(), None);
            }
        }
    }
}
