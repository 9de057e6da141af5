use super::*;

const ADDRESS: &str = "http://127.0.0.1:8016";

#[test]
fn a_server_is_found_while_it_runs_and_afterwards() {
    let state = tempfile::tempdir().unwrap();
    let directory = state.path().join("ripcord");
    let data = Path::new("/data/one");
    assert_eq!(find_in(&directory).unwrap(), None);
    let running = announce_in(&directory, ADDRESS, data, Some("rc_admin_1"), Keep::ForNextStart).unwrap();
    let found = find_in(&directory).unwrap().unwrap().server;
    assert_eq!((found.address.as_str(), found.key.as_deref()), (ADDRESS, Some("rc_admin_1")));
    drop(running);
    let ended = find_in(&directory).unwrap().unwrap().server;
    assert_eq!((ended.address.as_str(), ended.key), (ADDRESS, None), "anything may listen there by now");
    let starting = hold_in(&directory, data);
    assert_eq!(find_in(&directory).unwrap().unwrap().server.key.as_deref(), Some("rc_admin_1"));
    drop(starting);
    assert_eq!(find_in(&directory).unwrap().unwrap().server.key, None);
}

#[test]
fn a_server_that_runs_keeps_its_file_from_the_next() {
    let state = tempfile::tempdir().unwrap();
    let data = Path::new("/data/one");
    assert!(hold_in(state.path(), data).is_none(), "nothing ran here before");
    let _running = announce_in(state.path(), ADDRESS, data, Some("rc_admin_1"), Keep::ForNextStart).unwrap();
    assert!(hold_in(state.path(), data).is_none());
}

#[test]
fn the_key_of_the_first_start_is_kept_for_the_next() {
    let state = tempfile::tempdir().unwrap();
    let data = Path::new("/data/one");
    drop(announce_in(state.path(), ADDRESS, data, Some("rc_admin_1"), Keep::ForNextStart).unwrap());
    let running = announce_in(state.path(), "http://127.0.0.1:9000", data, None, Keep::ForNextStart).unwrap();
    let found = find_in(state.path()).unwrap().unwrap().server;
    assert_eq!((found.address.as_str(), found.key.as_deref()), ("http://127.0.0.1:9000", Some("rc_admin_1")));
    assert_eq!(running.key(), Key::Known);
}

#[test]
fn a_server_that_runs_is_preferred_to_one_that_has_ended() {
    let state = tempfile::tempdir().unwrap();
    let _running = announce_in(state.path(), ADDRESS, Path::new("/data/one"), Some("rc_admin_1"), Keep::ForNextStart).unwrap();
    drop(
        announce_in(
            state.path(),
            "http://127.0.0.1:9000",
            Path::new("/data/two"),
            Some("rc_admin_2"),
            Keep::ForNextStart,
        )
        .unwrap(),
    );
    assert_eq!(find_in(state.path()).unwrap().unwrap().server.address, ADDRESS);
}

#[test]
fn a_demo_leaves_nothing_behind() {
    let state = tempfile::tempdir().unwrap();
    drop(announce_in(state.path(), ADDRESS, Path::new("/tmp/demo"), Some("rc_admin_1"), Keep::WhileRunning).unwrap());
    assert_eq!(find_in(state.path()).unwrap(), None);
}

#[cfg(unix)]
#[test]
fn the_file_is_for_its_owner_alone_and_refused_otherwise() {
    use std::os::unix::fs::PermissionsExt as _;
    let state = tempfile::tempdir().unwrap();
    let running = announce_in(
        &state.path().join("ripcord"),
        ADDRESS,
        Path::new("/data"),
        Some("rc_admin_1"),
        Keep::ForNextStart,
    )
    .unwrap();
    let mode = |path: &Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(&running.path), 0o600);
    assert_eq!(mode(running.path.parent().unwrap()), 0o700);
    std::fs::set_permissions(&running.path, std::fs::Permissions::from_mode(0o644)).unwrap();
    assert!(matches!(
        find_in(&state.path().join("ripcord")),
        Err(DiscoveryError::Exposed { mode: 0o644, .. })
    ));
}

#[test]
fn an_announcement_shows_no_key_when_it_is_logged() {
    let announced = Announced {
        address: ADDRESS.to_owned(),
        key: Some("rc_admin_secret".to_owned()),
        data_dir: PathBuf::from("/data"),
        demo: false,
    };
    assert!(!format!("{announced:?}").contains("secret"));
}

#[test]
fn of_two_that_run_the_older_one_comes_first_and_a_demo_is_never_meant_beside_a_server() {
    let state = tempfile::tempdir().unwrap();
    let announce = |address: &str, data: &str, keep| announce_in(state.path(), address, Path::new(data), Some("rc_admin_1"), keep).unwrap();
    let aged = |running: &Announcement, seconds| {
        let file = File::options().write(true).open(&running.path).unwrap();
        let written = file.metadata().unwrap().modified().unwrap();
        file.set_modified(written - std::time::Duration::from_secs(seconds)).unwrap();
    };
    let demo = announce("http://127.0.0.1:7000", "/tmp/demo", Keep::WhileRunning);
    assert!(find_in(state.path()).unwrap().unwrap().server.demo, "alone, a demo is found");
    let newer = announce("http://127.0.0.1:9000", "/data/two", Keep::ForNextStart);
    let found = find_in(state.path()).unwrap().unwrap();
    assert_eq!((found.server.address.as_str(), found.rivals.len()), ("http://127.0.0.1:9000", 0));
    let older = announce(ADDRESS, "/data/one", Keep::ForNextStart);
    aged(&older, 60);
    aged(&demo, 120);
    aged(&newer, 30);
    let found = find_in(state.path()).unwrap().unwrap();
    assert_eq!(found.server.address, ADDRESS);
    assert_eq!(
        found.rivals.iter().map(|rival| rival.address.as_str()).collect::<Vec<_>>(),
        ["http://127.0.0.1:9000"]
    );
}
