//! Where callers find this server if they do not reach it directly: behind a proxy, perhaps at a path of its own.

use std::fmt;
use std::str::FromStr;

use ripcord_proto::ValidationErrors;

/// The address that callers use: an origin and a path before every path of this server.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct PublicUrl {
    origin: String,
    prefix: String,
}

impl PublicUrl {
    /// `https://flags.example.com`; `None` if callers know the origin themselves.
    pub fn origin(&self) -> Option<&str> {
        Some(self.origin.as_str()).filter(|origin| !origin.is_empty())
    }

    /// A path of this server as callers ask for it.
    pub fn path(&self, path: &str) -> String {
        format!("{}{path}", self.prefix)
    }
}

impl FromStr for PublicUrl {
    type Err = ValidationErrors;

    fn from_str(text: &str) -> Result<Self, ValidationErrors> {
        let wrong = || ValidationErrors::one("", format!("invalid URL {text:?}; write https://HOST or https://HOST/PATH"));
        let scheme = ["https://", "http://"].into_iter().find(|scheme| text.starts_with(scheme)).ok_or_else(wrong)?;
        let rest = text.get(scheme.len()..).unwrap_or_default();
        let (host, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
        let is_plain = |part: &str| part.bytes().all(|byte| byte.is_ascii_graphic() && !matches!(byte, b'?' | b'#' | b'"' | b'\\'));
        if host.is_empty() || !is_plain(host) || !is_plain(path) {
            return Err(wrong());
        }
        Ok(Self {
            origin: format!("{scheme}{host}"),
            prefix: path.trim_end_matches('/').to_owned(),
        })
    }
}

impl fmt::Display for PublicUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{}", self.origin, self.prefix)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_comes_before_every_path() {
        let url: PublicUrl = "https://flags.example.com/ripcord/".parse().unwrap();
        assert_eq!(
            (url.origin(), url.path("/ofrep/v1").as_str()),
            (Some("https://flags.example.com"), "/ripcord/ofrep/v1")
        );
        let url: PublicUrl = "http://10.0.0.1:8016".parse().unwrap();
        assert_eq!((url.to_string().as_str(), url.path("/x").as_str()), ("http://10.0.0.1:8016", "/x"));
        assert_eq!((PublicUrl::default().origin(), PublicUrl::default().path("/x").as_str()), (None, "/x"));
        for wrong in ["flags.example.com", "https://", "ftp://x", "https://x/a?b", "https://x/ a"] {
            assert!(wrong.parse::<PublicUrl>().is_err(), "{wrong}");
        }
    }
}
