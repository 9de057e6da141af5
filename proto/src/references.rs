//! References between flags and segments, checked over a whole candidate state.
//!
//! Only what a change can have broken is checked: the references of touched entries, and the references to them.
//! The latter reads each flag's `requires`; the rules of all flags are read only if a segment was removed.

#[cfg(test)]
mod tests;

use std::collections::{BTreeSet, HashMap, HashSet};
use std::sync::Arc;

use crate::condition::Condition;
use crate::delta::Delta;
use crate::flag::Flag;
use crate::key::{FlagKey, SegmentKey, VariantName};
use crate::limits;
use crate::reader::{hint, quoted};
use crate::segment::Segment;
use crate::table::{Entry, Table};
use crate::validation::ValidationError;

/// The keys that a change adds, changes or removes.
#[derive(Debug, Clone, Default)]
pub struct TouchedKeys {
    /// The keys of the changed flags.
    pub flags: BTreeSet<FlagKey>,
    /// The keys of the changed segments.
    pub segments: BTreeSet<SegmentKey>,
}

impl TouchedKeys {
    /// The keys that a delta puts or removes.
    pub fn by(delta: &Delta) -> Self {
        let flags = delta.changed.flags.iter().map(|entry| entry.key());
        let segments = delta.changed.segments.iter().map(|entry| entry.key());
        Self {
            flags: flags.chain(&delta.removed.flags).cloned().collect(),
            segments: segments.chain(&delta.removed.segments).cloned().collect(),
        }
    }

    /// All keys of a state, for a state from an untrusted source.
    pub fn everything(flags: &Table<Flag>, segments: &Table<Segment>) -> Self {
        Self {
            flags: flags.iter().map(|entry| entry.key().clone()).collect(),
            segments: segments.iter().map(|entry| entry.key().clone()).collect(),
        }
    }
}

/// Checks a candidate state in which `touched` changed. Paths start at the environment: `flags.checkout.rules[0].when.segment`.
pub fn check(flags: &Table<Flag>, segments: &Table<Segment>, touched: &TouchedKeys) -> Vec<ValidationError> {
    let mut found = Vec::new();
    for entry in flags.among(&touched.flags) {
        if let Ok(flag) = entry.value() {
            check_flag(entry.key(), flag, flags, segments, &mut found);
        }
    }
    check_requirers(flags, touched, &mut found);
    check_requirement_chains(flags, touched, &mut found);
    check_segments(segments, touched, &mut found);
    check_users_of_removed_segments(flags, segments, touched, &mut found);
    found
}

fn check_flag(key: &FlagKey, flag: &Flag, flags: &Table<Flag>, segments: &Table<Segment>, found: &mut Vec<ValidationError>) {
    for (index, requirement) in flag.requires.iter().enumerate() {
        let at = |member: &str| format!("flags.{key}.requires[{index}].{member}");
        match required(flags, requirement.flag.as_str(), &requirement.variant) {
            Required::Holds => {}
            Required::NoFlag => {
                let hint = hint(requirement.flag.as_str(), flags.iter().map(|entry| entry.key().as_str()));
                found.push(ValidationError::new(
                    at("flag"),
                    format!("\"{}\" is not a flag in this environment{hint}", requirement.flag),
                ));
            }
            Required::NoVariant(known) => {
                found.push(ValidationError::new(
                    at("variant"),
                    format!("\"{}\" is not a variant of \"{}\"; it has {known}", requirement.variant, requirement.flag),
                ));
            }
        }
    }
    segments_of(flag, |segment, place| {
        if segments.get(segment.as_str()).is_none() {
            found.push(ValidationError::new(format!("flags.{key}.{place}"), unknown_segment(segment, segments)));
        }
    });
}

fn unknown_segment(key: &SegmentKey, segments: &Table<Segment>) -> String {
    let hint = hint(key.as_str(), segments.iter().map(|entry| entry.key().as_str()));
    format!("\"{key}\" is not a segment in this environment{hint}")
}

