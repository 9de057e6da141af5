//! Staged rollbacks: each step caps a split along its buckets, so that it takes a variant only from the users who got it last
//! (DESIGN, promise 9).

use std::collections::BTreeSet;
use std::sync::Arc;

use ripcord_proto::limits::WEIGHT_SUM;
use ripcord_proto::rule::{Rule, Serve};
use ripcord_proto::split::{Share, Split, Weight};
use ripcord_proto::table::Entry;
use ripcord_proto::{Flag, Position, ValidationErrors, VariantName};

use super::super::error::CommitError;
use super::serves::may_serve;
use super::{ExposureCap, FlagReversal, StageMethod, internal};

/// A whole, in thousandths of a percent.
const WHOLE: u32 = 100_000;

impl ExposureCap {
    /// From percent: 0 to 100, with at most three decimals.
    pub fn percent(percent: f64) -> Result<Self, ValidationErrors> {
        let thousandths = (percent * 1_000.0).round();
        if (0.0..=100.0).contains(&percent) && (thousandths / 1_000.0 - percent).abs() < 1e-9 {
            #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "checked to be whole and within 0 to 100 000")]
            return Ok(Self(thousandths as u32));
        }
        Err(ValidationErrors::one(
            "",
            format!("invalid step {percent}; a step is a percentage from 0 to 100 with at most three decimals"),
        ))
    }
}

impl StageMethod {
    /// The way of a flag from `is` to `to`.
    pub(super) fn of(is: Option<&Flag>, to: Option<&Flag>) -> Self {
        let (Some(is), Some(to)) = (is, to) else { return Self::Last };
        if !to.enabled {
            return Self::Whole;
        }
        if let Some((rule, before, after)) = one_split(is, to) {
            let Some(line) = SplitPair::new(before, after) else { return Self::Whole };
            let control = line.control(before, to);
            let rises = |index: usize| line.to.get(index) > line.now.get(index);
            let raised = (0..line.now.len()).any(|index| index != control && rises(index));
            return if raised { Self::Last } else { Self::Split(rule) };
        }
        if exposes_more(is, to) { Self::Last } else { Self::Whole }
    }
}

/// Whether a flag may serve something besides its safe variant that it may not serve now.
fn exposes_more(is: &Flag, to: &Flag) -> bool {
    let now: BTreeSet<&VariantName> = may_serve(is);
    let more = may_serve(to).into_iter().filter(|variant| to.safe.as_ref() != Some(*variant));
    let mut more = more.filter(|variant| !now.contains(variant) || is.variants.get(variant.as_str()) != to.variants.get(variant.as_str()));
    more.next().is_some()
}

/// The one rule whose split's weights are all that answers differ by, with the split before and after.
pub(super) fn one_split<'a>(is: &'a Flag, to: &'a Flag) -> Option<(usize, &'a Split, &'a Split)> {
    let alike = is.enabled == to.enabled
        && is.variants.iter().eq(to.variants.iter())
        && is.default == to.default
        && is.safe == to.safe
        && is.requires == to.requires
        && is.rules.len() == to.rules.len();
    if !alike {
        return None;
    }
    let mut differing = is.rules.iter().zip(&to.rules).enumerate().filter(|(_, (is, to))| !same_answers(is, to));
    let (index, (before, after)) = differing.next()?;
    if differing.next().is_some() || before.when != after.when {
        return None;
    }
    let (Serve::Split(before), Serve::Split(after)) = (&before.serve, &after.serve) else {
        return None;
    };
    let variants = |split: &'a Split| split.shares().iter().map(|share| &share.variant);
    let unique = variants(before).collect::<BTreeSet<_>>().len() == before.shares().len();
    let alike = unique && before.is_on_the_line_of(after) && variants(before).eq(variants(after));
    alike.then_some((index, before, after))
}

fn same_answers(is: &Rule, to: &Rule) -> bool {
    is.when == to.when && is.serve == to.serve
}

/// Two splits of the same variants in units of one whole.
struct SplitPair {
    total: u64,
    now: Vec<u64>,
    to: Vec<u64>,
}

impl SplitPair {
    /// In units that hold both exactly, and each thousandth of a percent too where the sum of weights allows it; `None` where
    /// not even both are held.
    fn new(before: &Split, after: &Split) -> Option<Self> {
        let both = lcm(u64::from(before.total()), u64::from(after.total()));
        let exact = lcm(both, u64::from(WHOLE));
        let total = [exact, both].into_iter().find(|total| *total <= WEIGHT_SUM)?;
        let units = |split: &Split| {
            let factor = total / u64::from(split.total());
            split.shares().iter().map(|share| u64::from(share.weight.units()) * factor).collect()
        };
        Some(Self {
            total,
            now: units(before),
            to: units(after),
        })
    }

