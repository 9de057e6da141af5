//! The cases through OFREP.

use std::path::Path;

use anyhow::Result;
use libtest_mimic::Trial;
use ripcord_proto::settings::Bucketing;
use serde_json::{Value, json};

use crate::conformance::{self, Answer, Case, Kind};
use crate::node::Node;

pub fn trials() -> Vec<Trial> {
    conformance::trials("ofrep", |_| true, |folder, bucketing| async move { run(&folder, bucketing).await })
}

async fn run(folder: &Path, bucketing: Bucketing) -> Result<()> {
    let cases = conformance::cases(folder, bucketing)?;
    let (ran, mut faults) = (cases.len(), Vec::new());
    for (file, cases) in conformance::by_file(cases) {
        let node = Node::with_flags(&folder.join(&file), bucketing).await?;
        for case in cases {
            let answer = evaluate(&node, &case).await?;
            faults.extend(case.fault(&answer));
        }
    }
    conformance::verdict("OFREP", folder, bucketing, ran, &faults)
}

async fn evaluate(node: &Node, case: &Case) -> Result<Answer> {
    let key = case.flag.replace('/', "%2F");
    let mut request = node
        .api
        .request(reqwest::Method::POST, &format!("/ofrep/v1/evaluate/flags/{key}?environment=production"))
        .json(&json!({"context": case.context}));
    if let Some(selector) = &case.selector {
        request = request.header("flagd-selector", selector);
    }
    let got = ripcord_tests::api::read(request).await?;
    let text = |name: &str| got.body.get(name).and_then(Value::as_str).map(str::to_owned);
    anyhow::ensure!(text("key").as_deref() == Some(case.flag.as_str()), "{}", got.body);
    let failed = got.status != 200;
    let value = got.body.get("value").cloned();
    // The client compares types; this is what it makes of it.
    let mismatch = value.as_ref().is_some_and(|value| !is_of(case.kind, value));
    Ok(Answer {
        value: value.filter(|_| !mismatch),
        variant: text("variant").filter(|_| !mismatch),
        reason: if failed || mismatch { Some("ERROR".to_owned()) } else { text("reason") },
        error_code: if mismatch { Some("TYPE_MISMATCH".to_owned()) } else { text("errorCode") },
        metadata: got.body.get("metadata").and_then(Value::as_object).cloned(),
    })
}

fn is_of(kind: Kind, value: &Value) -> bool {
    match kind {
        Kind::Boolean => value.is_boolean(),
        Kind::String => value.is_string(),
        Kind::Integer | Kind::Float => value.is_number(),
        Kind::Object => value.is_object(),
    }
}
