//! Texts that the server and the command line write in the same way: numbers, counted nouns, lists, percentages, times and commands.

use std::fmt::{Display, Write as _};

use crate::key::EnvironmentKey;

/// The environment of a command without `--env`.
pub const DEFAULT_ENVIRONMENT: &str = "production";

/// A number as people read it, its thousands separated: `999`, `12,345`. Revisions and other names that are typed again stay as they
/// are.
pub fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut groups: Vec<_> = digits.as_bytes().rchunks(3).map(String::from_utf8_lossy).collect();
    groups.reverse();
    groups.join(",")
}

/// [`grouped`] for the length of a collection.
pub fn grouped_len(number: usize) -> String {
    grouped(u64::try_from(number).unwrap_or(u64::MAX))
}

/// A number with its noun: `1 flag`, `2 flags`, `12,345 flags`.
pub fn counted(number: u64, one: &str, many: &str) -> String {
    format!("{} {}", grouped(number), if number == 1 { one } else { many })
}

/// [`counted`] for the length of a collection.
pub fn counted_len(number: usize, one: &str, many: &str) -> String {
    counted(u64::try_from(number).unwrap_or(u64::MAX), one, many)
}

/// The items joined by commas; of more than `most`, the first `most` and how many are left: `a, b and 3 more`. Empty for no item.
pub fn listed<T: Display>(items: impl IntoIterator<Item = T>, most: usize) -> String {
    let mut text = String::new();
    let mut more = 0_usize;
    for (place, item) in items.into_iter().enumerate() {
        if place >= most {
            more += 1;
            continue;
        }
        // Writing to a String cannot fail.
        let _ = write!(text, "{}{item}", if place == 0 { "" } else { ", " });
    }
    text.push_str(&and_more(more));
    text
}

/// ` and 3 more`, or nothing for 0.
pub fn and_more(more: usize) -> String {
    if more == 0 {
        String::new()
    } else {
        format!(" and {} more", grouped_len(more))
    }
}

/// A fraction of one as a percentage with at most `decimals` decimals and no trailing zeros: `12.5 %`.
pub fn percent(share: f64, decimals: usize) -> String {
    let text = format!("{:.decimals$}", share * 100.0);
    let text = if text.contains('.') {
        text.trim_end_matches('0').trim_end_matches('.')
    } else {
        text.as_str()
    };
    format!("{text} %")
}

/// A time in UTC, to the second: `2026-11-24 14:02:00 UTC`. For readers whose time zone is unknown.
pub fn moment(at: jiff::Timestamp) -> String {
    at.to_zoned_datetime(jiff::tz::TimeZone::UTC).strftime("%Y-%m-%d %H:%M:%S UTC").to_string()
}

/// A command for `environment`, ready to be copied: `ripcord kill checkout --env staging`. The default environment is left out.
pub fn command(command: &str, environment: &EnvironmentKey) -> String {
    if environment.as_str() == DEFAULT_ENVIRONMENT {
        format!("ripcord {command}")
    } else {
        format!("ripcord {command} --env {environment}")
    }
}

/// A word of a command, quoted if a shell would read it in another way. A key may contain anything that stands on one line.
pub fn shell_word(word: &str) -> String {
    let plain = |character: char| character.is_ascii_alphanumeric() || ".,:_-/+@%=".contains(character);
    if !word.is_empty() && word.chars().all(plain) {
        word.to_owned()
    } else {
        format!("'{}'", word.replace('\'', "'\\''"))
    }
}

/// The last word of a command, which is no option even if it begins like one: `-- -x`.
pub fn shell_argument(word: &str) -> String {
    let dashes = if word.starts_with('-') { "-- " } else { "" };
    format!("{dashes}{}", shell_word(word))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn thousands_are_separated() {
        let numbers = [0, 999, 1_000, 9_999, 10_000, 1_234_567];
        assert_eq!(numbers.map(grouped), ["0", "999", "1,000", "9,999", "10,000", "1,234,567"]);
        assert_eq!(grouped(u64::MAX), "18,446,744,073,709,551,615");
    }

    #[test]
    fn one_thing_has_no_plural() {
        assert_eq!(counted(1, "flag", "flags"), "1 flag");
        assert_eq!(counted_len(0, "flag", "flags"), "0 flags");
        assert_eq!(counted_len(2, "entry", "entries"), "2 entries");
        assert_eq!(counted(10_000, "user", "users"), "10,000 users");
    }

    #[test]
    fn a_long_list_says_how_many_are_left() {
        assert_eq!(listed(["a", "b"], 2), "a, b");
        assert_eq!(listed(["a", "b", "c", "d", "e"], 2), "a, b and 3 more");
        assert_eq!(listed(std::iter::empty::<&str>(), 2), "");
    }

    #[test]
    fn a_percentage_has_no_trailing_zeros() {
        assert_eq!(percent(0.125, 2), "12.5 %");
        assert_eq!(percent(1.0, 2), "100 %");
        assert_eq!(percent(1.0, 0), "100 %");
        assert_eq!(percent(0.0, 1), "0 %");
    }

    #[test]
    fn a_word_reaches_a_command_as_it_is() {
        assert_eq!(shell_word("checkout-v2"), "checkout-v2");
        assert_eq!(shell_word("new checkout"), "'new checkout'");
        assert_eq!(shell_word("it's $x"), "'it'\\''s $x'");
        assert_eq!(shell_word(""), "''");
        assert_eq!(shell_argument("-x y"), "-- '-x y'");
        assert_eq!(shell_argument("10%"), "10%");
    }

    #[test]
    fn a_command_names_any_environment_but_the_default() {
        assert_eq!(command("kill a", &"production".parse().unwrap()), "ripcord kill a");
        assert_eq!(command("kill a", &"staging".parse().unwrap()), "ripcord kill a --env staging");
    }
}
