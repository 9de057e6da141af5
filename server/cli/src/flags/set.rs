//! `ripcord flags set`: a flag from a file, or parts of a flag from the command line.

use std::path::PathBuf;

use clap::Args;
use reqwest::StatusCode;
use ripcord_proto::rest::commits::{ChangeRequest, CommitRequest};
use ripcord_proto::rest::flags::FlagView;
use ripcord_proto::{Flag, FlagKey, FlagsFile, Position, RuleId, Tag};
use serde_json::{Map, Value, json};

use super::percentage::{self, Percentage};
use crate::answer::{Answer, ClientError, DifferenceShown, Proposed};
use crate::changes;
use crate::client::Call;
use crate::context::Context;
use crate::exit::{Exit, Failure};
use crate::input;
use crate::output::Format;
use crate::write::{self, WriteArgs};

/// Create a flag, or change parts of it
///
/// Parts that are not named stay as they are.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  ripcord flags set checkout-v2 --boolean --reason \"new flag\"
  ripcord flags set checkout-v2 --percent 25 --reason \"a quarter of the users\"
  ripcord flags set checkout-v2 --default on --reason \"for all\"
  ripcord flags set checkout-v2 -f checkout-v2.yaml --reason \"as reviewed\"")]
pub(crate) struct FlagEdit {
    /// The flag's key
    flag: FlagKey,
    /// The whole flag, as YAML or JSON; `-` reads the standard input
    #[arg(short, long, value_name = "FILE", conflicts_with_all = ["boolean", "percent", "default", "safe", "tags", "owner", "description"])]
    file: Option<PathBuf>,
    /// Create it, if it does not exist, with the variants on and off; it serves off
    #[arg(long)]
    boolean: bool,
    /// Serve true to this percentage of users (0 to 100, to a thousandth): in the flag's one split for everyone, or in a new rule after
    /// the others
    #[arg(long, value_name = "NUMBER")]
    percent: Option<Percentage>,
    /// The rule whose split --percent changes, by its id
    #[arg(long, value_name = "RULE", requires = "percent")]
    rule: Option<RuleId>,
    /// The variant to serve if no rule matches; null = the caller's own default
    #[arg(long, value_name = "VARIANT")]
    default: Option<String>,
    /// The variant to serve when it is killed; null = the caller's own default
    #[arg(long, value_name = "VARIANT")]
    safe: Option<String>,
    /// A tag to add; repeat or separate with commas
    #[arg(long = "tag", value_name = "TAG", value_delimiter = ',')]
    tags: Vec<Tag>,
    /// Who is responsible for it
    #[arg(long, value_name = "NAME")]
    owner: Option<String>,
    /// A description for people
    #[arg(long, value_name = "TEXT")]
    description: Option<String>,
    #[command(flatten)]
    write: WriteArgs,
}

pub(super) async fn run(call: &Context, set: FlagEdit) -> Result<Exit, Failure> {
    let path = call.path(&["flags", set.flag.as_str()]);
    let mut difference = DifferenceShown::NotYet;
    let put = if let Some(file) = &set.file {
        let flag = read(&set.flag, file)?;
        difference = preview(call, &set, flag.clone()).await;
        Call::put(path).json(&flag)?
    } else {
        let existing = existing(call, &set.flag).await?;
        let flag = edited(&set, existing.as_ref().map(|view| view.flag.get()))?;
        if let Ok(flag) = Flag::from_value(&flag) {
            difference = preview(call, &set, flag).await;
        }
        let put = Call::put(path).json(&flag)?;
        match existing {
            Some(view) => put.if_match(Position {
                epoch: view.epoch,
                revision: view.revision,
            }),
            None => put,
        }
    };
    let put = put.query("reason", set.write.reason.as_ref());
    match write::send(call, put, &format!("Set flag {}", set.flag), &set.write).await {
        Err(Failure::Client(ClientError::Proposed(proposed))) => {
            let proposed = Proposed { difference, ..*proposed };
            Err(ClientError::Proposed(Box::new(proposed)).into())
        }
        ended => ended,
    }
}

