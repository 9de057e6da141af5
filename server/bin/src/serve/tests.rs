use std::path::PathBuf;

use ripcord_server::{HealthCode, PartHealth};

use super::*;

fn readiness(status: ReadyState) -> Readiness {
    Readiness {
        status,
        node: "node-1".to_owned(),
        version: "1".to_owned(),
        parts: [(
            "store".to_owned(),
            PartHealth {
                state: status,
                since: "2026-11-24T03:00:00Z".parse().unwrap(),
                code: (status != ReadyState::Ready).then_some(HealthCode::StoreWrongPassword),
                why: "Redis refuses the password".to_owned(),
            },
        )]
        .into(),
        warnings: Vec::new(),
    }
}

#[test]
fn a_server_that_is_not_ready_does_not_say_that_it_is() {
    for state in [ReadyState::Degraded, ReadyState::NotReady] {
        let text = greeting(
            &Started {
                readiness: readiness(state),
                ..started("127.0.0.1:8016")
            },
            None,
            Paint::Plain,
        );
        assert!(!text.contains("is ready.") && text.contains("Redis refuses the password"), "{text}");
    }
}

fn started(address: &str) -> Started {
    Started {
        address: address.parse().unwrap(),
        scheme: "http",
        admin_key: Some(Secret::new("rc_admin_0123456789")),
        node: "node-1".to_owned(),
        data_dir: PathBuf::from("/var/lib/ripcord"),
        readiness: readiness(ReadyState::Ready),
        grpc: Vec::new(),
    }
}

#[test]
fn the_first_start_shows_its_admin_key_and_what_to_try() {
    insta::assert_snapshot!(greeting(&started("127.0.0.1:8016"), Some(Key::Known), Paint::Plain), @r#"
    Ripcord is ready.
      address  http://127.0.0.1:8016
      data     /var/lib/ripcord
      node     node-1

    Admin key (shown only now; keep it safe):
      rc_admin_0123456789

    Commands on this machine find this server on their own. In another terminal, try:
      ripcord flags set checkout-v2 --boolean --reason "first flag"
      ripcord kill checkout-v2 --reason "trying it"

    Press Ctrl-C to stop.
    "#);
}

#[test]
fn later_starts_say_how_commands_find_the_server() {
    let again = Started {
        admin_key: None,
        ..started("127.0.0.1:8016")
    };
    let said = |announced| greeting(&again, announced, Paint::Plain);
    assert!(said(Some(Key::Known)).contains("find this server on their own.") && !said(Some(Key::Known)).contains("try:"));
    assert!(said(Some(Key::Unknown)).contains("need --key or RIPCORD_KEY"));
    assert!(said(None).contains("need --server and --key"));
}

#[test]
fn the_server_of_a_demo_keeps_everything_in_its_own_folder() {
    let config = own_config(OwnServer {
        listen: "127.0.0.1:0".parse().unwrap(),
        data_dir: PathBuf::from("/tmp/demo/data"),
        node: "demo".to_owned(),
    });
    assert_eq!(config.store, StoreChoice::Embedded);
    assert!(config.data_dir.starts_with("/tmp/demo"));
    assert!(config.peers.is_empty());
}

#[test]
fn every_setting_has_a_variable() {
    let command = Serve::augment_args(clap::Command::new("serve"));
    for argument in command.get_arguments() {
        assert!(argument.get_env().is_some(), "{} has none", argument.get_id());
    }
}

/// `RIPCORD_UPDATE_DOCS=1 cargo test -p ripcord` writes it.
#[test]
fn the_reference_of_the_command_line_is_current() {
    let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/cli.md");
    let current = ripcord_cli::reference::<RipcordServer>();
    if std::env::var_os("RIPCORD_UPDATE_DOCS").is_some() {
        std::fs::write(&path, format!("{}\n", current.trim_end())).unwrap();
    }
    let written = std::fs::read_to_string(&path).unwrap();
    assert!(
        written.trim_end() == current.trim_end(),
        "server/docs/cli.md is out of date: run RIPCORD_UPDATE_DOCS=1 cargo test -p ripcord"
    );
}
