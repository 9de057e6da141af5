//! The page of claims: each is held by a test that is there.

use std::collections::BTreeSet;
use std::path::Path;

use crate::paths::{in_backticks, source_files};
use crate::source::read;

const PAGE: &str = "server/docs/claims.md";

/// Claims without a test, and tests that are not there.
pub fn unheld(root: &Path) -> Vec<String> {
    let tests: BTreeSet<String> = source_files(root).iter().flat_map(|file| functions(&read(file))).collect();
    let page = read(&root.join(PAGE));
    let mut found = Vec::new();
    for row in page.lines().filter(|line| line.starts_with("| ") && !line.starts_with("| claim |")) {
        let cells: Vec<&str> = row.trim_matches('|').split('|').map(str::trim).collect();
        let (claim, held_by) = (cells.first().copied().unwrap_or_default(), cells.last().copied().unwrap_or_default());
        let named: Vec<&str> = in_backticks(held_by).collect();
        if cells.len() != COLUMNS || named.is_empty() {
            found.push(format!("{PAGE}: {claim}: no test"));
        }
        found.extend(
            named
                .iter()
                .filter(|name| !tests.contains(**name))
                .map(|name| format!("{PAGE}: {claim}: {name}")),
        );
    }
    found
}

/// Claim, said by, known from, does not cover, held by.
const COLUMNS: usize = 5;

/// The names of the functions that a file defines.
fn functions(text: &str) -> Vec<String> {
    let after = text.split("fn ").skip(1);
    after
        .map(|rest| rest.chars().take_while(|c| c.is_ascii_alphanumeric() || *c == '_').collect())
        .collect()
}
