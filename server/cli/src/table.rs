//! Tables for people: aligned columns without lines. On a terminal that is too narrow, wide columns are wrapped between words; if even
//! that does not fit, the columns that do stay a table, and the others follow below each row with their names.

use super::output::indented;
use super::terminal::width;
use super::wrap::{cell, columns};

/// Spaces between two columns.
const GAP: usize = 2;
/// The least width to which a column is wrapped.
const LEAST: usize = 18;
/// The lines that a wrapped cell may take, about; the last column may take more if it has this width.
const LINES: usize = 3;
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

    /// The table in lines of at most `limit` columns.
    pub(crate) fn fitted(&self, limit: Option<usize>) -> String {
        let widths = self.widths();
        match limit {
            Some(limit) if total(&widths) > limit => match self.narrowed(&widths, limit) {
                Some(narrow) => self.aligned(&narrow),
                None => self.stacked(&widths, limit),
            },
            Some(_) | None => self.aligned(&widths),
        }
    }

    fn lines(&self) -> impl Iterator<Item = &Vec<String>> {
        std::iter::once(&self.header).chain(&self.rows)
    }

    /// The widest content of each column.
    fn widths(&self) -> Vec<usize> {
        self.widest(columns)
    }

    fn widest(&self, width: impl Fn(&str) -> usize) -> Vec<usize> {
        let widest = |column: usize| self.lines().filter_map(|line| line.get(column)).map(|cell| width(cell)).max();
        (0..self.header.len()).map(|column| widest(column).unwrap_or_default()).collect()
    }

    /// The widths if the widest columns are wrapped, as little as needed and never within a word; `None` if that is not enough, or if
    /// cells would become too high to be read.
    fn narrowed(&self, widths: &[usize], limit: usize) -> Option<Vec<usize>> {
        let words = self.widest(|cell| cell.split(' ').map(columns).max().unwrap_or_default());
        let at = |level: usize| -> Vec<usize> {
            let each = widths.iter().zip(&words);
            each.map(|(width, word)| *width.min(&level.max(*word))).collect()
        };
        let widest = widths.iter().copied().max().unwrap_or_default();
        let narrow = (LEAST..widest).rev().map(at).find(|narrow| total(narrow) <= limit)?;
        let last = narrow.len().saturating_sub(1);
        let is_readable = |(index, (width, narrow)): (usize, (&usize, &usize))| *width <= narrow * LINES || (index == last && *narrow >= LAST);
        widths.iter().zip(&narrow).enumerate().all(is_readable).then_some(narrow)
    }

    fn aligned(&self, widths: &[usize]) -> String {
        let lines: Vec<String> = self.lines().map(|row| aligned(row, widths)).collect();
        lines.join("\n")
    }

    /// As many columns as fit, and below each row a line for every other one; nothing for an empty cell.
    fn stacked(&self, widths: &[usize], limit: usize) -> String {
        let fits = |count: &usize| widths.get(..*count).is_some_and(|head| total(head) <= limit);
        let count = (1..widths.len()).rev().find(fits).unwrap_or(1);
        let (head, tail) = self.header.split_at_checked(count).unwrap_or((&self.header, &[]));
        let name_width = tail.iter().map(|name| columns(name)).max().unwrap_or_default();
        let margin = if count == 1 { 2 } else { 4 };
        let indent = margin + name_width + GAP;
        // The first cell of a row alone needs no name.
        let mut lines = if count == 1 { Vec::new() } else { vec![aligned(head, widths)] };
        for row in &self.rows {
            let (cells, rest) = row.split_at_checked(count).unwrap_or((row, &[]));
            match cells {
                [only] => lines.extend(cell(only, limit)),
                cells => lines.push(aligned(cells, widths)),
            }
            for (name, text) in tail.iter().zip(rest).filter(|(_, text)| !text.is_empty()) {
                for (index, part) in cell(text, limit.saturating_sub(indent)).iter().enumerate() {
                    let name = if index == 0 { name.as_str() } else { "" };
                    let padding = " ".repeat(name_width.saturating_sub(columns(name)) + GAP);
                    lines.push(format!("{:margin$}{name}{padding}{part}", "").trim_end().to_owned());
                }
            }
        }
        lines.join("\n")
    }
}

/// Columns that a row of cells of these widths takes.
fn total(widths: &[usize]) -> usize {
    widths.iter().sum::<usize>() + GAP * widths.len().saturating_sub(1)
}

/// One row, each cell wrapped to the width of its column.
fn aligned(row: &[String], widths: &[usize]) -> String {
    let cells: Vec<(Vec<String>, usize)> = row.iter().zip(widths).map(|(text, width)| (cell(text, *width), *width)).collect();
    let height = cells.iter().map(|(parts, _)| parts.len()).max().unwrap_or_default();
    let lines: Vec<String> = (0..height)
        .map(|index| {
            let mut line = String::new();
            for (parts, width) in &cells {
                let part = parts.get(index).map_or("", String::as_str);
                line.push_str(part);
                line.push_str(&" ".repeat(width.saturating_sub(columns(part)) + GAP));
            }
            line.trim_end().to_owned()
        })
        .collect();
    lines.join("\n")
}

#[cfg(test)]
mod tests;
