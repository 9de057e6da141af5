//! `ripcord flags explain`: one evaluation, step by step.

use std::path::PathBuf;

use clap::Args;
use ripcord_proto::condition::Condition;
use ripcord_proto::rest::explain::{ExplainRequest, Explanation};
use ripcord_proto::text::grouped;
use ripcord_proto::{FlagKey, flag_text};
use serde_json::{Map, Value};

use crate::answer::Answer;
use crate::client::Call;
use crate::context::Context;
use crate::duration::in_words;
use crate::exit::{Exit, Failure};
use crate::input;
use crate::output::Paint;
use crate::table::indented_table;

/// The attribute that identifies a user.
const TARGETING_KEY: &str = "targetingKey";

/// Evaluate a flag for a user and explain the result, rule by rule
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  ripcord flags explain checkout-v2 --user u-17
  ripcord flags explain checkout-v2 --user u-17 -a plan=beta -a age=42
  ripcord flags explain checkout-v2 --context user.json")]
pub(crate) struct Explain {
    /// The flag
    flag: FlagKey,
    /// The user: the attribute `targetingKey`
    #[arg(long, value_name = "ID")]
    user: Option<String>,
    /// An attribute; a value that is JSON is taken as JSON, else as text
    #[arg(short, long = "attribute", value_name = "NAME=VALUE")]
    attributes: Vec<Attribute>,
    /// The attributes as a JSON object in a file; `-` reads the standard input
    #[arg(long, value_name = "FILE")]
    context: Option<PathBuf>,
}

#[derive(Debug, Clone, PartialEq)]
struct Attribute {
    name: String,
    value: Value,
}

impl std::str::FromStr for Attribute {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (name, value) = text.split_once('=').ok_or_else(|| format!("{text:?} is not an attribute; write NAME=VALUE"))?;
        if name.is_empty() {
            return Err(format!("{text:?} has no name before the ="));
        }
        let value = serde_json::from_str(value).unwrap_or_else(|_| Value::String(value.to_owned()));
        Ok(Self { name: name.to_owned(), value })
    }
}

pub(super) async fn run(call: &Context, command: Explain) -> Result<Exit, Failure> {
    let request = ExplainRequest {
        context: context(&command)?,
        flag: command.flag,
    };
    let answer: Answer<Explanation> = call.client.call(Call::ask(call.path(&["explain"])).json(&request)?).await?;
    call.output.answer(&answer, |explanation| describe(explanation, call.output.paint()));
    Ok(Exit::Done)
}

fn context(command: &Explain) -> Result<Map<String, Value>, Failure> {
    let mut context = match &command.context {
        Some(file) => {
            let text = input::text(file)?;
            serde_json::from_str(&text).map_err(|error| Failure::Local(format!("{} does not contain a JSON object: {error}.", input::name(file))))?
        }
        None => Map::new(),
    };
    context.extend(command.user.clone().map(|user| (TARGETING_KEY.to_owned(), Value::String(user))));
    for Attribute { name, value } in &command.attributes {
        context.insert(name.clone(), value.clone());
    }
    Ok(context)
}

fn describe(explanation: &Explanation, paint: Paint) -> String {
    let serves = match &explanation.variant {
        Some(variant) => format!("serves {variant} = {}", explanation.value),
        None => "serves the caller's default".to_owned(),
    };
    let rule = explanation.rule.as_ref().map_or_else(String::new, |rule| format!(", rule {rule}"));
    let head = format!(
        "{} {serves} ({}{rule}, revision {})",
        paint.strong(explanation.flag.as_str()),
        explanation.reason,
        explanation.revision
    );
    let steps = indented_table(["step", "result", "detail"], explanation.steps.iter().map(step));
    format!("{head}\n\n{steps}")
}

