//! What a command prints: text for people, or with `--json` the API's JSON and nothing else.
//!
//! Answers go to the standard output, everything about them (progress, notes, errors) to the standard error. Colours are for
//! terminals, and only if `NO_COLOR` is not set.

use std::borrow::Cow;
use std::fmt::Write as _;
use std::io::{IsTerminal as _, Write as _};
use std::sync::atomic::{AtomicBool, Ordering};

use jiff::Timestamp;
use jiff::tz::TimeZone;
pub(crate) use ripcord_proto::text::counted_len as count;
use ripcord_proto::visible::visible;

use super::answer::Answer;
use super::{terminal, wrap};

/// How answers are printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// For people.
    Text,
    /// The API's JSON.
    Json,
}

/// Where and how a command prints.
#[derive(Debug, Clone, Copy)]
pub struct Output {
    format: Format,
    paint: Paint,
    error_paint: Paint,
}

impl Output {
    /// For this process's own terminal.
    pub(crate) fn new(format: Format) -> Self {
        let plain = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
        let paint = |terminal: bool| if terminal && !plain { Paint::Colours } else { Paint::Plain };
        Self {
            format,
            paint: paint(std::io::stdout().is_terminal()),
            error_paint: paint(std::io::stderr().is_terminal()),
        }
    }

    /// How answers are printed.
    pub const fn format(self) -> Format {
        self.format
    }

    /// The colours of the standard output.
    pub const fn paint(self) -> Paint {
        self.paint
    }

    /// The colours of the standard error.
    pub(crate) const fn error_paint(self) -> Paint {
        self.error_paint
    }

    /// Shows an answer: its JSON as received, or as `text` formats it.
    pub(crate) fn answer<T>(self, answer: &Answer<T>, text: impl FnOnce(&T) -> String) {
        match self.format {
            Format::Json => print_data(&answer.text),
            Format::Text => print(&text(&answer.value)),
        }
    }

    /// Draws on a terminal: text and the control sequences that place it. What others wrote in it went through [`shown`].
    pub(crate) fn draw(self, text: &str) {
        if self.format == Format::Text {
            print_data(text);
        }
    }

    /// Prints text for people; nothing with `--json`.
    pub(crate) fn text(self, text: &str) {
        if self.format == Format::Text {
            print(text);
        }
    }
}

/// Whether something could not be written to the standard output.
static LOST: AtomicBool = AtomicBool::new(false);

/// Prints text for people to the standard output and ends the line. It is not an error if the reader has gone (`| head`); if it cannot be
/// written for another reason, as on a full disk, the command fails in the end. On a terminal, sentences are wrapped between words.
pub fn print(text: &str) {
    print_data(&fitted(&shown(text), terminal::width()));
}

fn fitted(text: &str, width: Option<usize>) -> String {
    width.map_or_else(|| text.to_owned(), |width| wrap::prose(text, width))
}

/// The same for programs: as it is.
pub(crate) fn print_data(text: &str) {
    let mut out = std::io::stdout().lock();
    let written = writeln!(out, "{}", text.trim_end_matches('\n'));
    if let Err(error) = written.and_then(|()| out.flush()) {
        check(&error);
    }
}

/// Notes an output that could not be written.
pub(crate) fn check(error: &std::io::Error) {
    if error.kind() != std::io::ErrorKind::BrokenPipe && !LOST.swap(true, Ordering::Relaxed) {
        note(&format!(
            "error: the output could not be written: {error}\n  The command has done its work, but its answer is lost."
        ));
    }
}

/// Whether something could not be written, so that the caller lacks it.
pub(crate) fn is_lost() -> bool {
    LOST.load(Ordering::Relaxed)
}

/// Prints a note about the answer to the standard error.
pub fn note(text: &str) {
    let text = fitted(&shown(text.trim_end_matches('\n')), terminal::error_width());
    let _ = writeln!(std::io::stderr().lock(), "{text}");
}

/// Prints an error for programs to the standard error, as it is.
pub(crate) fn note_data(text: &str) {
    let _ = writeln!(std::io::stderr().lock(), "{}", text.trim_end_matches('\n'));
}

