//! Source files as text: enough to see what is imported.

use std::path::{Path, PathBuf};

/// A source file of the product.
pub struct Source {
    path: PathBuf,
    /// Its folder's root, below which rooms lie.
    base: PathBuf,
    /// Without comments, and without what follows `#[cfg(test)]`.
    code: String,
    lines_before_tests: usize,
}

/// All files below `base` that are not tests.
pub fn sources(base: &Path) -> Vec<Source> {
    let mut found = Vec::new();
    collect(base, base, &mut found);
    found
}

fn collect(base: &Path, folder: &Path, found: &mut Vec<Source>) {
    let Ok(entries) = std::fs::read_dir(folder) else { return };
    for path in entries.filter_map(|entry| Some(entry.ok()?.path())) {
        let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        if path.is_dir() && !["target", "tests"].contains(&name) {
            collect(base, &path, found);
        } else if path.extension().is_some_and(|extension| extension == "rs") && !["tests.rs", "fixture.rs"].contains(&name) {
            let text = std::fs::read_to_string(&path).expect("source is readable");
            found.push(Source::new(base, path, &text));
        }
    }
}

impl Source {
    fn new(base: &Path, path: PathBuf, text: &str) -> Self {
        let before_tests = text.split("#[cfg(test)]\nmod ").next().unwrap_or_default();
        let code: Vec<_> = before_tests
            .lines()
            .map(|line| if line.trim_start().starts_with("//") { "" } else { line })
            .collect();
        Self {
            path,
            base: base.to_owned(),
            lines_before_tests: before_tests.lines().count(),
            code: code.join("\n"),
        }
    }

    pub fn name(&self) -> String {
        self.path.display().to_string()
    }

    pub fn lines_before_tests(&self) -> usize {
        self.lines_before_tests
    }

    /// The room: the first folder, or the file's own name where it lies at the top.
    pub fn room(&self) -> Option<String> {
        let below = self.path.strip_prefix(&self.base).ok()?;
        let first = below.components().next()?.as_os_str().to_str()?;
        Some(first.trim_end_matches(".rs").to_owned())
    }

    /// The line where a word stands as a whole word.
    pub fn line_with(&self, word: &str) -> Option<usize> {
        let at = self.code.match_indices(word).map(|(at, _)| at).find(|&at| {
            let before = self.code[..at].chars().next_back();
            let after = self.code[at + word.len()..].chars().next();
            let part_of_name = |c: Option<char>| c.is_some_and(|c| c.is_alphanumeric() || c == '_');
            !part_of_name(before) && (word.ends_with(':') || !part_of_name(after))
        })?;
        Some(self.code[..at].lines().count().max(1))
    }

    /// Paths below `start::`, groups in braces taken apart one level deep.
    pub fn imports(&self, start: &str) -> Vec<String> {
        let needle = format!("{start}::");
        let mut found = Vec::new();
        for (at, _) in self.code.match_indices(&needle) {
            if self.code[..at].ends_with(|c: char| c.is_alphanumeric() || c == '_' || c == ':') {
                continue;
            }
            let rest = &self.code[at + needle.len()..];
            if let Some(group) = rest.strip_prefix('{') {
                found.extend(members(group));
            } else {
                found.push(path(rest));
            }
        }
        found
    }
}

/// The path that `text` starts with; where it ends in a group, the path up to it.
fn path(text: &str) -> String {
    let end = text.find(|c: char| !(c.is_alphanumeric() || c == '_' || c == ':')).unwrap_or(text.len());
    text[..end].trim_end_matches(':').to_owned()
}

/// The paths of a group whose opening brace was just read.
fn members(group: &str) -> Vec<String> {
    let (mut depth, mut start, mut found) = (0_usize, 0, Vec::new());
    for (at, c) in group.char_indices() {
        match c {
            '{' => depth += 1,
            '}' if depth == 0 => {
                found.push(path(group[start..at].trim_start()));
                break;
            }
            '}' => depth -= 1,
            ',' if depth == 0 => {
                found.push(path(group[start..at].trim_start()));
                start = at + 1;
            }
            _ => {}
        }
    }
    found.retain(|path| !path.is_empty());
    found
}
