//! `ripcord segments`: named conditions.

use std::path::PathBuf;

use clap::{Args, Subcommand};
use ripcord_proto::rest::segments::SegmentView;
use ripcord_proto::{FlagsFile, Segment, SegmentKey, flag_text};
use serde_json::Value;

use super::answer::Answer;
use super::client::Call;
use super::context::Context;
use super::exit::{Exit, Failure};
use super::input;
use super::input::ListArgs;
use super::output::{count, facts, indented};
use super::table::table;
use super::write::{self, WriteArgs};

/// List, show, set and delete segments (named conditions)
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  ripcord segments list
  ripcord segments set beta '{\"attribute\": \"plan\", \"equals\": \"beta\"}'
  ripcord segments set beta -f beta.yaml --reason \"beta programme\"
  ripcord segments delete beta --reason \"programme ended\"")]
pub(crate) struct Segments {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// List the segments of the environment
    List(ListArgs),
    /// Show one segment
    Show {
        /// The segment's key
        segment: SegmentKey,
    },
    /// Create or change a segment
    Set {
        /// The segment's key
        segment: SegmentKey,
        /// The condition as JSON
        #[arg(required_unless_present = "file", conflicts_with = "file", value_name = "CONDITION")]
        condition: Option<String>,
        /// The condition as YAML or JSON; `-` reads the standard input
        #[arg(short, long, value_name = "FILE")]
        file: Option<PathBuf>,
        #[command(flatten)]
        write: WriteArgs,
    },
    /// Delete a segment that no flag uses
    Delete {
        /// The segment's key
        segment: SegmentKey,
        #[command(flatten)]
        write: WriteArgs,
    },
}

pub(crate) async fn run(call: &Context, command: Segments) -> Result<Exit, Failure> {
    match command.action {
        Action::List(arguments) => list(call, arguments).await,
        Action::Show { segment } => show(call, &segment).await,
        Action::Set {
            segment,
            condition,
            file,
            write,
        } => {
            let parsed = read(&segment, condition, file)?;
            let put = Call::put(call.path(&["segments", segment.as_str()]))
                .query("reason", write.reason.as_ref())
                .json(&parsed)?;
            write::send(call, put, &format!("Set segment {segment}"), &write).await
        }
        Action::Delete { segment, write } => {
            let delete = Call::delete(call.path(&["segments", segment.as_str()])).query("reason", write.reason.as_ref());
            write::send(call, delete, &format!("Deleted segment {segment}"), &write).await
        }
    }
}

/// A condition of its own: read as the one segment of a flags file, so that YAML works here too.
fn read(key: &SegmentKey, condition: Option<String>, file: Option<PathBuf>) -> Result<Segment, Failure> {
    let (name, text) = match (condition, file) {
        (Some(condition), _) => ("The condition".to_owned(), condition),
        (None, Some(file)) => (input::name(&file), input::text(&file)?),
        (None, None) => return Err(Failure::Usage("Give a condition, or a file with -f FILE.".to_owned())),
    };
    let whole = format!("segments:\n  {}:\n{}", Value::String(key.to_string()), input::nested(&text));
    let parsed = FlagsFile::parse(&whole).map_err(|faults| Failure::File { file: name.clone(), faults })?;
    let segment = parsed.segments.into_iter().next().map(|(_, segment)| segment);
    segment.ok_or_else(|| Failure::Local(format!("{name} is empty.")))
}

async fn list(call: &Context, arguments: ListArgs) -> Result<Exit, Failure> {
    let segments: Answer<Vec<SegmentView>> = call.client.list(&call.path(&["segments"]), arguments.most()).await?;
    call.output.answer(&segments, |segments| {
        if segments.is_empty() {
            let set = call.command("segments set beta -f beta.yaml --reason \"…\"");
            return format!("{} has no segments. Create one with\n  {set}", call.environment());
        }
        table(
            ["segment", "revision", "used by", "condition"],
            segments.iter().map(|view| {
                let used = count(view.used_by.len(), "flag", "flags");
                let condition = parsed(view).map_or_else(|| view.segment.get().to_owned(), |segment| flag_text::condition(&segment.when));
                [view.key.to_string(), view.revision.to_string(), used, condition]
            }),
        )
    });
    Ok(Exit::Done)
}

async fn show(call: &Context, key: &SegmentKey) -> Result<Exit, Failure> {
    let view: Answer<SegmentView> = call.client.call(Call::get(call.path(&["segments", key.as_str()]))).await?;
    call.output.answer(&view, |view| {
        let used: Vec<_> = view.used_by.iter().map(ToString::to_string).collect();
        let mut members = Vec::new();
        match parsed(view) {
            Some(segment) => {
                members.extend(segment.description.map(|description| ("description", description)));
                members.push(("condition", flag_text::condition(&segment.when)));
            }
            None => members.push(("condition", view.segment.get().to_owned())),
        }
        members.push(("revision", view.revision.to_string()));
        members.push(("used by", if used.is_empty() { "no flag".to_owned() } else { used.join(", ") }));
        format!("{}\n{}", call.output.paint().strong(view.key.as_str()), indented(&facts(&members)))
    });
    Ok(Exit::Done)
}

/// The segment, if this version can read it.
fn parsed(view: &SegmentView) -> Option<Segment> {
    let value: Value = serde_json::from_str(view.segment.get()).ok()?;
    Segment::from_value(&value).ok()
}
