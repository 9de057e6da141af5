//! Paths of this repository that documents name: in backticks, and as targets of links.

use std::path::{Path, PathBuf};

use crate::source::read;

const DOCUMENTS: &[&str] = &["README.md", "server/ARCHITECTURE.md", "server/decisions", "server/docs", ".github"];

/// Ends of names that are taken for files of this repository.
const ENDINGS: &[&str] = &[".rs", ".lua", ".md", ".proto", ".html"];

/// What is named and not there.
pub fn missing(root: &Path) -> Vec<String> {
    let mut files = Vec::new();
    collect(root, root, &mut files);
    let is_document = |file: &str| DOCUMENTS.iter().any(|document| file == *document || file.starts_with(&format!("{document}/")));
    let mut found = Vec::new();
    for document in files
        .iter()
        .filter(|file| Path::new(file).extension().is_some_and(|end| end == "md") && is_document(file))
    {
        let text = read(&root.join(document));
        for name in named(&text).filter(|name| !files.iter().any(|file| *file == *name || file.ends_with(&format!("/{name}")))) {
            found.push(format!("{document}: {name}"));
        }
        let folder = Path::new(document).parent().unwrap_or_else(|| Path::new(""));
        for link in links(&text).filter(|link| !root.join(folder).join(link).exists()) {
            found.push(format!("{document}: {link}"));
        }
    }
    found
}

fn collect(root: &Path, folder: &Path, files: &mut Vec<String>) {
    let Ok(entries) = std::fs::read_dir(folder) else { return };
    for path in entries.filter_map(|entry| Some(entry.ok()?.path())) {
        let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        if path.is_dir() {
            if !["target", ".git", "node_modules"].contains(&name) {
                collect(root, &path, files);
            }
        } else if let Ok(below) = path.strip_prefix(root) {
            files.push(below.to_string_lossy().into_owned());
        }
    }
}

/// Every Rust file of the repository.
pub fn source_files(root: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    collect(root, root, &mut files);
    let rust = files
        .iter()
        .map(|file| root.join(file))
        .filter(|file| file.extension().is_some_and(|extension| extension == "rs"));
    rust.collect()
}

/// What stands in backticks.
pub fn in_backticks(text: &str) -> impl Iterator<Item = &str> {
    text.split('`').skip(1).step_by(2)
}

/// Files named in backticks: `commit/writer.rs`.
fn named(text: &str) -> impl Iterator<Item = &str> {
    let prose = text.split("```").step_by(2);
    prose
        .flat_map(in_backticks)
        .filter(|span| ENDINGS.iter().any(|ending| span.ends_with(ending)))
        .filter(|span| span.chars().all(|c| c.is_alphanumeric() || "_-./".contains(c)))
        .map(|span| span.trim_start_matches("./"))
}

/// Targets of links within the repository.
fn links(text: &str) -> impl Iterator<Item = &str> {
    text.split("](")
        .skip(1)
        .filter_map(|rest| rest.split([')', '#', ' ']).next())
        .filter(|target| !target.is_empty() && !target.contains("://") && !target.starts_with("mailto:") && !target.contains('\n'))
}
