//! `ripcord rollout start`: from a file, or by options.

use std::path::PathBuf;

use clap::Args;
use ripcord_proto::role::Role;
use ripcord_proto::rollout::{Rollout, RolloutPlan};
use serde_json::{Value, json};

use super::messages;
use crate::answer::Answer;
use crate::bucketing;
use crate::client::Call;
use crate::context::Context;
use crate::exit::{Exit, Failure};
use crate::input;

/// Start a rollout
///
/// The plan is a YAML or JSON file, or is given by options. If the flag cannot follow it, it is refused with every problem
/// named.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  ripcord rollout start -f plan.yaml
  ripcord rollout start --flag checkout-v2 --variant on \\
    --step 1%:30m --step 10%:1h --step 50%:2h:oncall --step 100%:24h \\
    --errors-worse-by 0.5% --probe http://127.0.0.1:9000/healthz
  ripcord rollout start --flag checkout-v2 --variant on --step 10%:1h \\
    --gate '{name: slow, outcome: latency, below: 300ms, worse_by: 1%,
             on_fail: rollback}' \\
    --window 'mon-thu 09:00-16:00 Europe/Amsterdam'

A plan:
  flag: checkout-v2
  variant: on
  steps:
    - {to: segment beta, hold: 10m}
    - {to: 10%, hold: 1h}
    - {to: 100%, hold: 24h, approve: oncall}
  gates:
    - {name: errors, outcome: error, worse_by: 0.5%, on_fail: rollback}
    - {name: slow, outcome: latency, below: 300ms, worse_by: 1%,
       on_fail: hold}
    - {name: basket, outcome: number basket, worse: lower, worse_by: 5%,
       on_fail: hold, dry_run: true}
    - {name: p99, prometheus: 'histogram_quantile(0.99, …)', below: 0.8,
       for: 2m, on_fail: hold}
    - {name: smoke, probe: {url: 'http://127.0.0.1:9000/healthz'},
       on_fail: rollback}
  window: {days: [mon, tue], hours: '09:00-16:00', zone: Europe/Amsterdam}
  bake: 1h")]
pub(crate) struct Start {
    /// The plan, YAML or JSON; `-` reads the standard input
    #[arg(short, long, value_name = "FILE", required_unless_present = "flag", conflicts_with_all = ["flag", "variant", "control", "rule", "steps",
        "probe", "errors_worse_by", "gates", "window", "bake", "release", "start_at", "no_gates"])]
    file: Option<PathBuf>,
    #[command(flatten)]
    options: Options,
    /// Reason, recorded in the audit log
    #[arg(long, value_name = "TEXT")]
    reason: Option<String>,
}

const NO_GATE: &str = "The steps have no gate. Add --errors-worse-by, --probe or --gate, or pass --no-gates to advance on time alone.";

/// A plan by options.
#[derive(Debug, Args)]
struct Options {
    /// The flag, if there is no file
    #[arg(long, value_name = "FLAG", requires = "variant", requires = "steps")]
    flag: Option<String>,
    /// The variant whose share goes up
    #[arg(long, value_name = "VARIANT")]
    variant: Option<String>,
    /// The variant whose share goes down [default: the other one of the split]
    #[arg(long, value_name = "VARIANT")]
    control: Option<String>,
    /// The rule to change, if several rules split
    #[arg(long, value_name = "ID")]
    rule: Option<String>,
    /// A step as TO:HOLD, such as 10%:1h or "segment beta:10m"; add :ROLE if a person of that role must approve. Repeat in
    /// order
    #[arg(long = "step", id = "steps", value_name = "TO:HOLD")]
    steps: Vec<String>,
    /// A URL to probe; one failure rolls back
    #[arg(long, value_name = "URL")]
    probe: Option<String>,
    /// Roll back if the error rate exceeds the control's by more than this
    #[arg(long, value_name = "PERCENT")]
    errors_worse_by: Option<String>,
    /// A gate as in a plan, in braces; repeat for several
    #[arg(long = "gate", id = "gates", value_name = "{…}")]
    gates: Vec<String>,
    /// When steps may start, as DAYS HOURS ZONE
    #[arg(long, value_name = "WINDOW")]
    window: Option<String>,
    /// How long to watch it after the last step
    #[arg(long, value_name = "DURATION")]
    bake: Option<String>,
    /// The release that it belongs to: rollouts of one release advance and roll back together
    #[arg(long, value_name = "RELEASE")]
    release: Option<String>,
    /// Start no earlier than this (RFC 3339)
    #[arg(long, value_name = "TIME")]
    start_at: Option<String>,
    /// Advance on time alone, without gates
    #[arg(long)]
    no_gates: bool,
}