/// Calls `visit` with each segment that the rules name, and its path: `rules[0].when.any[1].segment`.
fn segments_of<'f>(flag: &'f Flag, mut visit: impl FnMut(&'f SegmentKey, String)) {
    for (index, rule) in flag.rules.iter().enumerate() {
        if let Some(when) = &rule.when {
            when.segments(&mut |segment, place| visit(segment, format!("rules[{index}].when.{place}")));
        }
    }
}

enum Required {
    Holds,
    NoFlag,
    NoVariant(String),
}

/// A flag that this version cannot read is skipped; a version that can read it checks it.
fn required(flags: &Table<Flag>, key: &str, variant: &VariantName) -> Required {
    let Some(entry) = flags.get(key) else {
        return Required::NoFlag;
    };
    match entry.value() {
        Ok(flag) if flag.variants.get(variant.as_str()).is_none() => Required::NoVariant(quoted(flag.variants.names().map(VariantName::as_str))),
        Ok(_) | Err(_) => Required::Holds,
    }
}

/// Checks untouched flags that require a touched one.
fn check_requirers(flags: &Table<Flag>, touched: &TouchedKeys, found: &mut Vec<ValidationError>) {
    // Few flags require others. This is checked first, because it runs over all flags on every commit.
    let requirers = flags
        .iter()
        .filter_map(|entry| Some((entry.key(), entry.value().ok()?)))
        .filter(|(_, flag)| !flag.requires.is_empty());
    for (key, flag) in requirers.filter(|(key, _)| !touched.flags.contains(*key)) {
        for (index, requirement) in flag
            .requires
            .iter()
            .enumerate()
            .filter(|(_, requirement)| touched.flags.contains(&requirement.flag))
        {
            let path = format!("flags.{}", requirement.flag);
            match required(flags, requirement.flag.as_str(), &requirement.variant) {
                Required::Holds => {}
                Required::NoFlag => found.push(ValidationError::new(
                    path,
                    format!("cannot be removed: \"{key}\" requires it (requires[{index}]); change that flag first, or in the same commit"),
                )),
                Required::NoVariant(_) => {
                    found.push(ValidationError::new(
                        format!("{path}.variants"),
                        format!("must keep \"{}\": \"{key}\" requires it (requires[{index}])", requirement.variant),
                    ));
                }
            }
        }
    }
}

/// A new cycle contains a touched flag. The depth may have changed for every flag that requires a touched one, even indirectly.
fn check_requirement_chains(flags: &Table<Flag>, touched: &TouchedKeys, found: &mut Vec<ValidationError>) {
    let requires = |key: &str| {
        flags
            .value(key)
            .map(|flag| flag.requires.iter().map(|requirement| requirement.flag.as_str()).collect())
            .unwrap_or_default()
    };
    let requiring = |entry: &&Arc<Entry<Flag>>| entry.value().is_ok_and(|flag| !flag.requires.is_empty());
    let starts = flags.among(&touched.flags).filter(requiring).map(|entry| entry.key().as_str());
    let circles = cycles(starts, requires);
    for cycle in &circles {
        let start = cycle.first().copied().unwrap_or_default();
        found.push(ValidationError::new(
            format!("flags.{start}.requires"),
            format!("is circular: {}", cycle.join(" → ")),
        ));
    }
    if circles.is_empty() {
        let mut depths = HashMap::new();
        for key in flags.iter().filter(requiring).map(|entry| entry.key()) {
            if depth(key.as_str(), &requires, &mut depths, limits::REQUIREMENT_DEPTH) > limits::REQUIREMENT_DEPTH {
                found.push(ValidationError::new(
                    format!("flags.{key}.requires"),
                    format!("is too deep; at most {} flags can require each other in a row", limits::REQUIREMENT_DEPTH),
                ));
            }
        }
    }
}

