//! Which HTTP proxy a request goes through: one rule for server, commands and SDK.
//!
//! `HTTPS_PROXY`, `HTTP_PROXY` and `ALL_PROXY` name a proxy, and `NO_PROXY` the hosts, domains and networks that are reached directly;
//! each also in lower case, which wins. This machine and peers are always reached directly: a proxy must never see their keys
//! or block a kill.

use std::net::IpAddr;

use ipnet::IpNet;

/// Hosts that never go through a proxy.
const DIRECT: &str = "localhost,127.0.0.0/8,::1";

/// The proxies of a process.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ProxySettings {
    /// For `http://` addresses.
    pub http: Option<String>,
    /// For `https://` addresses.
    pub https: Option<String>,
    /// What is reached directly, as `NO_PROXY` writes it.
    pub direct: String,
}

impl ProxySettings {
    /// From the environment variables that `value` knows. An empty one counts as unset.
    pub fn from_vars(value: impl Fn(&str) -> Option<String>) -> Self {
        let one = |name: &str| {
            let lower = value(&name.to_ascii_lowercase()).filter(|value| !value.is_empty());
            lower.or_else(|| value(name).filter(|value| !value.is_empty()))
        };
        let all = one("ALL_PROXY");
        let direct = match one("NO_PROXY") {
            Some(named) => format!("{DIRECT},{named}"),
            None => DIRECT.to_owned(),
        };
        Self {
            http: one("HTTP_PROXY").or_else(|| all.clone()),
            https: one("HTTPS_PROXY").or(all),
            direct,
        }
    }

    /// Whether `host`, a name or an IP address, is reached without a proxy. A name in `NO_PROXY` stands for its subdomains too.
    pub fn is_direct(&self, host: &str) -> bool {
        let host = host.trim_end_matches('.').to_ascii_lowercase();
        let address: Option<IpAddr> = host.parse().ok();
        self.direct.split(',').map(str::trim).filter(|entry| !entry.is_empty()).any(|entry| {
            if entry == "*" {
                return true;
            }
            if let Some(address) = address {
                let network = entry.parse::<IpNet>().is_ok_and(|network| network.contains(&address));
                network || entry.parse() == Ok(address)
            } else {
                let entry = entry.trim_start_matches('.').to_ascii_lowercase();
                host == entry || host.strip_suffix(&entry).is_some_and(|rest| rest.ends_with('.'))
            }
        })
    }

    /// The proxy for addresses of this scheme, as it is named in messages: without user and password.
    pub fn named(&self, scheme: &str) -> Option<String> {
        let proxy = match scheme {
            "https" => self.https.as_deref(),
            _ => self.http.as_deref(),
        }?;
        let (start, rest) = proxy.split_once("://").map_or(("", proxy), |(start, rest)| (start, rest));
        let host = rest.rsplit_once('@').map_or(rest, |(_, host)| host);
        Some(if start.is_empty() { host.to_owned() } else { format!("{start}://{host}") })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settings(variables: &[(&str, &str)]) -> ProxySettings {
        let variables: Vec<_> = variables.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        ProxySettings::from_vars(|name| variables.iter().find(|(known, _)| known == name).map(|(_, value)| value.clone()))
    }

    #[test]
    fn this_machine_is_always_reached_directly() {
        assert_eq!(settings(&[]).direct, DIRECT);
        assert_eq!(settings(&[("NO_PROXY", "corp.example")]).direct, format!("{DIRECT},corp.example"));
    }

    #[test]
    fn hosts_domains_and_networks_are_reached_directly() {
        let settings = settings(&[("NO_PROXY", "corp.example, .internal,10.0.0.0/8")]);
        for host in [
            "localhost",
            "127.0.0.1",
            "127.3.2.1",
            "::1",
            "corp.example",
            "flags.corp.example",
            "a.internal",
            "10.2.3.4",
        ] {
            assert!(settings.is_direct(host), "{host}");
        }
        for host in ["example", "notcorp.example", "11.0.0.1", "flags.example.com"] {
            assert!(!settings.is_direct(host), "{host}");
        }
        assert!(
            ProxySettings {
                direct: "*".to_owned(),
                ..ProxySettings::default()
            }
            .is_direct("flags.example.com")
        );
    }

    #[test]
    fn lower_case_wins_and_an_empty_variable_is_unset() {
        let both = settings(&[("http_proxy", "http://a:1"), ("HTTP_PROXY", "http://b:1")]);
        assert_eq!(both.http.as_deref(), Some("http://a:1"));
        assert_eq!(both.https, None);
        assert_eq!(
            settings(&[("http_proxy", ""), ("HTTP_PROXY", "http://b:1")]).http.as_deref(),
            Some("http://b:1")
        );
        let all = settings(&[("ALL_PROXY", "http://c:1"), ("HTTPS_PROXY", "http://d:1")]);
        assert_eq!((all.http.as_deref(), all.https.as_deref()), (Some("http://c:1"), Some("http://d:1")));
    }

    #[test]
    fn a_proxy_is_named_without_its_password() {
        let named = settings(&[("HTTPS_PROXY", "http://user:secret@proxy:3128")]).named("https");
        assert_eq!(named.as_deref(), Some("http://proxy:3128"));
    }
}
