//! Prerequisites, rules and splits of one flag as one targeting rule.

use std::cell::Cell;

use serde_json::{Value, json};

use super::logic::{Subject, all, any, operation, same};
use crate::flag::{Flag, Requirement};
use crate::flagd::unknown_operator;
use crate::key::{FlagKey, SegmentKey, VariantName};
use crate::kill::Kill;
use crate::rule::{Rule, Serve};
use crate::segment::Segment;
use crate::snapshot::Snapshot;
use crate::split::Split;

/// Maximum number of operations of one flag. Segments and required flags are written out each time that they are named.
const OPERATIONS: u32 = 4_096;
/// Maximum nesting of segments and required flags.
const NESTING: u32 = 32;

/// Writes the flags of a snapshot.
pub(super) struct Writer<'s> {
    snapshot: &'s Snapshot,
    kills: Vec<&'s Kill>,
    left: Cell<u32>,
}

/// The current nesting, and whether it is within a required flag.
#[derive(Debug, Clone, Copy)]
pub(super) struct Depth {
    left: u32,
    required: bool,
}

impl Depth {
    const TOP: Self = Self {
        left: NESTING,
        required: false,
    };

    /// One level deeper.
    pub(super) fn deeper(self) -> Result<Self, String> {
        let left = self.left.checked_sub(1).ok_or("it nests segments and required flags too deeply")?;
        Ok(Self { left, ..self })
    }

    fn into_required(self) -> Result<Self, String> {
        Ok(Self {
            required: true,
            ..self.deeper()?
        })
    }

    pub(super) const fn is_within_required(self) -> bool {
        self.required
    }
}

impl<'s> Writer<'s> {
    pub(super) fn new(snapshot: &'s Snapshot, kills: Vec<&'s Kill>) -> Self {
        Self {
            snapshot,
            kills,
            left: Cell::new(0),
        }
    }

    /// The kill that forces the flag's safe variant: the earliest.
    pub(super) fn kill_of(&self, key: &FlagKey) -> Option<&'s Kill> {
        self.kills.iter().filter(|kill| kill.covers(key.as_str())).min_by_key(|kill| &kill.id).copied()
    }

    pub(super) fn segment(&self, key: &SegmentKey) -> Option<&'s Segment> {
        self.snapshot.segments.value(key.as_str())
    }

    /// Counts an operation.
    pub(super) fn spend(&self, rule: Value) -> Result<Value, String> {
        let left = self
            .left
            .get()
            .checked_sub(1)
            .ok_or("it is too large with its segments and required flags written out")?;
        self.left.set(left);
        Ok(rule)
    }

    /// The targeting of an enabled flag that is not killed; `None` if it serves all users the default variant.
    pub(super) fn targeting(&self, key: &FlagKey, flag: &Flag) -> Result<Option<Value>, String> {
        self.left.set(OPERATIONS);
        if flag.lease.is_some() && !flag.flagd_without_lease {
            return Err("it has a lease, which flagd's clients cannot keep; \"flagd_without_lease\": true in the flag lets them have it without".to_owned());
        }
        if let Some(operator) = broken_operator(flag) {
            return Ok(Some(broken(operator)));
        }
        if flag.rules.is_empty() && flag.requires.is_empty() {
            return Ok(None);
        }
        self.chain(key, flag, &Value::Null, Depth::TOP).map(Some)
    }

    /// Prerequisites, then rules, as one rule that returns the name of a variant, or `otherwise`.
    fn chain(&self, key: &FlagKey, flag: &Flag, otherwise: &Value, depth: Depth) -> Result<Value, String> {
        let requires = flag.requires.iter().map(|requirement| self.requirement(requirement, depth));
        let requires = requires.collect::<Result<Vec<_>, _>>()?;
        let rules = self.rules(key, flag, otherwise, depth)?;
        if requires.is_empty() {
            return Ok(rules);
        }
        Ok(operation("if", [all(requires), rules, otherwise.clone()]))
    }

    fn rules(&self, key: &FlagKey, flag: &Flag, otherwise: &Value, depth: Depth) -> Result<Value, String> {
        let mut steps = Vec::new();
        for rule in &flag.rules {
            let serve = self.serve(key, rule, otherwise, depth)?;
            let Some(when) = &rule.when else {
                steps.push(serve);
                return Ok(chained(steps));
            };
            steps.extend([self.condition(when, depth)?, serve]);
        }
        steps.push(otherwise.clone());
        Ok(chained(steps))
    }

    fn serve(&self, key: &FlagKey, rule: &Rule, otherwise: &Value, depth: Depth) -> Result<Value, String> {
        let serve = match &rule.serve {
            Serve::Variant(name) => json!(name),
            Serve::Split(split) => match split.fractional() {
                // Without a value of its own it hashes the key of the flag that is evaluated, which would be another one there.
                Some(_) if depth.is_within_required() => return Err(format!("flag {key}, which it requires, has an imported split")),
                Some(rule) => rule,
                None => fractional(key, split, otherwise)?,
            },
            Serve::JsonLogic(_) if depth.is_within_required() => return Err(format!("flag {key}, which it requires, has an imported rule")),
            Serve::JsonLogic(rule) => rule.clone(),
        };
        self.spend(serve)
    }

    /// A rule that is truthy if a required flag serves the required variant.
    fn requirement(&self, requirement: &Requirement, depth: Depth) -> Result<Value, String> {
        let key = &requirement.flag;
        let serves = |variant: Option<&VariantName>| json!(variant == Some(&requirement.variant));
        let Some(flag) = self.snapshot.flags.value(key.as_str()) else {
            return Ok(json!(false));
        };
        if self.kill_of(key).is_some() {
            return Ok(serves(flag.safe.as_ref()));
        }
        if flag.lease.is_some() && !flag.flagd_without_lease {
            return Err(format!("it requires {key}, which has a lease"));
        }
        // A flag that serves nothing or fails does not serve the required variant.
        if !flag.enabled || broken_operator(flag).is_some() {
            return Ok(json!(false));
        }
        if flag.rules.is_empty() && flag.requires.is_empty() {
            return Ok(serves(flag.default.as_ref()));
        }
        let default = json!(flag.default.as_ref().map_or("", VariantName::as_str));
        let chain = self.chain(key, flag, &default, depth.into_required()?)?;
        self.spend(same(chain, json!(requirement.variant)))
    }
}

