//! Regular expressions of conditions. Without the feature `regex` none can be compiled.

#[cfg(feature = "regex")]
pub(super) use with_regex::Pattern;
#[cfg(not(feature = "regex"))]
pub(super) use without_regex::Pattern;

#[cfg(feature = "regex")]
mod with_regex {
    use regex::Regex;
    use ripcord_proto::condition::compile_pattern;

    /// A compiled pattern.
    #[derive(Debug)]
    pub(in crate::engine) struct Pattern(Box<Regex>);

    impl Pattern {
        pub(in crate::engine) fn new(pattern: &str) -> Result<Self, String> {
            compile_pattern(pattern).map(|regex| Self(Box::new(regex))).map_err(|error| error.to_string())
        }

        pub(in crate::engine) fn is_match(&self, text: &str) -> bool {
            self.0.is_match(text)
        }
    }
}

#[cfg(not(feature = "regex"))]
mod without_regex {
    /// A pattern cannot exist in this build.
    #[derive(Debug)]
    pub(in crate::engine) enum Pattern {}

    impl Pattern {
        pub(in crate::engine) fn new(_: &str) -> Result<Self, String> {
            Err("this build of ripcord-sdk has no `matches`; enable its feature `regex`".to_owned())
        }

        pub(in crate::engine) fn is_match(&self, _: &str) -> bool {
            match *self {}
        }
    }
}
