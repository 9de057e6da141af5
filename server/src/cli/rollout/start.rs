//! `ripcord rollout start`: from a file, or by options.

use std::path::PathBuf;

use clap::Args;
use ripcord_proto::rollout::{Plan, Rollout};
use serde_json::{Map, Value, json};

use super::words;
use crate::cli::client::{Answer, Call};
use crate::cli::exit::{Exit, Failure};
use crate::cli::input;
use crate::cli::invocation::Invocation;

/// Start a rollout of a plan
///
/// The plan is a YAML or JSON file, or is put together from options. It is refused with every problem named where the flag cannot
/// follow it.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  ripcord rollout start plan.yaml
  ripcord rollout start --flag checkout-v2 --variant on \\
    --step 1%:30m --step 10%:1h --step 100%:24h \\
    --probe http://127.0.0.1:9000/healthz

A plan:
  flag: checkout-v2
  variant: on
  steps:
    - {to: segment beta, hold: 10m}
    - {to: 10%, hold: 1h}
    - {to: 100%, hold: 24h, approve: oncall}
  gates:
    - {name: errors, outcome: error, worse_by: 0.5%, on_fail: rollback}
    - {name: smoke, probe: {url: 'http://127.0.0.1:9000/healthz'},
       on_fail: rollback}")]
pub(crate) struct Start {
    /// The plan, YAML or JSON; - is the standard input
    #[arg(value_name = "FILE", required_unless_present = "flag", conflicts_with_all = ["flag", "variant", "steps", "probe", "errors_worse_by", "unjudged"])]
    file: Option<PathBuf>,
    /// The flag, where there is no file
    #[arg(long, value_name = "FLAG", requires = "variant", requires = "steps")]
    flag: Option<String>,
    /// The variant whose share is raised
    #[arg(long, value_name = "VARIANT")]
    variant: Option<String>,
    /// A step as TO:HOLD, such as 10%:1h or "segment beta:10m"; several in order
    #[arg(long = "step", id = "steps", value_name = "TO:HOLD")]
    steps: Vec<String>,
    /// A probe that takes it back when it fails once
    #[arg(long, value_name = "URL")]
    probe: Option<String>,
    /// Take it back when errors are worse than the control's by more points
    #[arg(long, value_name = "PERCENT")]
    errors_worse_by: Option<String>,
    /// Let time alone decide
    #[arg(long)]
    unjudged: bool,
    /// Why; it goes into the log
    #[arg(long, value_name = "TEXT")]
    reason: Option<String>,
}

impl Start {
    fn plan(&self) -> Result<Plan, Failure> {
        if let Some(file) = &self.file {
            let text = input::text(file)?;
            return Plan::parse(&text).map_err(|faults| Failure::File {
                file: input::name(file),
                faults,
            });
        }
        let steps: Vec<Value> = self
            .steps
            .iter()
            .map(|step| {
                step.rsplit_once(':')
                    .map_or_else(|| json!({"to": step}), |(to, hold)| json!({"to": to, "hold": hold}))
            })
            .collect();
        let mut gates = Vec::new();
        gates.extend(
            self.probe
                .as_ref()
                .map(|url| json!({"name": "probe", "probe": {"url": url}, "on_fail": "rollback"})),
        );
        gates.extend(
            self.errors_worse_by
                .as_ref()
                .map(|worse_by| json!({"name": "errors", "outcome": "error", "worse_by": worse_by, "on_fail": "rollback"})),
        );
        let mut plan = Map::new();
        plan.insert("flag".to_owned(), json!(self.flag));
        plan.insert("variant".to_owned(), json!(self.variant));
        plan.insert("steps".to_owned(), json!(steps));
        if !gates.is_empty() {
            plan.insert("gates".to_owned(), json!(gates));
        }
        if self.unjudged {
            plan.insert("unjudged".to_owned(), json!(true));
        }
        Plan::from_value(&Value::Object(plan)).map_err(|faults| Failure::Usage(format!("The plan is not valid: {faults}")))
    }
}

/// Does it.
pub(super) async fn run(call: &Invocation, command: Start) -> Result<Exit, Failure> {
    let plan = command.plan()?;
    let post = Call::post(call.path(&["rollouts"])).query("reason", command.reason.as_ref()).json(&plan)?;
    let answer: Answer<Rollout> = call.client.call(post).await?;
    call.output.answer(&answer, |rollout| {
        let wait = call.command(&format!("rollout wait {}", rollout.id));
        format!(
            "{}\n{}\nFollow it with\n  {wait}",
            call.output.paint().strong(rollout.id.as_str()),
            words::line(rollout, call.output.paint())
        )
    });
    Ok(Exit::Done)
}
