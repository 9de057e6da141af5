//! Shares of a split: one grows into the one next to it.

use ripcord_proto::VariantName;
use ripcord_proto::gate::Percent;
use ripcord_proto::limits;
use ripcord_proto::rollout::RolloutPlan;
use ripcord_proto::split::{Share, Split, Weight};

/// A whole, in thousandths of a percent.
const WHOLE: u64 = 100_000;

/// The variant whose share is lowered: the plan's, else the only other one, else the safe one.
pub(super) fn control(plan: &RolloutPlan, split: &Split, safe: Option<&VariantName>) -> Result<VariantName, String> {
    let others: Vec<&VariantName> = split
        .shares()
        .iter()
        .map(|share| &share.variant)
        .filter(|name| **name != plan.variant)
        .collect();
    let names = || others.iter().map(|name| name.as_str()).collect::<Vec<_>>().join(", ");
    match &plan.control {
        Some(control) if others.contains(&control) => Ok(control.clone()),
        Some(control) => Err(format!("\"{control}\" is not in the split; it serves {}", names())),
        None => match (others.as_slice(), safe) {
            ([], _) => Err("the split serves only this variant, so there is no other one to lower".to_owned()),
            ([only], _) => Ok((*only).clone()),
            (_, Some(safe)) if others.contains(&safe) => Ok(safe.clone()),
            (_, _) => Err(format!("is missing; the split also serves {}. Name the one to lower", names())),
        },
    }
}

/// The split with the variant at `share`, taken from the control beside it. Every other share keeps its place to the last user.
pub(super) fn raised(split: &Split, variant: &VariantName, control: &VariantName, share: Percent) -> Result<Split, String> {
    let shares = with_variant(split, variant, control)?;
    let place = |name: &VariantName| shares.iter().position(|share| share.variant == *name);
    let (Some(own), Some(other)) = (place(variant), place(control)) else {
        return Err(format!("the split no longer serves \"{control}\""));
    };
    if own.abs_diff(other) != 1 {
        return Err(format!(
            "\"{variant}\" and its control \"{control}\" are not next to each other in the split, so users of other variants would be moved; put them side by side"
        ));
    }
    let factor = factor(&shares, share)?;
    let scaled = |place: usize| shares.get(place).map_or(0, |share| u64::from(share.weight.units()) * factor);
    let total: u64 = (0..shares.len()).map(scaled).sum();
    let wanted = total * u64::from(share.thousandths()) / WHOLE;
    let (now, room) = (scaled(own), scaled(own) + scaled(other));
    if wanted < now {
        return Err(format!(
            "would lower \"{variant}\" from {} to {share}; steps can only raise it",
            percent_of(now, total)
        ));
    }
    if wanted > room {
        return Err(format!(
            "asks for {share}, but \"{variant}\" and \"{control}\" have only {} together; the rest of the split belongs to other variants",
            percent_of(room, total)
        ));
    }
    let weight = |place: usize| match place {
        place if place == own => wanted,
        place if place == other => room - wanted,
        place => scaled(place),
    };
    let moved = shares.iter().enumerate().map(|(place, share)| Share {
        variant: share.variant.clone(),
        weight: with_units(share.weight, weight(place)),
    });
    split.with_shares(moved.collect()).map_err(|faults| faults.to_string())
}

/// The shares, with the variant in front of its control if the split does not serve it yet.
fn with_variant(split: &Split, variant: &VariantName, control: &VariantName) -> Result<Vec<Share>, String> {
    let mut shares = split.shares().to_vec();
    for name in [variant, control] {
        if shares.iter().filter(|share| share.variant == *name).count() > 1 {
            return Err(format!("\"{name}\" appears more than once in the split; merge its shares"));
        }
    }
    if shares.iter().all(|share| share.variant != *variant) {
        let Some(place) = shares.iter().position(|share| share.variant == *control) else {
            return Err(format!("the split no longer serves \"{control}\""));
        };
        let nothing = with_units(shares.first().map_or(Weight::Percent(0), |share| share.weight), 0);
        shares.insert(
            place,
            Share {
                variant: variant.clone(),
                weight: nothing,
            },
        );
    }
    Ok(shares)
}

/// By what all weights are multiplied so that the share is a whole number. Bounds between shares are fractions of the whole, so
/// that no user moves by it.
fn factor(shares: &[Share], share: Percent) -> Result<u64, String> {
    let total: u64 = shares.iter().map(|share| u64::from(share.weight.units())).sum();
    let factor = WHOLE / gcd(total * u64::from(share.thousandths()), WHOLE);
    if total * factor > limits::WEIGHT_SUM {
        return Err(format!(
            "{share} cannot be expressed exactly with weights that sum to {total}; write the split's weights as percentages"
        ));
    }
    Ok(factor)
}

const fn gcd(a: u64, b: u64) -> u64 {
    if b == 0 { a } else { gcd(b, a % b) }
}

fn with_units(like: Weight, units: u64) -> Weight {
    let units = u32::try_from(units).unwrap_or(u32::MAX);
    match like {
        Weight::Count(_) => Weight::Count(units),
        Weight::Percent(_) => Weight::Percent(units),
    }
}

/// A part of a whole, as a person reads it.
fn percent_of(part: u64, total: u64) -> Percent {
    let thousandths = (part * WHOLE).checked_div(total).unwrap_or_default();
    Percent::from_thousandths(u32::try_from(thousandths).unwrap_or(u32::MAX))
}
