//! The hosts and networks that may be called.

use std::collections::BTreeSet;
use std::net::IpAddr;
use std::str::FromStr;

use ipnet::IpNet;
use ripcord_proto::ValidationErrors;

/// The word that allows nothing.
const NONE: &str = "none";

/// A list of hosts (`prometheus`, `*.internal.example`) and networks (`10.0.0.0/8`, `192.0.2.7`).
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct AllowList {
    hosts: BTreeSet<String>,
    /// `internal.example` for `*.internal.example`.
    domains: BTreeSet<String>,
    networks: Vec<IpNet>,
}

/// Whether only neighbours on the same link, such as a cloud's metadata service, have this address.
pub(super) fn is_link_local(address: IpAddr) -> bool {
    match address.to_canonical() {
        IpAddr::V4(address) => address.is_link_local(),
        // fd00:ec2::254 is the metadata service of one cloud.
        IpAddr::V6(address) => address.is_unicast_link_local() || address.segments() == [0xfd00, 0xec2, 0, 0, 0, 0, 0, 0x254],
    }
}

/// As names are compared.
fn normal(host: &str) -> String {
    host.trim_end_matches('.').to_ascii_lowercase()
}

impl AllowList {
    /// From the entries of the setting; `None` if there are none. The one word `none` allows nothing.
    ///
    /// # Errors
    /// Entries that are neither a host nor a network.
    pub fn parse(entries: &[String]) -> Result<Option<Self>, ValidationErrors> {
        let entries: Vec<&str> = entries.iter().map(|entry| entry.trim()).filter(|entry| !entry.is_empty()).collect();
        if entries.is_empty() {
            return Ok(None);
        }
        let mut list = Self::default();
        if entries == [NONE] {
            return Ok(Some(list));
        }
        let wrong = |entry: &str, why: &str| ValidationErrors::one("", format!("{entry:?} {why}"));
        for entry in entries {
            let network = IpNet::from_str(entry).or_else(|_| entry.trim_matches(['[', ']']).parse::<IpAddr>().map(IpNet::from));
            if let Ok(network) = network {
                if is_link_local(network.network()) || is_link_local(network.broadcast()) {
                    return Err(wrong(entry, "has link-local addresses, and those are never called"));
                }
                list.networks.push(network.trunc());
                continue;
            }
            let (set, name) = match entry.strip_prefix("*.") {
                Some(domain) => (&mut list.domains, domain),
                None => (&mut list.hosts, entry),
            };
            if !is_name(name) {
                return Err(wrong(
                    entry,
                    "is neither a host nor a network; write prometheus, *.internal.example, 192.0.2.7 or 10.0.0.0/8, without scheme and port",
                ));
            }
            set.insert(normal(name));
        }
        Ok(Some(list))
    }

    /// Whether the list names the host, or a domain that it is in.
    pub(super) fn has_host(&self, host: &str) -> bool {
        let host = normal(host);
        let mut parents = host.match_indices('.').filter_map(|(dot, _)| host.get(dot + 1..));
        self.hosts.contains(&host) || parents.any(|parent| self.domains.contains(parent))
    }

    /// Whether a network of the list has the address.
    pub(super) fn has_address(&self, address: IpAddr) -> bool {
        let address = address.to_canonical();
        self.networks.iter().any(|network| network.contains(&address))
    }

    pub(super) fn has_networks(&self) -> bool {
        !self.networks.is_empty()
    }
}

/// Whether this can be the name of a host.
fn is_name(name: &str) -> bool {
    let is_fit = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_');
    let labels = normal(name);
    // A last label of digits alone would be an address, as browsers and curl read it.
    let is_number = labels.rsplit('.').next().is_some_and(|last| last.chars().all(|c| c.is_ascii_digit()));
    !is_number
        && labels
            .split('.')
            .all(|label| !label.is_empty() && label.len() <= 63 && label.chars().all(is_fit))
}