/// The cycles that can be reached from `starts`, each once, each ending with the name that it starts with.
fn cycles<'k>(starts: impl Iterator<Item = &'k str>, next: impl Fn(&str) -> Vec<&'k str>) -> Vec<Vec<&'k str>> {
    let mut done = HashSet::new();
    let mut found = Vec::new();
    for start in starts {
        let mut path: Vec<&str> = Vec::new();
        let mut open: Vec<(&str, Vec<&str>)> = Vec::new();
        if done.insert(start) {
            path.push(start);
            open.push((start, next(start)));
        }
        while let Some((key, pending)) = open.last_mut() {
            match pending.pop() {
                None => {
                    done.insert(*key);
                    path.pop();
                    open.pop();
                }
                Some(follower) => match path.iter().position(|on_path| *on_path == follower) {
                    Some(place) => found.push(path.iter().skip(place).copied().chain([follower]).collect()),
                    None if done.insert(follower) => {
                        path.push(follower);
                        open.push((follower, next(follower)));
                    }
                    None => {}
                },
            }
        }
    }
    found
}

fn check_segments(segments: &Table<Segment>, touched: &TouchedKeys, found: &mut Vec<ValidationError>) {
    if touched.segments.is_empty() {
        return;
    }
    let conditions = || segments.iter().filter_map(|entry| Some((entry.key(), &entry.value().ok()?.when)));
    for (key, when) in conditions() {
        when.segments(&mut |inner, place| {
            if segments.get(inner.as_str()).is_none() && (touched.segments.contains(key) || touched.segments.contains(inner)) {
                found.push(ValidationError::new(format!("segments.{key}.{place}"), unknown_segment(inner, segments)));
            }
        });
    }
    let inner = |key: &str| segments.value(key).map(|segment| names(&segment.when)).unwrap_or_default();
    let circles = cycles(touched.segments.iter().map(SegmentKey::as_str), inner);
    for cycle in &circles {
        let start = cycle.first().copied().unwrap_or_default();
        found.push(ValidationError::new(format!("segments.{start}"), format!("is circular: {}", cycle.join(" → "))));
    }
    if circles.is_empty() {
        let mut depths = HashMap::new();
        for (key, _) in conditions() {
            if depth(key.as_str(), &inner, &mut depths, limits::SEGMENT_DEPTH) > limits::SEGMENT_DEPTH {
                found.push(ValidationError::new(
                    format!("segments.{key}"),
                    format!("nests segments too deeply; at most {} can be nested", limits::SEGMENT_DEPTH),
                ));
            }
        }
    }
}

fn names(condition: &Condition) -> Vec<&str> {
    let mut names = Vec::new();
    condition.segments(&mut |segment, _| names.push(segment.as_str()));
    names
}

/// The length of the longest chain from `key`, itself included. The walk stops once it is longer than `most`.
fn depth<'k>(key: &'k str, next: &impl Fn(&str) -> Vec<&'k str>, known: &mut HashMap<&'k str, usize>, most: usize) -> usize {
    if let Some(depth) = known.get(key) {
        return *depth;
    }
    let Some(most) = most.checked_sub(1) else {
        return 1;
    };
    let below = next(key).into_iter().map(|follower| depth(follower, next, known, most)).max().unwrap_or(0);
    known.insert(key, below + 1);
    below + 1
}

fn check_users_of_removed_segments(flags: &Table<Flag>, segments: &Table<Segment>, touched: &TouchedKeys, found: &mut Vec<ValidationError>) {
    let removed: HashSet<&SegmentKey> = touched.segments.iter().filter(|key| segments.get(key.as_str()).is_none()).collect();
    if removed.is_empty() {
        return;
    }
    let untouched = flags.iter().filter(|entry| !touched.flags.contains(entry.key()));
    for (key, flag) in untouched.filter_map(|entry| Some((entry.key(), entry.value().ok()?))) {
        segments_of(flag, |segment, place| {
            if removed.contains(segment) {
                found.push(ValidationError::new(
                    format!("segments.{segment}"),
                    format!("cannot be removed: flag \"{key}\" uses it ({place}); change that flag first, or in the same commit"),
                ));
            }
        });
    }
}