/// Shows what changes, before and after, and for how many users. If the server cannot plan it, it refuses the write itself.
async fn preview(call: &Context, set: &FlagEdit, flag: Flag) -> DifferenceShown {
    if call.output.format() != Format::Text {
        return DifferenceShown::NotYet;
    }
    let (key, flag) = (set.flag.clone(), Box::new(flag));
    let request = CommitRequest {
        reason: set.write.reason.clone(),
        changes: vec![ChangeRequest::PutFlag { key, flag }],
        plan: None,
        allow_killed_edit: set.write.allow_killed_edit,
    };
    if let Ok(mut plan) = changes::plan(call, call.environment(), &request, set.write.release.as_ref()).await {
        // The answer to the write has them too.
        plan.value.warnings.clear();
        if changes::total(&plan.value) > 0 {
            call.output.text(&changes::describe(&plan.value, call.output.paint()));
            return DifferenceShown::Already;
        }
    }
    DifferenceShown::NotYet
}

/// A flag of its own in a file: read as the one flag of a flags file, so that YAML and percentages work here too.
fn read(key: &FlagKey, file: &std::path::Path) -> Result<Flag, Failure> {
    let text = input::text(file)?;
    let name = input::name(file);
    let whole = if text.trim_start().starts_with('{') {
        format!("{{\"flags\": {{{}: {text}}}}}", Value::String(key.to_string()))
    } else {
        format!("flags:\n  {}:\n{}", Value::String(key.to_string()), input::nested(&text))
    };
    let parsed = FlagsFile::parse(&whole).map_err(|faults| Failure::File { file: name.clone(), faults })?;
    let flag = parsed.flags.into_iter().next().map(|(_, flag)| flag);
    flag.ok_or_else(|| Failure::Usage(format!("{name} contains no flag.")))
}

async fn existing(call: &Context, key: &FlagKey) -> Result<Option<FlagView>, ClientError> {
    let answer: Result<Answer<FlagView>, _> = call.client.call(Call::get(call.path(&["flags", key.as_str()]))).await;
    match answer {
        Ok(answer) => Ok(Some(answer.value)),
        Err(ClientError::Problem(refusal)) if refusal.problem.code == ripcord_proto::problem::Code::FlagNotFound => {
            debug_assert_eq!(refusal.problem.status, StatusCode::NOT_FOUND.as_u16());
            Ok(None)
        }
        Err(error) => Err(error),
    }
}

/// The flag with the parts changed that the command line names.
fn edited(set: &FlagEdit, existing: Option<&str>) -> Result<Value, Failure> {
    let mut flag = match existing {
        Some(json) => serde_json::from_str::<Map<String, Value>>(json).map_err(|error| Failure::Local(format!("The flag cannot be read: {error}.")))?,
        None if set.boolean => new_boolean(),
        None => {
            return Err(Failure::Usage(format!(
                "Flag {0} does not exist. To create it with the variants on and off: ripcord flags set {0} --boolean. From a file: ripcord flags set {0} -f FILE",
                set.flag
            )));
        }
    };
    let name = |name: &String| if name == "null" { Value::Null } else { Value::String(name.clone()) };
    let members = [
        ("default", set.default.as_ref().map(name)),
        ("safe", set.safe.as_ref().map(name)),
        ("owner", set.owner.clone().map(Value::String)),
        ("description", set.description.clone().map(Value::String)),
    ];
    for (member, value) in members {
        flag.extend(value.map(|value| (member.to_owned(), value)));
    }
    add_tags(&mut flag, &set.tags);
    if let Some(percent) = set.percent {
        percentage::put(&set.flag, &mut flag, percent, set.rule.as_ref())?;
    }
    Ok(Value::Object(flag))
}

fn new_boolean() -> Map<String, Value> {
    let mut flag = Map::new();
    flag.insert("enabled".to_owned(), json!(true));
    flag.insert("variants".to_owned(), json!({"on": true, "off": false}));
    flag.insert("default".to_owned(), json!("off"));
    flag.insert("safe".to_owned(), json!("off"));
    flag
}

fn add_tags(flag: &mut Map<String, Value>, tags: &[Tag]) {
    if tags.is_empty() {
        return;
    }
    let slot = flag.entry("tags").or_insert_with(|| json!([]));
    if let Value::Array(present) = slot {
        let added: Vec<_> = tags
            .iter()
            .map(|tag| Value::String(tag.to_string()))
            .filter(|tag| !present.contains(tag))
            .collect();
        present.extend(added);
    }
}

#[cfg(test)]
mod tests;
