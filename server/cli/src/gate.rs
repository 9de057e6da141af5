//! `ripcord gate replay`: tries another threshold on recorded data.

use clap::{Args, Subcommand};
use ripcord_proto::RolloutId;
use ripcord_proto::gate::GateVerdict;
use ripcord_proto::rest::rollouts::Replay;
use serde_json::{Map, Value, json};

use super::answer::Answer;
use super::client::Call;
use super::context::Context;
use super::exit::{Exit, Failure};
use super::output::Paint;
use super::table::table;

/// Try a different threshold of a gate on recorded data
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  ripcord gate replay ro_01jd3x7q8v9w0y2z4a6b8c0d2e errors --worse-by 0.2%
  ripcord gate replay ro_01jd3x7q8v9w0y2z4a6b8c0d2e p99 --below 0.5")]
pub(crate) struct GateCommand {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    Replay(ReplayCommand),
}

/// Show which past steps of a rollout a different threshold would have stopped
#[derive(Debug, Args)]
struct ReplayCommand {
    /// The rollout's id
    #[arg(value_name = "ROLLOUT_ID")]
    id: RolloutId,
    /// The gate
    #[arg(value_name = "GATE")]
    gate: String,
    /// How much worse the variant may be: percentage points, or an amount for numbers
    #[arg(long, value_name = "AMOUNT")]
    worse_by: Option<String>,
    /// How sure the gate must be
    #[arg(long, value_name = "PERCENT")]
    confidence: Option<String>,
    /// Samples that each side needs
    #[arg(long, value_name = "NUMBER")]
    min_samples: Option<u64>,
    /// The value must be below this; for errors, their share
    #[arg(long, value_name = "AMOUNT")]
    below: Option<String>,
    /// The value must be above this
    #[arg(long, value_name = "AMOUNT")]
    above: Option<String>,
    /// The share that must have been fast enough
    #[arg(long, value_name = "PERCENT")]
    share: Option<String>,
}

/// A percentage as it is written, or a number.
fn amount(text: &str) -> Value {
    text.parse::<f64>().map_or_else(|_| json!(text), |number| json!(number))
}

pub(crate) async fn run(call: &Context, command: GateCommand) -> Result<Exit, Failure> {
    let Command::Replay(replay) = command.command;
    let given = [
        ("gate", Some(json!(replay.gate))),
        ("worse_by", replay.worse_by.as_deref().map(amount)),
        ("confidence", replay.confidence.map(Value::String)),
        ("min_samples", replay.min_samples.map(|samples| json!(samples))),
        ("below", replay.below.as_deref().map(amount)),
        ("above", replay.above.as_deref().map(amount)),
        ("share", replay.share.map(Value::String)),
    ];
    let body: Map<String, Value> = given.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?))).collect();
    let post = Call::ask(call.path(&["rollouts", replay.id.as_str(), "replay"])).json(&body)?;
    let answer: Answer<Replay> = call.client.call(post).await?;
    call.output.answer(&answer, |replay| describe(replay, call.output.paint()));
    Ok(Exit::Done)
}

fn describe(replay: &Replay, paint: Paint) -> String {
    if replay.steps.is_empty() {
        return format!("No step has ended yet, so there is no data for gate {}.", replay.gate);
    }
    let rows = replay.steps.iter().map(|step| {
        let was = step.recorded.map_or("(not read)", GateVerdict::as_str);
        let would = match step.verdict {
            GateVerdict::Fail => paint.bad(&format!("stopped after {} s", step.after_ms / 1_000)),
            GateVerdict::Pass => paint.good("let through"),
            GateVerdict::Samples | GateVerdict::Unknown => paint.warn(step.verdict.as_str()),
        };
        [step.step.to_string(), was.to_owned(), would, step.detail.clone()]
    });
    table(["step", "was", "would be", "by"], rows)
}
