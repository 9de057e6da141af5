//! The limits that validation enforces, in one place. Each error that comes from one of them states it.

/// Characters of a key, at most.
pub const KEY_CHARACTERS: usize = 255;
/// Characters of an environment's name, at most.
pub const ENVIRONMENT_CHARACTERS: usize = 63;
/// Variants of a flag, at most.
pub const VARIANTS: usize = 64;
/// Rules of a flag, at most.
pub const RULES: usize = 256;
/// Nesting of a condition, at most.
pub const CONDITION_DEPTH: usize = 16;
/// Values of a `one_of` or `in_cidr` list, at most.
pub const LIST_VALUES: usize = 10_000;
/// Tags of a flag, at most.
pub const TAGS: usize = 64;
/// Flags that one flag may require, at most.
pub const REQUIREMENTS: usize = 32;
/// Bytes of a flag as JSON, at most.
pub const FLAG_BYTES: usize = 64 * 1024;
/// Bytes of a segment as JSON, at most.
pub const SEGMENT_BYTES: usize = 1024 * 1024;
/// Flags of an environment, at most.
pub const FLAGS: usize = 50_000;
/// Segments of an environment, at most.
pub const SEGMENTS: usize = 5_000;
/// Bytes of a snapshot as JSON, at most.
pub const SNAPSHOT_BYTES: usize = 64 * 1024 * 1024;
/// Sum of the weights of a split, at most: what a signed 32-bit engine can hold.
pub const WEIGHT_SUM: u64 = 2_147_483_647;
/// Bytes of a compiled regular expression, at most.
pub const REGEX_BYTES: usize = 256 * 1024;
/// Characters of a reason, a description or an owner, at most.
pub const TEXT_CHARACTERS: usize = 2_000;
/// Seconds of a lease: at least.
pub const LEASE_SECONDS_MIN: u32 = 5;
/// Seconds of a lease: at most, 30 days.
pub const LEASE_SECONDS_MAX: u32 = 30 * 24 * 60 * 60;
/// Changes of one commit, at most.
pub const CHANGES: usize = 60_000;
/// Attributes that an environment sets in every evaluation, at most; and headers that set attributes, at most.
pub const CONTEXT_VALUES: usize = 64;
/// Bytes of the attributes that an environment sets, as JSON, at most.
pub const CONTEXT_BYTES: usize = 16 * 1024;
/// Requests in progress on one connection, at most.
pub const CONNECTION_REQUESTS: usize = 256;
/// Characters of an instance's name, of its id and of the name of its SDK, at most.
pub const INSTANCE_CHARACTERS: usize = 255;
/// Provisional kills that one acknowledgement names, at most.
pub const ACK_KILLS: usize = 1_000;
/// Entries of one batch of outcomes, at most.
pub const OUTCOME_COUNTS: usize = 20_000;
/// Evaluations, successes, errors or latencies of one entry in a batch of outcomes, at most.
pub const OUTCOMES_PER_BATCH: u64 = 1_000_000_000;
/// Processes of one key whose last batch of outcomes is remembered, at most; then the oldest is forgotten.
pub const REPORTERS: usize = 20_000;
/// Applications that one environment names as lost, at most; then the oldest only counts as gone.
pub const LOST_APPLICATIONS: usize = 10_000;
/// Polling clients that one environment counts, at most; further ones are answered, but not counted.
pub const POLLING_CLIENTS: usize = 50_000;
/// Bytes of the body of a remote evaluation, at most.
pub const CONTEXT_BODY_BYTES: usize = 1024 * 1024;
/// The same with a public key.
pub const CLIENT_CONTEXT_BODY_BYTES: usize = 64 * 1024;
/// Attributes of the context of a remote evaluation, at most.
pub const CONTEXT_ATTRIBUTES: usize = 2_000;
/// The same with a public key.
pub const CLIENT_CONTEXT_ATTRIBUTES: usize = 256;
/// Evaluations of all flags that take longer than 5 ms and run at a time, at most.
pub const LONG_EVALUATIONS: usize = 2;
/// Such evaluations that wait or run, at most.
pub const LONG_EVALUATIONS_WAITING: usize = 64;
/// Seconds that an evaluation of all flags may take, at most.
pub const EVALUATION_SECONDS: u64 = 5;
/// Plans, differences, backups and large bodies that a node computes at a time, at most.
pub const HEAVY_REQUESTS: usize = 2;
/// Such requests that wait or are computed, at most.
pub const HEAVY_REQUESTS_WAITING: usize = 32;
/// Event streams of OFREP on one node, at most.
pub const OFREP_STREAMS: usize = 20_000;
/// Steps of JSONLogic of one evaluation of a flag, over all of its rules, at most: operators run, and 64 bytes read count as one.
pub const JSONLOGIC_STEPS: u64 = 200_000;
/// Bytes that one evaluation of a JSONLogic rule may make, at most.
pub const JSONLOGIC_BYTES: u64 = 4 * 1024 * 1024;
/// Nesting of loops (`map`, `filter`, `reduce`, `all`, `some`, `none`) in a JSONLogic rule, at most.
pub const JSONLOGIC_LOOPS: usize = 6;
/// Characters of an idempotency key, at most.
pub const IDEMPOTENCY_KEY_CHARACTERS: usize = 255;
/// The largest absolute value of a number: 2^53-1.
pub const NUMBER_MAX: u64 = 9_007_199_254_740_991;
/// Shares of a split, at most.
pub const SHARES: usize = 256;
/// Nesting of a JSONLogic rule, of an object value and of metadata, at most.
pub const JSON_DEPTH: usize = 64;
/// Nesting of segments, at most.
pub const SEGMENT_DEPTH: usize = 16;
/// Length of a chain of flags that require each other, at most.
pub const REQUIREMENT_DEPTH: usize = 16;
/// Characters of a salt or of an attribute's path, at most.
pub const NAME_CHARACTERS: usize = 255;
/// Environments of a server, at most.
pub const ENVIRONMENTS: usize = 1_000;
/// Valid keys of a server, at most.
pub const KEYS: usize = 50_000;
/// Environments that one key names, at most.
pub const KEY_ENVIRONMENTS: usize = 256;
/// Bytes of the body of a commit, at most.
pub const COMMIT_BYTES: usize = 32 * 1024 * 1024;
/// Checks of a flag, a release or an environment, at most.
pub const CHECKS: usize = 32;
/// Steps of a staged rollback, at most.
pub const LADDER_STEPS: usize = 32;
/// Contexts of an uploaded sample, at most.
pub const SAMPLE_CONTEXTS: usize = 10_000;
/// Steps of a rollout, at most.
pub const ROLLOUT_STEPS: usize = 64;
/// Ended rollouts that an environment keeps: the newest ones. The log contains all.
pub const ROLLOUTS_KEPT: usize = 500;
/// Gates of a rollout, at most.
pub const GATES: usize = 16;
/// Bytes of a rollout's plan as JSON, at most.
pub const PLAN_BYTES: usize = 64 * 1024;
/// Seconds within which a proposal must be decided on, at most: 30 days.
pub const PROPOSALS_EXPIRE_SECONDS_MAX: u64 = 30 * 24 * 60 * 60;
/// Proposals that an environment keeps: all waiting ones, and the newest of the others.
pub const PROPOSALS: usize = 200;
/// Bytes of all proposals of an environment as JSON, at most.
pub const PROPOSALS_BYTES: usize = 64 * 1024 * 1024;
/// Reports of drills that an environment keeps: the newest ones.
pub const DRILLS: usize = 200;
/// Verdicts of a drill, at most.
pub const DRILL_VERDICTS: usize = 100;
/// Figures of a drill, at most.
pub const DRILL_FIGURES: usize = 100;
/// Faults of a drill's scenario, at most.
pub const DRILL_FAULTS: usize = 16;
/// Applications of a drill, at most.
pub const DRILL_APPLICATIONS: u64 = 1_000;
/// Figures of one piece of evidence, at most.
pub const FIGURES: usize = 64;
/// Flags, tags or data measures that one release names, at most.
pub const RELEASE_FLAGS: usize = 5_000;
/// Success criteria or failure signals of one release, at most.
pub const RELEASE_TEXTS: usize = 64;
/// Seconds of a release's rollback window, at most: 90 days.
pub const WINDOW_SECONDS_MAX: u64 = 90 * 24 * 60 * 60;
/// Seconds without a change after which an environment is automatically marked known-good, at most: 30 days.
pub const VOUCH_AFTER_SECONDS_MAX: u64 = 30 * 24 * 60 * 60;
/// Seconds within which a rollback must be confirmed, at most: an hour.
pub const CONFIRM_WITHIN_SECONDS_MAX: u64 = 60 * 60;
/// Seconds between two pings that the server sends by itself, at least.
pub const PING_EVERY_SECONDS_MIN: u64 = 10;
/// Seconds between two pings that the server sends by itself, at most: a week.
pub const PING_EVERY_SECONDS_MAX: u64 = 7 * 24 * 60 * 60;
/// Seconds after a rollback within which its review is due, at most: 90 days.
pub const REVIEW_WITHIN_SECONDS_MAX: u64 = 90 * 24 * 60 * 60;
/// Triggers of an environment, at most.
pub const TRIGGERS: usize = 200;
/// Firings that an environment keeps: the newest ones.
pub const FIRINGS: usize = 200;
/// Bytes of a signal that a trigger takes, at most.
pub const SIGNAL_BYTES: usize = 1024 * 1024;
/// Flags that one trigger names, at most.
pub const TRIGGER_FLAGS: usize = 100;
/// Labels in the conditions of a trigger, and of a firing, at most.
pub const SIGNAL_LABELS: usize = 32;
/// Characters of a label, a group or a summary that a firing keeps, at most.
pub const SIGNAL_CHARACTERS: usize = 200;
/// Milliseconds of a trigger's cooldown, at most: a day.
pub const COOLDOWN_MILLIS_MAX: u64 = 24 * 60 * 60 * 1_000;
/// Actions that a trigger may take in an hour, at most.
pub const ACTIONS_PER_HOUR_MAX: u32 = 1_000;
/// Milliseconds within which a person may confirm a firing, at least: a minute.
pub const ANSWER_MILLIS_MIN: u64 = 60 * 1_000;
/// Milliseconds within which a person may confirm a firing, at most: a week.
pub const ANSWER_MILLIS_MAX: u64 = 7 * 24 * 60 * 60 * 1_000;
/// Characters of a secret that a trigger is given, at least.
pub const TRIGGER_SECRET_CHARACTERS_MIN: usize = 24;
