//! The page of all limits: each with what happens at it and the metric that shows it coming. A limit without a row here fails the test.

use std::fmt::Write as _;

use ripcord_proto::limits;

use crate::access::limits::Config as RateConfig;
use crate::environment::{LISTED, LISTED_BYTES};
use crate::fleet::FleetSettings;
use crate::outbound::RESOLVED;
use crate::stream::StreamSettings;
use crate::system::REVOCATIONS;
use crate::telemetry::names;

/// What happens at a limit.
#[derive(Debug, Clone, Copy)]
enum At {
    /// The write is refused whole.
    Refused,
    /// The body is refused before it is read to its end.
    TooLarge,
    /// The caller is asked to come back later.
    Later,
    /// The oldest is dropped.
    Oldest,
    /// In the words that follow.
    Said(&'static str),
}

impl At {
    const fn words(self) -> &'static str {
        match self {
            Self::Refused => "refused (422 `INVALID`, naming the field); nothing is changed",
            Self::TooLarge => "refused (413 `TOO_LARGE`)",
            Self::Later => "503 `NOT_READY` with `Retry-After`",
            Self::Oldest => "the oldest is dropped; the log keeps all",
            Self::Said(words) => words,
        }
    }
}

struct LimitRow {
    name: &'static str,
    value: String,
    at: At,
    metric: &'static str,
}

macro_rules! rows {
    ($($refused:ident)*; $($name:ident $at:expr, $metric:expr;)*) => {
        vec![
            $(LimitRow { name: stringify!($refused), value: limits::$refused.to_string(), at: At::Refused, metric: "" },)*
            $(LimitRow { name: stringify!($name), value: limits::$name.to_string(), at: $at, metric: $metric },)*
        ]
    };
}

const KILL_TEXT: At = At::Said("refused (422 `INVALID`); the reason of a kill is cut instead");
/// actix-http builds its side of HTTP/2 itself, and gives no way to set `SETTINGS_MAX_CONCURRENT_STREAMS`.
const UNANNOUNCED: At = At::Said(
    "429 `RATE_LIMITED` for the request; by HTTP/2 too, where a client is not told the number when it connects (flagd's ports tell it theirs, 1,000, and it waits)",
);
const EVALUATION: At = At::Said("the flag answers `GENERAL` and the caller's default; `explain` says why");

