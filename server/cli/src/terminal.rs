//! The size of the terminal.

use std::io::IsTerminal as _;

use terminal_size::{Height, Width, terminal_size, terminal_size_of};

/// Terminals that say that they are narrower are taken to be this wide.
const NARROWEST: usize = 40;
/// Lines of a terminal that does not say how many it has.
const HEIGHT: usize = 24;

/// Columns of the standard output: `COLUMNS`, if it is set; otherwise those of the terminal. A pipe and a file have no limit.
pub(crate) fn width() -> Option<usize> {
    let of_terminal = || size().map(|(Width(columns), _)| usize::from(columns));
    set("COLUMNS").or_else(of_terminal).map(|columns| columns.max(NARROWEST))
}

/// Columns of the standard error, likewise.
pub(crate) fn error_width() -> Option<usize> {
    let errors = std::io::stderr();
    let of_terminal = || errors.is_terminal().then(|| terminal_size_of(&errors)).flatten();
    let columns = set("COLUMNS").or_else(|| of_terminal().map(|(Width(columns), _)| usize::from(columns)));
    columns.map(|columns| columns.max(NARROWEST))
}

/// Lines of the terminal: `LINES`, if it is set; otherwise what the terminal says.
pub(crate) fn height() -> usize {
    let of_terminal = || size().map(|(_, Height(lines))| usize::from(lines));
    set("LINES").or_else(of_terminal).unwrap_or(HEIGHT)
}

fn size() -> Option<(Width, Height)> {
    std::io::stdout().is_terminal().then(terminal_size).flatten()
}

fn set(variable: &str) -> Option<usize> {
    std::env::var(variable).ok()?.parse().ok().filter(|size| *size > 0)
}
