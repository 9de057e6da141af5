//! `ripcord env policy`: what an environment asks of those who change it, and what it does by itself.

use std::collections::BTreeSet;
use std::path::PathBuf;

use clap::{Args, Subcommand};
use ripcord_proto::ValidationErrors;
use ripcord_proto::policy::{Approvers, GuardedOperation, Policy, Protection};
use ripcord_proto::rest::policy::PolicyResponse;
use ripcord_proto::trigger::TriggerMode;

use crate::client::{Answer, Call};
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
    /// Show what holds
    Show,
    /// Change parts of it; what is not named stays as it is
    Set(Set),
}

#[derive(Debug, Args)]
#[group(required = true, multiple = true)]
struct Set {
    /// Ask for a complete release before more people are served a flag
    #[arg(long, conflicts_with = "open")]
    protected: bool,
    /// Ask for nothing
    #[arg(long)]
    open: bool,
    /// Vouch by itself after this long without a change and all probes green (30m, 2h), or never
    #[arg(long, value_name = "TIME")]
    vouch_after: Option<After>,
    /// How soon a rollback must be confirmed (30s)
    #[arg(long, value_name = "TIME")]
    confirm_within: Option<Span>,
    /// Send a ping by itself this often (10m), or never
    #[arg(long, value_name = "TIME")]
    ping_every: Option<After>,
    /// How soon after a rollback its review is due (3d)
    #[arg(long, value_name = "TIME")]
    review_within: Option<Span>,
    /// Whether the one who started a rollout may approve its steps: yes or no
    #[arg(long, value_name = "YES_OR_NO", value_parser = yes_or_no)]
    approve_own: Option<bool>,
    /// Where Prometheus answers the gates of rollouts, such as <http://127.0.0.1:9090>
    #[arg(long, value_name = "URL")]
    prometheus: Option<String>,
    /// What triggers do when they fire: automatic (they act), ask (a person is asked) or off (they are recorded)
    #[arg(long, value_name = "MODE")]
    triggers: Option<TriggerMode>,
    /// What needs a second person: changes, rollouts, rollback, restore, separated by commas; or none
    #[arg(long, value_name = "LIST", value_parser = guarded)]
    second_person: Option<SecondPerson>,
    /// After how long a proposal that nobody decided on lapses (1d)
    #[arg(long, value_name = "TIME")]
    proposals_expire: Option<Span>,
    /// Probes that every rollback here asks: a file with a list of them, YAML or JSON; an empty list takes them away
    #[arg(long, value_name = "FILE")]
    checks: Option<PathBuf>,
    /// Why; it goes into the log
    #[arg(long, value_name = "TEXT")]
    reason: Option<String>,
}

/// Does it.
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

impl Set {
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

/// What needs a second person, as the command line says it.
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
        "for {}; proposals lapse after {}",
        guarded.join(", "),
        in_words(policy.proposals_expire_seconds())
    )
}

fn describe(call: &Context, policy: &Policy) -> String {
    let protection = match policy.protection {
        Protection::Open => "open: exposure is raised freely",
        Protection::Protected => "protected: more people are served a flag only by a complete release",
    };
    let vouches = match policy.vouch_after_seconds {
        Some(seconds) => format!("by itself, after {} without a change and all probes green", in_words(seconds)),
        None => "only people and pipelines".to_owned(),
    };
    let pings = policy
        .ping_every_seconds
        .map_or_else(|| "none by itself".to_owned(), |seconds| format!("every {}", in_words(seconds)));
    let approvers = match policy.approvers() {
        Approvers::Anybody => "by whoever has the role",
        Approvers::NotTheStarter => "by another than the one who started it",
    };
    let triggers = match policy.triggers() {
        TriggerMode::Automatic => "automatic: they act by themselves",
        TriggerMode::Ask => "ask: a person is asked, and nothing is done before",
        TriggerMode::Off => "off: it is recorded that they fired",
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
        ("prometheus", policy.prometheus.clone().unwrap_or_else(|| "each gate says where".to_owned())),
        ("probes", if checks.is_empty() { "none".to_owned() } else { checks.join(", ") }),
    ];
    format!("{}\n{}", call.output.paint().strong(call.environment().as_str()), indented(&facts(&members)))
}
