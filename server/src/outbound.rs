//! Requests to addresses that people configure: checks, gates and the collector of traces. (Peers and the store are not among them.)
//!
//! They follow no redirect, go through the proxy of the environment except to this machine, and never reach link-local addresses,
//! where clouds answer with the credentials of the machine. `--outbound-allow` narrows them to the hosts and networks that it lists.
//!
//! An address is judged twice: as it is written, when it is configured and before each request, and by what its name resolves to,
//! when a connection is made. The connection goes to the very addresses that were judged, so that a name which resolves differently the
//! next time gains nothing. A proxy resolves names itself: what goes through one has to be listed by name.

mod allow_list;
mod resolver;
mod rules;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::join_all;
use reqwest::{Client, ClientBuilder, NoProxy, Proxy, Url};
use ripcord_proto::proxy::ProxySettings;

pub use self::allow_list::AllowList;
use self::resolver::GuardedResolver;
pub use self::rules::OutboundRefusal;
use self::rules::{OutboundRules, WrittenAddress, host_of};

/// How long a connection may take.
const CONNECT: Duration = Duration::from_secs(5);
/// How long a name may take to resolve when it is configured.
const RESOLVE: Duration = Duration::from_secs(1);
/// Names of one request that are resolved when it is made; others are judged when they are called.
pub const RESOLVED: usize = 16;

/// What this server may call, and how. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Outbound {
    rules: Arc<OutboundRules>,
}

impl Default for Outbound {
    fn default() -> Self {
        Self::new(None)
    }
}

impl Outbound {
    /// May call what the list names; without a list, everything but link-local addresses. Proxies come from the environment.
    pub fn new(allowed: Option<AllowList>) -> Self {
        let proxies = ProxySettings::from_vars(|name| std::env::var(name).ok());
        Self::through(allowed, proxies)
    }

    fn through(allowed: Option<AllowList>, proxies: ProxySettings) -> Self {
        Self {
            rules: Arc::new(OutboundRules { allowed, proxies }),
        }
    }

    /// A client for such requests, with the user agent `name`. [`Self::check`] comes before each of them: an address that is written in
    /// digits is not resolved.
    pub fn client(&self, name: &str) -> reqwest::Result<Client> {
        self.builder(name)?.build()
    }

    /// The same, to be set further.
    pub fn builder(&self, name: &str) -> reqwest::Result<ClientBuilder> {
        // Other code in this process (the demo's commands) may already have done it.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let builder = Client::builder()
            .redirect(reqwest::redirect::Policy::none())
            .connect_timeout(CONNECT)
            .dns_resolver(Arc::new(GuardedResolver::new(Arc::clone(&self.rules))))
            .user_agent(format!("{name}/{}", env!("CARGO_PKG_VERSION")));
        through_proxies(builder, &self.rules.proxies)
    }

    /// Whether an address may be called, as far as its text says.
    ///
    /// # Errors
    /// It may not.
    pub fn check(&self, url: &Url) -> Result<(), OutboundRefusal> {
        self.rules.judge(url).map(drop)
    }

    /// The same for each configured address, in their order. A name that only a network of the list can cover is
    /// resolved; one that does not resolve now may do so later, and is judged when it is called.
    pub async fn check_configured(&self, urls: &[&str]) -> Vec<Result<(), OutboundRefusal>> {
        // What is no address at all is refused elsewhere.
        let urls: Vec<Option<Url>> = urls.iter().map(|url| Url::parse(url).ok()).collect();
        let is_open = |url: &&Url| self.rules.judge(url) == Ok(WrittenAddress::ToBeResolved);
        let open: BTreeSet<&str> = urls.iter().flatten().filter(is_open).map(host_of).collect();
        let resolved = join_all(open.into_iter().take(RESOLVED).map(|host| async move { (host, self.resolve(host).await) }));
        let resolved: BTreeMap<&str, Result<(), OutboundRefusal>> = resolved.await.into_iter().collect();
        let judge = |url: &Url| {
            self.rules.judge(url)?;
            resolved.get(host_of(url)).cloned().unwrap_or(Ok(()))
        };
        urls.iter().map(|url| url.as_ref().map_or(Ok(()), judge)).collect()
    }

    async fn resolve(&self, host: &str) -> Result<(), OutboundRefusal> {
        match tokio::time::timeout(RESOLVE, tokio::net::lookup_host((host, 0))).await {
            Ok(Ok(found)) => self.rules.among(host, found).map(drop),
            Ok(Err(_)) | Err(_) => Ok(()),
        }
    }
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

#[cfg(test)]
mod tests;
