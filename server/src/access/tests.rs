use std::net::IpAddr;
use std::num::NonZeroU32;
use std::sync::Arc;

use ripcord_proto::EnvironmentKey;
use ripcord_proto::role::{Action, Role};

use super::limits::{Config, RateLimits};
use super::{EnvironmentAccess, Principal, keys};

#[test]
fn a_new_key_has_its_role_in_it_and_is_never_made_twice() {
    let (one, other) = (keys::mint(Role::Sdk), keys::mint(Role::Sdk));
    let random = one.expose().strip_prefix("rc_sdk_").unwrap();
    assert!(random.len() == 32 && random.bytes().all(|byte| byte.is_ascii_alphanumeric()));
    assert_ne!(one, other);
    assert_ne!(keys::hash(one.expose()), keys::hash(other.expose()));
    assert!(
        keys::admin(keys::mint(Role::Admin).expose()).is_ok(),
        "a key that was made serves as RIPCORD_ADMIN_KEY"
    );
}

#[test]
fn an_admin_key_from_outside_is_long_enough_or_refused() {
    assert!(keys::admin("rc_admin_0123456789abcdef0123456789_-CDEF").is_ok());
    for wrong in [
        "",
        "rc_admin_",
        "rc_admin_short",
        "rc_sdk_0123456789abcdef0123456789abcdef",
        "rc_admin_0123456789abcdef0123456789abcde!",
    ] {
        let message = keys::admin(wrong).unwrap_err().to_string();
        assert!(message.starts_with("RIPCORD_ADMIN_KEY: must be rc_admin_ and 32"), "{message}");
        assert!(wrong.is_empty() || !message.contains("0123456789abcdef"), "a secret is never echoed");
    }
}

#[test]
fn kills_restores_and_streams_are_never_held_back() {
    let one = NonZeroU32::MIN;
    let limits = RateLimits::new(Config {
        reads: one,
        writes: one,
        ..Config::default()
    });
    let (runaway, other): (Arc<str>, Arc<str>) = ("key_a".into(), "key_b".into());
    let allowed = (0..100).filter(|_| limits.check(&runaway, Action::Edit).is_ok()).count();
    assert_eq!(allowed, 10, "ten seconds' worth at once");
    assert!(limits.check(&other, Action::Edit).is_ok(), "each key has its own");
    for action in [Action::Kill, Action::Restore, Action::Stream] {
        assert!((0..1_000).all(|_| limits.check(&runaway, action).is_ok()), "{action:?}");
    }
}

#[test]
fn wrong_keys_from_one_address_are_held_back_and_those_from_others_are_not() {
    let limits = RateLimits::new(Config {
        wrong_keys: NonZeroU32::MIN,
        ..Config::default()
    });
    let (one, other): (IpAddr, IpAddr) = ("192.0.2.1".parse().unwrap(), "198.51.100.7".parse().unwrap());
    assert_eq!((0..100).filter(|_| limits.wrong_key(Some(one)).is_ok()).count(), 10);
    assert!(limits.wrong_key(Some(other)).is_ok());
    let network = |host: u16| Some(IpAddr::V6(std::net::Ipv6Addr::new(0x2001, 0xdb8, 0, 1, 0, 0, 0, host)));
    assert_eq!(
        (0..100).filter(|host| limits.wrong_key(network(*host)).is_ok()).count(),
        10,
        "one network, however many addresses"
    );
}

#[test]
fn a_role_that_may_not_is_told_who_may() {
    let principal = Principal {
        id: "key_a".into(),
        name: "checkout".to_owned(),
        role: Role::Sdk,
        environments: EnvironmentAccess::Only([EnvironmentKey::new("production").unwrap()].into()),
    };
    let refused = principal.check_all(&[Action::Edit, Action::Restore]).unwrap_err();
    assert_eq!(refused.members["roles"], serde_json::json!(["editor", "admin"]));
    let refused = principal.check_any(&[Action::Kill]).unwrap_err();
    assert_eq!(refused.members["roles"], serde_json::json!(["pipeline", "oncall", "editor", "admin"]));
    assert!(principal.check_environment(&EnvironmentKey::new("staging").unwrap()).is_err());
    assert_eq!(principal.actor(Some("Ada")).name, "Ada (via checkout)");
}