/// Condition, result, condition, result, otherwise. A lone result is wrapped too, because a targeting rule must be an operation.
fn chained(mut steps: Vec<Value>) -> Value {
    match steps.pop() {
        Some(only) if steps.is_empty() && only.is_object() => only,
        Some(only) if steps.is_empty() => operation("if", [json!(true), only]),
        last => {
            steps.extend(last);
            operation("if", steps)
        }
    }
}

/// The operator because of which a flag cannot be compiled, so that it fails for all users.
fn broken_operator(flag: &Flag) -> Option<&str> {
    flag.rules.iter().find_map(|rule| {
        let served = match &rule.serve {
            Serve::JsonLogic(rule) => unknown_operator(rule),
            Serve::Variant(_) | Serve::Split(_) => None,
        };
        served.or_else(|| rule.when.as_ref().and_then(crate::condition::Condition::unknown_operator))
    })
}

/// A rule that no client can compile either. An unresolved reference is replaced, because some clients would reject all flags for it.
fn broken(operator: &str) -> Value {
    let operator = if operator == "$ref" { "unresolved_ref" } else { operator };
    operation(operator, [])
}

/// A split. It serves the default variant if the attribute is missing, empty or not a scalar.
fn fractional(key: &FlagKey, split: &Split, otherwise: &Value) -> Result<Value, String> {
    let salt = json!(split.salt().unwrap_or(key.as_str()));
    let shares = split.shares().iter().map(|share| json!([share.variant, share.weight.units()]));
    let bucketed = |text: Value| operation("fractional", [operation("cat", [salt, text])].into_iter().chain(shares).collect::<Vec<_>>());
    let Some(by) = split.by().filter(|by| by.as_str() != "targetingKey") else {
        let key = json!({"var": "targetingKey"});
        return Ok(operation("if", [key.clone(), bucketed(key), otherwise.clone()]));
    };
    let subject = Subject::attribute(by)?;
    // Engines convert booleans to strings differently.
    let text = operation(
        "if",
        [
            subject.is_boolean(true),
            json!("true"),
            subject.is_boolean(false),
            json!("false"),
            subject.value(),
        ],
    );
    let whole_text = all(vec![subject.is_text(), operation("!==", [subject.value(), json!("")])]);
    let scalar = any(vec![whole_text, subject.is_number(), subject.is_boolean(true), subject.is_boolean(false)]);
    Ok(operation("if", [scalar, bucketed(text), otherwise.clone()]))
}
