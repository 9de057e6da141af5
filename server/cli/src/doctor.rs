//! `ripcord doctor`: diagnoses the setup and suggests fixes.

mod applications;
mod checks;
mod finding;
mod flagd;

use clap::Args;

use self::finding::{Finding, State};
use super::context::Context;
use super::exit::{Exit, Failure};
use super::output::{Format, Paint, print, print_data};
use super::{patience, terminal, wrap};

/// Diagnose the setup and suggest fixes
///
/// Checks everything between this terminal and the applications. Exit code 1 if there is a problem; with warnings only, it
/// is 0.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  ripcord doctor
  ripcord doctor --server https://flags.example.com --env staging
  ripcord doctor --json")]
pub(crate) struct Doctor {}

pub(crate) async fn run(call: &Context, _command: Doctor) -> Result<Exit, Failure> {
    let findings = checks::all(&call.hurried(patience::CHECK)).await;
    let well = !findings.iter().any(|finding| finding.state == State::Wrong);
    match call.output.format() {
        Format::Json => print_data(&serde_json::json!({"well": well, "checks": findings}).to_string()),
        Format::Text => print(&describe(&findings, call.output.paint())),
    }
    Ok(if well { Exit::Done } else { Exit::Failed })
}

fn describe(findings: &[Finding], paint: Paint) -> String {
    let width = findings.iter().map(|finding| finding.check.len()).max().unwrap_or_default();
    let lines: Vec<_> = findings.iter().map(|finding| line(finding, width, paint, terminal::width())).collect();
    let count = |state| findings.iter().filter(|finding| finding.state == state).count();
    let verdict = match (count(State::Wrong), count(State::Warning)) {
        (0, 0) => paint.good("OK: no problems found."),
        (0, warnings) => paint.warn(&format!("OK, with {}.", super::output::count(warnings, "warning", "warnings"))),
        (wrong, _) => paint.bad(&format!("{} found.", super::output::count(wrong, "problem", "problems"))),
    };
    format!("{}\n\n{verdict}", lines.join("\n"))
}

fn line(finding: &Finding, width: usize, paint: Paint, limit: Option<usize>) -> String {
    let sign = match finding.state {
        State::Well => paint.good("ok   "),
        State::Warning => paint.warn("warn "),
        State::Wrong => paint.bad("FAIL "),
    };
    let indent = width + 9;
    let mut before = format!("{sign}  {:width$}  ", finding.check);
    let told = finding.found.lines().chain(finding.advice.iter().flat_map(|advice| advice.lines()));
    let lines = told.map(|told| {
        let line = format!("{}{told}", std::mem::replace(&mut before, " ".repeat(indent)));
        limit.map_or_else(|| line.clone(), |limit| wrap::hanging(&line, indent, limit))
    });
    lines.collect::<Vec<_>>().join("\n")
}

#[cfg(test)]
mod tests;
