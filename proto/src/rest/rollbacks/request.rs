//! Request bodies of `POST rollbacks` and `POST rollbacks/plan`.

use std::collections::BTreeSet;

use serde_json::{Map, Value};

use crate::digest::Digest;
use crate::key::{FlagKey, ReleaseName, SegmentKey, Tag};
use crate::limits;
use crate::reader::{Read, Reader};
use crate::rest::Members;
use crate::revision::Revision;
use crate::rollback::{RollbackOptions, RollbackScope};
use crate::target::TargetName;

/// Default number of seconds for which a step is held.
const EVERY_SECONDS: u64 = 120;
/// Maximum number of seconds for which a step is held.
const EVERY_SECONDS_MAX: u64 = 24 * 60 * 60;
/// Maximum number of simulated users.
const POPULATION: u64 = 10_000;
/// The forms of a target, for error messages.
const TARGET: &str = "\"last-known-good\", the name of a checkpoint, or a revision such as 41 or \"1:41\"";

/// The body of `POST rollbacks`. At most one of `release`, `flags` and `tags`; the whole environment if all are omitted.
#[derive(Debug, Clone, Default, PartialEq, serde::Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct RollbackRequest {
    /// The state to roll back to; a release goes back to its baseline if omitted.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub to: Option<TargetName>,
    /// Roll back what this release changed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub release: Option<ReleaseName>,
    /// The keys of the flags to roll back.
    #[serde(skip_serializing_if = "BTreeSet::is_empty")]
    pub flags: BTreeSet<FlagKey>,
    /// Roll back every flag that has one of these tags, now or at the target.
    #[serde(skip_serializing_if = "BTreeSet::is_empty")]
    pub tags: BTreeSet<Tag>,
    /// Roll back for users in this segment only.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub segment: Option<SegmentKey>,
    /// Decreasing percentages to which exposure is lowered step by step; after the last step comes the target itself.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[cfg_attr(feature = "openapi", schema(example = json!([50, 25, 5, 0])))]
    pub steps: Vec<f64>,
    /// Seconds for which each step is held: 1 to 86,400; 120 if omitted.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub every_seconds: Option<u64>,
    /// The plan, the acknowledgements and the reason.
    #[serde(flatten)]
    pub execution: ExecutionOptions,
    /// When the problem was noticed.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(value_type = Option<String>, format = DateTime))]
    pub detected_at: Option<jiff::Timestamp>,
}

/// What the bodies of a rollback and of its undo have in common.
#[derive(Debug, Clone, Default, PartialEq, Eq, serde::Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct ExecutionOptions {
    /// What it may change beyond its scope.
    #[serde(flatten)]
    pub options: RollbackOptions,
    /// Flags whose one-way door may be crossed.
    #[serde(skip_serializing_if = "BTreeSet::is_empty")]
    pub acknowledge_one_way: BTreeSet<FlagKey>,
    /// Names of checks that may fail before the rollback: a broken probe must not stop the rollback of what it should protect.
    #[serde(skip_serializing_if = "BTreeSet::is_empty")]
    pub acknowledge_checks: BTreeSet<String>,
    /// The hash of a plan; refused if the rollback would now do anything else.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(value_type = Option<String>))]
    pub plan: Option<Digest>,
    /// The reason, recorded in the audit log; optional.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

/// The body of `POST rollbacks/plan`: a rollback, and the users over whom its impact is computed.
#[derive(Debug, Clone, Default, PartialEq, serde::Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct PlanRequest {
    /// The rollback to plan.
    #[serde(flatten)]
    pub rollback: RollbackRequest,
    /// Contexts of real users, at most 10,000; simulated users if omitted.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(value_type = Option<Vec<Object>>))]
    pub sample: Option<Vec<Map<String, Value>>>,
    /// The number of simulated users: 1 to 10,000.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub population: Option<u64>,
}

impl RollbackRequest {
    /// The scope of the rollback.
    pub fn scope(&self) -> RollbackScope {
        if let Some(release) = &self.release {
            return RollbackScope::Release(release.clone());
        }
        if !self.flags.is_empty() {
            return RollbackScope::Flags(self.flags.clone());
        }
        if !self.tags.is_empty() {
            return RollbackScope::Tags(self.tags.clone());
        }
        RollbackScope::Environment
    }

    /// Seconds for which each step is held.
    pub fn every_seconds(&self) -> u64 {
        self.every_seconds.unwrap_or(EVERY_SECONDS)
    }
}