/// First those at which a write is refused and that no metric shows coming.
fn rows() -> Vec<LimitRow> {
    rows! {
        KEY_CHARACTERS ENVIRONMENT_CHARACTERS VARIANTS RULES CONDITION_DEPTH LIST_VALUES TAGS REQUIREMENTS FLAG_BYTES SEGMENT_BYTES
        SEGMENTS SNAPSHOT_BYTES WEIGHT_SUM REGEX_BYTES LEASE_SECONDS_MIN LEASE_SECONDS_MAX CHANGES CONTEXT_VALUES CONTEXT_BYTES
        OUTCOME_COUNTS OUTCOMES_PER_BATCH JSONLOGIC_LOOPS NUMBER_MAX SHARES JSON_DEPTH SEGMENT_DEPTH REQUIREMENT_DEPTH NAME_CHARACTERS
        ENVIRONMENTS KEYS KEY_ENVIRONMENTS CHECKS LADDER_STEPS SAMPLE_CONTEXTS ROLLOUT_STEPS GATES PLAN_BYTES
        PROPOSALS_EXPIRE_SECONDS_MAX DRILL_VERDICTS DRILL_FIGURES DRILL_FAULTS DRILL_APPLICATIONS FIGURES RELEASE_FLAGS RELEASE_TEXTS
        WINDOW_SECONDS_MAX VOUCH_AFTER_SECONDS_MAX CONFIRM_WITHIN_SECONDS_MAX PING_EVERY_SECONDS_MIN PING_EVERY_SECONDS_MAX
        REVIEW_WITHIN_SECONDS_MAX TRIGGERS TRIGGER_FLAGS COOLDOWN_MILLIS_MAX ACTIONS_PER_HOUR_MAX ANSWER_MILLIS_MIN ANSWER_MILLIS_MAX
        TRIGGER_SECRET_CHARACTERS_MIN;

        FLAGS At::Refused, names::FLAGS;
        TEXT_CHARACTERS KILL_TEXT, "";
        CONNECTION_REQUESTS UNANNOUNCED, names::RATE_LIMITED;
        INSTANCE_CHARACTERS At::Said("the stream is refused (400), or ends with a goodbye"), names::STREAM_CUTS;
        ACK_KILLS At::Said("refused (400), or the stream ends with a goodbye"), names::STREAM_CUTS;
        REPORTERS At::Said("the process that was first seen is forgotten: a batch that it sends again would count twice"), "";
        LOST_APPLICATIONS At::Said("the one that was lost first is no longer named; it counts as gone"), "";
        POLLING_CLIENTS At::Said("further ones are answered, but not counted"), "";
        CONTEXT_BODY_BYTES At::TooLarge, "";
        CLIENT_CONTEXT_BODY_BYTES At::TooLarge, "";
        CONTEXT_ATTRIBUTES At::Said("refused (400 `INVALID_CONTEXT`, by gRPC `INVALID_ARGUMENT`)"), "";
        CLIENT_CONTEXT_ATTRIBUTES At::Said("refused (400 `INVALID_CONTEXT`)"), "";
        LONG_EVALUATIONS At::Said("further ones wait for their turn"), names::EVALUATIONS_MOVED;
        LONG_EVALUATIONS_WAITING At::Later, names::EVALUATIONS_REFUSED;
        EVALUATION_SECONDS At::Later, names::EVALUATIONS_MOVED;
        HEAVY_REQUESTS At::Said("further ones wait for their turn"), "";
        HEAVY_REQUESTS_WAITING At::Later, names::HEAVY_REFUSED;
        OFREP_STREAMS At::Later, "";
        JSONLOGIC_STEPS EVALUATION, "";
        JSONLOGIC_BYTES EVALUATION, "";
        IDEMPOTENCY_KEY_CHARACTERS At::Said("refused (400)"), "";
        COMMIT_BYTES At::TooLarge, "";
        ROLLOUTS_KEPT At::Oldest, names::ROLLOUT_ENDS;
        PROPOSALS At::Said("the oldest decided one is dropped; if all are waiting, the write is refused (409 `SECOND_PERSON_NEEDED`)"), "";
        PROPOSALS_BYTES At::Said("the same"), "";
        DRILLS At::Oldest, "";
        FIRINGS At::Oldest, names::TRIGGER_FIRINGS;
        SIGNAL_BYTES At::TooLarge, names::TRIGGER_REFUSALS;
        SIGNAL_LABELS At::Said("further labels of a signal are left out of its firing"), "";
        SIGNAL_CHARACTERS At::Said("cut in the firing"), "";
    }
}

/// Every constant of the list of limits, with its help.
fn constants() -> Vec<(&'static str, &'static str)> {
    let source = include_str!("../../../proto/src/limits.rs");
    let lines: Vec<&str> = source.lines().collect();
    let pairs = lines.windows(2).filter_map(|pair| {
        let [help, constant] = pair else { return None };
        let (name, _) = constant.strip_prefix("pub const ")?.split_once(':')?;
        Some((name, help.strip_prefix("/// ")?.trim_end_matches('.')))
    });
    pairs.collect()
}

/// A number with its thousands separated; any other text as it is.
fn grouped(digits: &str) -> String {
    digits.parse().map_or_else(|_| digits.to_owned(), ripcord_proto::text::grouped)
}

fn metric(name: &str) -> String {
    if name.is_empty() { String::new() } else { format!("`{name}`") }
}

