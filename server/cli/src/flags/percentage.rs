//! `ripcord flags set --percent`: which split of a flag it changes, and how.

use std::fmt;

use ripcord_proto::rule::{Rule, Serve};
use ripcord_proto::table::Table;
use ripcord_proto::text::listed;
use ripcord_proto::{Flag, FlagKey, RuleId};
use serde_json::{Map, Value, json};

use crate::exit::Failure;

/// The id of the rule that is added to a flag without a split for everyone.
const ADDED: &str = "percent";

/// Thousandths of a percent, 0 to 100,000.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Percentage(u32);

impl std::str::FromStr for Percentage {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let refuse = || format!("{text:?} is not a percentage; write a number from 0 to 100, to a thousandth at most");
        let number = text.strip_suffix('%').unwrap_or(text);
        let (whole, part) = number.split_once('.').unwrap_or((number, "0"));
        if part.is_empty() || part.len() > 3 || !(whole.bytes().chain(part.bytes()).all(|byte| byte.is_ascii_digit())) {
            return Err(refuse());
        }
        let whole: u32 = whole.parse().map_err(|_| refuse())?;
        let part: u32 = format!("{part:0<3}").parse().map_err(|_| refuse())?;
        let thousandths = whole.checked_mul(1_000).and_then(|whole| whole.checked_add(part));
        thousandths.filter(|thousandths| *thousandths <= 100_000).map(Self).ok_or_else(refuse)
    }
}

impl fmt::Display for Percentage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = format!("{}.{:03}", self.0 / 1_000, self.0 % 1_000);
        write!(f, "{}%", text.trim_end_matches('0').trim_end_matches('.'))
    }
}

impl Percentage {
    const fn rest(self) -> Self {
        Self(100_000 - self.0)
    }
}

/// Serves true to `percentage` of the users that reach the split: in the one split for everyone, in the one of `rule`, or in a
/// new one behind the other rules. A change that could not have an effect is refused.
pub(super) fn put(key: &FlagKey, flag: &mut Map<String, Value>, percentage: Percentage, rule: Option<&RuleId>) -> Result<(), Failure> {
    let variant = |wanted: bool| {
        let variants = flag.get("variants").and_then(Value::as_object)?;
        variants.iter().find(|(_, value)| value.as_bool() == Some(wanted)).map(|(name, _)| name.clone())
    };
    let (Some(on), Some(off)) = (variant(true), variant(false)) else {
        return Err(refuse(
            "--percent works only for flags with the values true and false. Define a split of other variants in a file: ripcord flags set FLAG -f FILE.",
        ));
    };
    let read = Flag::from_value(&Value::Object(flag.clone())).map_err(|error| refuse(format!("{key} cannot be read: {error}.")))?;
    let split = |serve: &[(&str, Percentage)]| {
        let shares = serve.iter().map(|(variant, weight)| json!({"variant": variant, "weight": weight.to_string()}));
        Value::Array(shares.collect())
    };
    let both = [(on.as_str(), percentage), (off.as_str(), percentage.rest())];
    let place = match rule {
        Some(rule) => Some(named(key, &read, rule)?),
        None => only(key, &read)?,
    };
    let Some(place) = place else {
        let rules = flag.entry("rules").or_insert_with(|| json!([]));
        if let Value::Array(rules) = rules {
            rules.push(json!({"id": ADDED, "serve": {"split": split(&both)}}));
        }
        return Ok(());
    };
    if let Some(dead) = read.dead_rules(&Table::default()).into_iter().find(|dead| dead.index == place) {
        return Err(refuse(format!("{key}: {dead}, so a percentage there would have no effect.")));
    }
    let shares: Vec<&str> = if let Some(Serve::Split(found)) = read.rules.get(place).map(|rule| &rule.serve) {
        found.shares().iter().map(|share| share.variant.as_str()).collect()
    } else {
        Vec::new()
    };
    let known = |variant: &&str| *variant == on || *variant == off;
    let twice = shares.iter().filter(|variant| **variant == on).count() > 1 || shares.iter().filter(|variant| **variant == off).count() > 1;
    if twice || !shares.iter().all(known) {
        return Err(refuse(format!(
            "{key}: the split of {} has other shares than {on} and {off}. Edit it in a file: ripcord flags set {key} -f FILE.",
            name(&read, place)
        )));
    }
    // The order of the variants stays: no user loses the feature when the percentage is raised.
    let starts_off = shares.first().is_some_and(|first| *first == off) && shares.len() > 1;
    let ordered = if starts_off { [both[1], both[0]] } else { both };
    if let Some(slot) = flag.get_mut("rules").and_then(|rules| rules.get_mut(place)?.get_mut("serve")?.get_mut("split")) {
        *slot = split(&ordered);
    }
    Ok(())
}

/// The place of a rule with a split, by its id.
fn named(key: &FlagKey, flag: &Flag, rule: &RuleId) -> Result<usize, Failure> {
    let place = flag.rules.iter().position(|other| other.id.as_ref() == Some(rule));
    place.filter(|place| flag.rules.get(*place).is_some_and(splits)).ok_or_else(|| {
        let found = places(flag, splits);
        let found = if found.is_empty() {
            "no rule with a split".to_owned()
        } else {
            format!("these rules with a split: {}", names(flag, &found))
        };
        refuse(format!("{key} has no rule {rule} with a split; it has {found}."))
    })
}

/// The place of the only split for everyone; `None` if the flag has none and one can be added.
fn only(key: &FlagKey, flag: &Flag) -> Result<Option<usize>, Failure> {
    let found = places(flag, |rule| splits(rule) && matches_everyone(rule));
    match found.as_slice() {
        [place] => Ok(Some(*place)),
        [] => match flag.rules.iter().position(matches_everyone) {
            Some(ahead) => Err(refuse(format!(
                "{key}: {} matches everyone, so a percentage behind it would never be reached. Remove that rule, or give it a split.",
                name(flag, ahead)
            ))),
            None if flag.rules.iter().any(|rule| rule.id.as_ref().is_some_and(|id| id.as_str() == ADDED)) => Err(refuse(format!(
                "{key}: rule {ADDED} has a condition. To change its split, name it: --rule {ADDED}."
            ))),
            None => Ok(None),
        },
        several => Err(refuse(format!(
            "{key} has several splits for everyone: {}. Name the one to change with --rule; only the first of them is ever reached.",
            names(flag, several)
        ))),
    }
}

/// As far as the flag alone tells. A rule whose segment everyone is in counts as limited here; the server's answer warns of it.
fn matches_everyone(rule: &Rule) -> bool {
    rule.matches_everyone(&Table::default())
}

fn splits(rule: &Rule) -> bool {
    matches!(rule.serve, Serve::Split(_))
}

fn places(flag: &Flag, which: impl Fn(&Rule) -> bool) -> Vec<usize> {
    let rules = flag.rules.iter().enumerate();
    rules.filter(|(_, rule)| which(rule)).map(|(place, _)| place).collect()
}

fn name(flag: &Flag, place: usize) -> String {
    let id = flag.rules.get(place).and_then(|rule| rule.id.as_ref());
    id.map_or_else(|| format!("rules[{place}]"), |id| format!("rule {id}"))
}

fn names(flag: &Flag, places: &[usize]) -> String {
    listed(places.iter().map(|place| name(flag, *place)), usize::MAX)
}

fn refuse(text: impl Into<String>) -> Failure {
    Failure::Usage(text.into())
}
