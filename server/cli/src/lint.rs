//! `ripcord lint`: a flags file judged without a server.

use std::path::PathBuf;

use clap::Args;
use jiff::Timestamp;
use ripcord_proto::references::{self, TouchedKeys};
use ripcord_proto::table::{Entity, Entry, Table};
use ripcord_proto::{Flag, FlagsFile, Position, Segment, ValidationError, ValidationErrors};

use super::exit::{Exit, Failure};
use super::files::Files;
use super::output::{Format, Output, count, print, print_data};

/// Check flags files without a server
///
/// Reports what a server would refuse, and recommendations. Exit code 1 if something would be refused; with --strict, also if there are recommendations.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  ripcord lint -f flags/
  ripcord lint flags.yaml --strict         recommendations fail too")]
pub(crate) struct Lint {
    /// A flags file (YAML or JSON), or a folder of them; `-` reads the standard input
    #[arg(short, long, value_name = "PATH", required_unless_present = "path")]
    file: Option<PathBuf>,
    /// The same without -f
    #[arg(value_name = "PATH", conflicts_with = "file")]
    path: Option<PathBuf>,
    /// Fail on recommendations too
    #[arg(long)]
    strict: bool,
}

/// Does it. Needs no server.
pub(crate) fn run(output: Output, command: &Lint) -> Result<Exit, Failure> {
    let Some(path) = command.path.as_ref().or(command.file.as_ref()) else {
        return Err(Failure::Usage("Name a flags file or a folder of them.".to_owned()));
    };
    let files = Files::read(path)?;
    let (name, file) = (&files.name, files.whole());
    let unreadable = |error: serde_json::Error| Failure::Local(format!("{name} cannot be checked: {error}."));
    let faults = unmet(&file).map_err(unreadable)?;
    if let Err(faults) = ValidationErrors::check(faults, ()) {
        return Err(Failure::File { file: name.clone(), faults });
    }
    let advice = advise(&file, Timestamp::now()).map_err(unreadable)?;
    match output.format() {
        Format::Json => print_data(&serde_json::json!({"valid": true, "recommendations": advice}).to_string()),
        Format::Text => {
            for fault in &advice {
                print(&format!("{} {name}: {fault}", output.paint().warn("advice:")));
            }
            let flags = count(file.flags.len(), "flag", "flags");
            let segments = count(file.segments.len(), "segment", "segments");
            let recommendations = count(advice.len(), "recommendation", "recommendations");
            print(&format!("{name} is valid: {flags}, {segments}, {recommendations}."));
        }
    }
    Ok(if command.strict && !advice.is_empty() { Exit::Failed } else { Exit::Done })
}

/// References to flags and segments that the file does not define. An environment may have them, but a file should be complete.
fn unmet(file: &FlagsFile) -> Result<Vec<ValidationError>, serde_json::Error> {
    let flags: Table<Flag> = table(file.flags.iter())?;
    let segments: Table<Segment> = table(file.segments.iter())?;
    let touched = TouchedKeys::everything(&flags, &segments);
    Ok(references::check(&flags, &segments, &touched))
}

fn table<'a, M: Entity + Clone + 'a>(entries: impl Iterator<Item = (&'a M::Key, &'a M)>) -> Result<Table<M>, serde_json::Error>
where
    M::Key: 'a,
{
    entries
        .map(|(key, value)| Entry::new(key.clone(), value.clone(), Position::START).map(std::sync::Arc::new))
        .collect()
}

/// All faults and recommendations of a file that is part of this program.
#[cfg(test)]
pub(crate) fn judge(file: &FlagsFile) -> Vec<ValidationError> {
    let mut faults = unmet(file).unwrap_or_default();
    faults.extend(advise(file, Timestamp::UNIX_EPOCH).unwrap_or_default());
    faults
}

/// What could be better.
fn advise(file: &FlagsFile, now: Timestamp) -> Result<Vec<ValidationError>, serde_json::Error> {
    let segments = table(file.segments.iter())?;
    let mut advice = Vec::new();
    for (key, segment) in &file.segments {
        let path = format!("segments.{key}");
        kebab(&mut advice, &path, key.as_str());
        advice.extend(segment.cautions().into_iter().map(|caution| caution.under(&path)));
    }
    for (key, flag) in &file.flags {
        let path = format!("flags.{key}");
        kebab(&mut advice, &path, key.as_str());
        of_flag(&mut advice, &path, flag, &segments, now);
        advice.extend(flag.cautions().into_iter().map(|caution| caution.under(&path)));
    }
    Ok(advice)
}

fn kebab(advice: &mut Vec<ValidationError>, path: &str, key: &str) {
    let good = |part: &str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit());
    if !key.split('-').all(good) {
        let words: Vec<_> = words(key);
        advice.push(ValidationError::new(
            path,
            format!("use kebab-case, which works everywhere; consider {:?}", words.join("-")),
        ));
    }
}

/// The words of a key, with any separator: `newCheckout_v2` → new, checkout, v2.
fn words(key: &str) -> Vec<String> {
    let mut words: Vec<String> = Vec::new();
    let mut word = String::new();
    let mut before_lower = false;
    for character in key.chars() {
        let starts = character.is_uppercase() && before_lower;
        if !character.is_alphanumeric() || starts {
            words.extend(Some(std::mem::take(&mut word)).filter(|word| !word.is_empty()));
        }
        if character.is_alphanumeric() {
            word.extend(character.to_lowercase());
        }
        before_lower = character.is_lowercase() || character.is_numeric();
    }
    words.extend(Some(word).filter(|word| !word.is_empty()));
    words
}

fn of_flag(advice: &mut Vec<ValidationError>, path: &str, flag: &Flag, segments: &Table<Segment>, now: Timestamp) {
    if flag.owner.is_none() {
        advice.push(ValidationError::new(path, "has no owner: name one, so that people on call know whom to ask"));
    }
    if flag.description.is_none() {
        advice.push(ValidationError::new(path, "has no description"));
    }
    if flag.safe.is_none() {
        advice.push(ValidationError::new(
            format!("{path}.safe"),
            "is null: a kill serves each caller's own default, which may differ from one application to the next",
        ));
    }
    if let Some(at) = flag.expires_at.filter(|at| *at <= now) {
        advice.push(ValidationError::new(
            format!("{path}.expires_at"),
            format!("was {at}: clean it up, or give it more time"),
        ));
    }
    for dead in flag.dead_rules(segments) {
        let behind = dead
            .behind_id
            .as_ref()
            .map_or_else(|| format!("rules[{}]", dead.behind), |id| format!("rule {id}"));
        advice.push(ValidationError::new(
            format!("{path}.rules[{}]", dead.index),
            format!("can never be reached, because {behind} before it matches everyone"),
        ));
    }
}

#[cfg(test)]
mod tests;