/// What a node keeps and serves at a time, which no constant of the list above says.
#[expect(clippy::too_many_lines, reason = "it is one table")]
fn of_a_node(page: &mut String) {
    let (streams, fleet, rates) = (StreamSettings::default(), FleetSettings::new("node"), RateConfig::default());
    let rate = |rate: std::num::NonZeroU32| format!("{} /s, ten seconds' worth at once", grouped(&rate.to_string()));
    let limited = "429 `RATE_LIMITED` with `Retry-After`; kills, restores and rollbacks are never limited";
    let rows = [
        (
            "Open streams of a node",
            grouped(&streams.connections.to_string()),
            At::Later.words(),
            names::STREAM_CONNECTIONS,
        ),
        (
            "Streams that wait for their first payload",
            grouped(&streams.waiting.to_string()),
            At::Later.words(),
            names::STREAM_ADMISSIONS_WAITING,
        ),
        (
            "Revisions whose confirmations are kept by name",
            grouped(&fleet.revisions.to_string()),
            "older ones keep their figures",
            "",
        ),
        (
            "Older revisions whose figures are kept",
            grouped(&fleet.figures.to_string()),
            "the oldest is dropped",
            "",
        ),
        ("Reads of a key", rate(rates.reads), limited, names::RATE_LIMITED),
        ("Writes of a key", rate(rates.writes), limited, names::RATE_LIMITED),
        ("Remote evaluations of a key", rate(rates.evaluations), limited, names::RATE_LIMITED),
        (
            "Requests with a wrong key, token or secret of peers from one address (of IPv6, from one network), on all ports together",
            rate(rates.wrong_keys),
            "429 `RATE_LIMITED`; a valid key from there works at once",
            names::RATE_LIMITED,
        ),
        (
            "Revocations of keys that a node tells another at a time, or keeps of keys that it does not know",
            grouped(&REVOCATIONS.to_string()),
            "the newest are told; those of keys that are valid there are always taken",
            "",
        ),
        (
            "Orphaned commits that are listed",
            format!("{}, of {} MiB in all", grouped(&LISTED.to_string()), LISTED_BYTES / 1024 / 1024),
            "the oldest is only in `orphaned.jsonl`",
            "",
        ),
        (
            "Names of a request that are resolved for `--outbound-allow` when it is made",
            grouped(&RESOLVED.to_string()),
            "further ones are judged when they are called",
            "",
        ),
        (
            "Open files",
            "the process's hard limit".to_owned(),
            "a part is kept for people's requests; others get 503",
            names::OPEN_FILES_LIMIT,
        ),
    ];
    for (what, value, at, name) in rows {
        // Writing to a String cannot fail.
        let _ = writeln!(page, "| {what} | {value} | {at} | {} |", metric(name));
    }
}

/// `RIPCORD_UPDATE_DOCS=1` rewrites the page.
#[test]
fn the_documentation_lists_every_limit_with_its_value() {
    let constants = constants();
    let mut rows = rows();
    let place = |name: &str| constants.iter().position(|(constant, _)| *constant == name);
    rows.sort_by_key(|row| place(row.name));
    let listed: Vec<&str> = rows.iter().map(|row| row.name).collect();
    let named: Vec<&str> = constants.iter().map(|(name, _)| *name).collect();
    assert_eq!(listed, named, "every limit has one row");
    let mut page = String::from(
        "# Limits\n\n\
        Everything that comes from outside has a bound. An error that comes from one names it. This page is generated from\n\
        `proto/src/limits.rs` and `server/src/serve/limits_page.rs`; `RIPCORD_UPDATE_DOCS=1 cargo test -p ripcord-server limit` writes it.\n\n\
        ## Of what is sent and stored\n\n\
        | limit | value | at the limit | metric that shows it coming |\n|---|---|---|---|\n",
    );
    for (row, (_, help)) in rows.iter().zip(&constants) {
        writeln!(page, "| {help} | {} | {} | {} |", grouped(&row.value), row.at.words(), metric(row.metric)).unwrap();
    }
    page.push_str("\n## Of a node\n\n| limit | value | at the limit | metric that shows it coming |\n|---|---|---|---|\n");
    of_a_node(&mut page);
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/limits.md");
    if std::env::var_os("RIPCORD_UPDATE_DOCS").is_some() {
        std::fs::write(path, &page).unwrap();
    }
    let written = std::fs::read_to_string(path).unwrap_or_default();
    assert!(written == page, "{path} is out of date: run this test with RIPCORD_UPDATE_DOCS=1");
}
