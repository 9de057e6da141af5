use super::*;

fn announced(address: &str) -> Found {
    Found {
        server: Announced {
            address: address.to_owned(),
            key: Some("rc_admin_local".to_owned()),
            data_dir: PathBuf::from("/data"),
            demo: false,
        },
        rivals: Vec::new(),
    }
}

fn chosen(server: Option<&str>, key: Option<&str>, local: Option<Found>) -> Target {
    let given = |value: &str| (value.to_owned(), From::CommandLine);
    let given = Given {
        server: server.map(|value| (vec![normal(value)], From::CommandLine)),
        key: key.map(given),
        profile_servers: Vec::new(),
        profile_key: Ok(None),
        ca_cert: None,
    };
    Target::choose(given, local, None).unwrap()
}

#[test]
fn the_key_of_a_profile_is_never_sent_to_another_server() {
    let choose = |server: &str| {
        let given = Given {
            server: Some((vec![server.to_owned(), "https://b.example".to_owned()], From::CommandLine)),
            key: None,
            profile_servers: vec!["https://a.example".to_owned()],
            profile_key: Ok(Some("rc_oncall_profile".to_owned())),
            ca_cert: None,
        };
        Target::choose(given, None, None).unwrap()
    };
    assert_eq!(choose("https://a.example").key.as_deref(), Some("rc_oncall_profile"));
    assert_eq!(choose("https://a.example").alternatives, ["https://b.example"]);
    assert_eq!(choose("https://evil.example").key, None);
}

#[test]
fn the_server_on_this_machine_is_found_with_its_key() {
    let target = chosen(None, None, Some(announced("http://127.0.0.1:9000")));
    assert_eq!(target.server, "http://127.0.0.1:9000");
    assert_eq!(target.key.as_deref(), Some("rc_admin_local"));
    assert_eq!(target.key_from, From::Local);
}

#[test]
fn the_local_key_is_never_sent_to_another_server() {
    let target = chosen(Some("https://flags.example.com"), None, Some(announced("http://127.0.0.1:9000")));
    assert_eq!(target.key, None);
    let target = chosen(Some("http://127.0.0.1:9000/"), None, Some(announced("http://127.0.0.1:9000")));
    assert_eq!(target.key.as_deref(), Some("rc_admin_local"));
}

#[test]
fn a_key_that_is_given_wins() {
    let target = chosen(None, Some("rc_oncall_x"), Some(announced("http://127.0.0.1:9000")));
    assert_eq!(target.key.as_deref(), Some("rc_oncall_x"));
    assert_eq!(target.key_from, From::CommandLine);
}

#[test]
fn without_anything_the_default_address_is_asked_without_a_key() {
    let target = chosen(None, None, None);
    assert_eq!(target.server, DEFAULT_SERVER);
    assert_eq!(target.key, None);
    assert!(target.advice().contains("ripcord serve"));
}

#[test]
fn an_address_needs_no_scheme() {
    assert_eq!(normal("127.0.0.1:8016"), "http://127.0.0.1:8016");
    assert_eq!(normal(" https://flags.example.com/ "), "https://flags.example.com");
}

#[test]
fn a_target_shows_no_key_when_it_is_logged() {
    let target = chosen(None, Some("rc_oncall_secret"), None);
    assert!(!format!("{target:?}").contains("secret"));
}
