//! A secret in memory: never printed, never serialised.

use std::fmt;

/// A secret text. `Debug` does not reveal it, and it cannot be serialised.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// The text. Call it only where the secret is used.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(…)")
    }
}

/// A URL without its user and password, as it may be shown.
pub fn without_password(url: &str) -> String {
    let Some((scheme, rest)) = url.split_once("://") else {
        // Perhaps one without its scheme.
        return url.rsplit_once('@').map_or(url, |(_, host)| host).to_owned();
    };
    let (authority, path) = rest.find(['/', '?', '#']).map_or((rest, ""), |end| rest.split_at(end));
    let host = authority.rsplit_once('@').map_or(authority, |(_, host)| host);
    format!("{scheme}://{host}{path}")
}

#[cfg(test)]
mod tests {
    use super::without_password;

    #[test]
    fn a_url_is_shown_without_its_password() {
        for (url, shown) in [
            ("http://node-b:8016", "http://node-b:8016"),
            ("http://user:hunter2@node-b:8016/x?y#z", "http://node-b:8016/x?y#z"),
            ("redis://:p@ss@10.0.0.1:6379/2", "redis://10.0.0.1:6379/2"),
            ("http://host/a@b", "http://host/a@b"),
            ("user:hunter2@host", "host"),
        ] {
            assert_eq!(without_password(url), shown);
        }
    }
}
