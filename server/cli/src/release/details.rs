//! The description of a release, as arguments.

use std::path::PathBuf;

use clap::Args;
use ripcord_proto::{FlagKey, Tag};
use serde_json::{Map, Value, json};

use crate::duration::Span;
use crate::exit::Failure;
use crate::input;

/// The description of a release. Parts that are not given are kept.
#[derive(Debug, Args)]
pub(super) struct Details {
    /// A flag that the release is expected to change; repeat or separate with commas
    #[arg(long = "flag", value_name = "FLAG", value_delimiter = ',')]
    flags: Vec<FlagKey>,
    /// A tag of flags that the release is expected to change; repeat or separate with commas
    #[arg(long = "tag", value_name = "TAG", value_delimiter = ',')]
    tags: Vec<Tag>,
    /// What is deployed
    #[arg(long, value_name = "TEXT")]
    artifact: Option<String>,
    /// The commit of the source
    #[arg(long, value_name = "TEXT")]
    commit: Option<String>,
    /// The digest of the image
    #[arg(long, value_name = "TEXT")]
    image: Option<String>,
    /// A criterion of success; repeat for several
    #[arg(long, value_name = "TEXT")]
    success: Vec<String>,
    /// A criterion for rolling back; repeat for several
    #[arg(long, value_name = "TEXT")]
    failure: Vec<String>,
    /// How long after its start the rollback plan holds (30m, 2h, 3d)
    #[arg(long, value_name = "DURATION")]
    window: Option<Span>,
    /// How the data behind a flag is protected; repeat for several
    #[arg(long, value_name = "FLAG=TEXT", value_parser = pair)]
    data: Vec<(String, String)>,
    /// Owners by role; a commander is required. Repeat for several
    #[arg(long = "owner", value_name = "ROLE=NAME", value_parser = pair)]
    owners: Vec<(String, String)>,
    /// A file of probes that a rollback of the release runs, YAML or JSON
    #[arg(long, value_name = "FILE")]
    checks: Option<PathBuf>,
    /// Reason, recorded in the audit log
    #[arg(long, value_name = "TEXT")]
    reason: Option<String>,
}

/// `name=text`; an empty text removes the entry.
fn pair(text: &str) -> Result<(String, String), String> {
    let (name, value) = text.split_once('=').ok_or_else(|| format!("{text:?} is not of the form NAME=TEXT"))?;
    if name.is_empty() {
        return Err(format!("{text:?} has no name; write it as NAME=TEXT"));
    }
    Ok((name.to_owned(), value.to_owned()))
}

impl Details {
    /// As the members of a request; only those that were given.
    pub(super) fn members(&self) -> Result<Map<String, Value>, Failure> {
        let list = |items: &[String]| (!items.is_empty()).then(|| json!(items));
        let map = |pairs: &[(String, String)]| (!pairs.is_empty()).then(|| object(pairs));
        let checks = self.checks.as_deref().map(input::checks).transpose()?;
        let members = [
            ("flags", (!self.flags.is_empty()).then(|| json!(self.flags))),
            ("tags", (!self.tags.is_empty()).then(|| json!(self.tags))),
            ("artifact", self.artifact.as_ref().map(|text| json!(text))),
            ("commit", self.commit.as_ref().map(|text| json!(text))),
            ("image", self.image.as_ref().map(|text| json!(text))),
            ("success", list(&self.success)),
            ("failure", list(&self.failure)),
            ("window_seconds", self.window.map(|Span(seconds)| json!(seconds))),
            ("data", map(&self.data)),
            ("owners", map(&self.owners)),
            ("checks", checks.map(|checks| json!(checks))),
            ("reason", self.reason.as_ref().map(|text| json!(text))),
        ];
        Ok(members.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?))).collect())
    }
}

fn object(pairs: &[(String, String)]) -> Value {
    let value = |text: &String| if text.is_empty() { Value::Null } else { Value::String(text.clone()) };
    Value::Object(pairs.iter().map(|(name, text)| (name.clone(), value(text))).collect())
}

#[cfg(test)]
mod tests {
    use clap::Parser;
    use serde_json::{Value, json};

    use super::Details;

    #[derive(Parser)]
    struct Line {
        #[command(flatten)]
        details: Details,
    }

    fn members(line: &[&str]) -> Value {
        let line = std::iter::once("release").chain(line.iter().copied());
        Value::Object(Line::try_parse_from(line).unwrap().details.members().unwrap())
    }

    #[test]
    fn only_what_was_given_is_sent() {
        assert_eq!(members(&[]), json!({}));
        let line = [
            "--flag",
            "a,b",
            "--window",
            "2h",
            "--owner",
            "commander=ana",
            "--data",
            "a=both = read",
            "--data",
            "b=",
        ];
        let sent = json!({"flags": ["a", "b"], "window_seconds": 7200, "owners": {"commander": "ana"}, "data": {"a": "both = read", "b": null}});
        assert_eq!(members(&line), sent);
    }
}
