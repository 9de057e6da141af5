//! The system's resolver, without the addresses that are off limits. What it returns is what a connection goes to.

use std::collections::BTreeSet;
use std::sync::Arc;

use reqwest::Url;
use reqwest::dns::{Addrs, Name, Resolve, Resolving};

use super::allow_list::is_link_local;
use super::rules::{OutboundRules, host_of};

#[derive(Debug)]
pub(super) struct GuardedResolver {
    rules: Arc<OutboundRules>,
    /// Hosts of proxies, which are the operator's own setting.
    proxies: Arc<BTreeSet<String>>,
}

impl GuardedResolver {
    pub(super) fn new(rules: Arc<OutboundRules>) -> Self {
        let settings = [&rules.proxies.http, &rules.proxies.https];
        let hosts = settings.into_iter().flatten().filter_map(|proxy| {
            let url = if proxy.contains("://") {
                Url::parse(proxy)
            } else {
                Url::parse(&format!("http://{proxy}"))
            };
            url.ok().map(|url| host_of(&url).to_owned())
        });
        Self {
            proxies: Arc::new(hosts.collect()),
            rules,
        }
    }
}

impl Resolve for GuardedResolver {
    fn resolve(&self, name: Name) -> Resolving {
        let (rules, proxies) = (Arc::clone(&self.rules), Arc::clone(&self.proxies));
        Box::pin(async move {
            let host = name.as_str();
            let found = tokio::net::lookup_host((host, 0)).await?;
            let allowed = if proxies.contains(host) {
                found.filter(|address| !is_link_local(address.ip())).collect()
            } else {
                rules.among(host, found)?
            };
            Ok(Box::new(allowed.into_iter()) as Addrs)
        })
    }
}
