//! The same flags in an engine that others wrote, fed by the export: the public cases, and random flags of every kind.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result, ensure};
use libtest_mimic::Trial;
use rand::SeedableRng as _;
use rand::rngs::StdRng;
use ripcord_proto::flagd;
use ripcord_proto::settings::Bucketing;
use ripcord_sdk::Context;
use ripcord_sdk::engine::{Compiled, SinceContact};
use serde_json::{Value, json};

use crate::conformance::{self, Answer};
use crate::node::{is_skipped, script, tools};
use crate::random;
use crate::trial;

/// Evaluations of random flags, unless `RIPCORD_CASES` sets another number.
const CASES: usize = 10_000;
/// Contexts that each random flag is evaluated for.
const CONTEXTS: usize = 20;

pub fn trials() -> Vec<Trial> {
    let has_engine = |bucketing| python(bucketing).is_some();
    let run = |folder: PathBuf, bucketing| async move { all_cases(&engine(bucketing)?, &folder, bucketing) };
    let mut trials = conformance::trials("the_export_and_an_independent_engine", has_engine, run);
    for bucketing in [Bucketing::V2, Bucketing::V3] {
        let name = format!("random_flags_serve_the_same_variant_in_an_independent_engine_in_generation_{bucketing:?}").to_lowercase();
        let test = move || async move { at_random(&engine(bucketing)?, bucketing) };
        trials.push(trial(name, test).with_ignored_flag(is_skipped(has_engine(bucketing))));
    }
    trials
}

fn engine(bucketing: Bucketing) -> Result<PathBuf> {
    python(bucketing).context("the engine is not installed")
}

/// The engine of this generation, where it is installed.
fn python(bucketing: Bucketing) -> Option<PathBuf> {
    let folder = match bucketing {
        Bucketing::V2 => "python-v2",
        Bucketing::V3 => "python-v3",
    };
    let python = tools().join(folder).join("bin/python");
    python.is_file().then_some(python)
}

/// What the engine answers to each case, given the flags as flagd's JSON.
fn evaluate(python: &Path, flags: &Value, cases: &str) -> Result<Vec<Answer>> {
    let folder = tempfile::tempdir()?;
    let (flags_file, cases_file) = (folder.path().join("flags.json"), folder.path().join("cases.jsonl"));
    std::fs::write(&flags_file, flags.to_string())?;
    std::fs::write(&cases_file, cases)?;
    let ran = Command::new(python).arg(script("engine.py")).args([&flags_file, &cases_file]).output()?;
    ensure!(ran.status.success(), "{}", String::from_utf8_lossy(&ran.stderr));
    let lines = std::str::from_utf8(&ran.stdout)?.lines();
    lines
        .map(|line| {
            let got: Value = serde_json::from_str(line)?;
            let text = |name: &str| got.get(name).and_then(Value::as_str).map(str::to_owned);
            Ok(Answer {
                value: got.get("value").filter(|value| !value.is_null()).cloned(),
                variant: text("variant"),
                reason: text("reason"),
                error_code: text("errorCode"),
                metadata: got.get("metadata").and_then(Value::as_object).cloned(),
            })
        })
        .collect()
}

fn all_cases(python: &Path, folder: &Path, bucketing: Bucketing) -> Result<()> {
    let text = std::fs::read_to_string(folder.join(conformance::CASES))?;
    let cases = conformance::cases(folder, bucketing)?;
    let (ran, mut faults) = (cases.len(), Vec::new());
    for (file, cases) in conformance::by_file(cases) {
        let snapshot = conformance::snapshot(&conformance::flags(folder, &file)?, bucketing)?;
        let export = flagd::export(&snapshot, []);
        ensure!(export.left_out.is_empty(), "{:?}", export.left_out);
        let is_asked = |line: &&str| cases.iter().any(|case| line.contains(&format!("\"{}\"", case.id)));
        let lines: Vec<&str> = text.lines().filter(is_asked).collect();
        let answers = evaluate(python, &export.document(None), &lines.join("\n"))?;
        ensure!(answers.len() == cases.len(), "{} answers to {} cases", answers.len(), cases.len());
        faults.extend(cases.iter().zip(&answers).filter_map(|(case, answer)| case.fault(answer)));
    }
    conformance::verdict("the export and an independent engine", folder, bucketing, ran, &faults)
}

fn at_random(python: &Path, bucketing: Bucketing) -> Result<()> {
    let wanted = std::env::var("RIPCORD_CASES").ok().and_then(|cases| cases.parse().ok()).unwrap_or(CASES);
    let (mut ran, mut seed, mut left_out) = (0, 1_u64, 0);
    while ran < wanted {
        let mut dice = StdRng::seed_from_u64(seed);
        let snapshot = random::snapshot(&mut dice, bucketing)?;
        let export = flagd::export(&snapshot, []);
        left_out += export.left_out.len();
        let compiled = Compiled::new(&snapshot);
        let mut cases = Vec::new();
        for key in export.flags.keys() {
            cases.extend((0..CONTEXTS).map(|_| (key, random::context(&mut dice))));
        }
        let lines: Vec<String> = cases
            .iter()
            .map(|(key, context)| json!({"flag": key, "type": "string", "default": "own", "context": context}).to_string())
            .collect();
        let answers = evaluate(python, &export.document(None), &lines.join("\n"))?;
        ensure!(answers.len() == cases.len(), "{} answers to {} cases", answers.len(), cases.len());
        for ((key, context), answer) in cases.iter().zip(&answers) {
            let members = context.as_object().context("an object")?;
            let own = compiled.evaluate(key.as_str(), &Context::from_json(members), SinceContact::FRESH);
            let same = own.variant().map(AsRef::as_ref) == answer.variant.as_deref();
            ensure!(
                same,
                "seed {seed}: {own:?}, elsewhere {answer:?}\nflag {}\nas {}\nfor {context}",
                snapshot.flags.get(key.as_str()).map(|entry| entry.json().get()).unwrap_or_default(),
                serde_json::to_string(&export.flags.get(key.as_str()))?
            );
        }
        (ran, seed) = (ran + cases.len(), seed + 1);
    }
    println!("random flags, {bucketing:?}: {ran} of {ran} cases serve the same variant ({left_out} flags left out of the export)");
    Ok(())
}
