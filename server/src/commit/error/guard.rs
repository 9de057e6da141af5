//! What the guards of an environment refuse: kills, protection, approval, ownership, and what a rollback must not do.

use std::collections::BTreeSet;
use std::fmt;

use ripcord_proto::one_way::OneWay;
use ripcord_proto::problem::{Code, Problem};
use ripcord_proto::rollback::{Rollback, Stages};
use ripcord_proto::text::{counted_len, shell_word};
use ripcord_proto::validation::ValidationError;
use ripcord_proto::{EnvironmentKey, FlagKey, Kill, Position, ReleaseName, SetName};

use super::super::reversal::barrier::{OneWayDoor, UnsupportedFlag};

/// Flags named in a sentence, at most.
const NAMED: usize = 20;
/// Flags named in the text of a protected change, at most; its errors name all.
const RAISED: usize = 5;

/// A guard of the environment does not allow it.
#[derive(Debug, Clone)]
pub enum GuardRefusal {
    /// The flag is killed, and the change is not allowed while it is.
    Killed {
        flag: FlagKey,
        kill: Box<Kill>,
        /// What was refused and what would be accepted.
        why: &'static str,
    },
    /// The environment is protected, and its release lacks details.
    Protected(Box<ProtectedChange>),
    /// It needs a second person, but cannot become a proposal.
    SecondPerson(UnfitForProposal),
    /// Another file set, or none, owns these entries.
    OtherOwner { set: SetName, entries: Vec<ValidationError> },
    /// A rollback would cross these one-way doors, which the request does not acknowledge.
    OneWay(Vec<OneWayDoor>),
    /// Rolling back a rollout would cross the one-way door of its flag.
    RolloutOneWay {
        flag: FlagKey,
        one_way: Box<OneWay>,
        /// Where the rollout began.
        before: Option<Position>,
    },
    /// This rollback is rolling back some of the flags already.
    RollbackInProgress(Box<Rollback>),
    /// Rules cannot express the rollback of these flags.
    CannotExpress(Vec<UnsupportedFlag>),
    /// A rollback would reach no flag.
    EmptyScope,
    /// So many flags that a rollback would reach already match its target.
    NothingToRollBack { matching: usize },
    /// A rollback would reach only what others have changed since: these flags, or only segments.
    OnlyConflicts(Vec<FlagKey>),
}

/// A change that serves flags to more people in a protected environment.
#[derive(Debug, Clone)]
pub struct ProtectedChange {
    pub environment: EnvironmentKey,
    /// The release that it belongs to, if any.
    pub release: Option<ReleaseName>,
    /// The flags that it serves to more people.
    pub raised: BTreeSet<FlagKey>,
    /// Each missing detail, with the command that adds it.
    pub missing: Vec<ValidationError>,
}

/// Why a draft that needs a second person cannot become a proposal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum UnfitForProposal {
    /// It contains a kill, which never waits.
    ContainsKill,
    /// No single proposal can hold it.
    NotOneProposal,
    /// It creates an armed trigger, whose secret no proposal may hold.
    NewTrigger,
    /// Too many proposals are waiting.
    LimitReached,
}

impl GuardRefusal {
    /// The public code.
    pub const fn code(&self) -> Code {
        match self {
            Self::Killed { .. } => Code::FlagKilled,
            Self::Protected(_) => Code::Protected,
            Self::SecondPerson(_) => Code::SecondPersonNeeded,
            Self::OtherOwner { .. } => Code::OtherOwner,
            Self::OneWay(_) | Self::RolloutOneWay { .. } => Code::OneWayDoor,
            Self::RollbackInProgress(_) => Code::RollbackUnderWay,
            Self::CannotExpress(_) => Code::CannotExpress,
            Self::EmptyScope | Self::NothingToRollBack { .. } | Self::OnlyConflicts(_) => Code::EmptyScope,
        }
    }

    pub(super) fn problem(&self) -> Problem {
        let problem = Problem::new(self.code(), self.detail());
        match self {
            Self::Killed { flag, kill, .. } => problem.with("kill", serde_json::to_value(kill).unwrap_or_default()).with("flag", flag.as_str()),
            Self::Protected(change) => {
                let flags: Vec<_> = change.raised.iter().map(FlagKey::to_string).collect();
                problem.with_errors(change.missing.iter().cloned()).with("flags", flags)
            }
            Self::OtherOwner { entries, .. } => problem.with_errors(entries.iter().cloned()),
            Self::OneWay(doors) => problem
                .with("doors", serde_json::to_value(doors).unwrap_or_default())
                .with("acknowledge", acknowledge(doors)),
            Self::RollbackInProgress(other) => problem.with("rollback", other.id.as_str()),
            Self::CannotExpress(flags) => {
                let list = flags.iter().map(|cannot| serde_json::json!({"flag": cannot.flag, "why": cannot.why}));
                problem.with("flags", list.collect::<Vec<_>>())
            }
            Self::SecondPerson(_) | Self::RolloutOneWay { .. } | Self::EmptyScope | Self::NothingToRollBack { .. } | Self::OnlyConflicts(_) => problem,
        }
    }

