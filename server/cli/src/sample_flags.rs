//! The flags that `demo` starts with, and that `drill` uses if an environment has none.

/// As a flags file.
pub(crate) const FLAGS: &str = include_str!("sample_flags.yaml");

/// What the demo's bad release changes.
pub(crate) const BAD_RELEASE: &str = include_str!("sample_release.yaml");
