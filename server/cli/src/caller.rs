//! Who calls, as messages name it, and where each setting is from.

/// Who calls, for messages: nothing here is secret.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Caller {
    /// The beginning of the key, if it says what it is: `rc_oncall_4fK2…`.
    pub(crate) key: Option<String>,
    /// Where the key is from.
    pub(crate) key_from: From,
    /// The name that the log shows beside the key's.
    pub(crate) actor: Option<String>,
}

/// The beginning of a key up to and with the first few characters of its secret; of anything else, nothing.
pub(crate) fn beginning(key: &str) -> Option<String> {
    const SECRET: usize = 4;
    let (role, secret) = key.strip_prefix("rc_")?.split_once('_')?;
    let shown: String = secret.chars().take(SECRET).collect();
    (secret.len() > 2 * SECRET).then(|| format!("rc_{role}_{shown}…"))
}

/// Where a setting is from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum From {
    /// The command line.
    CommandLine,
    /// An environment variable.
    Variable(&'static str),
    /// The profile of the configuration file.
    Profile,
    /// The file that a server on this machine wrote.
    Local,
    /// Not set.
    Default,
}

impl std::fmt::Display for From {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::CommandLine => f.write_str("the command line"),
            Self::Variable(name) => f.write_str(name),
            Self::Profile => f.write_str("the profile in config.toml"),
            Self::Local => f.write_str("the server on this machine"),
            Self::Default => f.write_str("the default"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::beginning;

    #[test]
    fn of_a_key_no_more_is_shown_than_tells_it_from_others() {
        assert_eq!(beginning("rc_oncall_4fK2mQ9xWz1B").as_deref(), Some("rc_oncall_4fK2…"));
        assert_eq!(beginning("rc_oncall_short"), None);
        assert_eq!(beginning("hunter2"), None);
    }
}
