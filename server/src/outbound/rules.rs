//! Whether an address may be called.

use std::fmt;
use std::net::{IpAddr, SocketAddr};

use reqwest::Url;
use ripcord_proto::proxy::ProxySettings;

use super::allow_list::{AllowList, is_link_local};

/// What the operator of this server allows, and the proxies on the way.
#[derive(Default)]
pub(super) struct OutboundRules {
    /// `None`: everything but link-local addresses.
    pub(super) allowed: Option<AllowList>,
    pub(super) proxies: ProxySettings,
}

impl fmt::Debug for OutboundRules {
    // Addresses of proxies may have passwords in them.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OutboundRules").field("allowed", &self.allowed).finish_non_exhaustive()
    }
}

/// Why an address is not called.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum OutboundRefusal {
    /// It is of a neighbour on the same link, such as a cloud's metadata service.
    #[error("{0} is a link-local address, and those are never called; use another address of the service")]
    LinkLocal(String),
    /// It is not on the list.
    #[error("{0} may not be called: it is not in --outbound-allow; use a host from that list, or have the operator of this server add it")]
    NotListed(String),
    /// Only a proxy would know what it resolves to.
    #[error(
        "{host} is called through the proxy {proxy}, which resolves the name, so a network in --outbound-allow does not cover it; have the operator of this server add the name"
    )]
    BehindProxy { host: String, proxy: String },
}

/// What the text of an address says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum WrittenAddress {
    /// It may be called, unless it resolves to link-local addresses.
    Allowed,
    /// Whether it is on the list depends on what it resolves to.
    ToBeResolved,
}

impl OutboundRules {
    /// Whether an address may be called, as far as its text says.
    pub(super) fn judge(&self, url: &Url) -> Result<WrittenAddress, OutboundRefusal> {
        let host = host_of(url);
        if let Ok(address) = host.parse::<IpAddr>() {
            return self.judge_address(host, address).map(|()| WrittenAddress::Allowed);
        }
        let Some(allowed) = &self.allowed else { return Ok(WrittenAddress::Allowed) };
        if allowed.has_host(host) {
            return Ok(WrittenAddress::Allowed);
        }
        if !allowed.has_networks() {
            return Err(OutboundRefusal::NotListed(host.to_owned()));
        }
        match self.proxies.named(url.scheme()).filter(|_| !self.proxies.is_direct(host)) {
            Some(proxy) => Err(OutboundRefusal::BehindProxy { host: host.to_owned(), proxy }),
            None => Ok(WrittenAddress::ToBeResolved),
        }
    }

    fn judge_address(&self, host: &str, address: IpAddr) -> Result<(), OutboundRefusal> {
        if is_link_local(address) {
            return Err(OutboundRefusal::LinkLocal(host.to_owned()));
        }
        match &self.allowed {
            Some(allowed) if !allowed.has_address(address) => Err(OutboundRefusal::NotListed(host.to_owned())),
            Some(_) | None => Ok(()),
        }
    }

    /// Those of the addresses that a name resolves to which may be called.
    ///
    /// # Errors
    /// None of them may.
    pub(super) fn among(&self, host: &str, found: impl Iterator<Item = SocketAddr>) -> Result<Vec<SocketAddr>, OutboundRefusal> {
        let found: Vec<SocketAddr> = found.filter(|address| !is_link_local(address.ip())).collect();
        let is_listed = self.allowed.as_ref().is_none_or(|allowed| allowed.has_host(host));
        let is_allowed = |address: &SocketAddr| is_listed || self.allowed.as_ref().is_some_and(|allowed| allowed.has_address(address.ip()));
        let allowed: Vec<SocketAddr> = found.iter().copied().filter(is_allowed).collect();
        if !allowed.is_empty() {
            return Ok(allowed);
        }
        // The addresses are not named: the author of a check need not know them.
        Err(if found.is_empty() {
            OutboundRefusal::LinkLocal(host.to_owned())
        } else {
            OutboundRefusal::NotListed(host.to_owned())
        })
    }
}

/// The host of an address, without the brackets of IPv6.
pub(super) fn host_of(url: &Url) -> &str {
    url.host_str().unwrap_or_default().trim_start_matches('[').trim_end_matches(']')
}
