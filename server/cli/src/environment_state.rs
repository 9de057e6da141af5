//! What `env`, `doctor`, `watch` and `ping` show of an environment's state: its last known-good checkpoint and its last ping.

use jiff::Timestamp;
use ripcord_proto::rest::environments::KnownGood;
use ripcord_proto::rest::pings::{LastPing, PingFigures};
use ripcord_proto::text::grouped;

use super::confirm::milliseconds;
use super::duration::in_words;

/// The last known-good checkpoint, with the age of its evidence.
pub(crate) fn known_good(good: &KnownGood) -> String {
    let age = Timestamp::now().duration_since(good.vouched).as_secs();
    let age = in_words(u64::try_from(age).unwrap_or_default());
    format!("{}, revision {}, vouched for {age} ago", good.checkpoint, good.revision)
}

pub(crate) fn spread(figures: &PingFigures) -> String {
    match (figures.p50_ms, figures.p99_ms, figures.max_ms) {
        (Some(p50), Some(p99), Some(last)) => format!("{} p50, {} p99, {} last", milliseconds(p50), milliseconds(p99), milliseconds(last)),
        _ => String::new(),
    }
}

/// The newest ping as an environment's state shows it: `12 min ago: 40 of 40, 4.1 ms p50, 9.0 ms p99, 11 ms last`.
pub(crate) fn last_ping(last: Option<&LastPing>, now: Timestamp) -> String {
    let Some(last) = last else { return "never".to_owned() };
    let figures = &last.figures;
    let spread = spread(figures);
    let comma = if spread.is_empty() { "" } else { ", " };
    format!(
        "{} ago: {} of {} confirmed{comma}{spread}",
        age(last.at, now),
        grouped(figures.confirmed),
        grouped(figures.connected)
    )
}

fn age(at: Timestamp, now: Timestamp) -> String {
    let seconds = now.duration_since(at).as_secs().max(0);
    match seconds {
        0..=119 => format!("{seconds} s"),
        120..=7_199 => format!("{} min", seconds / 60),
        7_200..=172_799 => format!("{} h", seconds / 3_600),
        _ => format!("{} days", seconds / 86_400),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_newest_ping_is_told_with_its_age() {
        let now = Timestamp::from_second(1_790_000_000).unwrap();
        assert_eq!(last_ping(None, now), "never");
        let ping = LastPing {
            at: now - jiff::SignedDuration::from_mins(12),
            figures: PingFigures {
                connected: 40,
                confirmed: 39,
                p50_ms: Some(4.1),
                p99_ms: Some(9.0),
                max_ms: Some(11.2),
            },
        };
        assert_eq!(
            last_ping(Some(&ping), now),
            "12 min ago: 39 of 40 confirmed, 4.1 ms p50, 9.0 ms p99, 11 ms last"
        );
    }
}
