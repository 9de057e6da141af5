//! `ripcord env policy`: the protection and automation of an environment.

use std::collections::BTreeSet;
use std::path::PathBuf;

use clap::{Args, Subcommand};
use ripcord_proto::ValidationErrors;
use ripcord_proto::policy::{Approvers, GuardedOperation, Policy, Protection};
use ripcord_proto::rest::policy::PolicyResponse;
use ripcord_proto::trigger::TriggerMode;

use crate::answer::Answer;
use crate::client::Call;
use crate::context::Context;
use crate::duration::{After, Span, in_words};
use crate::exit::{Exit, Failure};
use crate::input;
use crate::output::{facts, indented};

/// Show or change the policy
#[derive(Debug, Args)]
pub(super) struct PolicyCommand {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// Show the policy
    Show,
    /// Change parts of the policy; the rest stays as it is
    Set(PolicyEdit),
}

#[derive(Debug, Args)]
#[group(required = true, multiple = true)]
#[command(override_usage = "ripcord env policy set [OPTIONS]")]
struct PolicyEdit {
    /// Require a complete release before exposure is raised
    #[arg(long, conflicts_with = "open")]
    protected: bool,
    /// Require no protection
    #[arg(long)]
    open: bool,
    /// Mark known-good automatically after this long without changes, with all probes passing (30m, 2h), or never
    #[arg(long, value_name = "DURATION")]
    vouch_after: Option<After>,
    /// How soon a rollback must be confirmed (30s)
    #[arg(long, value_name = "DURATION")]
    confirm_within: Option<Span>,
    /// Ping automatically this often (10m), or never
    #[arg(long, value_name = "DURATION")]
    ping_every: Option<After>,
    /// How soon after a rollback its review is due (3d)
    #[arg(long, value_name = "DURATION")]
    review_within: Option<Span>,
    /// Whether people may approve steps of their own rollouts: yes or no
    #[arg(long, value_name = "YES_OR_NO", value_parser = yes_or_no)]
    approve_own: Option<bool>,
    /// The Prometheus that gates of rollouts query, such as `http://127.0.0.1:9090`
    #[arg(long, value_name = "URL")]
    prometheus: Option<String>,
    /// What triggers do: automatic (act), ask (a person decides) or off (only record)
    #[arg(long, value_name = "MODE")]
    triggers: Option<TriggerMode>,
    /// What needs a second person: changes, rollouts, rollback, restore (separated by commas), or none
    #[arg(long, value_name = "LIST", value_parser = guarded)]
    second_person: Option<SecondPerson>,
    /// How long a proposal stays open (1d)
    #[arg(long, value_name = "DURATION")]
    proposals_expire: Option<Span>,
    /// A file of probes that every rollback here runs, YAML or JSON; an empty list removes them
    #[arg(long, value_name = "FILE")]
    checks: Option<PathBuf>,
    /// Reason, recorded in the audit log
    #[arg(long, value_name = "TEXT")]
    reason: Option<String>,
}

pub(super) async fn run(call: &Context, command: PolicyCommand) -> Result<Exit, Failure> {
    match command.action {
        Action::Show => {
            let policy: Answer<Policy> = call.client.call(Call::get(call.path(&["policy"]))).await?;
            call.output.answer(&policy, |policy| describe(call, policy));
        }
        Action::Set(set) => {
            let present: Answer<Policy> = call.client.call(Call::get(call.path(&["policy"]))).await?;
            let policy = set.over(present.value)?;
            let put = Call::put(call.path(&["policy"])).query("reason", set.reason.as_ref()).json(&policy)?;
            let written: Answer<PolicyResponse> = call.client.call(put).await?;
            call.output.answer(&written, |written| describe(call, &written.policy));
        }
    }
    Ok(Exit::Done)
}

