//! A plan: which split is raised to what, how long each step is held, and what judges it.

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

/// A plan that is valid in itself; whether the flag can follow it is known when it is started.
#[derive(Debug, Clone, PartialEq, serde::Serialize)]
pub struct RolloutPlan {
    /// The key of the flag.
    pub flag: FlagKey,
    /// The variant whose share is raised.
    pub variant: VariantName,
    /// The variant whose share is lowered for it; the split's other one where this is left out.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub control: Option<VariantName>,
    /// The rule that is moved, where the flag has several that split.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rule: Option<RuleId>,
    /// The steps, in order; exposure never falls from one to the next.
    pub steps: Vec<RolloutStep>,
    /// What judges every step.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub gates: Vec<Gate>,
    /// When steps may begin.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub window: Option<RolloutWindow>,
    /// How long the gates keep watching after the hold of the last step.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub bake: Option<HumanDuration>,
    /// The release that its steps belong to. All rollouts of a release move and go back in lockstep.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub release: Option<ReleaseName>,
    /// The first step begins no sooner.
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
    /// How long it is held before the next.
    pub hold: HumanDuration,
    /// The least role of a person who must approve it before it begins.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub approve: Option<Role>,
}

/// Who gets the variant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Exposure {
    /// A segment, in addition to the users who get it already.
    Segment(SegmentKey),
    /// A share of all users of the rule.
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

/// Times of the week within which steps may begin. Going back never waits for it.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct RolloutWindow {
    /// Days on which it opens.
    pub days: BTreeSet<Day>,
    /// From when to when.
    pub hours: Hours,
    /// The IANA name of the time zone: `Europe/Amsterdam`.
    pub zone: String,
}

/// Minutes of a day, `09:00-16:00`; past midnight where the end is not after the beginning.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Hours {
    /// Minutes after midnight at which it opens.
    pub from: u16,
    /// Minutes after midnight at which it closes.
    pub to: u16,
}

impl RolloutPlan {
    /// The step of a number that counts from 1.
    pub fn step(&self, number: u32) -> Option<&RolloutStep> {
        let place = usize::try_from(number).ok()?.checked_sub(1)?;
        self.steps.get(place)
    }

    /// How many steps there are.
    pub fn last(&self) -> u32 {
        u32::try_from(self.steps.len()).unwrap_or(u32::MAX)
    }

    /// How long a step is held, the last one with its bake time.
    pub fn hold(&self, number: u32) -> HumanDuration {
        let hold = self.step(number).map_or(HumanDuration::ZERO, |step| step.hold);
        if number == self.last() {
            hold.and(self.bake.unwrap_or_default())
        } else {
            hold
        }
    }

    /// Whether a control is served beside the variant at a step. A segment's step has none: who is in the segment is no chance.
    pub fn has_control(&self, number: u32) -> bool {
        match self.step(number).map(|step| &step.to) {
            Some(Exposure::Share(share)) => (1..100_000).contains(&share.thousandths()),
            Some(Exposure::Segment(_)) | None => false,
        }
    }

    /// Whether a gate can judge a step: by a control of this step or of an earlier one, where it needs one.
    pub fn can_judge(&self, gate: &Gate, number: u32) -> bool {
        !gate.needs_control() || (1..=number).any(|earlier| self.has_control(earlier))
    }

    /// Steps that no gate judges, by number.
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
