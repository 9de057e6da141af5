use std::net::SocketAddr;

use super::*;

fn list(entries: &[&str]) -> AllowList {
    let entries: Vec<String> = entries.iter().map(ToString::to_string).collect();
    AllowList::parse(&entries).unwrap().unwrap()
}

fn calling(entries: &[&str]) -> Outbound {
    Outbound::through(Some(list(entries)), ProxySettings::default())
}

fn check(outbound: &Outbound, url: &str) -> Result<(), OutboundRefusal> {
    outbound.check(&url.parse().unwrap())
}

fn resolved(outbound: &Outbound, host: &str, addresses: &[&str]) -> Result<Vec<String>, OutboundRefusal> {
    let addresses = addresses.iter().map(|address| SocketAddr::new(address.parse().unwrap(), 0));
    let allowed = outbound.rules.among(host, addresses)?;
    Ok(allowed.into_iter().map(|address| address.ip().to_string()).collect())
}

#[test]
fn link_local_addresses_are_off_limits_however_they_are_written() {
    let open = Outbound::through(None, ProxySettings::default());
    let closed = calling(&["0.0.0.0/1", "metadata"]);
    for url in [
        "http://169.254.169.254/latest/meta-data",
        "http://2852039166/",
        "http://0xa9fea9fe/",
        "http://[::ffff:169.254.169.254]/",
        "http://[fe80::1]/",
        "http://[fd00:ec2::254]/",
    ] {
        assert!(matches!(check(&open, url), Err(OutboundRefusal::LinkLocal(_))), "{url}");
        assert!(check(&closed, url).is_err(), "{url}");
    }
    for url in ["http://127.0.0.1:9090/", "http://10.0.0.7/", "http://prometheus:9090/", "http://[::1]/"] {
        assert_eq!(check(&open, url), Ok(()), "{url}");
    }
    for outbound in [open, closed] {
        let refused = resolved(&outbound, "metadata", &["169.254.169.254"]);
        assert!(matches!(refused, Err(OutboundRefusal::LinkLocal(_))), "{refused:?}");
        assert_eq!(resolved(&outbound, "metadata", &["fe80::1", "10.0.0.7"]), Ok(vec!["10.0.0.7".to_owned()]));
    }
}

#[test]
fn a_list_of_hosts_allows_these_and_no_others() {
    let outbound = calling(&["prometheus", "*.internal.example", "Shop.Example."]);
    for url in [
        "http://prometheus:9090/",
        "https://a.internal.example/",
        "https://b.a.internal.example./",
        "http://shop.example/x",
    ] {
        assert_eq!(check(&outbound, url), Ok(()), "{url}");
    }
    for url in [
        "http://prometheus.evil.example/",
        "http://internal.example/",
        "http://xinternal.example/",
        "http://127.0.0.1/",
        "http://prometheus@evil.example/",
    ] {
        assert!(matches!(check(&outbound, url), Err(OutboundRefusal::NotListed(_))), "{url}");
    }
    assert!(resolved(&outbound, "prometheus", &["10.0.0.7"]).is_ok(), "whoever lists a name trusts it");
    assert!(resolved(&outbound, "evil.example", &["10.0.0.7"]).is_err());
}

/// A name may resolve to one address when it is configured and to another when it is called.
#[test]
fn a_list_of_networks_is_held_against_what_a_name_resolves_to() {
    let outbound = calling(&["10.0.0.0/8", "192.0.2.7", "2001:db8::/32"]);
    for url in [
        "http://10.1.2.3/",
        "http://192.0.2.7:8080/",
        "http://[2001:db8::1]/",
        "http://[::ffff:10.1.2.3]/",
    ] {
        assert_eq!(check(&outbound, url), Ok(()), "{url}");
    }
    for url in ["http://11.1.2.3/", "http://192.0.2.8/", "http://[2001:db9::1]/", "http://127.0.0.1/"] {
        assert!(matches!(check(&outbound, url), Err(OutboundRefusal::NotListed(_))), "{url}");
    }
    assert_eq!(check(&outbound, "http://rebinding.example/"), Ok(()), "its text does not say");
    assert_eq!(
        resolved(&outbound, "rebinding.example", &["10.0.0.9", "127.0.0.1"]),
        Ok(vec!["10.0.0.9".to_owned()])
    );
    assert!(matches!(
        resolved(&outbound, "rebinding.example", &["127.0.0.1"]),
        Err(OutboundRefusal::NotListed(_))
    ));
}

#[test]
fn what_a_proxy_resolves_has_to_be_listed_by_name() {
    let proxies = ProxySettings {
        http: Some("http://proxy.example:3128".to_owned()),
        https: None,
        direct: "localhost,near.example".to_owned(),
    };
    let outbound = Outbound::through(Some(list(&["10.0.0.0/8", "far.example"])), proxies);
    assert_eq!(check(&outbound, "http://far.example/"), Ok(()));
    assert_eq!(check(&outbound, "http://near.example/"), Ok(()), "it is resolved here");
    assert_eq!(check(&outbound, "https://other.example/"), Ok(()), "so is this, since https has no proxy");
    assert!(matches!(check(&outbound, "http://other.example/"), Err(OutboundRefusal::BehindProxy { .. })));
}

#[test]
fn an_entry_that_is_no_host_and_no_network_is_refused_and_none_allows_nothing() {
    let parse = |entry: &str| AllowList::parse(&[entry.to_owned()]);
    for wrong in [
        "http://prometheus",
        "prometheus:9090",
        "10.0.0.0/40",
        "*",
        "*.",
        "a..b",
        "1.2.3",
        "169.254.0.0/16",
        "fe80::/10",
        "a b",
    ] {
        assert!(parse(wrong).is_err(), "{wrong}");
    }
    assert_eq!(AllowList::parse(&[]).unwrap(), None);
    assert_eq!(parse("").unwrap(), None, "an empty variable is an unset one");
    let nothing = Outbound::through(parse("none").unwrap(), ProxySettings::default());
    for url in ["http://localhost/", "http://127.0.0.1/", "http://prometheus/"] {
        assert!(check(&nothing, url).is_err(), "{url}");
    }
}

#[tokio::test]
async fn a_name_is_resolved_when_it_is_configured_and_one_that_does_not_resolve_is_judged_later() {
    let urls = [
        "http://localhost:9090/",
        "http://nowhere.invalid/",
        "no address",
        "http://10.0.0.1/",
        "http://11.0.0.1/",
    ];
    let judged = calling(&["10.0.0.0/8"]).check_configured(&urls).await;
    let refused: Vec<bool> = judged.iter().map(Result::is_err).collect();
    assert_eq!(refused, [true, false, false, false, true], "{judged:?}");
    assert_eq!(calling(&["127.0.0.0/8", "::1"]).check_configured(&urls[..1]).await, [Ok(())]);
}

#[tokio::test]
async fn a_request_to_a_name_ends_at_what_the_name_resolves_to() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    listener.set_nonblocking(true).unwrap();
    let url = format!("http://localhost:{}/", listener.local_addr().unwrap().port());
    let refused = calling(&["10.0.0.0/8"]).client("test").unwrap().get(&url).send().await.unwrap_err();
    assert!(refused.is_connect(), "{refused:?}");
    assert!(listener.accept().is_err(), "nobody was called");
}
