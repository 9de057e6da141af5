//! Whether more people may get a variant that is not safe after a change. This is decided from the definitions alone, for every possible
//! user. In doubt the answer is yes.

use std::collections::BTreeSet;

use ripcord_proto::condition::Condition;
use ripcord_proto::references::TouchedKeys;
use ripcord_proto::rule::{Rule, Serve};
use ripcord_proto::split::Split;
use ripcord_proto::{Flag, FlagKey, SegmentKey, Snapshot, VariantName};

/// The flags that more people may be served after the change, through their own definitions, through segments that their rules
/// name, and through flags that they require.
pub(super) fn raised(before: &Snapshot, after: &Snapshot, touched: &TouchedKeys) -> BTreeSet<FlagKey> {
    let change = |key: &FlagKey| ExposureChange {
        before: before.flags.value(key.as_str()),
        after: after.flags.value(key.as_str()),
    };
    let mut raised: BTreeSet<FlagKey> = touched.flags.iter().filter(|key| change(key).raises()).cloned().collect();
    raised.extend(through_segments(before, after, touched));
    let moved = touched.flags.iter().filter(|key| change(key).moves());
    through_requirements(after, moved.cloned().chain(raised.iter().cloned()).collect(), &mut raised);
    raised
}

/// A flag before and after.
#[derive(Clone, Copy)]
pub(super) struct ExposureChange<'a> {
    pub(super) before: Option<&'a Flag>,
    pub(super) after: Option<&'a Flag>,
}

impl ExposureChange<'_> {
    /// Whether any user may be served something else.
    fn moves(self) -> bool {
        let serving = |flag: &Flag| Flag {
            description: None,
            owner: None,
            tags: BTreeSet::new(),
            lease: None,
            one_way: None,
            checks: Vec::new(),
            metadata: serde_json::Map::new(),
            expires_at: None,
            ..flag.clone()
        };
        self.before.map(serving) != self.after.map(serving)
    }

    /// Whether any user may be served a variant that is not safe, and was not served it before.
    pub(super) fn raises(self) -> bool {
        let Some(after) = self.after.filter(|flag| flag.enabled) else {
            return false;
        };
        if !self.exposes(after) {
            return false;
        }
        match self.before.filter(|flag| flag.enabled) {
            Some(before) => !self.is_within(before, after),
            None => true,
        }
    }

    /// Whether a variant is not the safe one, as it was and as it is.
    fn is_exposed(self, variant: &VariantName) -> bool {
        let is_safe = |flag: Option<&Flag>| flag.is_none_or(|flag| flag.safe.as_ref() == Some(variant));
        let value = |flag: Option<&Flag>| flag.and_then(|flag| flag.variants.get(variant.as_str()).cloned());
        let is_another = self.before.is_some() && value(self.before) != value(self.after);
        is_another || !is_safe(self.before) || !is_safe(self.after)
    }

    fn exposes_default(self, flag: &Flag) -> bool {
        flag.default.as_ref().is_some_and(|variant| self.is_exposed(variant))
    }

    /// Whether `flag` can serve any user a variant that is not safe.
    fn exposes(self, flag: &Flag) -> bool {
        self.exposes_default(flag) || flag.rules.iter().any(|rule| self.exposes_by(&rule.serve))
    }

    fn exposes_by(self, serve: &Serve) -> bool {
        match serve {
            Serve::Variant(variant) => self.is_exposed(variant),
            Serve::Split(split) => spans(split).iter().any(|span| self.is_exposed(span.variant)),
            Serve::JsonLogic(_) => true,
        }
    }

    /// Whether everyone who is served an exposed variant now was served the same before: the rules are tried in the same order
    /// on the same conditions, and none of them serves more.
    fn is_within(self, before: &Flag, after: &Flag) -> bool {
        let exposes_default = self.exposes_default(after);
        if before.requires != after.requires || (exposes_default && before.default != after.default) {
            return false;
        }
        // Users whom the last rule does not match get the default.
        let follows = after.rules.len() == before.rules.len() || (after.rules.len() < before.rules.len() && !exposes_default);
        let is_kept_value = |(name, value)| before.variants.get(VariantName::as_str(name)) == Some(value) || !Self::serves(after, name);
        let keeps_values = after.variants.iter().all(is_kept_value);
        let is_kept = |(old, new): (&Rule, &Rule)| old.when == new.when && self.is_served_within((before, &old.serve), (after, &new.serve));
        follows && keeps_values && before.rules.iter().zip(&after.rules).all(is_kept)
    }

    fn serves(flag: &Flag, variant: &VariantName) -> bool {
        let by_rule = |rule: &Rule| match &rule.serve {
            Serve::Variant(served) => served == variant,
            Serve::Split(split) => spans(split).iter().any(|span| span.variant == variant),
            Serve::JsonLogic(_) => true,
        };
        flag.default.as_ref() == Some(variant) || flag.rules.iter().any(by_rule)
    }

    fn is_served_within(self, (before, old): (&Flag, &Serve), (after, new): (&Flag, &Serve)) -> bool {
        if old == new {
            // A split whose attribute is missing serves the default, which is compared by itself.
            return true;
        }
        // Without the attribute that a split goes by it serves the default.
        let default = after.default.as_ref().filter(|variant| self.is_exposed(variant));
        match (old, new) {
            (Serve::Variant(old), Serve::Variant(new)) => old == new || !self.is_exposed(new),
            (Serve::Variant(old), Serve::Split(new)) => {
                let served = spans(new).into_iter().map(|span| span.variant).chain(default);
                served.filter(|variant| self.is_exposed(variant)).all(|variant| variant == old)
            }
            (Serve::Split(old), Serve::Variant(new)) => {
                let always = spans(old).iter().all(|span| span.variant == new) && before.default.as_ref() == Some(new);
                always || !self.is_exposed(new)
            }
            (Serve::Split(old), Serve::Split(new)) => {
                let is_same_line = old.is_on_the_line_of(new);
                is_same_line && self.is_split_within(old, new)
            }
            (Serve::JsonLogic(_), new) => !self.exposes_by(new) && default.is_none(),
            (Serve::Variant(_) | Serve::Split(_), Serve::JsonLogic(_)) => false,
        }
    }

    /// Whether each exposed variant has only places along the buckets that it had before.
    fn is_split_within(self, old: &Split, new: &Split) -> bool {
        let (old_spans, new_spans) = (spans(old), spans(new));
        let (old_total, new_total) = (u128::from(old.total()), u128::from(new.total()));
        let is_kept = |span: &BucketSpan<'_>| {
            let mut places = old_spans.iter().filter(|old| old.variant == span.variant);
            places.any(|old| old.from * new_total <= span.from * old_total && span.to * old_total <= old.to * new_total)
        };
        new_spans.iter().filter(|span| self.is_exposed(span.variant)).all(is_kept)
    }
}

