//! Flags, and what evaluating them must give: the project's own, which stand in `vectors`, and the public ones where they are, in
//! `RIPCORD_CONFORMANCE` or in `../shared/conformance`.

use std::collections::BTreeMap;
use std::future::Future;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, ensure};
use libtest_mimic::Trial;
use ripcord_proto::flagd::{self, SafeVariants};
use ripcord_proto::settings::Bucketing;
use ripcord_proto::table::Entry;
use ripcord_proto::{FlagsFile, Position, Snapshot};
use serde_json::{Map, Value};

use crate::node::is_skipped;

/// The file of the cases in a folder.
pub const CASES: &str = "evaluation-cases.jsonl";

/// The folders of cases, by what they are called; the public one may not be on this machine.
fn folders() -> [(&'static str, PathBuf); 2] {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    let beside = || here.join("../../shared/conformance");
    let public = std::env::var_os("RIPCORD_CONFORMANCE").map_or_else(beside, PathBuf::from).join("flagd");
    [("own", here.join("openfeature/vectors")), ("public", public)]
}

/// A trial of every folder of cases and every generation of bucketing: `way` says what the cases go through. Those whose cases, or
/// whose tools by `has_tools`, are not on this machine are ignored.
pub fn trials<F: Future<Output = Result<()>>>(
    way: &'static str,
    has_tools: fn(Bucketing) -> bool,
    run: impl Fn(PathBuf, Bucketing) -> F + Copy + Send + 'static,
) -> Vec<Trial> {
    let mut trials = Vec::new();
    for (whose, folder) in folders() {
        for bucketing in [Bucketing::V2, Bucketing::V3] {
            let name = format!("every_{whose}_case_passes_through_{way}_in_generation_{bucketing:?}").to_lowercase();
            let is_missing = !folder.join(CASES).is_file() || is_skipped(has_tools(bucketing));
            let folder = folder.clone();
            trials.push(crate::trial(name, move || run(folder, bucketing)).with_ignored_flag(is_missing));
        }
    }
    trials
}

/// One evaluation and what it must give.
#[derive(Debug, Clone, serde::Deserialize)]
pub struct Case {
    pub id: String,
    pub flags_file: String,
    pub flag: String,
    pub context: Map<String, Value>,
    #[serde(rename = "type")]
    pub kind: Kind,
    pub default: Value,
    pub expect: Expected,
    pub profile: Profile,
    #[serde(default)]
    pub selector: Option<String>,
}

/// What is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    Boolean,
    String,
    Integer,
    Float,
    Object,
}

/// Which generation of bucketing a case holds for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Deserialize)]
pub enum Profile {
    #[serde(rename = "core")]
    Core,
    #[serde(rename = "fractional-v1")]
    V1,
    #[serde(rename = "fractional-v2")]
    V2,
    #[serde(rename = "fractional-v3")]
    V3,
}

/// What an evaluation gives, as far as a case says; an absent member may be anything.
#[derive(Debug, Clone, Default, serde::Deserialize)]
pub struct Expected {
    pub value: Option<Value>,
    #[serde(default)]
    pub variant: Wanted,
    pub reason: Option<String>,
    #[serde(rename = "errorCode")]
    pub error_code: Option<String>,
    pub metadata: Option<Map<String, Value>>,
}

/// Which variant a case wants. Null is something else than nothing.
#[derive(Debug, Clone, Default, PartialEq, serde::Deserialize)]
#[serde(from = "Option<String>")]
pub enum Wanted {
    /// It does not say.
    #[default]
    Any,
    /// None: the caller's own default.
    Nothing,
    /// This one.
    Variant(String),
}

impl From<Option<String>> for Wanted {
    fn from(variant: Option<String>) -> Self {
        variant.map_or(Self::Nothing, Self::Variant)
    }
}

impl Wanted {
    fn is(&self, variant: Option<&str>) -> bool {
        match self {
            Self::Any => true,
            Self::Nothing => variant.is_none(),
            Self::Variant(wanted) => variant == Some(wanted),
        }
    }
}

/// What a way of evaluating gave.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Answer {
    pub value: Option<Value>,
    pub variant: Option<String>,
    pub reason: Option<String>,
    pub error_code: Option<String>,
    pub metadata: Option<Map<String, Value>>,
}

