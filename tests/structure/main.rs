//! The shape of the source: imports go down, the pure parts stay pure, nothing lies at the top that the design does not name.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

mod source;

use source::{Source, sources};

/// The rooms of the server, highest first: a room imports only rooms below it. Rooms on one line may import each other.
const ROOMS: &[&[&str]] = &[
    &["serve"],
    &["api", "console", "ofrep", "flagd", "relay"],
    &[
        "audit",
        "checkpoint",
        "release",
        "file_set",
        "rollback",
        "rollout",
        "proposal",
        "trigger",
        "incident",
        "ping",
        "runbook",
        "drill",
        "readiness",
        "ping",
    ],
    &["kill", "peer", "remote"],
    &["stream"],
    &["access"],
    &["driver", "check"],
    &["environment"],
    &["http"],
    &["check", "fleet", "outcome"],
    &["system"],
    &["snapshot"],
    &["commit"],
    &["store"],
    &["telemetry", "tasks", "clock", "secret"],
];

/// Rooms that only `serve` may import.
const LEAVES: &[&str] = &["api", "console", "ofrep", "flagd", "relay", "store::embedded", "store::redis", "store::memory"];

/// The crates, lowest first: a crate depends only on those before it.
const CRATES: &[(&str, &str)] = &[
    ("ripcord-proto", "proto"),
    ("ripcord-sdk", "sdk"),
    ("ripcord-cli", "server/cli"),
    ("ripcord-server", "server"),
    ("ripcord", "server/bin"),
    ("ripcord-tests", "tests"),
    ("ripcord-benches", "benches"),
];

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("..")
        .canonicalize()
        .expect("the workspace has a root")
}

fn place(room: &str) -> Option<usize> {
    ROOMS.iter().position(|line| line.contains(&room))
}

#[test]
fn every_room_of_the_server_has_a_place() {
    let unknown: BTreeSet<_> = sources(&root().join("server/src"))
        .iter()
        .filter_map(Source::room)
        .filter(|room| place(room).is_none() && !["lib", "main"].contains(&room.as_str()))
        .collect();
    assert!(unknown.is_empty(), "give these rooms a place in ROOMS: {unknown:?}");
}

#[test]
fn imports_of_the_server_go_down() {
    let mut wrong = Vec::new();
    for source in sources(&root().join("server/src")) {
        let Some(room) = source.room() else { continue };
        let Some(own) = place(&room) else { continue };
        for import in source.imports("crate") {
            let target = import.split("::").next().unwrap_or_default();
            if target != room && place(target).is_some_and(|other| other < own) {
                wrong.push(format!("{} imports {import}, which lies above {room}", source.name()));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn only_serve_imports_a_leaf() {
    let mut wrong = Vec::new();
    for source in sources(&root().join("server/src")) {
        let Some(room) = source.room() else { continue };
        if ["serve"].contains(&room.as_str()) {
            continue;
        }
        for import in source.imports("crate") {
            let leaf = LEAVES.iter().find(|leaf| import == **leaf || import.starts_with(&format!("{leaf}::")));
            if let Some(leaf) = leaf
                && !leaf.starts_with(&format!("{room}::"))
                && *leaf != room
            {
                wrong.push(format!("{} imports the leaf {leaf}", source.name()));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn crates_depend_one_way() {
    let mut wrong = Vec::new();
    for (own, (name, folder)) in CRATES.iter().enumerate() {
        let manifest = std::fs::read_to_string(root().join(folder).join("Cargo.toml")).expect("every crate has a manifest");
        let depends_on = |other: &str| {
            manifest
                .lines()
                .any(|line| line.starts_with(&format!("{other}.")) || line.starts_with(&format!("{other} ")))
        };
        // The command line speaks HTTP to a server; the program alone joins the two.
        let apart = CRATES.iter().filter(|(other, _)| *name == "ripcord-server" && *other == "ripcord-cli");
        for (other, _) in CRATES[own..].iter().chain(apart) {
            if depends_on(other) {
                wrong.push(format!("{name} depends on {other}"));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn proto_knows_no_io_no_clock_and_no_thread() {
    let forbidden = [
        "std::fs",
        "TcpStream",
        "UdpSocket",
        "std::thread",
        "std::env",
        "tokio",
        "Instant",
        "SystemTime",
        "Timestamp::now",
    ];
    assert_free_of("proto/src", &forbidden);
}

#[test]
fn the_engine_knows_no_io_no_clock_and_no_lock() {
    let forbidden = [
        "std::fs",
        "TcpStream",
        "UdpSocket",
        "std::thread",
        "std::env",
        "tokio",
        "Instant",
        "SystemTime",
        "Timestamp::now",
        "Mutex",
        "RwLock",
    ];
    assert_free_of("sdk/src/engine", &forbidden);
}

fn assert_free_of(folder: &str, forbidden: &[&str]) {
    let mut found = Vec::new();
    for source in sources(&root().join(folder)) {
        for word in forbidden {
            if let Some(line) = source.line_with(word) {
                found.push(format!("{}:{line}: {word}", source.name()));
            }
        }
    }
    assert!(found.is_empty(), "{}", found.join("\n"));
}

#[test]
fn nothing_lies_at_the_top_that_the_design_does_not_name() {
    let tracked = std::process::Command::new("git")
        .args(["ls-tree", "--name-only", "HEAD"])
        .current_dir(root())
        .output();
    let Ok(tracked) = tracked else { return };
    let known = ["Cargo.toml", "Cargo.lock", "proto", "sdk", "server", "tests", "benches", "README.md", "LICENSE"];
    let names = String::from_utf8_lossy(&tracked.stdout).into_owned();
    let tops: BTreeSet<_> = names.lines().filter_map(|name| name.split('/').next()).collect();
    let strange: Vec<_> = tops.iter().filter(|name| !name.starts_with('.') && !known.contains(name)).collect();
    assert!(strange.is_empty(), "{strange:?}");
}

#[test]
fn a_file_does_one_thing() {
    const LINES: usize = 450;
    let mut long = Vec::new();
    for folder in ["proto/src", "sdk/src", "server/src", "server/cli/src", "server/bin/src", "tests", "benches"] {
        for source in sources(&root().join(folder)) {
            let lines = source.lines_before_tests();
            if lines > LINES {
                long.push(format!("{}: {lines} lines before its tests", source.name()));
            }
        }
    }
    assert!(long.is_empty(), "more than {LINES} lines:\n{}", long.join("\n"));
}