/// A stretch of buckets that serves one variant, in units of the split's total.
struct BucketSpan<'a> {
    variant: &'a VariantName,
    from: u128,
    to: u128,
}

/// The stretches of a split, those without buckets left out, neighbours of one variant as one.
fn spans(split: &Split) -> Vec<BucketSpan<'_>> {
    let mut spans: Vec<BucketSpan<'_>> = Vec::new();
    let mut from = 0;
    for share in split.shares().iter().filter(|share| share.weight.units() > 0) {
        let to = from + u128::from(share.weight.units());
        match spans.last_mut() {
            Some(last) if last.variant == &share.variant => last.to = to,
            Some(_) | None => spans.push(BucketSpan {
                variant: &share.variant,
                from,
                to,
            }),
        }
        from = to;
    }
    spans
}

/// Flags whose rules use a segment that has changed: who is in it now cannot be seen here.
fn through_segments(before: &Snapshot, after: &Snapshot, touched: &TouchedKeys) -> BTreeSet<FlagKey> {
    let condition = |snapshot: &Snapshot, key: &SegmentKey| snapshot.segments.value(key.as_str()).map(|segment| segment.when.clone());
    let is_changed = |key: &&SegmentKey| condition(before, key) != condition(after, key);
    let mut changed: BTreeSet<&SegmentKey> = touched.segments.iter().filter(is_changed).collect();
    loop {
        let segments = after.segments.iter().filter_map(|entry| Some((entry.key(), &entry.value().ok()?.when)));
        let more: Vec<_> = segments.filter(|(key, when)| !changed.contains(key) && names_one(when, &changed)).collect();
        if more.is_empty() {
            break;
        }
        changed.extend(more.into_iter().map(|(key, _)| key));
    }
    if changed.is_empty() {
        return BTreeSet::new();
    }
    let flags = after.flags.iter().filter_map(|entry| Some((entry.key(), entry.value().ok()?)));
    let goes_by_one = |flag: &Flag| flag.rules.iter().filter_map(|rule| rule.when.as_ref()).any(|when| names_one(when, &changed));
    let is_raised = |flag: &Flag| flag.enabled && goes_by_one(flag) && can_expose(flag);
    flags.filter(|(_, flag)| is_raised(flag)).map(|(key, _)| key.clone()).collect()
}

fn names_one(when: &Condition, segments: &BTreeSet<&SegmentKey>) -> bool {
    let mut found = false;
    when.segments(&mut |segment, _| found |= segments.contains(segment));
    found
}

fn can_expose(flag: &Flag) -> bool {
    let alone = ExposureChange {
        before: None,
        after: Some(flag),
    };
    alone.exposes(flag)
}

/// Flags that require one that moved. Where that one is served to fewer people, a flag that requires what is not safe of it
/// is served to fewer as well, unless its own default is exposed.
fn through_requirements(after: &Snapshot, moved: BTreeSet<FlagKey>, raised: &mut BTreeSet<FlagKey>) {
    let mut open: Vec<FlagKey> = moved.into_iter().collect();
    let mut seen: BTreeSet<FlagKey> = open.iter().cloned().collect();
    while let Some(key) = open.pop() {
        let safe = after.flags.value(key.as_str()).filter(|flag| flag.enabled).and_then(|flag| flag.safe.as_ref());
        for entry in &after.flags {
            let Ok(flag) = entry.value() else { continue };
            let Some(requirement) = flag.requires.iter().find(|requirement| requirement.flag == key) else {
                continue;
            };
            let alone = ExposureChange {
                before: None,
                after: Some(flag),
            };
            let gains = raised.contains(&key) || alone.exposes_default(flag) || Some(&requirement.variant) == safe;
            let is_news = gains && flag.enabled && alone.exposes(flag) && raised.insert(entry.key().clone());
            if seen.insert(entry.key().clone()) || is_news {
                open.push(entry.key().clone());
            }
        }
    }
}
