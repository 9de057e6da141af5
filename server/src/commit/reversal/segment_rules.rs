//! Rollbacks for the users of one segment only: rules that give them what the target serves, before rules that give all other users
//! what they get now. If rules cannot express that, the reason is returned.

use std::collections::{BTreeMap, BTreeSet};

use ripcord_proto::condition::Condition;
use ripcord_proto::rule::{Rule, Serve};
use ripcord_proto::{Flag, SegmentKey, Snapshot, ValidationErrors, VariantName};
use serde_json::Value;

use super::super::error::{CommitError, MissingItem};

/// A flag now or at the target, readable or not.
type ReadableFlag<'a> = Option<Result<&'a Flag, &'a ValidationErrors>>;

/// The flag after the rollback.
pub(super) enum Composed {
    /// It serves that already.
    AsItIs,
    /// It is replaced by this one.
    Flag(Box<Flag>),
}

/// Composes flags for one segment.
pub(super) struct Composer<'a> {
    segment: &'a SegmentKey,
    now: &'a Snapshot,
    was: &'a Snapshot,
    /// Segments that have changed, or contain one that has.
    moved: BTreeSet<SegmentKey>,
}

impl<'a> Composer<'a> {
    /// For the users of `segment` as it is now.
    pub(super) fn new(now: &'a Snapshot, was: &'a Snapshot, segment: &'a SegmentKey) -> Result<Self, CommitError> {
        if now.segments.get(segment.as_str()).is_none() {
            return Err(CommitError::NotFound(MissingItem::segment(segment, &now.segments)));
        }
        Ok(Self {
            segment,
            now,
            was,
            moved: moved(now, was),
        })
    }

    /// Whether no segment has changed, so that an unchanged flag serves what it did.
    pub(super) fn segments_agree(&self) -> bool {
        self.moved.is_empty() && self.now.settings == self.was.settings
    }

    /// The flag with rules for the segment, or why rules cannot express it.
    pub(super) fn compose(&self, is: ReadableFlag<'_>, was: ReadableFlag<'_>) -> Result<Composed, String> {
        let (is, was) = match (is, was) {
            (Some(Ok(is)), Some(Ok(was))) => (is, was),
            // Off, or gone: the caller's own default either way.
            (Some(Ok(is)), None) if !is.enabled => return Ok(Composed::AsItIs),
            (None, Some(Ok(was))) if !was.enabled => return Ok(Composed::AsItIs),
            (Some(_), None) => return Err("it does not exist at the target, and a flag cannot be missing for some users only".to_owned()),
            (None, Some(_)) => return Err("it was deleted since, and a flag cannot exist for some users only".to_owned()),
            (Some(Err(_)), _) | (_, Some(Err(_))) | (None, None) => return Err("this version cannot read it".to_owned()),
        };
        if is.enabled != was.enabled {
            return Err(format!("it is {} now and was {} then, but rules cannot switch a flag", on(is), on(was)));
        }
        if !is.enabled || self.answers_alike(is, was) {
            return Ok(Composed::AsItIs);
        }
        self.check(is, was)?;
        let mut rules = self.rules_of(was)?;
        if is.rules.starts_with(&rules) {
            return Ok(Composed::AsItIs);
        }
        rules.extend(is.rules.iter().cloned());
        with(is, was, &rules)
    }

    fn answers_alike(&self, is: &Flag, was: &Flag) -> bool {
        let used = |flag: &Flag| flag.rules.iter().any(|rule| rule.when.as_ref().is_some_and(|when| self.names_moved(when)));
        let rebucketed = self.now.settings != self.was.settings && buckets(was);
        let alike = is.variants == was.variants && is.default == was.default && is.rules == was.rules && is.requires == was.requires;
        alike && !used(was) && !rebucketed
    }

    fn check(&self, is: &Flag, was: &Flag) -> Result<(), String> {
        if self.is_imported(self.segment) {
            return Err(format!(
                "segment {} is an imported rule, which may fail for users outside the segment",
                self.segment
            ));
        }
        if is.requires != was.requires {
            return Err("it requires different flags now, and rules cannot limit that to a segment".to_owned());
        }
        if is.variants.value_type() != was.variants.value_type() {
            return Err(format!(
                "its values have type {} now and had type {} then",
                is.variants.value_type(),
                was.variants.value_type()
            ));
        }
        let same_default = is.default == was.default && value_of(is, is.default.as_ref()) == value_of(was, was.default.as_ref());
        if !same_default && !was.requires.is_empty() {
            return Err("if a flag that it requires does not serve the required variant, users would get a different default than before".to_owned());
        }
        if !same_default && buckets(was) {
            return Err("users without the attribute that it splits by would get a different default than before".to_owned());
        }
        if buckets(was) && self.now.settings != self.was.settings {
            return Err("the environment buckets users differently now".to_owned());
        }
        if let Some(name) = served(was).into_iter().find(|name| {
            is.variants
                .get(name.as_str())
                .is_some_and(|value| Some(value) != was.variants.get(name.as_str()))
        }) {
            return Err(format!("its variant {name} has a different value now"));
        }
        let imported = was.rules.iter().any(|rule| matches!(rule.serve, Serve::JsonLogic(_)));
        if imported && !is.variants.names().eq(was.variants.names()) {
            return Err("an imported rule refers to its variants, which are different now".to_owned());
        }
        Ok(())
    }

