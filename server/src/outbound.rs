//! Requests to addresses that people configure: checks, gates and the collector of traces. (Peers and the store are not among them.)
//!
//! They follow no redirect, go through the proxy of the environment except to this machine, and never reach link-local addresses,
//! where clouds answer with the credentials of the machine.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use reqwest::{Client, ClientBuilder, NoProxy, Proxy, Url};
use ripcord_proto::proxy::ProxySettings;

/// How long a connection may take.
const CONNECT: Duration = Duration::from_secs(5);

/// A client for such requests, with the user agent `name`.
pub fn client(name: &str) -> reqwest::Result<Client> {
    builder(name)?.build()
}

/// The same, to be set further.
pub fn builder(name: &str) -> reqwest::Result<ClientBuilder> {
    // Other code in this process (the demo's commands) may already have done it.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let builder = Client::builder()
        .redirect(reqwest::redirect::Policy::none())
        .connect_timeout(CONNECT)
        .dns_resolver(Arc::new(GuardedResolver))
        .user_agent(format!("{name}/{}", env!("CARGO_PKG_VERSION")));
    through_proxies(builder, &ProxySettings::from_vars(|name| std::env::var(name).ok()))
}

fn through_proxies(mut builder: ClientBuilder, settings: &ProxySettings) -> reqwest::Result<ClientBuilder> {
    builder = builder.no_proxy();
    let direct = || NoProxy::from_string(&settings.direct);
    if let Some(proxy) = &settings.https {
        builder = builder.proxy(Proxy::https(proxy)?.no_proxy(direct()));
    }
    if let Some(proxy) = &settings.http {
        builder = builder.proxy(Proxy::http(proxy)?.no_proxy(direct()));
    }
    Ok(builder)
}

/// Why an address may not be asked, if its host is an IP address that is off limits. Names are judged when they are resolved.
pub fn forbidden(url: &Url) -> Option<&'static str> {
    let host = url.host_str()?.trim_start_matches('[').trim_end_matches(']');
    let address: IpAddr = host.parse().ok()?;
    is_link_local(address).then_some("link-local addresses are not asked")
}

/// Whether only neighbours on the same link, such as a cloud's metadata service, have this address.
fn is_link_local(address: IpAddr) -> bool {
    match address.to_canonical() {
        IpAddr::V4(address) => address.is_link_local(),
        // fd00:ec2::254 is the metadata service of one cloud.
        IpAddr::V6(address) => address.is_unicast_link_local() || address.segments() == [0xfd00, 0xec2, 0, 0, 0, 0, 0, 0x254],
    }
}

/// The system's resolver, without the addresses that are off limits.
#[derive(Debug)]
struct GuardedResolver;

impl Resolve for GuardedResolver {
    fn resolve(&self, name: Name) -> Resolving {
        Box::pin(async move {
            let found = tokio::net::lookup_host((name.as_str(), 0)).await?;
            let allowed: Vec<SocketAddr> = found.filter(|address| !is_link_local(address.ip())).collect();
            if allowed.is_empty() {
                return Err(format!("{} has no address that may be asked", name.as_str()).into());
            }
            Ok(Box::new(allowed.into_iter()) as Addrs)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn link_local_addresses_are_off_limits_however_they_are_written() {
        for url in [
            "http://169.254.169.254/latest/meta-data",
            "http://2852039166/",
            "http://[::ffff:169.254.169.254]/",
            "http://[fe80::1]/",
            "http://[fd00:ec2::254]/",
        ] {
            assert!(forbidden(&url.parse().unwrap()).is_some(), "{url}");
        }
        for url in ["http://127.0.0.1:9090/", "http://10.0.0.7/", "http://prometheus:9090/", "http://[::1]/"] {
            assert!(forbidden(&url.parse().unwrap()).is_none(), "{url}");
        }
    }
}