/// The members of every act that executes a rollback, between others.
macro_rules! execution_members {
    ($($before:literal),*; $($after:literal),*) => {
        &[
            $($before,)*
            "include_conflicts",
            "with_segments",
            "allow_killed_edit",
            "acknowledge_one_way",
            "acknowledge_checks",
            "plan",
            "reason",
            $($after),*
        ]
    };
}

impl ExecutionOptions {
    pub(crate) const KNOWN: &'static [&'static str] = execution_members!(;);

    pub(crate) fn read(reader: &mut Reader, map: &Map<String, Value>) -> Self {
        let mut flag = |name: &str| reader.optional(map, name, Reader::boolean).unwrap_or_default();
        let options = RollbackOptions {
            include_conflicts: flag("include_conflicts"),
            with_segments: flag("with_segments"),
            allow_killed_edit: flag("allow_killed_edit"),
        };
        let acknowledged = reader.optional(map, "acknowledge_one_way", |reader, value| reader.items(value, limits::FLAGS, Reader::parsed));
        let checks = reader.optional(map, "acknowledge_checks", |reader, value| {
            reader.items(value, limits::FLAGS, |reader, value| reader.text(value).map(ToOwned::to_owned))
        });
        Self {
            options,
            acknowledge_one_way: acknowledged.unwrap_or_default().into_iter().collect(),
            acknowledge_checks: checks.unwrap_or_default().into_iter().collect(),
            plan: reader.optional(map, "plan", |reader, value| {
                let text = reader.text(value)?;
                let wrong = |_| reader.refuse("is not a plan hash; use the `hash` of a plan");
                text.parse().or_else(wrong)
            }),
            reason: crate::rest::reason(reader, map),
        }
    }
}

/// The members of a rollback, and `$more`.
macro_rules! rollback_members {
    ($($more:literal),*) => {
        execution_members!("to", "release", "flags", "tags", "segment", "steps", "every_seconds"; "detected_at" $(, $more)*)
    };
}

impl Members for RollbackRequest {
    const WHAT: &'static str = "a rollback";
    const KNOWN: &'static [&'static str] = rollback_members![];

    fn read(reader: &mut Reader, map: &Map<String, Value>) -> Read<Self> {
        let request = Self {
            to: reader.optional(map, "to", target),
            release: reader.optional(map, "release", Reader::parsed),
            flags: named(reader, map, "flags", limits::FLAGS),
            tags: named(reader, map, "tags", limits::TAGS),
            segment: reader.optional(map, "segment", Reader::parsed),
            steps: reader.optional(map, "steps", steps).unwrap_or_default(),
            every_seconds: reader.optional(map, "every_seconds", |reader, value| {
                reader.whole(value, "a number of seconds", 1, EVERY_SECONDS_MAX)
            }),
            execution: ExecutionOptions::read(reader, map),
            detected_at: reader.optional(map, "detected_at", Reader::instant),
        };
        check_combinations(reader, map, &request);
        Ok(request)
    }
}

/// Checks members that depend on each other.
fn check_combinations(reader: &mut Reader, map: &Map<String, Value>, request: &RollbackRequest) {
    let scopes: Vec<&str> = ["release", "flags", "tags"].into_iter().filter(|name| map.contains_key(*name)).collect();
    if let [first, second, ..] = scopes.as_slice() {
        let problem = format!("cannot be combined with {first}; name one scope, or none for the whole environment");
        reader.within(second, |reader| reader.note(problem));
    }
    if !map.contains_key("to") && !map.contains_key("release") {
        reader.within("to", |reader| reader.note(format!("is missing; it must be {TARGET}")));
    }
    if map.contains_key("steps") && map.contains_key("segment") {
        let problem = "cannot be combined with segment; roll back one segment at once, or everyone step by step";
        reader.within("steps", |reader| reader.note(problem));
    }
    if request.every_seconds.is_some() && !map.contains_key("steps") {
        reader.within("every_seconds", |reader| {
            reader.note("sets how long each step is held; add steps, or leave it out");
        });
    }
}

impl Members for PlanRequest {
    const WHAT: &'static str = "the plan of a rollback";
    const KNOWN: &'static [&'static str] = rollback_members!["sample", "population"];

    fn read(reader: &mut Reader, map: &Map<String, Value>) -> Read<Self> {
        let rollback = RollbackRequest::read(reader, map);
        let sample = reader.optional(map, "sample", |reader, value| {
            reader.items(value, limits::SAMPLE_CONTEXTS, |reader, context| {
                reader.any(context, limits::JSON_DEPTH)?;
                reader.object(context).cloned()
            })
        });
        let population = reader.optional(map, "population", |reader, value| reader.whole(value, "a number of contexts", 1, POPULATION));
        if sample.as_ref().is_some_and(Vec::is_empty) {
            reader.within("sample", |reader| {
                reader.note("is empty; give contexts, or leave it out to use simulated users");
            });
        }
        if sample.is_some() && population.is_some() {
            reader.within("population", |reader| {
                reader.note("cannot be combined with sample; only the contexts in sample are counted");
            });
        }
        Ok(Self {
            rollback: rollback?,
            sample,
            population,
        })
    }
}

