//! Scenarios: descriptions of drills, written as YAML.
//!
//! ```yaml
//! name: one-zone-down
//! about: The store freezes while the release is bad.
//! applications: 20
//! store: redis                        # or embedded
//! scope: { tags: [checkout] }         # or environment (the default), release, { flags: […] }
//! to: last-known-good                 # or checkpoint, revision, baseline
//! steps: [50, 0]                      # a staged rollback; left out = one commit
//! every_seconds: 1
//! change:                             # the bad release; left out = every flag in scope serves another variant
//!   - put_flag: { key: checkout-v2, flag: { … } }
//! faults:
//!   - store-away: { how: frozen }
//!   - straggler                       # a name alone = with its defaults
//! confirm_within_seconds: 5
//! expect: { state: confirmed, within_ms: 2000, refused: STORE_UNAVAILABLE }
//! ```

mod fault;
#[cfg(test)]
mod tests;

use std::collections::BTreeSet;

use serde_json::{Map, Value};

pub use self::fault::{DrillFault, FaultTime, StoreOutage};
use crate::check::CheckPhase;
use crate::drill::DrillStore;
use crate::key::{FlagKey, Tag};
use crate::limits;
use crate::problem::Code;
use crate::reader::{self, Read, Reader};
use crate::rest::commits::ChangeRequest;
use crate::rollback::RollbackState;
use crate::validation::ValidationErrors;
use crate::yaml;

const MEMBERS: [&str; 12] = [
    "name",
    "about",
    "applications",
    "store",
    "scope",
    "to",
    "steps",
    "every_seconds",
    "change",
    "faults",
    "confirm_within_seconds",
    "expect",
];

/// The description of a drill. Names of flags and checkpoints are checked when it runs.
#[derive(Debug, Clone, PartialEq)]
pub struct Scenario {
    /// The name, by which reports are compared.
    pub name: String,
    /// What it rehearses, in a sentence.
    pub about: Option<String>,
    /// How many applications are connected; 5 if omitted.
    pub applications: Option<u64>,
    /// The kind of store that it needs, if it matters.
    pub store: Option<DrillStore>,
    /// What is rolled back.
    pub scope: DrillScope,
    /// How the target of the rollback is named.
    pub aim: DrillTarget,
    /// The steps, if the rollback is staged.
    pub steps: Option<DrillStages>,
    /// The bad release; `None` = every flag in scope serves a different variant to all users.
    pub change: Option<Vec<ChangeRequest>>,
    /// What goes wrong during the drill.
    pub faults: Vec<DrillFault>,
    /// Seconds within which the rollback must be confirmed; `None` = the value of the environment's policy.
    pub confirm_within_seconds: Option<u64>,
    /// The expected result, as far as it does not follow from the faults.
    pub expect: Expectation,
}

/// The scope of a drill's rollback.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum DrillScope {
    /// The whole environment.
    Environment,
    /// The changes of the bad release.
    Release,
    /// The flags with these keys.
    Flags(BTreeSet<FlagKey>),
    /// The flags with one of these tags.
    Tags(BTreeSet<Tag>),
}

/// How the target of a drill's rollback is named. The state is the same in each case.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DrillTarget {
    /// `last-known-good`.
    LastKnownGood,
    /// The checkpoint's name.
    Checkpoint,
    /// The revision's number.
    Revision,
    /// Omitted: the baseline of the release.
    Baseline,
}

/// The steps of a staged rollback.
#[derive(Debug, Clone, PartialEq)]
pub struct DrillStages {
    /// The exposure at each step in percent, decreasing.
    pub percentages: Vec<f64>,
    /// Seconds for which each step is held.
    pub every_seconds: u64,
}

/// The expected result of a drill. What is omitted follows from the faults.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Expectation {
    /// The final state of the rollback.
    pub state: Option<RollbackState>,
    /// Maximum milliseconds from the request until all applications are back.
    pub within_ms: Option<u64>,
    /// The code with which the first attempt is refused.
    pub refused: Option<Code>,
}

