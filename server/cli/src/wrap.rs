//! Lines that fit on a terminal: how wide a text is, and where it is broken.

use unicode_width::UnicodeWidthChar as _;

/// Signs at the beginning of a line; what follows on the next lines is moved in behind them.
const SIGNS: [&str; 7] = ["! ", "✗ ", "✓ ", "~ ", "+ ", "- ", "· "];

/// The margin of members of a list of changes, which are set off from each other.
const MEMBER: usize = 4;

/// Columns that a text takes on a terminal; the codes of colours take none.
pub(crate) fn columns(text: &str) -> usize {
    let (mut columns, mut in_code) = (0, false);
    for character in text.chars() {
        columns += step(&mut in_code, character);
    }
    columns
}

/// The columns that the next character takes. `in_code` is whether the code of a colour has begun and not ended.
fn step(in_code: &mut bool, character: char) -> usize {
    match (*in_code, character) {
        (false, '\x1b') => {
            *in_code = true;
            0
        }
        (true, 'm') => {
            *in_code = false;
            0
        }
        (true, _) => 0,
        (false, shown) => shown.width().unwrap_or_default(),
    }
}

/// The lines of a cell of a table, wrapped between words; a word that is too long is broken.
pub(crate) fn cell(text: &str, limit: usize) -> Vec<String> {
    if columns(text) <= limit && !text.contains('\n') {
        return vec![text.to_owned()];
    }
    let mut lines = Vec::new();
    for paragraph in text.lines() {
        let (mut line, mut used) = (String::new(), 0);
        for word in paragraph.split(' ') {
            if !line.is_empty() && used + 1 + columns(word) > limit {
                lines.push(std::mem::take(&mut line));
                used = 0;
            }
            if !line.is_empty() {
                line.push(' ');
                used += 1;
            }
            let mut in_code = false;
            for character in word.chars() {
                let width = step(&mut in_code, character);
                if used + width > limit {
                    lines.push(std::mem::take(&mut line));
                    used = 0;
                }
                line.push(character);
                used += width;
            }
        }
        lines.push(line);
    }
    coloured(lines)
}

/// The beginning of a line that is too long, with an ellipsis at its end.
pub(crate) fn cut(line: &str, limit: usize) -> String {
    if columns(line) <= limit {
        return line.to_owned();
    }
    let (mut text, mut used, mut in_code) = (String::new(), 0, false);
    for character in line.chars() {
        let width = step(&mut in_code, character);
        if used + width >= limit {
            break;
        }
        text.push(character);
        used += width;
    }
    let end = if line.contains('\x1b') { "\x1b[0m" } else { "" };
    format!("{text}…{end}")
}

/// The lines with each colour ended at the end of its line and begun again on the next one.
fn coloured(lines: Vec<String>) -> Vec<String> {
    let mut open = String::new();
    let lines = lines.into_iter().map(|line| {
        let line = format!("{open}{line}");
        open = line
            .rsplit_once('\x1b')
            .and_then(|(_, last)| last.split_once('m'))
            .map(|(code, _)| code)
            .filter(|code| *code != "[0")
            .map_or_else(String::new, |code| format!("\x1b{code}m"));
        if open.is_empty() { line } else { format!("{line}\x1b[0m") }
    });
    lines.collect()
}

/// Sentences wrapped between words, each line moved in like its beginning. A command to copy (on a line of its own, or within backticks) is
/// never broken: the terminal wraps it, and copies it as one line.
pub(crate) fn prose(text: &str, limit: usize) -> String {
    let lines: Vec<String> = text.split('\n').map(|line| hanging(line, indent(line), limit)).collect();
    lines.join("\n")
}

/// One line wrapped like [`prose`]; those that follow are moved in by `indent` columns.
pub(crate) fn hanging(line: &str, indent: usize, limit: usize) -> String {
    if columns(line) <= limit || is_command(line) {
        return line.to_owned();
    }
    let margin = " ".repeat(indent);
    let first = line.len() - line.trim_start_matches(' ').len();
    let (before, words) = line.split_at(first);
    let (mut text, mut used) = (before.to_owned(), first);
    let mut is_first = true;
    for word in unbroken(words) {
        let width = columns(word);
        if !is_first && used + 1 + width > limit {
            text.push('\n');
            text.push_str(&margin);
            used = indent;
        } else if !is_first {
            text.push(' ');
            used += 1;
        }
        text.push_str(word);
        used += width;
        is_first = false;
    }
    text
}

