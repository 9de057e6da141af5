//! Texts from outside, as people see them: which characters a name may not have, and what a terminal is shown instead.

use std::borrow::Cow;

/// Control characters, separators of lines, and what turns the direction of writing: with these a text can look like another one.
pub fn is_hidden(character: char) -> bool {
    character.is_control() || matches!(character, '\u{61C}' | '\u{200E}' | '\u{200F}' | '\u{2028}'..='\u{202E}' | '\u{2066}'..='\u{2069}' | '\u{FEFF}')
}

/// Checks a name that people see: 1 to `most` characters, all of which can be seen.
///
/// # Errors
/// What is wrong with it.
pub fn check_name(text: &str, most: usize) -> Result<(), String> {
    if text.is_empty() || text.chars().take(most + 1).count() > most {
        return Err(format!("must have 1 to {most} characters"));
    }
    match text.chars().find(|c| is_hidden(*c)) {
        Some(hidden) => Err(format!("contains {hidden:?}, which cannot be seen; remove it")),
        None => Ok(()),
    }
}

/// The text on one line, trimmed: what cannot be seen, line breaks included, becomes a space.
pub fn one_line(text: &str) -> String {
    let shown: String = text.chars().map(|character| if is_hidden(character) { ' ' } else { character }).collect();
    shown.trim().to_owned()
}

/// Whether a text of several lines can be shown as it is: nothing in it is hidden but line breaks and tabs.
///
/// # Errors
/// What is hidden in it.
pub fn check_text(text: &str) -> Result<(), String> {
    match text.chars().find(|c| is_hidden(*c) && !matches!(c, '\n' | '\r' | '\t')) {
        Some(hidden) => Err(format!("contains {hidden:?}, which cannot be seen; remove it")),
        None => Ok(()),
    }
}

/// The text as a terminal may show it: what could move its cursor, colour it or turn its direction is written as `\u{1b}`. Line breaks and
/// tabs stay.
pub fn visible(text: &str) -> Cow<'_, str> {
    let is_harmful = |character: char| is_hidden(character) && !matches!(character, '\n' | '\t');
    if !text.chars().any(is_harmful) {
        return Cow::Borrowed(text);
    }
    let mut shown = String::with_capacity(text.len() + 8);
    for character in text.chars() {
        if is_harmful(character) {
            shown.extend(character.escape_unicode());
        } else {
            shown.push(character);
        }
    }
    Cow::Owned(shown)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_can_be_seen_as_it_is() {
        for good in ["web-1", "Ada Lovelace", "日本"] {
            assert!(check_name(good, 20).is_ok(), "{good:?}");
        }
        for bad in ["", "a\nb", "a\u{1b}[1mb", "a\u{85}b", "a\u{202e}b", "a\u{2066}b", "123456789012345678901"] {
            assert!(check_name(bad, 20).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn a_reason_is_one_line_whatever_was_sent() {
        assert_eq!(one_line(" why\nCONFIRMED 12 of 12\u{1b}[2K\u{202e} "), "why CONFIRMED 12 of 12 [2K");
        assert!(check_text("two\nlines").is_ok());
        assert!(check_text("a\u{1b}[2K").is_err());
    }

    #[test]
    fn a_terminal_shows_control_characters_instead_of_obeying_them() {
        assert_eq!(visible("two\n\tlines"), "two\n\tlines");
        assert_eq!(visible("a\u{1b}[2K\rCONFIRMED"), "a\\u{1b}[2K\\u{d}CONFIRMED");
        assert_eq!(visible("\u{9b}31m\u{202e}x"), "\\u{9b}31m\\u{202e}x");
    }
}
