//! What a drill shows while it runs: a line with a tick for each thing that is done.

use std::time::Instant;

use crate::output::Output;

#[derive(Debug)]
pub(super) struct Progress {
    output: Output,
    began: Instant,
}

impl Progress {
    /// Nothing is done yet.
    pub(super) fn new(output: Output) -> Self {
        Self { output, began: Instant::now() }
    }

    /// Something is done.
    pub(super) fn done(&self, what: &str) {
        self.line(&self.output.paint().good("✓"), what);
    }

    /// Something went as it must not.
    pub(super) fn wrong(&self, what: &str) {
        self.line(&self.output.paint().bad("✗"), what);
    }

    fn line(&self, mark: &str, what: &str) {
        let at = format!("{:>5.1} s", self.began.elapsed().as_secs_f64());
        self.output.text(&format!("  {mark} {}  {what}", self.output.paint().faint(&at)));
    }
}