impl Scenario {
    /// Reads YAML or JSON. A syntax error is reported with line and column; otherwise all problems are reported at once.
    pub fn parse(text: &str) -> Result<Self, ValidationErrors> {
        reader::read(&yaml::parse(text)?, Self::read)
    }

    fn read(reader: &mut Reader, value: &Value) -> Read<Self> {
        let map = reader.object(value)?;
        reader.members(map, "a scenario", &MEMBERS, &[]);
        let name = reader.required(map, "name", "a short name", name);
        let about = reader.optional(map, "about", Reader::prose);
        let applications = reader.optional(map, "applications", |reader, value| {
            reader.whole(value, "a number of applications", 1, limits::DRILL_APPLICATIONS)
        });
        let store = reader.optional(map, "store", Reader::parsed);
        let scope = reader.optional(map, "scope", scope).unwrap_or(DrillScope::Environment);
        let aim = reader.optional(map, "to", aim).unwrap_or(DrillTarget::LastKnownGood);
        let steps = steps(reader, map);
        let change = reader.optional(map, "change", changes);
        let faults = reader.optional(map, "faults", |reader, value| reader.items(value, limits::DRILL_FAULTS, DrillFault::read));
        let confirm_within_seconds = reader.optional(map, "confirm_within_seconds", |reader, value| reader.whole(value, "seconds", 1, 300));
        let expect = reader.optional(map, "expect", expectation).unwrap_or_default();
        let scenario = Self {
            name: name?,
            about,
            applications,
            store,
            scope,
            aim,
            steps,
            change,
            faults: faults.unwrap_or_default(),
            confirm_within_seconds,
            expect,
        };
        scenario.agree(reader);
        Ok(scenario)
    }

    /// Notes members that contradict each other.
    fn agree(&self, reader: &mut Reader) {
        if self.aim == DrillTarget::Baseline && self.scope != DrillScope::Release {
            reader.within("to", |reader| {
                reader.note("is the baseline of a release; add scope: release, or use last-known-good");
            });
        }
        if self.needs_redis() && self.store == Some(DrillStore::Embedded) {
            reader.within("store", |reader| {
                reader.note("is embedded, which cannot fail apart from its node; a store-away fault needs redis");
            });
        }
        let step = self
            .faults
            .iter()
            .any(|fault| matches!(fault, DrillFault::FailingCheck { when: CheckPhase::Step }));
        if step && self.steps.is_none() {
            reader.within("steps", |reader| reader.note("is missing; a check that fails at a step needs steps"));
        }
    }

    /// Whether it needs Redis, because the embedded store cannot fail apart from its node.
    pub fn needs_redis(&self) -> bool {
        self.faults.iter().any(|fault| matches!(fault, DrillFault::StoreAway { .. }))
    }
}

fn name(reader: &mut Reader, value: &Value) -> Read<String> {
    let text = reader.text(value)?;
    let fine = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
    if text.is_empty() || text.len() > limits::ENVIRONMENT_CHARACTERS || !text.chars().all(fine) {
        let most = limits::ENVIRONMENT_CHARACTERS;
        return reader.refuse(format!("{text:?} is not a valid name; use 1 to {most} lower-case letters, digits and -"));
    }
    Ok(text.to_owned())
}

fn scope(reader: &mut Reader, value: &Value) -> Read<DrillScope> {
    const HOW: &str = "it is environment, release, { flags: [ … ] } or { tags: [ … ] }";
    match value.as_str() {
        Some("environment") => return Ok(DrillScope::Environment),
        Some("release") => return Ok(DrillScope::Release),
        Some(other) => return reader.refuse(format!("{other:?} is not a scope; {HOW}")),
        None => {}
    }
    let map = reader.object(value)?;
    reader.members(map, "a scope", &["flags", "tags"], &[]);
    let flags = reader.optional(map, "flags", |reader, value| set(reader, value, limits::FLAGS));
    let tags = reader.optional(map, "tags", |reader, value| set(reader, value, limits::TAGS));
    match (flags, tags) {
        (Some(flags), None) => Ok(DrillScope::Flags(flags)),
        (None, Some(tags)) => Ok(DrillScope::Tags(tags)),
        (Some(_), Some(_)) | (None, None) => reader.refuse(format!("names no scope, or two; {HOW}")),
    }
}

