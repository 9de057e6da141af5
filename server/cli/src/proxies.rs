//! Through which proxy the server is called, by the rule of [`ripcord_proto::proxy`].

use reqwest::{ClientBuilder, NoProxy, Proxy, Url};
use ripcord_proto::proxy::ProxySettings;

use super::answer::ClientError;

/// Sends requests through the proxies of `settings`, and those to this machine never.
pub(crate) fn set(builder: ClientBuilder, settings: &ProxySettings) -> Result<ClientBuilder, ClientError> {
    let mut builder = builder.no_proxy();
    let direct = || NoProxy::from_string(&settings.direct);
    let wrong = |error: reqwest::Error| ClientError::Usage(format!("the proxy of the environment cannot be used: {error}"));
    if let Some(proxy) = &settings.https {
        builder = builder.proxy(Proxy::https(proxy).map_err(wrong)?.no_proxy(direct()));
    }
    if let Some(proxy) = &settings.http {
        builder = builder.proxy(Proxy::http(proxy).map_err(wrong)?.no_proxy(direct()));
    }
    Ok(builder)
}

/// The proxy between this machine and `server`, as messages name it.
pub(crate) fn between(settings: &ProxySettings, server: &str) -> Option<String> {
    let url = Url::parse(server).ok()?;
    let host = url.host_str()?.trim_start_matches('[').trim_end_matches(']');
    if settings.is_direct(host) {
        return None;
    }
    settings.named(url.scheme())
}
