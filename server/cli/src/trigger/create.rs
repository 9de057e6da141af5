//! `ripcord trigger create`.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use clap::{Args, ValueEnum};
use ripcord_proto::check::{BodyCheck, BodyComparison};
use ripcord_proto::duration::HumanDuration;
use ripcord_proto::rest::triggers::{CredentialKind, TriggerCreated, TriggerRequest};
use ripcord_proto::trigger::{
    ActivePeriod, FlagSelection, GateFilter, SignalConditions, SignalSource, TrafficFilter, TriggerAction, TriggerMode, TriggerRollback, TriggerRollbackScope,
    TriggerState,
};
use ripcord_proto::{FlagKey, ReleaseName, TargetName, TriggerName};
use serde_json::Value;

use super::messages;
use crate::answer::Answer;
use crate::client::Call;
use crate::context::Context;
use crate::exit::{Exit, Failure};
use crate::input;
use crate::output::{Format, print, print_data};

/// Create a trigger; its secret is printed once
#[derive(Debug, Args)]
pub(super) struct Create {
    /// The trigger's name: lower-case letters, digits and -
    #[arg(value_name = "NAME")]
    name: TriggerName,
    #[command(flatten)]
    source: SourceArgs,
    #[command(flatten)]
    action: ActionArgs,
    #[command(flatten)]
    conditions: ConditionArgs,
    /// Minimum time between two actions (15m)
    #[arg(long, value_name = "DURATION")]
    cooldown: Option<HumanDuration>,
    /// Most actions in an hour (3)
    #[arg(long, value_name = "NUMBER")]
    max_per_hour: Option<u32>,
    /// If it asks: how long a person has to answer (1h)
    #[arg(long, value_name = "DURATION")]
    answer_within: Option<HumanDuration>,
    /// Allow less than the environment's policy does: automatic, ask or off
    #[arg(long, value_name = "MODE")]
    mode: Option<TriggerMode>,
    /// The state it begins in
    #[arg(long, value_enum, default_value_t = FirstState::Armed, value_name = "STATE")]
    state: FirstState,
    /// Only show what would be created
    #[arg(long)]
    dry_run: bool,
    /// What it is for
    #[arg(long, value_name = "TEXT")]
    note: Option<String>,
    /// Reason, recorded in the audit log
    #[arg(long, value_name = "TEXT")]
    reason: Option<String>,
}

/// The state that a trigger begins in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum FirstState {
    /// It acts on signals
    Armed,
    /// It only records what it would do
    DryRun,
    /// It ignores signals
    Disarmed,
}

impl From<FirstState> for TriggerState {
    fn from(state: FirstState) -> Self {
        match state {
            FirstState::Armed => Self::Armed,
            FirstState::DryRun => Self::DryRun,
            FirstState::Disarmed => Self::Disarmed,
        }
    }
}

