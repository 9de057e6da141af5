//! One-way doors: variants whose effects a rollback would not undo.

use std::collections::BTreeSet;

use ripcord_proto::one_way::OneWay;
use ripcord_proto::rule::Serve;
use ripcord_proto::split::Split;
use ripcord_proto::{Flag, FlagKey, SegmentKey, Snapshot, VariantName};

use super::segments::SegmentReversal;
use super::serves::may_serve;
use super::staged::one_split;
use super::{OneWayDoor, ReversalDecision};

/// The doors that `decision` crosses, by flag.
pub(super) fn doors(decision: &ReversalDecision, now: &Snapshot, target: &Snapshot) -> Vec<OneWayDoor> {
    let moved = decision.flags.iter().flat_map(|step| {
        let is = step.from.as_deref().and_then(|from| from.value().ok());
        let to = step.to.value().ok();
        let was = step.was.as_deref().and_then(|was| was.value().ok());
        declared(is, was)
            .into_iter()
            .filter(move |door| is.is_some_and(|is| takes(is, to, &door.from)))
            .map(|door| OneWayDoor {
                flag: step.key.clone(),
                one_way: door.clone(),
            })
    });
    let moved = moved.filter(|door| now.kills_of(door.flag.as_str()).next().is_none());
    let mut doors: Vec<OneWayDoor> = moved.chain(indirect(decision, now, target)).collect();
    doors.sort_by(|one, other| one.flag.cmp(&other.flag));
    doors
}

/// What a flag declares, now and at the target.
fn declared<'a>(is: Option<&'a Flag>, was: Option<&'a Flag>) -> Vec<&'a OneWay> {
    let (is, was) = (is.and_then(|flag| flag.one_way.as_ref()), was.and_then(|flag| flag.one_way.as_ref()));
    let other = was.filter(|was| is.is_none_or(|is| is.from != was.from));
    is.into_iter().chain(other).collect()
}

/// Doors of flags that do not change themselves, but by a segment, a required flag or the bucketing.
fn indirect(decision: &ReversalDecision, now: &Snapshot, target: &Snapshot) -> Vec<OneWayDoor> {
    let declaring = now.flags.iter().filter_map(|entry| {
        let flag = entry.value().ok()?;
        Some((entry.key(), flag, flag.one_way.as_ref()?))
    });
    let mut declaring = declaring.peekable();
    // Mostly there are none.
    if declaring.peek().is_none() {
        return Vec::new();
    }
    let moved: BTreeSet<&FlagKey> = decision.flags.iter().map(|step| &step.key).collect();
    let changed: BTreeSet<&SegmentKey> = decision.segments.iter().map(|entry| entry.key()).collect();
    let segments = SegmentReversal {
        now,
        was: target,
        position: now.position,
    };
    let rebucketed = decision.settings.is_some();
    let reached = |flag: &Flag| {
        let splits = || flag.rules.iter().any(|rule| matches!(rule.serve, Serve::Split(_) | Serve::JsonLogic(_)));
        let required = || requires(flag, now, &moved);
        rebucketed && splits() || !changed.is_empty() && segments.uses(flag, &changed) || required()
    };
    declaring
        .filter(|(key, _, _)| !moved.contains(key))
        .filter_map(|(key, flag, door)| {
            let served = may_serve(flag).contains(&door.from) && !serves_everybody(flag, &door.from) && now.kills_of(key.as_str()).next().is_none();
            (served && reached(flag)).then(|| OneWayDoor {
                flag: key.clone(),
                one_way: door.clone(),
            })
        })
        .collect()
}

/// Whether a flag requires one of `moved`, directly or by another.
fn requires(flag: &Flag, now: &Snapshot, moved: &BTreeSet<&FlagKey>) -> bool {
    let mut seen: BTreeSet<&FlagKey> = BTreeSet::new();
    let mut open: Vec<&FlagKey> = flag.requires.iter().map(|requirement| &requirement.flag).collect();
    while let Some(key) = open.pop() {
        if moved.contains(key) {
            return true;
        }
        if seen.insert(key)
            && let Some(required) = now.flags.value(key.as_str())
        {
            open.extend(required.requires.iter().map(|requirement| &requirement.flag));
        }
    }
    false
}

/// Whether a user who is served `variant` by `is` may get a different one from `to`. If that is unknown, the answer is yes.
fn takes(is: &Flag, to: Option<&Flag>, variant: &VariantName) -> bool {
    if !may_serve(is).contains(variant) {
        return false;
    }
    let Some(to) = to else { return true };
    if is.variants.get(variant.as_str()) != to.variants.get(variant.as_str()) {
        return true;
    }
    if serves_everybody(to, variant) || same_answers(is, to) {
        return false;
    }
    match one_split(is, to) {
        Some((_, before, after)) => !keeps(before, after, variant),
        None => true,
    }
}

fn same_answers(is: &Flag, to: &Flag) -> bool {
    let rules = |flag: &Flag| flag.rules.iter().map(|rule| (rule.when.clone(), rule.serve.clone())).collect::<Vec<_>>();
    is.enabled == to.enabled && is.default == to.default && is.requires == to.requires && rules(is) == rules(to)
}

/// Whether every user who gets the variant from `before` gets it from `after` too: its range of buckets only grows.
fn keeps(before: &Split, after: &Split, variant: &VariantName) -> bool {
    let (Some((start, end)), Some((new_start, new_end))) = (place(before, variant), place(after, variant)) else {
        return false;
    };
    let (own, new) = (u64::from(before.total()), u64::from(after.total()));
    new_start * own <= start * new && end * new <= new_end * own
}

fn place(split: &Split, variant: &VariantName) -> Option<(u64, u64)> {
    let index = split.shares().iter().position(|share| share.variant == *variant)?;
    let units = |count: usize| split.shares().iter().take(count).map(|share| u64::from(share.weight.units())).sum();
    Some((units(index), units(index + 1)))
}

/// Whether a flag serves nothing but this variant.
fn serves_everybody(flag: &Flag, variant: &VariantName) -> bool {
    let served = may_serve(flag);
    let by_rule = flag.rules.iter().any(|rule| rule.when.is_none() && matches!(rule.serve, Serve::Variant(_)));
    let named = flag.default.is_some() || by_rule && flag.requires.is_empty();
    flag.enabled && named && served.len() == 1 && served.contains(variant)
}
