//! Progress of a running drill: a line with a tick for each completed step.

use std::time::Instant;

use crate::output::Output;

#[derive(Debug)]
pub(super) struct Progress {
    output: Output,
    began: Instant,
}

impl Progress {
    pub(super) fn new(output: Output) -> Self {
        Self { output, began: Instant::now() }
    }

    /// Reports a completed step.
    pub(super) fn done(&self, what: &str) {
        self.line(&self.output.paint().good("✓"), what);
    }

    /// Reports an unexpected failure.
    pub(super) fn wrong(&self, what: &str) {
        self.line(&self.output.paint().bad("✗"), what);
    }

    fn line(&self, mark: &str, what: &str) {
        let at = format!("{:>5.1} s", self.began.elapsed().as_secs_f64());
        self.output.text(&format!("  {mark} {}  {what}", self.output.paint().faint(&at)));
    }
}
