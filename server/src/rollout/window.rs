//! When steps may start: times of the week in a time zone.

use jiff::civil::Weekday;
use jiff::tz::TimeZone;
use jiff::{Timestamp, ToSpan as _};
use ripcord_proto::rollout::{Day, RolloutWindow};
use ripcord_proto::validation::ValidationErrors;

/// Days to look ahead: a week, and one for windows that reach past midnight.
const AHEAD: i64 = 8;

/// Whether a window is open.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum WindowStatus {
    /// It is, or there is none.
    Open,
    /// It opens then.
    At(Timestamp),
    /// Not known: this machine no longer has the time zone.
    Unknown,
}

/// Refuses a time zone that this machine does not know.
pub(super) fn check(window: &RolloutWindow) -> Result<(), ValidationErrors> {
    zone(window).map(drop)
}

/// Whether the window is open at `now`, and else when it opens.
pub(super) fn opening(window: Option<&RolloutWindow>, now: Timestamp) -> WindowStatus {
    let Some(window) = window else { return WindowStatus::Open };
    let Ok(zone) = zone(window) else { return WindowStatus::Unknown };
    let today = zone.to_datetime(now).date();
    let days = (-1..=AHEAD).filter_map(|days| today.checked_add(days.days()).ok());
    let spans = days
        .filter(|date| window.days.contains(&day(date.weekday())))
        .filter_map(|date| span(window, &zone, date));
    for (from, to) in spans {
        if now < from {
            return WindowStatus::At(from);
        }
        if now < to {
            return WindowStatus::Open;
        }
    }
    WindowStatus::Unknown
}

/// From when to when the window of a day is open.
fn span(window: &RolloutWindow, zone: &TimeZone, date: jiff::civil::Date) -> Option<(Timestamp, Timestamp)> {
    let at = |minutes: u16| {
        let wanted = date.at(0, 0, 0, 0).checked_add(i64::from(minutes).minutes()).ok()?;
        zone.to_timestamp(wanted).ok()
    };
    let (from, to) = (window.hours.from, window.hours.to);
    let to = if to > from { to } else { to + 24 * 60 };
    Some((at(from)?, at(to)?))
}

fn zone(window: &RolloutWindow) -> Result<TimeZone, ValidationErrors> {
    TimeZone::get(&window.zone).map_err(|_| {
        let problem = format!(
            "{:?} is not a time zone that this server knows; write an IANA name such as \"Europe/Amsterdam\"",
            window.zone
        );
        ValidationErrors::one("window.zone", problem)
    })
}

const fn day(weekday: Weekday) -> Day {
    match weekday {
        Weekday::Monday => Day::Mon,
        Weekday::Tuesday => Day::Tue,
        Weekday::Wednesday => Day::Wed,
        Weekday::Thursday => Day::Thu,
        Weekday::Friday => Day::Fri,
        Weekday::Saturday => Day::Sat,
        Weekday::Sunday => Day::Sun,
    }
}

#[cfg(test)]
mod tests {
    use ripcord_proto::rollout::Hours;

    use super::*;

    fn window(from: u16, to: u16) -> RolloutWindow {
        RolloutWindow {
            days: [Day::Mon, Day::Tue, Day::Wed, Day::Thu].into(),
            hours: Hours { from: from * 60, to: to * 60 },
            zone: "Europe/Amsterdam".to_owned(),
        }
    }

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    #[test]
    fn a_window_opens_and_closes_by_the_clock_of_its_zone() {
        let window = window(9, 16);
        // 2026-11-25 is a Wednesday; Amsterdam is an hour ahead of UTC then.
        assert_eq!(opening(Some(&window), at("2026-11-25T08:00:00Z")), WindowStatus::Open);
        assert_eq!(opening(Some(&window), at("2026-11-25T07:59:59Z")), WindowStatus::At(at("2026-11-25T08:00:00Z")));
        assert_eq!(
            opening(Some(&window), at("2026-11-26T15:00:00Z")),
            WindowStatus::At(at("2026-11-30T08:00:00Z")),
            "after Thursday comes Monday"
        );
        assert_eq!(opening(None, at("2026-11-25T00:00:00Z")), WindowStatus::Open);
    }

    #[test]
    fn summer_time_moves_the_window_with_the_clock() {
        let window = window(9, 16);
        assert_eq!(
            opening(Some(&window), at("2026-10-22T14:30:00Z")),
            WindowStatus::At(at("2026-10-26T08:00:00Z")),
            "summer time ends on the Sunday between"
        );
    }

    #[test]
    fn a_window_may_reach_past_midnight() {
        let window = window(22, 4);
        assert_eq!(
            opening(Some(&window), at("2026-11-27T02:00:00Z")),
            WindowStatus::Open,
            "Friday 03:00, opened on Thursday"
        );
        assert_eq!(opening(Some(&window), at("2026-11-27T03:00:00Z")), WindowStatus::At(at("2026-11-30T21:00:00Z")));
    }

    #[test]
    fn an_unknown_zone_is_refused_by_name() {
        let mut window = window(9, 16);
        window.zone = "Europe/Atlantis".to_owned();
        let faults = check(&window).unwrap_err();
        assert_eq!(faults.all()[0].path, "window.zone");
        assert_eq!(opening(Some(&window), at("2026-11-25T08:00:00Z")), WindowStatus::Unknown);
    }
}
