//! The cases through the engine itself.

use std::path::Path;

use anyhow::Result;
use libtest_mimic::{Failed, Trial};
use ripcord_proto::settings::Bucketing;
use ripcord_sdk::Context;
use ripcord_sdk::engine::{Compiled, Evaluation, Reason, TypeMismatch, Unheard};
use serde_json::{Value, json};

use crate::conformance::{self, Answer, Case, Kind};

pub fn trials() -> Vec<Trial> {
    [Bucketing::V2, Bucketing::V3]
        .into_iter()
        .map(|bucketing| {
            let name = format!("every_case_passes_through_the_engine_in_generation_{bucketing:?}").to_lowercase();
            let folder = conformance::folder();
            Trial::test(name, move || run(&conformance::folder().ok_or("the cases are gone")?, bucketing)).with_ignored_flag(folder.is_none())
        })
        .collect()
}

fn run(folder: &Path, bucketing: Bucketing) -> Result<(), Failed> {
    let mut cases = conformance::cases(folder, "evaluation-cases.jsonl")?;
    cases.retain(|case| case.holds_for(bucketing));
    let ran = cases.len();
    let mut faults = Vec::new();
    for (file, cases) in conformance::by_file(cases) {
        let compiled = Compiled::new(&conformance::snapshot(&conformance::flags(folder, &file)?, bucketing)?);
        faults.extend(cases.iter().filter_map(|case| case.fault(&answer(&compiled, case))));
    }
    conformance::verdict(&format!("engine, {bucketing:?}"), ran, &faults)
}

fn answer(compiled: &Compiled, case: &Case) -> Answer {
    let context = Context::from_json(&case.context).at(1_750_000_000);
    let evaluation = compiled.evaluate(&case.flag, &context, Unheard::FRESH);
    let (value, detail) = match read(&evaluation, case.kind) {
        Ok(value) => (value, evaluation.detail()),
        Err(TypeMismatch) => (None, evaluation.mismatch()),
    };
    let metadata = evaluation.flag().and_then(|flag| flag.entry().value().ok()).map(|flag| flag.metadata.clone());
    Answer {
        value,
        variant: detail.variant.map(ToString::to_string),
        reason: Some(detail.reason.to_string()),
        error_code: match detail.reason {
            Reason::Error(code) => Some(code.to_string()),
            _ => None,
        },
        metadata,
    }
}

fn read(evaluation: &Evaluation<'_>, kind: Kind) -> Result<Option<Value>, TypeMismatch> {
    Ok(match kind {
        Kind::Boolean => evaluation.boolean()?.map(Value::from),
        Kind::String => evaluation.string()?.map(Value::from),
        Kind::Integer | Kind::Float => evaluation.number()?.map(Value::from),
        Kind::Object => evaluation.object()?.map(|members| json!(members)),
    })
}
