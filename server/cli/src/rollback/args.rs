//! The arguments of a rollback.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use clap::{ArgGroup, Args};
use jiff::Timestamp;
use ripcord_proto::digest::Digest;
use ripcord_proto::rest::rollbacks::{ExecutionOptions, RollbackPlan, RollbackRequest};
use ripcord_proto::rollback::RollbackOptions;
use ripcord_proto::text::shell_word;
use ripcord_proto::{FlagKey, ReleaseName, SegmentKey, Tag, TargetName};

use crate::duration::Span;
use crate::exit::Failure;

/// The arguments of a rollback.
#[derive(Debug, Clone, Args)]
#[command(group = ArgGroup::new("scope"))]
pub(super) struct RollbackArgs {
    /// The state to return to: last-known-good, a checkpoint, or a revision (41, 1:41); a release returns to where it began
    #[arg(long, value_name = "TARGET", required_unless_present = "release")]
    pub(super) to: Option<TargetName>,
    /// Only what this release changed
    #[arg(long, group = "scope", value_name = "RELEASE")]
    pub(super) release: Option<ReleaseName>,
    /// Only this flag; repeat or separate with commas
    #[arg(long = "flag", group = "scope", value_name = "FLAG", value_delimiter = ',')]
    pub(super) flags: Vec<FlagKey>,
    /// Only flags that have this tag, now or at the target; repeat or separate with commas
    #[arg(long = "tag", group = "scope", value_name = "TAG", value_delimiter = ',')]
    pub(super) tags: Vec<Tag>,
    /// Only for users in this segment; all others see no change
    #[arg(long, value_name = "SEGMENT", conflicts_with = "steps")]
    pub(super) segment: Option<SegmentKey>,
    /// Lower exposure in steps: falling percentages, as in 50,25,5,0
    #[arg(long, value_name = "PERCENT", value_delimiter = ',')]
    pub(super) steps: Vec<f64>,
    /// How long to hold each step (30s, 2m, 1h) [default: 2m]
    #[arg(long, value_name = "DURATION", requires = "steps")]
    pub(super) every: Option<Span>,
    /// Also roll back flags that others have changed since
    #[arg(long)]
    pub(super) include_conflicts: bool,
    /// Also roll back segments that differ
    #[arg(long)]
    pub(super) with_segments: bool,
    /// Allow edits that change what a killed flag serves
    #[arg(long)]
    pub(super) allow_killed_edit: bool,
    /// Confirm that irreversible changes of this flag are understood; repeat or separate with commas
    #[arg(long, value_name = "FLAG", value_delimiter = ',')]
    pub(super) acknowledge_one_way: Vec<FlagKey>,
    /// Roll back although this check fails beforehand, since the check is what is broken; repeat or separate with commas
    #[arg(long = "acknowledge-check", value_name = "CHECK", value_delimiter = ',')]
    pub(super) acknowledge_checks: Vec<String>,
    /// Reason, recorded in the audit log
    #[arg(long, value_name = "TEXT")]
    pub(super) reason: Option<String>,
    /// When the problem began: a time (2026-11-24T14:02:00Z) or how long ago (10m)
    #[arg(long, value_name = "TIME", value_parser = since)]
    pub(super) since: Option<Timestamp>,
}

fn since(text: &str) -> Result<Timestamp, String> {
    let ago = text.parse::<Span>().ok().and_then(|Span(seconds)| i64::try_from(seconds).ok());
    if let Some(seconds) = ago {
        return Timestamp::now()
            .checked_sub(jiff::SignedDuration::from_secs(seconds))
            .map_err(|error| error.to_string());
    }
    text.parse()
        .map_err(|_| format!("{text:?} is neither a time (2026-11-24T14:02:00Z) nor a duration (90s, 10m, 2h)"))
}

impl RollbackArgs {
    /// As the API takes it.
    pub(super) fn request(&self, plan: Option<Digest>) -> RollbackRequest {
        RollbackRequest {
            to: self.to.clone(),
            release: self.release.clone(),
            flags: self.flags.iter().cloned().collect(),
            tags: self.tags.iter().cloned().collect(),
            segment: self.segment.clone(),
            steps: self.steps.clone(),
            every_seconds: self.every.map(|Span(seconds)| seconds),
            execution: ExecutionOptions {
                options: RollbackOptions {
                    include_conflicts: self.include_conflicts,
                    with_segments: self.with_segments,
                    allow_killed_edit: self.allow_killed_edit,
                },
                acknowledge_one_way: self.acknowledge_one_way.iter().cloned().collect(),
                acknowledge_checks: self.acknowledge_checks.iter().cloned().collect(),
                plan,
                reason: self.reason.clone(),
            },
            detected_at: self.since,
        }
    }

    /// Refuses here what the server would refuse.
    pub(super) fn check(&self) -> Result<(), Failure> {
        let falls = self.steps.windows(2).all(|pair| matches!(pair, [before, after] if after < before));
        if falls {
            return Ok(());
        }
        Err(Failure::Usage("--steps must fall from step to step, as in --steps 50,25,5,0.".to_owned()))
    }

    /// The arguments that execute `plan`: those that were given, and those that the plan requires.
    pub(super) fn arguments(&self, plan: &RollbackPlan) -> String {
        let mut text = String::from("rollback");
        let mut argument = |name: &str, value: Option<String>| {
            if let Some(value) = value {
                // Writing to a String cannot fail.
                let _ = write!(text, " --{name} {}", shell_word(&value));
            }
        };
        argument("to", self.to.as_ref().map(ToString::to_string));
        argument("release", self.release.as_ref().map(ToString::to_string));
        argument("flag", listed(&self.flags));
        argument("tag", listed(&self.tags));
        argument("segment", self.segment.as_ref().map(ToString::to_string));
        argument("steps", listed(&self.steps));
        argument("every", self.every.map(|Span(seconds)| format!("{seconds}s")));
        let doors: BTreeSet<&FlagKey> = plan.one_way.iter().map(|door| &door.flag).chain(&self.acknowledge_one_way).collect();
        let doors: Vec<&FlagKey> = doors.into_iter().collect();
        argument("acknowledge-one-way", listed(&doors));
        argument("acknowledge-check", listed(&self.acknowledge_checks));
        argument("reason", self.reason.clone());
        argument("since", self.since.map(|at| at.to_string()));
        argument("plan", Some(plan.hash.to_string()));
        let allow_killed_edit = self.allow_killed_edit || plan.kills.iter().any(|killed| killed.needs_allow_killed_edit);
        let switches = [
            ("include-conflicts", self.include_conflicts),
            ("with-segments", self.with_segments),
            ("allow-killed-edit", allow_killed_edit),
        ];
        for (name, _) in switches.into_iter().filter(|(_, given)| *given) {
            let _ = write!(text, " --{name}");
        }
        text
    }
}

fn listed<T: std::fmt::Display>(values: &[T]) -> Option<String> {
    let values: Vec<String> = values.iter().map(ToString::to_string).collect();
    (!values.is_empty()).then(|| values.join(","))
}
