//! Figures as the README shows them: what was measured, the figure, and how it stands to what it must be.

/// One figure.
#[derive(Debug, Clone)]
pub struct Row {
    what: String,
    figure: String,
    verdict: String,
}

impl Row {
    /// A figure that is there for scale.
    pub fn new(what: impl Into<String>, figure: impl Into<String>) -> Self {
        Self {
            what: what.into(),
            figure: figure.into(),
            verdict: String::new(),
        }
    }

    /// With a ratio that must be at most `limit`.
    #[must_use]
    pub fn ratio(mut self, ratio: f64, limit: f64) -> Self {
        self.verdict = format!("{ratio:.2} x (at most {limit:.2}){}", if ratio <= limit { "" } else { " MISSED" });
        self
    }

    /// With a ratio that must be at least `limit`.
    #[must_use]
    pub fn at_least(mut self, ratio: f64, limit: f64) -> Self {
        self.verdict = format!("{ratio:.2} x (at least {limit:.2}){}", if ratio >= limit { "" } else { " MISSED" });
        self
    }

    /// With a stated limit, for the reader to compare.
    #[must_use]
    pub fn limit(mut self, limit: &str) -> Self {
        self.verdict = format!("(at most {limit})");
        self
    }
}

/// Prints rows as a Markdown table.
pub fn print(title: &str, rows: &[Row]) {
    let rows: String = rows
        .iter()
        .map(|row| format!("| {} | {} | {} |\n", row.what, row.figure, row.verdict))
        .collect();
    println!("\n| {title} | measured | against |\n| --- | ---: | --- |\n{rows}");
}