/// The text as it may go to a terminal: texts of other people may name flags and reasons, but not move the cursor, erase lines or turn the
/// direction of writing. The colours of [`Paint`] stay.
pub(crate) fn shown(text: &str) -> Cow<'_, str> {
    if !text.contains('\x1b') {
        return visible(text);
    }
    let mut shown = String::with_capacity(text.len());
    let mut parts = text.split('\x1b');
    shown.push_str(&visible(parts.next().unwrap_or_default()));
    for part in parts {
        let colour = Paint::CODES
            .iter()
            .find_map(|code| part.strip_prefix('[')?.strip_prefix(code)?.strip_prefix('m').map(|rest| (code, rest)));
        if let Some((code, rest)) = colour {
            // Writing to a String cannot fail.
            let _ = write!(shown, "\x1b[{code}m{}", visible(rest));
        } else {
            let _ = write!(shown, "\\u{{1b}}{}", visible(part));
        }
    }
    Cow::Owned(shown)
}

/// Colours, or none.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Paint {
    /// ANSI colours.
    Colours,
    /// Text alone.
    Plain,
}

impl Paint {
    /// The codes of all colours, and the one that ends each.
    const CODES: [&str; 6] = ["0", "1", "2", "31", "32", "33"];

    fn with(self, code: &str, text: &str) -> String {
        match self {
            Self::Colours => format!("\x1b[{code}m{text}\x1b[0m"),
            Self::Plain => text.to_owned(),
        }
    }

    /// Success, or something added.
    pub fn good(self, text: &str) -> String {
        self.with("32", text)
    }

    /// Failure, or something removed.
    pub fn bad(self, text: &str) -> String {
        self.with("31", text)
    }

    /// A warning, or something changed.
    pub fn warn(self, text: &str) -> String {
        self.with("33", text)
    }

    /// Emphasis.
    pub fn strong(self, text: &str) -> String {
        self.with("1", text)
    }

    /// Less important text.
    pub fn faint(self, text: &str) -> String {
        self.with("2", text)
    }
}

/// Names and what they are, one a line, aligned. On a terminal, long values are wrapped within their column.
pub fn facts(facts: &[(&str, String)]) -> String {
    // Some are moved in by two spaces.
    facts_within(facts, terminal::width().map(|width| width.saturating_sub(2)))
}

fn facts_within(facts: &[(&str, String)], limit: Option<usize>) -> String {
    let width = facts.iter().map(|(name, _)| name.chars().count()).max().unwrap_or_default();
    let lines = facts.iter().map(|(name, value)| {
        let line = format!("{name:width$}  {value}");
        limit.map_or_else(|| line.clone(), |limit| wrap::hanging(&line, width + 2, limit))
    });
    lines.collect::<Vec<_>>().join("\n")
}

/// Every line of `text` moved in by two spaces.
pub fn indented(text: &str) -> String {
    let lines: Vec<_> = text.lines().map(|line| format!("  {line}").trim_end().to_owned()).collect();
    lines.join("\n")
}

/// The reason of a change in a list.
pub(crate) fn reason(given: Option<&str>) -> String {
    given.filter(|text| !text.is_empty()).unwrap_or("(none given)").to_owned()
}

/// A moment in the time zone of this machine, to the second.
pub(crate) fn moment(at: Timestamp) -> String {
    at.to_zoned_datetime(TimeZone::system()).strftime("%Y-%m-%d %H:%M:%S").to_string()
}

/// The same in short, for lists: the time if it is today, the day and the time of this year, else the day.
pub(crate) fn short_moment(at: Timestamp, now: Timestamp) -> String {
    let (at, now) = (at.to_zoned_datetime(TimeZone::system()), now.to_zoned_datetime(TimeZone::system()));
    let format = if at.date() == now.date() {
        "%H:%M:%S"
    } else if at.year() == now.year() {
        "%b %d %H:%M"
    } else {
        "%Y-%m-%d"
    };
    at.strftime(format).to_string()
}

#[cfg(test)]
mod tests;