impl PolicyEdit {
    /// The policy with the parts changed that the command line names.
    fn over(&self, present: Policy) -> Result<Policy, Failure> {
        let protection = match (self.protected, self.open) {
            (true, _) => Protection::Protected,
            (false, true) => Protection::Open,
            (false, false) => present.protection,
        };
        let seconds = |given: Option<After>, present| given.map_or(present, After::seconds);
        let span = |given: Option<Span>, present| given.map_or(present, |Span(seconds)| Some(seconds));
        Ok(Policy {
            protection,
            vouch_after_seconds: seconds(self.vouch_after, present.vouch_after_seconds),
            confirm_within_seconds: span(self.confirm_within, present.confirm_within_seconds),
            ping_every_seconds: seconds(self.ping_every, present.ping_every_seconds),
            review_within_seconds: span(self.review_within, present.review_within_seconds),
            checks: match &self.checks {
                Some(file) => input::checks(file)?,
                None => present.checks,
            },
            approve_own: self.approve_own.or(present.approve_own),
            prometheus: self.prometheus.clone().or(present.prometheus),
            triggers: self.triggers.or(present.triggers),
            second_person: self.second_person.clone().map_or(present.second_person, |SecondPerson(guarded)| guarded),
            proposals_expire_seconds: span(self.proposals_expire, present.proposals_expire_seconds),
        })
    }
}

/// What needs a second person, as given on the command line.
#[derive(Debug, Clone)]
struct SecondPerson(BTreeSet<GuardedOperation>);

fn guarded(text: &str) -> Result<SecondPerson, ValidationErrors> {
    if text == "none" {
        return Ok(SecondPerson(BTreeSet::new()));
    }
    text.split(',').map(|part| part.trim().parse()).collect::<Result<_, _>>().map(SecondPerson)
}

fn yes_or_no(text: &str) -> Result<bool, String> {
    match text {
        "yes" => Ok(true),
        "no" => Ok(false),
        _ => Err("write yes or no".to_owned()),
    }
}

fn second_person(policy: &Policy) -> String {
    if policy.second_person.is_empty() {
        return "for nothing".to_owned();
    }
    let guarded: Vec<_> = policy.second_person.iter().map(|guarded| guarded.as_str()).collect();
    format!(
        "for {}; proposals expire after {}",
        guarded.join(", "),
        in_words(policy.proposals_expire_seconds())
    )
}

fn describe(call: &Context, policy: &Policy) -> String {
    let protection = match policy.protection {
        Protection::Open => "open: exposure can be raised without a release",
        Protection::Protected => "protected: raising exposure needs a complete release",
    };
    let vouches = match policy.vouch_after_seconds {
        Some(seconds) => format!("automatic, after {} without a change and with all probes passing", in_words(seconds)),
        None => "only people and pipelines".to_owned(),
    };
    let pings = policy
        .ping_every_seconds
        .map_or_else(|| "not automatic".to_owned(), |seconds| format!("every {}", in_words(seconds)));
    let approvers = match policy.approvers() {
        Approvers::Anyone => "by anyone with the role",
        Approvers::NotTheStarter => "by anyone with the role except the person who started it",
    };
    let triggers = match policy.triggers() {
        TriggerMode::Automatic => "automatic: they act without asking",
        TriggerMode::Ask => "ask: nothing is done until a person confirms",
        TriggerMode::Off => "off: they only record that they fired",
    };
    let checks: Vec<_> = policy.checks.iter().map(|check| format!("{} ({})", check.name, check.url)).collect();
    let members = [
        ("protection", protection.to_owned()),
        ("vouching", vouches),
        ("rollbacks confirmed", format!("within {}", in_words(policy.confirm_within_seconds()))),
        ("reviews due", format!("within {}", in_words(policy.review_within_seconds()))),
        ("pings", pings),
        ("rollouts approved", approvers.to_owned()),
        ("triggers", triggers.to_owned()),
        ("second person", second_person(policy)),
        ("prometheus", policy.prometheus.clone().unwrap_or_else(|| "set by each gate".to_owned())),
        ("probes", if checks.is_empty() { "none".to_owned() } else { checks.join(", ") }),
    ];
    format!("{}\n{}", call.output.paint().strong(call.environment().as_str()), indented(&facts(&members)))
}