    /// What gains as exposure is lowered: the safe variant, else the one that gains most on the way to the target.
    fn control(&self, split: &Split, flag: &Flag) -> usize {
        let safe = split.shares().iter().position(|share| flag.safe.as_ref() == Some(&share.variant));
        safe.unwrap_or_else(|| {
            let gain = |index: &usize| {
                let at = |units: &[u64]| i128::from(units.get(*index).copied().unwrap_or_default());
                (at(&self.to) - at(&self.now), std::cmp::Reverse(*index))
            };
            (0..self.now.len()).max_by_key(gain).unwrap_or_default()
        })
    }

    /// The weights with exposure capped: never raised, never below the target's share, taken from the variants next to the
    /// control, so that no user moves from one exposed variant to another.
    fn capped(&self, control: usize, cap: ExposureCap) -> Vec<u64> {
        let exposed = |units: &[u64]| -> u64 { units.iter().enumerate().filter(|(index, _)| *index != control).map(|(_, units)| units).sum() };
        let ceiling = (self.total * u64::from(cap.0) / u64::from(WHOLE)).max(exposed(&self.to));
        let excess = exposed(&self.now).saturating_sub(ceiling);
        let mut weights = self.now.clone();
        let mut left = excess;
        let before = (0..control).rev().collect::<Vec<_>>();
        let behind = (control + 1..weights.len()).collect::<Vec<_>>();
        for side in [before, behind] {
            for index in side {
                let floor = self.to.get(index).copied().unwrap_or_default();
                let Some(weight) = weights.get_mut(index) else { break };
                let taken = left.min(weight.saturating_sub(floor));
                *weight -= taken;
                left -= taken;
                if *weight > 0 {
                    // A share behind it can only be made smaller by moving it.
                    break;
                }
            }
        }
        if let Some(weight) = weights.get_mut(control) {
            *weight += excess - left;
        }
        weights
    }
}

impl FlagReversal {
    /// The capped flag that a commit at `position` writes; `None` if it writes nothing.
    pub(super) fn at(&self, cap: Option<ExposureCap>, position: Position) -> Result<Option<Arc<Entry<Flag>>>, CommitError> {
        let Some(cap) = cap else { return Ok(Some(Arc::clone(&self.to))) };
        match self.way {
            StageMethod::Whole => Ok(Some(Arc::clone(&self.to))),
            StageMethod::Last => Ok(None),
            StageMethod::Split(rule) => {
                let flags = self.from.as_deref().and_then(|from| from.value().ok()).zip(self.to.value().ok());
                let Some(flag) = flags.and_then(|(is, to)| capped(is, to, rule, cap)) else {
                    return Ok(None);
                };
                let entry = Entry::new(self.key.clone(), flag, position).map_err(internal)?;
                let same = self.from.as_deref().is_some_and(|from| from.digest() == entry.digest());
                Ok((!same).then(|| Arc::new(entry)))
            }
        }
    }
}

/// The flag as it is at the target, but with the split of one rule no lower than the cap asks for.
fn capped(is: &Flag, to: &Flag, rule: usize, cap: ExposureCap) -> Option<Flag> {
    let (_, before, after) = one_split(is, to)?;
    let line = SplitPair::new(before, after)?;
    let weights = line.capped(line.control(before, to), cap);
    let split = if weights == line.now {
        before.clone()
    } else if weights == line.to {
        after.clone()
    } else {
        written(before, &weights, line.total)?
    };
    let mut flag = to.clone();
    flag.rules.get_mut(rule)?.serve = Serve::Split(split);
    Some(flag)
}

/// The split with other weights: in its own units where they say it, else in the smallest that do.
fn written(split: &Split, weights: &[u64], total: u64) -> Option<Split> {
    let own = total / u64::from(split.total());
    let fits = weights.iter().all(|weight| weight % own == 0);
    let percent = split.shares().iter().all(|share| matches!(share.weight, Weight::Percent(_)));
    let unit = if fits {
        own
    } else {
        weights.iter().fold(total, |divisor, weight| gcd(divisor, *weight))
    };
    let shares = split.shares().iter().zip(weights).map(|(share, weight)| {
        let units = u32::try_from(weight / unit).ok()?;
        Some(Share {
            variant: share.variant.clone(),
            weight: if percent && fits { Weight::Percent(units) } else { Weight::Count(units) },
        })
    });
    let shares: Option<Vec<_>> = shares.collect();
    split.with_shares(shares?).ok()
}

const fn gcd(one: u64, other: u64) -> u64 {
    if other == 0 { one } else { gcd(other, one % other) }
}

const fn lcm(one: u64, other: u64) -> u64 {
    (one / gcd(one, other)).saturating_mul(other)
}
