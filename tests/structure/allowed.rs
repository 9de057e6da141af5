//! What the tests of the structure tolerate. Lists here only shrink.

/// Pairs of files that import each other.
pub const CIRCLES: &[&str] = &[];

/// Imports that go up, or reach for a leaf.
pub const UPWARD: &[&str] = &[];

/// Type names that the server defines more than once, each with its reason.
pub const TYPES: &[(&str, &str)] = &[("Inner", "what a cheap handle shares; private")];

/// The same for the command line. Each is private to its command.
pub const CLI_TYPES: &[(&str, &str)] = &[
    ("Action", "the subcommands of one command"),
    ("Command", "the subcommands of one command that has no action of its own"),
    ("Arguments", "the whole command line; a test names it without its server"),
];

/// Files that documents name before they are written.
pub const PATHS: &[&str] = &[];

/// Files with too many lines.
pub const LONG: &[&str] = &[];