impl Start {
    fn plan(&self) -> Result<RolloutPlan, Failure> {
        let Some(file) = &self.file else { return self.options.plan() };
        let text = input::text(file)?;
        RolloutPlan::parse(&text).map_err(|faults| Failure::File {
            file: input::name(file),
            faults,
        })
    }
}

impl Options {
    /// The plan in the format of a plan file; gates are copied as given.
    fn plan(&self) -> Result<RolloutPlan, Failure> {
        let text = |text: &Option<String>| text.as_ref().map(|text| json!(text).to_string());
        let steps: Vec<Value> = self.steps.iter().map(|text| step(text)).collect();
        let gates = self.gates();
        if gates.is_empty() && !self.no_gates {
            return Err(Failure::Usage(NO_GATE.to_owned()));
        }
        let members = [
            ("flag", text(&self.flag)),
            ("variant", text(&self.variant)),
            ("control", text(&self.control)),
            ("rule", text(&self.rule)),
            ("steps", Some(json!(steps).to_string())),
            ("gates", (!gates.is_empty()).then(|| format!("[{}]", gates.join(", ")))),
            ("window", self.window.as_deref().map(window).transpose()?.map(|window| window.to_string())),
            ("bake", text(&self.bake)),
            ("release", text(&self.release)),
            ("start_at", text(&self.start_at)),
            ("no_gates", self.no_gates.then(|| "true".to_owned())),
        ];
        let members: Vec<String> = members.into_iter().filter_map(|(name, text)| Some(format!("\"{name}\": {}", text?))).collect();
        RolloutPlan::parse(&format!("{{{}}}", members.join(", "))).map_err(|faults| Failure::Usage(format!("The plan is not valid: {faults}")))
    }

    fn gates(&self) -> Vec<String> {
        let probe = self
            .probe
            .as_ref()
            .map(|url| json!({"name": "probe", "probe": {"url": url}, "on_fail": "rollback"}));
        let errors = self
            .errors_worse_by
            .as_ref()
            .map(|worse_by| json!({"name": "errors", "outcome": "error", "worse_by": worse_by, "on_fail": "rollback"}));
        let made = probe.into_iter().chain(errors).map(|gate| gate.to_string());
        made.chain(self.gates.iter().cloned()).collect()
    }
}

/// `10%:1h`, or `50%:2h:oncall`. A segment's name may contain colons.
fn step(text: &str) -> Value {
    let Some((rest, last)) = text.rsplit_once(':') else {
        return json!({"to": text});
    };
    match (last.parse::<Role>(), rest.rsplit_once(':')) {
        (Ok(role), Some((to, hold))) => json!({"to": to, "hold": hold, "approve": role}),
        (_, _) => json!({"to": rest, "hold": last}),
    }
}

/// `mon-thu,sat 09:00-16:00 Europe/Amsterdam`.
fn window(text: &str) -> Result<Value, Failure> {
    const WEEK: [&str; 7] = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"];
    let words: Vec<&str> = text.split_whitespace().collect();
    let &[days, hours, zone] = words.as_slice() else {
        return Err(Failure::Usage(format!(
            "{text:?} is not a time window; write it as \"mon-thu 09:00-16:00 Europe/Amsterdam\""
        )));
    };
    let place = |day: &str| WEEK.iter().position(|own| *own == day);
    let days = days.split(',').flat_map(|part| match part.split_once('-') {
        Some((from, to)) => match (place(from), place(to)) {
            (Some(from), Some(to)) if from <= to => WEEK.iter().skip(from).take(to - from + 1).copied().collect(),
            (Some(from), Some(to)) => WEEK.iter().skip(from).chain(WEEK.iter().take(to + 1)).copied().collect(),
            // The plan's own reader says what a day is.
            (_, _) => vec![part],
        },
        None => vec![part],
    });
    Ok(json!({"days": days.collect::<Vec<_>>(), "hours": hours, "zone": zone}))
}

