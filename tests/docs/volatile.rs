//! What differs in every run: recognised, so that it is not compared, and followed, so that later commands name the real thing.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use regex::Regex;

/// Things that later commands name: ids, keys with their secrets, digests.
static NAMED: LazyLock<Regex> = LazyLock::new(|| {
    pattern(r"\b(?:[a-z]{1,4}_[0-9a-hjkmnp-tv-z]{26}|key_[0-9A-Za-z]{8,}|(?:rc_[a-z]+|rct)_[0-9A-Za-z_-]{16,}|[0-9a-f]{32,64}|[0-9a-f]{12}…?)\b")
});

/// `k_…`: the newest id of that kind.
static NEWEST: LazyLock<Regex> = LazyLock::new(|| pattern(r"\b([a-z]{1,4}_|rc_[a-z]+_|rct_)…"));

/// What is compared by its kind alone, in this order.
static COMPARED: LazyLock<Vec<(Regex, &'static str)>> = LazyLock::new(|| {
    [
        (r"\b([a-z]{1,4})_(?:[0-9a-hjkmnp-tv-z]{26}|…)", "${1}_ID"),
        (r"\bkey_[0-9A-Za-z]{8,}", "key_ID"),
        (r"\b(rc_[a-z]+|rct)_(?:[0-9A-Za-z_-]{16,}|…)", "${1}_KEY"),
        (r"\bnode-[0-9a-z]{4,}", "node-ID"),
        (r"\b[0-9a-f]{12,64}\b(?:…)?", "DIGEST"),
        (r"\b\d{4}-\d{2}-\d{2}[T ]\d{2}:\d{2}(?::\d{2})?(?:\.\d+)?(?: ?(?:Z|UTC))?", "TIME"),
        (r"\b\d{4}-\d{2}-\d{2}\b", "TIME"),
        (r"\b\d{2}:\d{2}:\d{2}(?:\.\d+)?(?: ?(?:Z|UTC))?", "TIME"),
        (r"\b\d+(?:\.\d+)? ?(?:ns|µs|us|ms|s|min|h|d|seconds?|minutes?|hours?|days?)\b", "DURATION"),
        (r"DURATION(?: DURATION)+", "DURATION"),
        (r"\b\d+(?:\.\d+)? ?(?:B|KiB|MiB|GiB|kB|MB|GB)\b", "SIZE"),
        // Columns are as wide as their content.
        (r" +", " "),
        (r"-{3,}", "---"),
    ]
    .map(|(text, kind)| (pattern(text), kind))
    .into()
});

fn pattern(text: &str) -> Regex {
    Regex::new(text).expect("a pattern of this file")
}

/// A line without what differs in every run.
fn fixed(line: &str) -> String {
    let fixed = COMPARED.iter().fold(line.trim_end().to_owned(), |line, (pattern, kind)| {
        pattern.replace_all(&line, *kind).into_owned()
    });
    fixed.trim().to_owned()
}

/// Whether a line that was printed is the one that is shown.
pub fn same_line(shown: &str, printed: &str) -> bool {
    let (shown, printed) = (fixed(shown), fixed(printed));
    let mut parts = shown.split('…');
    let first = parts.next().unwrap_or_default();
    let Some(mut rest) = printed.strip_prefix(first) else { return false };
    let parts: Vec<&str> = parts.collect();
    let Some((last, between)) = parts.split_last() else { return rest.is_empty() };
    for part in between {
        let Some(at) = rest.find(part) else { return false };
        rest = &rest[at + part.len()..];
    }
    rest.ends_with(last)
}

/// Whether what was printed is what is shown; a line that is only `…` stands for any number of lines.
pub fn same(shown: &[String], printed: &[String]) -> bool {
    match shown.split_first() {
        None => printed.is_empty(),
        Some((line, rest)) if line.trim() == "…" => (0..=printed.len()).any(|skipped| same(rest, &printed[skipped..])),
        Some((line, rest)) => printed
            .split_first()
            .is_some_and(|(first, others)| same_line(line, first) && same(rest, others)),
    }
}

/// How many of the lines that were printed are what is shown, where that is how the output begins.
pub fn begins(shown: &[String], printed: &[String]) -> Option<usize> {
    (0..=printed.len()).find(|count| same(shown, &printed[..*count]))
}

/// Whether all lines that are shown were printed, in this order, whatever came in between.
pub fn contains(shown: &[String], printed: &[String]) -> bool {
    let mut printed = printed.iter();
    shown
        .iter()
        .filter(|line| line.trim() != "…")
        .all(|line| printed.any(|candidate| same_line(line, candidate)))
}

/// What a document calls things, and what they are in this run.
#[derive(Debug, Default)]
pub struct Names {
    real: BTreeMap<String, String>,
    newest: BTreeMap<String, String>,
}

impl Names {
    /// Learns from lines that are shown and what was printed in their place.
    pub fn learn(&mut self, shown: &[String], printed: &[String]) {
        for line in printed {
            for found in NAMED.find_iter(line) {
                if let Some((kind, _)) = found.as_str().rsplit_once('_').or_else(|| found.as_str().split_once('_')) {
                    self.newest.insert(format!("{kind}_"), found.as_str().to_owned());
                }
            }
        }
        let of = |lines: &[String]| -> Vec<String> {
            let found = lines.iter().flat_map(|line| NAMED.find_iter(line));
            found.map(|found| found.as_str().trim_end_matches('…').to_owned()).collect()
        };
        let (shown, printed) = (of(shown), of(printed));
        if shown.len() == printed.len() {
            self.real.extend(shown.into_iter().zip(printed));
        }
    }

    /// A command with the things of this run in it.
    pub fn in_command(&self, command: &str) -> String {
        let command = NEWEST.replace_all(command, |found: &regex::Captures<'_>| {
            let kind = found.get(1).map_or("", |kind| kind.as_str());
            self.newest.get(kind).cloned().unwrap_or_else(|| found[0].to_owned())
        });
        let real = |found: &regex::Captures<'_>| {
            let name = found[0].trim_end_matches('…');
            self.real.get(name).cloned().unwrap_or_else(|| found[0].to_owned())
        };
        NAMED.replace_all(&command, real).into_owned()
    }

    /// Lines of this run with the names that the document has for things already.
    pub fn as_shown(&self, printed: &[String]) -> Vec<String> {
        let shown = |found: &regex::Captures<'_>| {
            let known = self.real.iter().find(|(_, real)| **real == found[0]);
            known.map_or_else(|| found[0].to_owned(), |(shown, _)| shown.clone())
        };
        printed.iter().map(|line| NAMED.replace_all(line, shown).into_owned()).collect()
    }
}
