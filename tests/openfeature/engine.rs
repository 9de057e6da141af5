//! The cases through the engine itself.

use std::path::Path;

use anyhow::Result;
use libtest_mimic::Trial;
use ripcord_proto::settings::Bucketing;
use ripcord_sdk::Context;
use ripcord_sdk::engine::{Compiled, Evaluation, Reason, SinceContact, TypeMismatch};
use serde_json::{Value, json};

use crate::conformance::{self, Answer, Case, Kind};

pub fn trials() -> Vec<Trial> {
    conformance::trials("the_engine", |_| true, |folder, bucketing| async move { run(&folder, bucketing) })
}

fn run(folder: &Path, bucketing: Bucketing) -> Result<()> {
    let cases = conformance::cases(folder, bucketing)?;
    let ran = cases.len();
    let mut faults = Vec::new();
    for (file, cases) in conformance::by_file(cases) {
        let compiled = Compiled::new(&conformance::snapshot(&conformance::flags(folder, &file)?, bucketing)?);
        faults.extend(cases.iter().filter_map(|case| case.fault(&answer(&compiled, case))));
    }
    conformance::verdict("the engine", folder, bucketing, ran, &faults)
}

fn answer(compiled: &Compiled, case: &Case) -> Answer {
    let context = Context::from_json(&case.context).at(1_750_000_000);
    let evaluation = compiled.evaluate(&case.flag, &context, SinceContact::FRESH);
    let (value, detail) = match read(&evaluation, case.kind) {
        Ok(value) => (value, evaluation),
        Err(TypeMismatch) => (None, evaluation.mismatched()),
    };
    let metadata = evaluation.flag().and_then(|flag| flag.entry().value().ok()).map(|flag| flag.metadata.clone());
    Answer {
        value,
        variant: detail.variant().map(ToString::to_string),
        reason: Some(detail.reason().to_string()),
        error_code: match detail.reason() {
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
