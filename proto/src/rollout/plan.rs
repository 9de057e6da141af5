//! The plan of a rollout: its steps, how long each is held, and the gates that judge it.

mod read;
#[cfg(test)]
mod tests;

use std::collections::BTreeSet;
use std::fmt;

use crate::duration::HumanDuration;
use crate::gate::{Gate, GateMode, Percent};
use crate::json;
use crate::key::{FlagKey, ReleaseName, RuleId, SegmentKey, VariantName};
use crate::role::Role;

/// A valid plan. Whether it fits the flag is checked when the rollout starts.
#[derive(Debug, Clone, PartialEq, serde::Serialize)]
pub struct RolloutPlan {
    /// The key of the flag.
    pub flag: FlagKey,
    /// The variant whose share is raised.
    pub variant: VariantName,
    /// The variant whose share is lowered; the split's other variant if omitted.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub control: Option<VariantName>,
    /// The rule that is changed, if the flag has several with a split.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rule: Option<RuleId>,
    /// The steps, in order; exposure never falls from one to the next.
    pub steps: Vec<RolloutStep>,
    /// The gates that judge every step.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub gates: Vec<Gate>,
    /// The window within which steps may begin.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub window: Option<RolloutWindow>,
    /// How long the gates keep watching after the hold of the last step.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub bake: Option<HumanDuration>,
    /// The release that its steps belong to. All rollouts of a release move and go back in lockstep.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub release: Option<ReleaseName>,
    /// The earliest time at which the first step begins.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub start_at: Option<jiff::Timestamp>,
    /// Whether steps may advance on time alone. Unless this is set, every step must have a gate that can judge it.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub no_gates: bool,
}

/// One step of a rollout plan.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct RolloutStep {
    /// Who gets the variant from this step on.
    pub to: Exposure,
    /// How long the step is held.
    pub hold: HumanDuration,
    /// The minimum role of the person who must approve the step before it begins.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub approve: Option<Role>,
}

/// Who gets the variant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Exposure {
    /// A segment, in addition to users who already get it.
    Segment(SegmentKey),
    /// A share of all users that the rule matches.
    Share(Percent),
}

/// Days of the week.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
#[expect(missing_docs, reason = "they are what they say")]
pub enum Day {
    Mon,
    Tue,
    Wed,
    Thu,
    Fri,
    Sat,
    Sun,
}

/// Times of the week within which steps may begin. Rolling back never waits for the window.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct RolloutWindow {
    /// Days on which it opens.
    pub days: BTreeSet<Day>,
    /// The time of day.
    pub hours: Hours,
    /// The IANA name of the time zone: `Europe/Amsterdam`.
    pub zone: String,
}

/// A time range of a day, `09:00-16:00`. It extends past midnight if the end is not after the start.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Hours {
    /// Minutes after midnight at which it opens.
    pub from: u16,
    /// Minutes after midnight at which it closes.
    pub to: u16,
}

impl RolloutPlan {
    /// The step with this number, from 1.
    pub fn step(&self, number: u32) -> Option<&RolloutStep> {
        let place = usize::try_from(number).ok()?.checked_sub(1)?;
        self.steps.get(place)
    }

    /// How many steps there are.
    pub fn last(&self) -> u32 {
        u32::try_from(self.steps.len()).unwrap_or(u32::MAX)
    }

    /// How long a step is held, including the bake time after the last one.
    pub fn hold(&self, number: u32) -> HumanDuration {
        let hold = self.step(number).map_or(HumanDuration::ZERO, |step| step.hold);
        if number == self.last() {
            hold.and(self.bake.unwrap_or_default())
        } else {
            hold
        }
    }

    /// Whether a step serves a control besides the variant. A segment's step has none, because its users are not chosen at random.
    pub fn has_control(&self, number: u32) -> bool {
        match self.step(number).map(|step| &step.to) {
            Some(Exposure::Share(share)) => (1..100_000).contains(&share.thousandths()),
            Some(Exposure::Segment(_)) | None => false,
        }
    }

    /// Whether a gate can judge a step: if it needs a control, this step or an earlier one must have served one.
    pub fn can_judge(&self, gate: &Gate, number: u32) -> bool {
        !gate.needs_control() || (1..=number).any(|earlier| self.has_control(earlier))
    }

    /// The numbers of steps that no gate can judge.
    pub fn steps_without_gate(&self) -> Vec<u32> {
        let armed: Vec<&Gate> = self.gates.iter().filter(|gate| gate.mode == GateMode::Armed).collect();
        (1..=self.last())
            .filter(|number| !armed.iter().any(|gate| self.can_judge(gate, *number)))
            .collect()
    }
}

impl<'de> serde::Deserialize<'de> for RolloutPlan {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let json::Strict(mut value) = json::Strict::deserialize(deserializer)?;
        // Records written before 0.1.0 have the member's old name.
        if let Some(members) = value.as_object_mut()
            && let Some(no_gates) = members.remove("unjudged")
        {
            members.insert("no_gates".to_owned(), no_gates);
        }
        Self::from_value(&value).map_err(serde::de::Error::custom)
    }
}

impl fmt::Display for Exposure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Segment(key) => write!(f, "segment {key}"),
            Self::Share(share) => share.fmt(f),
        }
    }
}

impl serde::Serialize for Exposure {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl fmt::Display for Hours {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (from, to) = (self.from, self.to);
        write!(f, "{:02}:{:02}-{:02}:{:02}", from / 60, from % 60, to / 60, to % 60)
    }
}

impl serde::Serialize for Hours {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}