/// Where signals come from.
#[derive(Debug, Args)]
struct SourceArgs {
    /// Where signals come from
    #[arg(long, value_enum)]
    source: SourceKind,
    /// json: JSON pointer to the value to check, such as `/error_rate`
    #[arg(long, value_name = "POINTER")]
    pointer: Option<String>,
    /// json: fire if the value is above this
    #[arg(long, value_name = "NUMBER", conflicts_with_all = ["below", "equals"])]
    above: Option<f64>,
    /// json: fire if the value is below this
    #[arg(long, value_name = "NUMBER", conflicts_with = "equals")]
    below: Option<f64>,
    /// json: fire if the value equals this
    #[arg(long, value_name = "VALUE")]
    equals: Option<String>,
    /// gate: only gates of this name
    #[arg(long, value_name = "NAME")]
    gate: Option<String>,
    /// gate: only rollouts of this flag
    #[arg(long, value_name = "FLAG")]
    gate_flag: Option<FlagKey>,
    /// Signals are signed (HMAC-SHA256), instead of carrying a bearer token
    #[arg(long)]
    hmac: bool,
    /// A file with the secret, if the sender chooses it; `-` reads the standard input
    #[arg(long, value_name = "FILE")]
    secret_file: Option<PathBuf>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum SourceKind {
    /// Webhooks of Prometheus' Alertmanager
    Alertmanager,
    /// Webhooks and events of PagerDuty
    Pagerduty,
    /// Any JSON, of which one value is checked
    Json,
    /// Gates of rollouts
    Gate,
}

/// What it does.
#[derive(Debug, Args)]
#[command(next_help_heading = "Action")]
struct ActionArgs {
    /// Hold live rollouts; with --flag only those of these flags
    #[arg(long, conflicts_with_all = ["rollback", "kill"], required_unless_present_any = ["rollback", "kill"])]
    hold: bool,
    /// Roll back: open-release, environment, flags (with --flag), or release:RELEASE
    #[arg(long, value_name = "WHAT", value_parser = back, conflicts_with = "kill")]
    rollback: Option<What>,
    /// Kill the flags of --flag; without it, the flag of the gate
    #[arg(long)]
    kill: bool,
    /// A flag to act on; repeat or separate with commas
    #[arg(long = "flag", value_name = "FLAG", value_delimiter = ',')]
    flags: Vec<FlagKey>,
    /// The state to return to: last-known-good, a checkpoint, a revision
    #[arg(long, value_name = "TARGET", requires = "rollback")]
    to: Option<TargetName>,
}

/// When a signal counts.
#[derive(Debug, Args)]
#[command(next_help_heading = "Conditions")]
struct ConditionArgs {
    /// Only signals with this label; repeat for several, values of one name are alternatives
    #[arg(long = "label", value_name = "NAME=VALUE", value_parser = label)]
    labels: Vec<(String, String)>,
    /// Only while a release is open
    #[arg(long)]
    while_release_open: bool,
    /// Not signals about synthetic traffic
    #[arg(long)]
    real_traffic: bool,
}

/// What to roll back.
#[derive(Debug, Clone)]
enum What {
    OpenRelease,
    Environment,
    Flags,
    Release(ReleaseName),
}

fn back(text: &str) -> Result<What, String> {
    match text {
        "open-release" => Ok(What::OpenRelease),
        "environment" => Ok(What::Environment),
        "flags" => Ok(What::Flags),
        other => match other.strip_prefix("release:") {
            Some(name) => ReleaseName::new(name).map(What::Release).map_err(|faults| faults.to_string()),
            None => Err("write open-release, environment, flags or release:NAME".to_owned()),
        },
    }
}

fn label(text: &str) -> Result<(String, String), String> {
    let (name, value) = text
        .split_once('=')
        .ok_or_else(|| format!("{text:?} is not a label; write it as severity=page"))?;
    Ok((name.to_owned(), value.to_owned()))
}

pub(super) async fn run(call: &Context, command: &Create) -> Result<Exit, Failure> {
    let request = command.request()?;
    if command.dry_run {
        match call.output.format() {
            Format::Json => print_data(&messages::request(&request).to_string()),
            Format::Text => print(&messages::would_make(call, &request)),
        }
        return Ok(Exit::Done);
    }
    let post = Call::post(call.path(&["triggers"])).json(&request)?;
    let made: Answer<TriggerCreated> = call.client.call(post).await?;
    call.output.answer(&made, |made| messages::made(call, made));
    Ok(Exit::Done)
}

impl Create {
    fn request(&self) -> Result<TriggerRequest, Failure> {
        let secret = self.source.secret_file.as_deref().map(input::text).transpose()?;
        Ok(TriggerRequest {
            name: self.name.clone(),
            source: self.source.read()?,
            credential: self.source.hmac.then_some(CredentialKind::Hmac),
            secret: secret.map(|text| text.trim().to_owned()),
            action: self.action.read()?,
            conditions: self.conditions.read(),
            cooldown: self.cooldown,
            max_per_hour: self.max_per_hour,
            answer_within: self.answer_within,
            state: self.state.into(),
            mode: self.mode,
            note: self.note.clone(),
            reason: self.reason.clone(),
        })
    }
}

impl SourceArgs {
    fn read(&self) -> Result<SignalSource, Failure> {
        match self.source {
            SourceKind::Alertmanager => Ok(SignalSource::Alertmanager),
            SourceKind::Pagerduty => Ok(SignalSource::Pagerduty),
            SourceKind::Gate => Ok(SignalSource::Gate(GateFilter {
                name: self.gate.clone(),
                flag: self.gate_flag.clone(),
            })),
            SourceKind::Json => {
                let equals = self.equals.as_ref().map(|text| {
                    let value = serde_json::from_str(text).unwrap_or_else(|_| Value::String(text.clone()));
                    BodyComparison::Equals(value)
                });
                let comparison = equals.or(self.above.map(BodyComparison::Above)).or(self.below.map(BodyComparison::Below));
                let (Some(comparison), Some(pointer)) = (comparison, self.pointer.clone()) else {
                    let detail = "Set a condition: --pointer /error_rate --above 0.05, or --below, or --equals.";
                    return Err(Failure::Usage(detail.to_owned()));
                };
                Ok(SignalSource::Json(BodyCheck { pointer, comparison }))
            }
        }
    }
}

impl ActionArgs {
    fn read(&self) -> Result<TriggerAction, Failure> {
        let flags: BTreeSet<FlagKey> = self.flags.iter().cloned().collect();
        let names = FlagSelection { flags: flags.clone() };
        let Some(what) = &self.rollback else {
            return Ok(if self.kill { TriggerAction::Kill(names) } else { TriggerAction::Hold(names) });
        };
        let scope = match what {
            What::Flags if flags.is_empty() => return Err(Failure::Usage("Name the flags to roll back: --rollback flags --flag checkout-v2.".to_owned())),
            What::Flags => TriggerRollbackScope::Flags(flags),
            What::OpenRelease | What::Environment | What::Release(_) if !flags.is_empty() => {
                return Err(Failure::Usage("--flag needs --rollback flags, --kill or --hold.".to_owned()));
            }
            What::OpenRelease => TriggerRollbackScope::OpenRelease,
            What::Environment => TriggerRollbackScope::Environment,
            What::Release(name) => TriggerRollbackScope::Release(name.clone()),
        };
        Ok(TriggerAction::Rollback(TriggerRollback { scope, to: self.to.clone() }))
    }
}

impl ConditionArgs {
    fn read(&self) -> SignalConditions {
        let mut labels: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
        for (name, value) in &self.labels {
            labels.entry(name.clone()).or_default().insert(value.clone());
        }
        SignalConditions {
            labels,
            during: if self.while_release_open {
                ActivePeriod::OpenRelease
            } else {
                ActivePeriod::Always
            },
            about: if self.real_traffic {
                TrafficFilter::RealTraffic
            } else {
                TrafficFilter::AllTraffic
            },
        }
    }
}