    /// What happened and what to do next.
    fn detail(&self) -> String {
        match self {
            Self::Killed { flag, kill, why } => {
                let reason = kill.reason.as_ref().map(|reason| format!(", {reason}")).unwrap_or_default();
                format!("Flag {flag} is killed by {} ({}{reason}): {why}.", kill.id, kill.scope)
            }
            Self::Protected(change) => protected(change),
            Self::SecondPerson(why) => why.as_str().to_owned(),
            Self::OtherOwner { set, .. } => format!(
                "Nothing was changed: set {set} does not own everything that it would change; errors lists each. To take all of it over, set \"takeover\": \"adopt\"."
            ),
            Self::OneWay(doors) => one_way(doors),
            Self::RolloutOneWay { flag, one_way, before } => {
                let to = before.map_or_else(|| "CHECKPOINT".to_owned(), |before| before.to_string());
                let word = shell_word(flag.as_str());
                format!(
                    "rolling back does not undo what {flag} did while it served {}. To roll it back anyway: \
                     `ripcord rollback --to {to} --flag {word} --acknowledge-one-way {word}`",
                    described(one_way)
                )
            }
            Self::RollbackInProgress(other) => in_progress(other),
            Self::CannotExpress(flags) => cannot_express(flags),
            Self::EmptyScope => "Nothing was changed: the scope contains no flags, neither now nor at the target.".to_owned(),
            Self::NothingToRollBack { matching } => format!(
                "Nothing to roll back: {} in the scope already {} the target.",
                counted_len(*matching, "flag", "flags"),
                if *matching == 1 { "matches" } else { "match" }
            ),
            Self::OnlyConflicts(flags) => {
                let flags: Vec<String> = flags.iter().take(NAMED).map(ToString::to_string).collect();
                let flags = if flags.is_empty() { "segments only".to_owned() } else { flags.join(", ") };
                format!(
                    "Nothing was changed: everything in the scope was changed by others since ({flags}). `ripcord rollback plan` shows who changed it; \
                     add --include-conflicts or --with-segments to roll it back too."
                )
            }
        }
    }
}

impl fmt::Display for GuardRefusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Killed { flag, kill, why } => write!(f, "flag {flag} is killed by {}: {why}", kill.id),
            Self::Protected(_)
            | Self::SecondPerson(_)
            | Self::OtherOwner { .. }
            | Self::OneWay(_)
            | Self::RolloutOneWay { .. }
            | Self::RollbackInProgress(_)
            | Self::CannotExpress(_)
            | Self::EmptyScope
            | Self::NothingToRollBack { .. }
            | Self::OnlyConflicts(_) => f.write_str(&self.detail()),
        }
    }
}

impl std::error::Error for GuardRefusal {}

impl UnfitForProposal {
    const fn as_str(self) -> &'static str {
        match self {
            Self::ContainsKill => {
                "Nothing was changed: the other changes need a second person, but a kill does not. Send the kill by itself \
                 (`ripcord kill FLAG`); it takes effect at once. Then propose the rest."
            }
            Self::NewTrigger => {
                "Nothing was changed: a trigger that rolls back needs a second person, as rolling back does. Create it with \"state\": \"disarmed\", then arm it: that waits for approval."
            }
            Self::NotOneProposal => "Nothing was changed: this needs a second person, but cannot be kept as one proposal. Propose its parts one by one.",
            Self::LimitReached => {
                "Nothing was changed: this environment has reached its limit of waiting proposals. Approve or decline some first; list them with \
                 `ripcord proposal list`."
            }
        }
    }
}

fn protected(change: &ProtectedChange) -> String {
    let names: Vec<_> = change.raised.iter().take(RAISED).map(FlagKey::as_str).collect();
    let more = change.raised.len().saturating_sub(RAISED);
    let more = if more > 0 { format!(" and {more} more") } else { String::new() };
    let lacks = change.release.as_ref().map_or_else(
        || "this requires an open release".to_owned(),
        |name| format!("release {name} lacks required details"),
    );
    format!(
        "Nothing was changed. Environment {} is protected: this would serve {}{more} to more people, and {lacks}. Each missing detail \
         is listed with the command that adds it. You can always lower exposure, disable, kill and roll back.",
        change.environment,
        names.join(", ")
    )
}

fn in_progress(other: &Rollback) -> String {
    let ladder = if other.ladder.as_ref().is_some_and(Stages::is_running) {
        format!(" It lowers exposure step by step; stop it with `ripcord rollback stop {}`.", other.id)
    } else {
        String::new()
    };
    format!(
        "Nothing was changed: rollback {} by {} is already rolling back some of these flags. Follow it with `ripcord rollback show {}`, and try again when it has ended.{ladder}",
        other.id, other.by.name, other.id
    )
}

fn one_way(doors: &[OneWayDoor]) -> String {
    let lines: Vec<String> = doors.iter().map(|door| format!("{} serves {}", door.flag, described(&door.one_way))).collect();
    format!(
        "Nothing was changed: rolling back does not undo what these flags have already done. {}. If you accept this, add {}",
        lines.join("; "),
        acknowledge(doors)
    )
}

/// `VARIANT: REASON (data: …)`
fn described(one_way: &OneWay) -> String {
    let data = one_way.data_checkpoint.as_ref().map(|data| format!(" (data: {data})")).unwrap_or_default();
    format!("{}: {}{data}", one_way.from, one_way.reason)
}

/// The option that crosses these doors.
fn acknowledge(doors: &[OneWayDoor]) -> String {
    let flags: BTreeSet<&str> = doors.iter().map(|door| door.flag.as_str()).collect();
    let flags: Vec<&str> = flags.into_iter().collect();
    format!("--acknowledge-one-way {}", flags.join(","))
}

fn cannot_express(flags: &[UnsupportedFlag]) -> String {
    let mut lines: Vec<String> = flags.iter().take(NAMED).map(|cannot| format!("{}: {}", cannot.flag, cannot.why)).collect();
    if flags.len() > NAMED {
        lines.push(format!("and {} more", flags.len() - NAMED));
    }
    format!(
        "Nothing was changed: flag rules cannot express this rollback. {}. Name the other flags with --flag, or omit --segment.",
        lines.join("; ")
    )
}
