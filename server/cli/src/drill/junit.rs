//! A drill's verdicts as JUnit XML for pipelines: one test case for each verdict.

use std::fmt::Write as _;

use super::report::Report;

pub(super) fn document(report: &Report<'_>) -> String {
    let suite = format!("drill {} on {}", report.scenario, report.store);
    let failures = report.verdicts.iter().filter(|verdict| !verdict.passed).count();
    let seconds = report.figures.get("took_ms").copied().unwrap_or_default() / 1_000.0;
    let head = format!(
        "name=\"{}\" tests=\"{}\" failures=\"{failures}\" errors=\"0\" skipped=\"0\" time=\"{seconds:.3}\"",
        escaped(&suite),
        report.verdicts.len()
    );
    let mut text = format!("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuites {head}>\n  <testsuite {head}>\n    <properties>\n");
    // Writing to a String cannot fail.
    let _ = writeln!(text, "      <property name=\"fork\" value=\"{}\"/>", escaped(report.fork));
    for (name, value) in report.figures {
        let _ = writeln!(text, "      <property name=\"{}\" value=\"{value}\"/>", escaped(name));
    }
    text.push_str("    </properties>\n");
    for verdict in report.verdicts {
        let (name, detail) = (escaped(&verdict.name), escaped(&verdict.detail));
        let class = escaped(&format!("drill.{}.{}", report.scenario, report.store));
        let _ = write!(text, "    <testcase name=\"{name}\" classname=\"{class}\">");
        let _ = if verdict.passed {
            write!(text, "<system-out>{detail}</system-out>")
        } else {
            write!(text, "<failure message=\"{detail}\" type=\"verdict\">{detail}</failure>")
        };
        text.push_str("</testcase>\n");
    }
    text.push_str("  </testsuite>\n</testsuites>\n");
    text
}

/// Escapes text for an element or an attribute. Characters that XML does not allow are left out.
fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&apos;"),
            '\n' => out.push_str("&#10;"),
            '\t' => out.push_str("&#9;"),
            control if control.is_control() || matches!(control, '\u{fffe}' | '\u{ffff}') => {}
            other => out.push(other),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use ripcord_proto::drill::{DrillStore, DrillVerdict};

    use super::*;

    #[test]
    fn each_verdict_is_a_test_case_and_nothing_breaks_the_document() {
        let verdicts = [
            DrillVerdict {
                check: String::new(),
                name: "no view was torn".to_owned(),
                passed: true,
                detail: "a & b".to_owned(),
            },
            DrillVerdict {
                check: String::new(),
                name: "the rollback ended as \"confirmed\"".to_owned(),
                passed: false,
                detail: "partial: <missing>\n\u{1b}[31m1".to_owned(),
            },
        ];
        let figures = BTreeMap::from([("took_ms".to_owned(), 1234.0)]);
        let text = document(&Report {
            scenario: "happy-path",
            store: DrillStore::Redis,
            fork: "flags.yaml",
            verdicts: &verdicts,
            figures: &figures,
        });
        assert!(
            text.contains("<testsuite name=\"drill happy-path on redis\" tests=\"2\" failures=\"1\""),
            "{text}"
        );
        assert!(text.contains("time=\"1.234\""), "{text}");
        assert!(text.contains("<system-out>a &amp; b</system-out>"), "{text}");
        assert!(text.contains("<failure message=\"partial: &lt;missing&gt;&#10;[31m1\""), "{text}");
        assert_eq!(text.matches("<testcase ").count(), 2);
    }
}
