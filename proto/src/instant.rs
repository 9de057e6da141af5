//! Instants as people and applications write them.

use jiff::Timestamp;
use jiff::fmt::temporal::Pieces;

/// Reads RFC 3339. The last two days of the year 9999, with which many say "never", are the last instant there is: an instant needs room
/// for every time zone.
pub fn parse(text: &str) -> Option<Timestamp> {
    text.parse().ok().or_else(|| last(text))
}

#[cold]
fn last(text: &str) -> Option<Timestamp> {
    let pieces = Pieces::parse(text).ok()?;
    let date = pieces.date();
    pieces.time().and(pieces.to_numeric_offset())?;
    ((date.year(), date.month()) == (9999, 12) && date.day() >= 30).then_some(Timestamp::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_end_of_the_year_9999_is_an_instant_and_later_than_all_others() {
        for text in [
            "9999-12-31T23:59:59Z",
            "9999-12-31T23:59:59.999999999Z",
            "9999-12-31T23:59:59-08:00",
            "9999-12-30T23:00:00+00:00",
        ] {
            assert_eq!(parse(text), Some(Timestamp::MAX), "{text}");
        }
        assert!(parse("9999-12-29T00:00:00Z").unwrap() < Timestamp::MAX);
        for text in ["9999-12-31", "9999-12-31T23:59:59", "9999-12-32T00:00:00Z", "soon", ""] {
            assert_eq!(parse(text), None, "{text}");
        }
    }
}