/// A step of the engine's explanation: its name, its result, and what led to it.
fn step(step: &Value) -> [String; 3] {
    let text = |member: &str| step.get(member).map(plain).unwrap_or_default();
    match step.get("step").and_then(Value::as_str).unwrap_or_default() {
        "kill" => match step.get("kill") {
            None | Some(Value::Null) => ["kill".to_owned(), "none".to_owned(), String::new()],
            Some(kill) => ["kill".to_owned(), "killed".to_owned(), plain(kill)],
        },
        "lease" => [
            "lease".to_owned(),
            ended(step.get("expired"), "expired", "holds"),
            step.get("seconds").and_then(Value::as_u64).map(in_words).unwrap_or_default(),
        ],
        "enabled" => ["enabled".to_owned(), ended(step.get("enabled"), "yes", "no"), String::new()],
        "unreadable" => ["unreadable".to_owned(), String::new(), text("problem")],
        "requirement" => [
            format!("requires {}", text("flag")),
            ended(step.get("met"), "met", "not met"),
            format!("needs {}, gets {}", text("variant"), text("serves")),
        ],
        "rule" => {
            let name = step.get("id").map_or_else(|| format!("rules[{}]", text("index")), plain);
            let seen = [step.get("when").and_then(saw), step.get("bucket").and_then(bucket)];
            let seen: Vec<_> = seen.into_iter().flatten().collect();
            [format!("rule {name}"), ended(step.get("matches"), "matches", "no"), seen.join("; ")]
        }
        "default" => ["default".to_owned(), "serves".to_owned(), "no rule matched".to_owned()],
        other => [other.to_owned(), String::new(), step.to_string()],
    }
}

fn ended(value: Option<&Value>, yes: &str, no: &str) -> String {
    match value.and_then(Value::as_bool) {
        Some(true) => yes.to_owned(),
        Some(false) => no.to_owned(),
        None => "unknown".to_owned(),
    }
}

/// A condition, and the attribute that decided it: `plan = "beta": plan is "free"`. Those within it are marked one by one.
fn saw(condition: &Value) -> Option<String> {
    let map = condition.as_object()?;
    let own = map.get("condition").unwrap_or(&Value::Null);
    let marked = |inner: &Value| {
        let holds = inner.get("holds").and_then(Value::as_bool).unwrap_or_default();
        Some(format!("{} {}", if holds { "✓" } else { "✗" }, saw(inner)?))
    };
    let within: Vec<_> = map.get("within").and_then(Value::as_array).into_iter().flatten().filter_map(marked).collect();
    let within = within.join("; ");
    let inner = if within.is_empty() { String::new() } else { format!(" ({within})") };
    Some(match own {
        Value::String(form) if form == "all" || form == "any" => format!("{form} of{inner}"),
        Value::String(form) => format!("{form}{inner}"),
        own @ (Value::Null | Value::Bool(_) | Value::Number(_) | Value::Array(_) | Value::Object(_)) => {
            let told = Condition::from_value(own).map_or_else(|_| own.to_string(), |condition| flag_text::condition(&condition));
            format!("{told}{}{inner}", seen(own, map))
        }
    })
}

/// The value of the attribute that a test looked at, or why an imported rule could not be evaluated.
fn seen(own: &Value, map: &Map<String, Value>) -> String {
    let (Some(attribute), Some(value)) = (own.get("attribute").map(plain), map.get("saw")) else {
        return map.get("problem").map_or_else(String::new, |problem| format!(": {}", plain(problem)));
    };
    if value.is_null() {
        return format!(": {attribute} is not set");
    }
    let types = map.get("types_differ").map(|types| {
        let text = |member: &str| types.get(member).map(plain).unwrap_or_default();
        format!(" (a {}, but the rule needs a {})", text("found"), text("wanted"))
    });
    format!(": {attribute} is {value}{}", types.unwrap_or_default())
}

fn bucket(bucket: &Value) -> Option<String> {
    let map = bucket.as_object()?;
    let text = |member: &str| map.get(member).map(plain).unwrap_or_default();
    if map.get("saw").is_none_or(Value::is_null) {
        let by = text("by");
        let option = if by == TARGETING_KEY {
            "--user ID".to_owned()
        } else {
            format!("-a {by}=VALUE")
        };
        return Some(format!("the split needs {by} ({option})"));
    }
    let number = |member: &str| map.get(member).and_then(Value::as_u64).map(grouped).unwrap_or_default();
    Some(format!("{} {} is in bucket {} of {}", text("by"), text("saw"), number("place"), number("of")))
}

/// A value without the quotes of a text.
fn plain(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

#[cfg(test)]
mod tests;