fn target(reader: &mut Reader, value: &Value) -> Read<TargetName> {
    if let Some(revision) = value.as_u64() {
        return Ok(TargetName::Revision(Revision(revision)));
    }
    if value.is_string() {
        return reader.parsed(value);
    }
    reader.refuse(format!("must be {TARGET}"))
}

/// A list of names; refused if it is empty.
fn named<T: std::str::FromStr<Err = crate::ValidationErrors> + Ord>(reader: &mut Reader, map: &Map<String, Value>, name: &str, most: usize) -> BTreeSet<T> {
    let read = reader.optional(map, name, |reader, value| {
        let items: Vec<T> = reader.items(value, most, Reader::parsed)?;
        if items.is_empty() {
            return reader.refuse("is empty; name at least one, or leave it out");
        }
        Ok(BTreeSet::from_iter(items))
    });
    read.unwrap_or_default()
}

fn steps(reader: &mut Reader, value: &Value) -> Read<Vec<f64>> {
    let steps = reader.items(value, limits::LADDER_STEPS, |reader, value| {
        let percent = value.as_f64().unwrap_or(f64::NAN);
        let thousandths = (percent * 1_000.0).round() / 1_000.0;
        if (0.0..=100.0).contains(&percent) && (thousandths - percent).abs() < 1e-9 {
            Ok(percent)
        } else {
            reader.refuse(format!("must be a percentage from 0 to 100 with at most three decimals, not {value}"))
        }
    })?;
    if steps.is_empty() {
        return reader.refuse("is empty; name at least one step, or leave it out to roll back at once");
    }
    if steps.windows(2).any(|pair| matches!(pair, [before, after] if after >= before)) {
        return reader.refuse("must decrease from step to step, as in [50, 25, 5, 0]");
    }
    Ok(steps)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::{PlanRequest, RollbackRequest};
    use crate::rest::Request as _;
    use crate::rollback::RollbackScope;

    fn paths(value: &serde_json::Value) -> Vec<String> {
        let faults = RollbackRequest::from_value(value).unwrap_err();
        faults.all().iter().map(|fault| fault.path.clone()).collect()
    }

    #[test]
    fn a_rollback_is_read_as_it_is_written() {
        let value = json!({"to": "before-web-12", "flags": ["a", "b"], "steps": [50.0, 12.5, 0.0], "every_seconds": 60, "include_conflicts": true,
            "with_segments": false, "allow_killed_edit": false, "acknowledge_one_way": ["a"], "reason": "5xx", "detected_at": "2026-11-24T14:02:00Z"});
        let read = RollbackRequest::from_value(&value).unwrap();
        assert!(matches!(read.scope(), RollbackScope::Flags(flags) if flags.len() == 2));
        assert_eq!(serde_json::to_value(&read).unwrap(), value);
        assert_eq!(RollbackRequest::from_value(&json!({"to": 41})).unwrap().scope(), RollbackScope::Environment);
    }

    #[test]
    fn every_problem_is_named_by_its_field() {
        assert_eq!(paths(&json!({})), ["to"]);
        assert_eq!(paths(&json!({"to": 41, "flags": [], "tags": ["t"]})), ["flags", "tags"]);
        assert_eq!(
            paths(&json!({"to": {}, "steps": [5, 50], "every_seconds": 0, "plan": "x", "detected_at": "now"})),
            ["to", "steps", "every_seconds", "plan", "detected_at"]
        );
        assert_eq!(paths(&json!({"to": 1, "segment": "eu", "steps": [50]})), ["steps"]);
        assert_eq!(paths(&json!({"to": 1, "sample": []})), ["sample"], "a sample is for plans");
    }

    #[test]
    fn a_plan_takes_a_sample_or_a_population() {
        let plan = |value| PlanRequest::from_value(&value);
        assert_eq!(plan(json!({"to": 1, "sample": [{"targetingKey": "u"}]})).unwrap().sample.unwrap().len(), 1);
        assert!(plan(json!({"to": 1, "sample": [{"targetingKey": "u"}], "population": 5})).is_err());
        assert!(plan(json!({"to": 1, "population": 10_001})).is_err());
    }
}
