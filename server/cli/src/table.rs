//! Tables for people: aligned columns without lines. On a terminal that is too narrow for them, each row becomes a block of lines
//! instead, so that nothing is broken in the middle of a word.

use unicode_width::UnicodeWidthChar as _;

use super::output::indented;
use super::terminal::width;

/// Spaces between two columns.
const GAP: usize = 2;
/// The least space in which the last column may be wrapped; with less, rows become blocks.
const LAST: usize = 24;

/// A table that is laid out when it is shown.
#[derive(Debug, Clone)]
pub(crate) struct Table {
    header: Vec<String>,
    rows: Vec<Vec<String>>,
}

/// A table for this process's standard output.
pub(crate) fn table<const N: usize>(header: [&str; N], rows: impl IntoIterator<Item = [String; N]>) -> String {
    Table::new(header, rows).to_string()
}

/// The same, moved in by two spaces.
pub(crate) fn indented_table<const N: usize>(header: [&str; N], rows: impl IntoIterator<Item = [String; N]>) -> String {
    let width = width().map(|width| width.saturating_sub(2));
    indented(&Table::new(header, rows).fitted(width))
}

impl std::fmt::Display for Table {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.fitted(width()))
    }
}

impl Table {
    pub(crate) fn new<const N: usize>(header: [&str; N], rows: impl IntoIterator<Item = [String; N]>) -> Self {
        Self {
            header: header.map(str::to_owned).to_vec(),
            rows: rows.into_iter().map(Vec::from).collect(),
        }
    }

    /// The table in lines of at most `limit` columns: as it is if it fits; with the last column wrapped if that has enough space;
    /// else in blocks.
    pub(crate) fn fitted(&self, limit: Option<usize>) -> String {
        let widths = self.widths();
        let before_last: usize = widths.iter().rev().skip(1).map(|width| width + GAP).sum();
        let last = widths.last().copied().unwrap_or_default();
        match limit {
            Some(limit) if before_last + last > limit => {
                let left = limit.saturating_sub(before_last);
                if left >= LAST { self.aligned(&widths, left) } else { self.blocks(limit) }
            }
            Some(_) | None => self.aligned(&widths, usize::MAX),
        }
    }

    /// The widest content of each column.
    fn widths(&self) -> Vec<usize> {
        let lines = || std::iter::once(&self.header).chain(&self.rows);
        let widest = |column: usize| lines().filter_map(|line| line.get(column)).map(|cell| columns(cell)).max().unwrap_or_default();
        (0..self.header.len()).map(widest).collect()
    }

    fn aligned(&self, widths: &[usize], last: usize) -> String {
        let mut lines = Vec::new();
        for row in std::iter::once(&self.header).chain(&self.rows) {
            let Some((end, cells)) = row.split_last() else { continue };
            let mut line = String::new();
            for (cell, width) in cells.iter().zip(widths) {
                line.push_str(cell);
                line.push_str(&" ".repeat(width.saturating_sub(columns(cell)) + GAP));
            }
            let behind = columns(&line);
            for (index, part) in wrapped(end, last).iter().enumerate() {
                let before = if index == 0 { std::mem::take(&mut line) } else { " ".repeat(behind) };
                lines.push(format!("{before}{part}").trim_end().to_owned());
            }
        }
        lines.join("\n")
    }

    /// The first cell of a row on a line of its own, and each other one below it with its column's name; nothing for an empty one.
    fn blocks(&self, limit: usize) -> String {
        let names = self.header.iter().skip(1);
        let name_width = names.map(|name| columns(name)).max().unwrap_or_default();
        let mut blocks = Vec::new();
        for row in &self.rows {
            let mut lines = wrapped(row.first().map_or("", String::as_str), limit);
            for (name, cell) in self.header.iter().zip(row).skip(1).filter(|(_, cell)| !cell.is_empty()) {
                let indent = 2 + name_width + GAP;
                for (index, part) in wrapped(cell, limit.saturating_sub(indent)).iter().enumerate() {
                    let name = if index == 0 { name.as_str() } else { "" };
                    let padding = " ".repeat(name_width.saturating_sub(columns(name)) + GAP);
                    lines.push(format!("  {name}{padding}{part}").trim_end().to_owned());
                }
            }
            blocks.push(lines.join("\n"));
        }
        blocks.join("\n")
    }
}

/// Columns that a text takes on a terminal; the codes of colours take none.
pub(crate) fn columns(text: &str) -> usize {
    let (mut columns, mut in_code) = (0, false);
    for character in text.chars() {
        match (in_code, character) {
            (false, '\x1b') => in_code = true,
            (true, 'm') => in_code = false,
            (true, _) => {}
            (false, shown) => columns += shown.width().unwrap_or_default(),
        }
    }
    columns
}

/// The lines of a text that is wrapped between words; a word that is too long is broken.
pub(crate) fn wrapped(text: &str, limit: usize) -> Vec<String> {
    if columns(text) <= limit && !text.contains('\n') {
        return vec![text.to_owned()];
    }
    let mut lines = Vec::new();
    for paragraph in text.lines() {
        let mut line = String::new();
        for word in paragraph.split(' ') {
            if !line.is_empty() && columns(&line) + 1 + columns(word) > limit {
                lines.push(std::mem::take(&mut line));
            }
            if !line.is_empty() {
                line.push(' ');
            }
            for character in word.chars() {
                if columns(&line) + character.width().unwrap_or_default() > limit {
                    lines.push(std::mem::take(&mut line));
                }
                line.push(character);
            }
        }
        lines.push(line);
    }
    lines
}

#[cfg(test)]
mod tests;