pub(super) async fn run(call: &Context, command: Start) -> Result<Exit, Failure> {
    let plan = command.plan()?;
    let post = Call::post(call.path(&["rollouts"])).query("reason", command.reason.as_ref()).json(&plan)?;
    let answer: Answer<Rollout> = call.client.call(post).await?;
    call.output.answer(&answer, |rollout| {
        let wait = call.command(&format!("rollout wait {}", rollout.id));
        format!(
            "{}\n{}\nTo follow it:\n  {wait}",
            call.output.paint().strong(rollout.id.as_str()),
            messages::line(rollout, call.output.paint())
        )
    });
    bucketing::warn(call, call.environment()).await;
    Ok(Exit::Done)
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Debug, Parser)]
    struct Line {
        #[command(flatten)]
        start: Start,
    }

    fn plan(arguments: &[&str]) -> Result<Value, String> {
        let line = ["start", "--flag", "f", "--variant", "on"].iter().chain(arguments);
        let line = Line::try_parse_from(line).map_err(|error| error.to_string())?;
        match line.start.plan() {
            Ok(plan) => Ok(json!(plan)),
            Err(Failure::Usage(text)) => Err(text),
            Err(other) => panic!("{other:?}"),
        }
    }

    #[test]
    fn options_make_the_plan_that_a_file_would() {
        let made = plan(&[
            "--step",
            "segment beta:10m",
            "--step",
            "10%:1h",
            "--step",
            "50%:2h:oncall",
            "--errors-worse-by",
            "0.5%",
            "--gate",
            "{name: slow, outcome: latency, below: 300ms, worse_by: 1%, on_fail: hold}",
            "--window",
            "fri-sun,wed 22:00-04:00 UTC",
            "--bake",
            "5m",
            "--control",
            "off",
            "--rule",
            "r1",
            "--release",
            "web-1",
            "--start-at",
            "2026-11-25T12:00:00Z",
            "--no-gates",
        ])
        .unwrap();
        let file = RolloutPlan::parse(
            "{flag: f, variant: on, control: off, rule: r1, steps: [{to: segment beta, hold: 10m}, {to: 10%, hold: 1h}, {to: 50%, hold: 2h, approve: oncall}],
              gates: [{name: errors, outcome: error, worse_by: 0.5%, on_fail: rollback}, {name: slow, outcome: latency, below: 300ms, worse_by: 1%, on_fail: hold}],
              window: {days: [wed, fri, sat, sun], hours: '22:00-04:00', zone: UTC}, bake: 5m, release: web-1, start_at: '2026-11-25T12:00:00Z', no_gates: true}",
        );
        assert_eq!(made, json!(file.unwrap()));
    }

    #[test]
    fn what_is_wrong_with_them_is_told_as_of_a_file() {
        let refused = plan(&["--step", "120%:1h", "--no-gates"]).unwrap_err();
        assert!(refused.contains("steps[0].to: is 120%; a step goes to 100% at most"), "{refused}");
        let refused = plan(&["--step", "10%:1h", "--no-gates", "--window", "someday"]).unwrap_err();
        assert!(refused.contains("is not a time window"), "{refused}");
        let refused = plan(&["--step", "10%:1h", "--no-gates", "--window", "mon-xyz 09:00-10:00 UTC"]).unwrap_err();
        assert!(refused.contains("\"mon-xyz\" is not a day"), "{refused}");
        assert_eq!(plan(&["--step", "10%:1h"]).unwrap_err(), NO_GATE);
        let refused = plan(&["--step", "10%:1h", "--gate", "{name: slow, outcome: latency"]).unwrap_err();
        assert!(refused.contains("not valid"), "{refused}");
    }
}
