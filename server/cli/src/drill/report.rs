//! The report of a drill: printed, compared with the previous one of the same scenario and store, and saved.

#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::fmt::Write as _;

use ripcord_proto::drill::{Drill, DrillStore, DrillVerdict};
use ripcord_proto::rest::drills::DrillRequest;

use crate::confirm::milliseconds;
use crate::output::{Paint, count, moment};
use crate::table::indented_table;

/// Names of the reported figures and their descriptions.
const TOLD: [(&str, &str); 8] = [
    ("plan_ms", "plan"),
    ("safe_ms", "decision to every application safe, without the store"),
    ("commit_ms", "decision to commit, as reported"),
    ("applied_p50_ms", "commit to the median application, as reported"),
    ("applied_p99_ms", "commit to 99 of 100 applications, as reported"),
    ("applied_last_ms", "commit to the last application, as reported"),
    ("back_ms", "decision to every application back, as measured"),
    ("healthy_ms", "commit to healthy, as reported"),
];

/// Smallest relative difference that is reported.
const NOTICED: f64 = 0.1;
/// Differences below this many milliseconds count as equal.
const SAME_MS: f64 = 0.5;

/// A report to print, saved or not.
#[derive(Debug, Clone, Copy)]
pub(super) struct Report<'a> {
    /// The scenario's name.
    pub(super) scenario: &'a str,
    pub(super) store: DrillStore,
    /// The state that the drill ran on.
    pub(super) fork: &'a str,
    pub(super) verdicts: &'a [DrillVerdict],
    pub(super) figures: &'a BTreeMap<String, f64>,
}

impl<'a> From<&'a Drill> for Report<'a> {
    fn from(drill: &'a Drill) -> Self {
        Self::new((&drill.scenario, drill.store, &drill.fork), &drill.verdicts, &drill.figures)
    }
}

impl<'a> From<&'a DrillRequest> for Report<'a> {
    fn from(drill: &'a DrillRequest) -> Self {
        Self::new((&drill.scenario, drill.store, &drill.fork), &drill.verdicts, &drill.figures)
    }
}

impl<'a> Report<'a> {
    const fn new((scenario, store, fork): (&'a str, DrillStore, &'a str), verdicts: &'a [DrillVerdict], figures: &'a BTreeMap<String, f64>) -> Self {
        Self {
            scenario,
            store,
            fork,
            verdicts,
            figures,
        }
    }
}

impl Report<'_> {
    /// The verdicts and figures, compared with an earlier run.
    pub(super) fn describe(&self, earlier: Option<&Drill>, paint: Paint) -> String {
        let mut text = String::new();
        for verdict in self.verdicts {
            let mark = if verdict.passed { paint.good("✓") } else { paint.bad("✗") };
            // Writing to a String cannot fail.
            let _ = writeln!(text, "  {mark} {}: {}", verdict.name, paint.faint(&verdict.detail));
        }
        let figures = self.compare(earlier, paint);
        if !figures.is_empty() {
            let _ = writeln!(text, "\n{figures}");
        }
        let failed = self.verdicts.iter().filter(|verdict| !verdict.passed).count();
        let name = format!("{}, {} store, on {}", self.scenario, self.store, self.fork);
        let verdicts = count(self.verdicts.len(), "check", "checks");
        let _ = if failed == 0 {
            write!(text, "\n{} {name}. {verdicts}, all passed.", paint.good("Passed:"))
        } else {
            write!(text, "\n{} {name}. {failed} of {verdicts} failed.", paint.bad("Failed:"))
        };
        text
    }

    fn compare(&self, earlier: Option<&Drill>, paint: Paint) -> String {
        let told = TOLD
            .into_iter()
            .filter_map(|(name, what)| Some((what, *self.figures.get(name)?, earlier.and_then(|drill| drill.figures.get(name)))));
        let rows = told.map(|(what, now, before)| {
            let before = before.map_or_else(String::new, |before| compared(now, *before, paint));
            [what.to_owned(), milliseconds(now), before]
        });
        let rows: Vec<_> = rows.collect();
        if rows.is_empty() {
            return String::new();
        }
        let than = earlier.map_or_else(|| "no earlier run".to_owned(), |drill| format!("than on {}", moment(drill.at)));
        indented_table(["from … to", "took", &than], rows)
    }
}

/// `2.1 ms faster`, `the same`.
fn compared(now: f64, before: f64, paint: Paint) -> String {
    let difference = (now - before).abs();
    if difference < SAME_MS || difference < before * NOTICED {
        return paint.faint("the same");
    }
    if now < before {
        paint.good(&format!("{} faster", milliseconds(difference)))
    } else {
        paint.warn(&format!("{} slower", milliseconds(difference)))
    }
}