/// Whether a line is a command to copy, or an address or key of one word.
fn is_command(line: &str) -> bool {
    let plain = plain(line);
    let text = plain.trim();
    text.starts_with("ripcord ") || text.starts_with("export ") || !text.contains(' ')
}

/// The text without the codes of colours.
fn plain(text: &str) -> String {
    let mut in_code = false;
    text.chars()
        .filter(|character| {
            let was_in_code = in_code;
            step(&mut in_code, *character);
            !was_in_code && !in_code
        })
        .collect()
}

/// How far the lines after the first are moved in.
fn indent(line: &str) -> usize {
    let plain = plain(line);
    let text = plain.trim_start_matches(' ');
    let margin = plain.len() - text.len();
    let is_member = margin >= MEMBER || SIGNS.iter().any(|sign| text.starts_with(sign));
    if is_member { margin + 2 } else { margin }
}

/// The words of a line; what stands within backticks is one word.
fn unbroken(line: &str) -> Vec<&str> {
    let (mut words, mut start, mut quoted) = (Vec::new(), 0, false);
    let has_pairs = line.matches('`').count().is_multiple_of(2);
    for (place, character) in line.char_indices() {
        match character {
            '`' => quoted = !quoted && has_pairs,
            ' ' if !quoted => {
                words.extend(line.get(start..place));
                start = place + 1;
            }
            _ => {}
        }
    }
    words.extend(line.get(start..));
    words
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn colours_take_no_columns() {
        assert_eq!(columns("\x1b[31mkilled\x1b[0m"), 6);
        assert_eq!(cell("\x1b[31mkilled\x1b[0m", 6), ["\x1b[31mkilled\x1b[0m"]);
        assert_eq!(cell("was \x1b[31mkilled\x1b[0m", 6), ["was", "\x1b[31mkilled\x1b[0m"]);
        assert_eq!(prose("\x1b[33m! a kill\x1b[0m", 6), "\x1b[33m! a\n  kill\x1b[0m");
    }

    #[test]
    fn a_line_that_is_too_long_ends_in_an_ellipsis() {
        assert_eq!(cut("  short", 7), "  short");
        assert_eq!(cut("  too long", 7), "  too …");
        assert_eq!(cut("\x1b[31mkilled\x1b[0m flag", 8), "\x1b[31mkilled\x1b[0m …\x1b[0m");
    }

    #[test]
    fn a_sentence_is_wrapped_between_words_and_keeps_its_margin() {
        insta::assert_snapshot!(
            prose("Keep the node running.\n  ! the store cannot be reached, and this node has no disk\nlast", 26),
            @r"
        Keep the node running.
          ! the store cannot be
            reached, and this node
            has no disk
        last
        "
        );
        insta::assert_snapshot!(hanging("warn  store  cannot be reached since noon", 13, 30), @r"
        warn  store  cannot be reached
                     since noon
        ");
    }

    #[test]
    fn a_command_is_never_broken() {
        let command = "  ripcord restore k_01jd3x7q8v9w0y2z4a6b8c0d2e --reason \"…\"";
        assert_eq!(prose(command, 30), command);
        let within = prose("To see what waits for you: `ripcord trigger firings --limit 10`", 40);
        assert_eq!(within, "To see what waits for you:\n`ripcord trigger firings --limit 10`");
        let lonely = prose("an odd ` is no command", 12);
        assert_eq!(lonely, "an odd ` is\nno command");
    }

    #[test]
    fn no_line_is_longer_than_the_terminal_is_wide() {
        let text = "  The kill is active on every reachable node and saved on this node's disk; it gets its revision when the store returns.";
        for limit in 20..140 {
            assert!(prose(text, limit).lines().all(|line| columns(line) <= limit), "{limit}");
            assert!(cell(text, limit).iter().all(|line| columns(line) <= limit), "{limit}");
        }
    }
}