impl Case {
    /// Whether it holds where splits bucket by this generation.
    fn holds_for(&self, bucketing: Bucketing) -> bool {
        match self.profile {
            Profile::Core => true,
            Profile::V1 => false,
            Profile::V2 => bucketing == Bucketing::V2,
            Profile::V3 => bucketing == Bucketing::V3,
        }
    }

    /// What is wrong with an answer; nothing where it is as it must be.
    pub fn fault(&self, answer: &Answer) -> Option<String> {
        let expected = &self.expect;
        let value = answer.value.clone().unwrap_or_else(|| self.default.clone());
        let fine = expected.value.as_ref().is_none_or(|wanted| same(wanted, &value))
            && expected.variant.is(answer.variant.as_deref())
            && expected
                .reason
                .as_ref()
                .is_none_or(|wanted| answer.reason.as_ref().is_none_or(|reason| wanted == reason))
            && expected.error_code == answer.error_code
            && expected.metadata.as_ref().is_none_or(|wanted| {
                answer
                    .metadata
                    .as_ref()
                    .is_none_or(|own| same(&Value::Object(wanted.clone()), &Value::Object(own.clone())))
            });
        (!fine).then(|| format!("{} ({} of {}): expected {expected:?}, got {answer:?}", self.id, self.flag, self.flags_file))
    }
}

/// Equal as JSON, 1 and 1.0 being one number.
pub fn same(one: &Value, other: &Value) -> bool {
    match (one, other) {
        (Value::Number(one), Value::Number(other)) => one.as_f64() == other.as_f64(),
        (Value::Array(one), Value::Array(other)) => one.len() == other.len() && one.iter().zip(other).all(|(one, other)| same(one, other)),
        (Value::Object(one), Value::Object(other)) => {
            one.len() == other.len() && one.iter().all(|(name, value)| other.get(name).is_some_and(|other| same(value, other)))
        }
        _ => one == other,
    }
}

/// The cases of a folder that hold for a generation.
pub fn cases(folder: &Path, bucketing: Bucketing) -> Result<Vec<Case>> {
    let text = std::fs::read_to_string(folder.join(CASES))?;
    let read = |line: &str| serde_json::from_str::<Case>(line).with_context(|| line.to_owned());
    let mut cases = text.lines().map(read).collect::<Result<Vec<_>>>()?;
    cases.retain(|case| case.holds_for(bucketing));
    Ok(cases)
}

/// The flags of a file of the folder, imported.
pub fn flags(folder: &Path, file: &str) -> Result<FlagsFile> {
    let text = std::fs::read_to_string(folder.join(file))?;
    let imported = flagd::parse(&text, &SafeVariants::default()).map_err(|faults| anyhow::anyhow!("{file}: {faults}"))?;
    Ok(FlagsFile {
        flags: imported.flags,
        ..FlagsFile::default()
    })
}

/// Flags as a snapshot.
pub fn snapshot(flags: &FlagsFile, bucketing: Bucketing) -> Result<Snapshot> {
    let mut snapshot = Snapshot::empty(
        "production"
            .parse()
            .map_err(|faults: ripcord_proto::ValidationErrors| anyhow::anyhow!("{faults}"))?,
    );
    snapshot.settings.bucketing = bucketing;
    let entries = flags
        .flags
        .iter()
        .map(|(key, flag)| Entry::new(key.clone(), flag.clone(), Position::START).map(std::sync::Arc::new));
    snapshot.flags = entries.collect::<Result<_, _>>()?;
    Ok(snapshot)
}

/// The cases by the file that they need.
pub fn by_file(cases: Vec<Case>) -> BTreeMap<String, Vec<Case>> {
    let mut sorted: BTreeMap<String, Vec<Case>> = BTreeMap::new();
    for case in cases {
        sorted.entry(case.flags_file.clone()).or_default().push(case);
    }
    sorted
}

/// Says how many passed, and fails with all that did not.
pub fn verdict(way: &str, folder: &Path, bucketing: Bucketing, ran: usize, faults: &[String]) -> Result<()> {
    let passed = ran - faults.len();
    println!("{way}, {bucketing:?}, {}: {passed} of {ran} cases pass", folder.display());
    ensure!(faults.is_empty(), "{}", faults.join("\n"));
    Ok(())
}