    /// The rules that give the segment's users what the target serves.
    fn rules_of(&self, was: &Flag) -> Result<Vec<Rule>, String> {
        let segment = || Condition::Segment(self.segment.clone());
        let mut rules = Vec::with_capacity(was.rules.len() + 1);
        for rule in &was.rules {
            rules.push(Rule {
                id: None,
                when: Some(match &rule.when {
                    None => segment(),
                    Some(when) => Condition::All(vec![segment(), self.as_it_was(when)]),
                }),
                serve: rule.serve.clone(),
            });
            if rule.when.is_none() {
                return Ok(rules);
            }
        }
        let Some(default) = &was.default else {
            return Err("it served the caller's own default, which no rule can serve".to_owned());
        };
        rules.push(Rule {
            id: None,
            when: Some(segment()),
            serve: Serve::Variant(default.clone()),
        });
        Ok(rules)
    }

    /// A condition with what a moved segment said then in place of its name.
    fn as_it_was(&self, condition: &Condition) -> Condition {
        let all = |items: &[Condition]| items.iter().map(|item| self.as_it_was(item)).collect();
        match condition {
            Condition::All(items) => Condition::All(all(items)),
            Condition::Any(items) => Condition::Any(all(items)),
            Condition::Not(inner) => Condition::Not(Box::new(self.as_it_was(inner))),
            Condition::Segment(key) if self.moved.contains(key) => match self.was.segments.value(key.as_str()) {
                Some(segment) => self.as_it_was(&segment.when),
                None => condition.clone(),
            },
            Condition::Segment(_) | Condition::JsonLogic(_) | Condition::Attribute { .. } => condition.clone(),
        }
    }

    fn names_moved(&self, condition: &Condition) -> bool {
        let mut found = false;
        condition.segments(&mut |key, _| found |= self.moved.contains(key));
        found
    }

    /// Whether a segment, or one within it, holds an imported rule.
    fn is_imported(&self, segment: &SegmentKey) -> bool {
        let mut seen = BTreeSet::new();
        let mut open = vec![segment.clone()];
        while let Some(key) = open.pop() {
            let Some(segment) = self.now.segments.value(key.as_str()) else { continue };
            if holds_imported(&segment.when) {
                return true;
            }
            segment.when.segments(&mut |key, _| {
                if seen.insert(key.clone()) {
                    open.push(key.clone());
                }
            });
        }
        false
    }
}

fn holds_imported(condition: &Condition) -> bool {
    match condition {
        Condition::JsonLogic(_) => true,
        Condition::All(items) | Condition::Any(items) => items.iter().any(holds_imported),
        Condition::Not(inner) => holds_imported(inner),
        Condition::Segment(_) | Condition::Attribute { .. } => false,
    }
}

/// The segments of the target that have changed, or contain one that has.
fn moved(now: &Snapshot, was: &Snapshot) -> BTreeSet<SegmentKey> {
    let mut within: BTreeMap<SegmentKey, Vec<SegmentKey>> = BTreeMap::new();
    let mut moved = BTreeSet::new();
    for entry in &was.segments {
        if now.segments.get(entry.key().as_str()).map(|is| is.digest()) != Some(entry.digest()) {
            moved.insert(entry.key().clone());
        }
        if let Ok(segment) = entry.value() {
            segment
                .when
                .segments(&mut |key, _| within.entry(key.clone()).or_default().push(entry.key().clone()));
        }
    }
    let mut open: Vec<SegmentKey> = moved.iter().cloned().collect();
    while let Some(key) = open.pop() {
        for around in within.get(&key).into_iter().flatten() {
            if moved.insert(around.clone()) {
                open.push(around.clone());
            }
        }
    }
    moved
}

const fn on(flag: &Flag) -> &'static str {
    if flag.enabled { "on" } else { "off" }
}

/// Whether a user may fall through one of its rules to the default: a split without its attribute, or an imported rule.
fn buckets(flag: &Flag) -> bool {
    flag.rules.iter().any(|rule| matches!(rule.serve, Serve::Split(_) | Serve::JsonLogic(_)))
}

fn value_of<'a>(flag: &'a Flag, variant: Option<&VariantName>) -> Option<&'a ripcord_proto::value::Value> {
    variant.and_then(|name| flag.variants.get(name.as_str()))
}

/// The variants that its rules and its default name.
fn served(flag: &Flag) -> BTreeSet<&VariantName> {
    let mut names = BTreeSet::new();
    for rule in &flag.rules {
        match &rule.serve {
            Serve::Variant(name) => drop(names.insert(name)),
            Serve::Split(split) => names.extend(split.shares().iter().map(|share| &share.variant)),
            Serve::JsonLogic(_) => names.extend(flag.variants.names()),
        }
    }
    names.extend(&flag.default);
    names
}

/// The flag with these rules, and with the variants of the target that they serve beside its own.
fn with(is: &Flag, was: &Flag, rules: &[Rule]) -> Result<Composed, String> {
    let failed = |error: serde_json::Error| error.to_string();
    let mut value = serde_json::to_value(is).map_err(failed)?;
    if let Some(Value::Object(variants)) = value.get_mut("variants") {
        for name in served(was).into_iter().filter(|name| is.variants.get(name.as_str()).is_none()) {
            let added = serde_json::to_value(was.variants.get(name.as_str())).map_err(failed)?;
            variants.insert(name.to_string(), added);
        }
    }
    if let Value::Object(members) = &mut value {
        members.insert("rules".to_owned(), serde_json::to_value(rules).map_err(failed)?);
    }
    let flag = Flag::from_value(&value).map_err(|faults| match faults.all().first() {
        Some(fault) => format!("its rules would not be valid: {fault}"),
        None => "its rules would not be valid".to_owned(),
    })?;
    Ok(Composed::Flag(Box::new(flag)))
}