fn set<T: std::str::FromStr<Err = ValidationErrors> + Ord>(reader: &mut Reader, value: &Value, most: usize) -> Read<BTreeSet<T>> {
    let items = reader.items(value, most, Reader::parsed)?;
    if items.is_empty() {
        return reader.refuse("is empty; name at least one");
    }
    Ok(items.into_iter().collect())
}

fn aim(reader: &mut Reader, value: &Value) -> Read<DrillTarget> {
    match reader.text(value)? {
        "last-known-good" => Ok(DrillTarget::LastKnownGood),
        "checkpoint" => Ok(DrillTarget::Checkpoint),
        "revision" => Ok(DrillTarget::Revision),
        "baseline" => Ok(DrillTarget::Baseline),
        other => reader.refuse(format!("{other:?} is not a target; use last-known-good, checkpoint, revision or baseline")),
    }
}

fn steps(reader: &mut Reader, map: &Map<String, Value>) -> Option<DrillStages> {
    let every = reader.optional(map, "every_seconds", |reader, value| reader.whole(value, "seconds", 1, 60));
    let percentages = reader.optional(map, "steps", |reader, value| {
        let steps = reader.items(value, limits::LADDER_STEPS, percentage)?;
        if steps.is_empty() || !steps.is_sorted_by(|a, b| a > b) {
            return reader.refuse("must be decreasing percentages, such as [50, 25, 5, 0]");
        }
        Ok(steps)
    });
    if every.is_some() && !map.contains_key("steps") {
        reader.within("every_seconds", |reader| {
            reader.note("sets how long each step is held, but there are no steps; add steps");
        });
    }
    percentages.map(|percentages| DrillStages {
        percentages,
        every_seconds: every.unwrap_or(1),
    })
}

fn percentage(reader: &mut Reader, value: &Value) -> Read<f64> {
    let number = reader.number(value)?.as_f64().unwrap_or(-1.0);
    if (0.0..100.0).contains(&number) {
        return Ok(number);
    }
    reader.refuse(format!("must be a percentage below 100, not {value}"))
}

fn changes(reader: &mut Reader, value: &Value) -> Read<Vec<ChangeRequest>> {
    let changes = reader.items(value, limits::CHANGES, ChangeRequest::read)?;
    if changes.is_empty() {
        return reader.refuse("is empty; name changes as a commit does, or leave it out");
    }
    Ok(changes)
}

fn expectation(reader: &mut Reader, value: &Value) -> Read<Expectation> {
    let map = reader.object(value)?;
    reader.members(map, "an expectation", &["state", "within_ms", "refused"], &[]);
    let state = reader.optional(map, "state", |reader, value| match reader.text(value)? {
        "confirmed" => Ok(RollbackState::Confirmed),
        "partial" => Ok(RollbackState::Partial),
        "failed" => Ok(RollbackState::Failed),
        other => reader.refuse(format!("{other:?} is not a final state; use confirmed, partial or failed")),
    });
    let within_ms = reader.optional(map, "within_ms", |reader, value| reader.whole(value, "milliseconds", 1, 300_000));
    let refused = reader.optional(map, "refused", |reader, value| {
        let text = reader.text(value)?;
        let found = Code::ALL.iter().copied().find(|code| code.as_str() == text);
        found.map_or_else(
            || reader.refuse(format!("{text:?} is not a problem code such as ONE_WAY_DOOR or STORE_UNAVAILABLE")),
            Ok,
        )
    });
    Ok(Expectation { state, within_ms, refused })
}
