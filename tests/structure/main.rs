//! The shape of the source: imports go down, no two files import each other, the pure parts stay pure, one name means one thing,
//! and what the documents name is there. Claims of the product are held by tests.
//!
//! `cargo test -p ripcord-tests --test structure` also prints which type names the server and the command line define more than once (with
//! `-- --nocapture`). What is tolerated stands in `allowed.rs`, each with its reason.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

mod allowed;
mod claims;
mod graph;
mod lexer;
mod paths;
mod source;

use graph::{Crate, Scope};

/// The rooms of the server, highest first: a room imports only rooms below it.
const ROOMS: &[&str] = &[
    "bench",
    "serve",
    "api",
    "flagd",
    "ofrep",
    "stream",
    "ping",
    "proposal",
    "trigger",
    "file_set",
    "remote",
    "rollback",
    "release",
    "checkpoint",
    "rollout",
    "impact",
    "kill",
    "peer",
    "outcome",
    "access",
    "audit",
    "fleet",
    "leader",
    "check",
    "environment",
    "http",
    "snapshot",
    "system",
    "commit",
    "store",
    "telemetry",
    "outbound",
    "tasks",
    "secret",
    "clock",
];

/// Rooms that only `serve` may import.
const LEAVES: &[&str] = &["api", "ofrep", "flagd", "store/embedded", "store/redis", "store/memory"];

/// The crates, lowest first: a crate depends only on those before it.
const CRATES: &[(&str, &str)] = &[
    ("proto", "ripcord-proto"),
    ("sdk", "ripcord-sdk"),
    ("server/cli", "ripcord-cli"),
    ("server", "ripcord-server"),
    ("server/bin", "ripcord"),
    ("tests", "ripcord-tests"),
    ("benches", "ripcord-benches"),
];

/// Lines of a file, at most, its unit tests aside.
const LINES: usize = 400;

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("..")
        .canonicalize()
        .expect("the workspace has a root")
}

fn server() -> Crate {
    Crate::read(&root().join("server/src"), "lib.rs", Scope::Product)
}

/// Every crate and every binary of tests and benches, by its folder.
fn crates() -> Vec<(String, Crate)> {
    let mut found = Vec::new();
    for folder in ["proto/src", "sdk/src", "server/cli/src", "server/src", "tests/src", "benches/src"] {
        if root().join(folder).join("lib.rs").is_file() {
            found.push((folder.to_owned(), Crate::read(&root().join(folder), "lib.rs", Scope::Product)));
        }
    }
    for folder in ["tests", "benches/benches"] {
        let entries = std::fs::read_dir(root().join(folder)).expect("the folder is there");
        for name in entries.filter_map(|entry| entry.ok()?.file_name().into_string().ok()) {
            if root().join(folder).join(&name).join("main.rs").is_file() {
                let folder = format!("{folder}/{name}");
                let read = Crate::read(&root().join(&folder), "main.rs", Scope::Product);
                found.push((folder, read));
            }
        }
    }
    found
}

fn assert_none(found: &[String], what: &str) {
    assert!(found.is_empty(), "{what}:\n{}", found.join("\n"));
}

#[test]
fn every_room_of_the_server_stands_on_one_line() {
    let server = server();
    let declared: BTreeSet<&str> = server.files.keys().filter_map(|module| module.first()).map(String::as_str).collect();
    let listed: BTreeSet<&str> = ROOMS.iter().copied().collect();
    assert_eq!(listed.len(), ROOMS.len(), "a room is listed twice");
    assert_eq!(declared, listed, "the modules of server/src/lib.rs and ROOMS");
}

#[test]
fn imports_of_the_server_go_down() {
    let server = server();
    let place = |room: &str| ROOMS.iter().position(|listed| *listed == room);
    let mut wrong = Vec::new();
    for (module, targets) in server.imports() {
        let file = &server.files[module];
        for target in targets.iter().map(|target| &server.files[*target]) {
            if file.room() != target.room() && place(file.room()) > place(target.room()) && place(target.room()).is_some() {
                wrong.push(format!("{} -> {}", file.name(), target.name()));
            }
        }
    }
    wrong.retain(|import| !allowed::UPWARD.contains(&import.as_str()));
    assert_none(&wrong, "these imports go up");
}

#[test]
fn only_serve_imports_a_leaf() {
    let server = server();
    let mut wrong = Vec::new();
    for (module, targets) in server.imports() {
        let file = &server.files[module];
        for target in targets.iter().map(|target| server.files[*target].name()) {
            let is_below = |folder: &str, name: &str| name == folder || name.starts_with(&format!("{folder}/"));
            let leaf = LEAVES.iter().find(|leaf| is_below(leaf, &target) && !is_below(leaf, &file.name()));
            let is_shared_by_backends = file.name().starts_with("store/redis") && target.starts_with("store/embedded");
            if leaf.is_some() && !["bench", "serve", "lib"].contains(&file.room()) && !is_shared_by_backends {
                wrong.push(format!("{} -> {target}", file.name()));
            }
        }
    }
    wrong.retain(|import| !allowed::UPWARD.contains(&import.as_str()));
    assert_none(&wrong, "only serve imports a leaf");
}

#[test]
fn imports_make_no_circle() {
    let mut circles = Vec::new();
    for (folder, read) in crates() {
        circles.extend(read.circles().into_iter().map(|circle| format!("{folder}: {circle}")));
    }
    circles.retain(|circle| !circle.starts_with("tests/") && !is_tolerated(circle));
    assert_none(&circles, "move what both need into a file of its own");
}

/// Whether all members of a circle belong to one that is allowed: a circle may shrink, and not grow.
fn is_tolerated(circle: &str) -> bool {
    let members = |circle: &str| -> BTreeSet<String> {
        circle
            .split(" <-> ")
            .map(|member| member.rsplit(": ").next().unwrap_or(member).to_owned())
            .collect()
    };
    let folder = |circle: &str| circle.split(": ").next().unwrap_or_default().to_owned();
    let is_part = |allowed: &&str| folder(allowed) == folder(circle) && members(circle).is_subset(&members(allowed));
    allowed::CIRCLES.iter().any(is_part)
}

#[test]
fn crates_depend_one_way() {
    let mut wrong = Vec::new();
    for (own, (folder, name)) in CRATES.iter().enumerate() {
        let Ok(manifest) = std::fs::read_to_string(root().join(folder).join("Cargo.toml")) else {
            continue;
        };
        for (_, other) in &CRATES[own..] {
            let depends = |line: &str| line.starts_with(&format!("{other}.")) || line.starts_with(&format!("{other} "));
            if manifest.lines().any(depends) {
                wrong.push(format!("{name} depends on {other}"));
            }
        }
    }
    assert_none(&wrong, "these dependencies go the wrong way");
}

#[test]
fn a_type_name_of_the_server_means_one_thing() {
    let with_tests = Crate::read(&root().join("server/src"), "lib.rs", Scope::WithTests);
    assert_one_meaning(&with_tests, allowed::TYPES);
}

#[test]
fn a_type_name_of_the_command_line_means_one_thing() {
    let cli = Crate::read(&root().join("server/cli/src"), "lib.rs", Scope::Product);
    assert_one_meaning(&cli, allowed::CLI_TYPES);
}

fn assert_one_meaning(read: &Crate, tolerated: &[(&str, &str)]) {
    let mut files: BTreeMap<&str, Vec<String>> = BTreeMap::new();
    for file in read.files.values() {
        for name in &file.types {
            files.entry(name).or_default().push(file.name());
        }
    }
    files.retain(|_, places| places.len() > 1);
    let mut unknown = Vec::new();
    for (name, places) in &files {
        match tolerated.iter().find(|(allowed, _)| allowed == name) {
            Some((_, reason)) => println!("{name}: {} ({reason})", places.join(", ")),
            None => unknown.push(format!("{name}: {}", places.join(", "))),
        }
    }
    assert_none(&unknown, "these type names are defined in several places; give each the name of what it is");
}

#[test]
fn paths_that_documents_name_exist() {
    let mut missing = paths::missing(&root());
    missing.retain(|path| !allowed::PATHS.contains(&path.as_str()));
    assert_none(&missing, "these documents name files that are not there");
}

#[test]
fn every_claim_is_held_by_a_test() {
    assert_none(&claims::unheld(&root()), "what is claimed is tested against its counterexample");
}

/// The first column of the table of rooms.
#[test]
fn the_architecture_names_every_room() {
    let page = source::read(&root().join("server/ARCHITECTURE.md"));
    let rows = page
        .lines()
        .skip_while(|line| !line.starts_with("| room "))
        .skip(2)
        .take_while(|line| line.starts_with('|'));
    let named: BTreeSet<&str> = rows.filter_map(|row| row.split('|').nth(1)).flat_map(paths::in_backticks).collect();
    let listed: BTreeSet<&str> = ROOMS.iter().copied().filter(|room| *room != "bench").collect();
    assert_eq!(named, listed, "the table of rooms in server/ARCHITECTURE.md and ROOMS");
}

#[test]
fn a_file_does_one_thing() {
    let mut long = Vec::new();
    for (folder, read) in crates() {
        let files = read.files.values().filter(|file| file.lines > LINES);
        long.extend(files.map(|file| format!("{folder}: {}: {}", file.name(), file.lines)));
    }
    long.retain(|file| !allowed::LONG.iter().any(|allowed| file.starts_with(allowed)));
    assert_none(&long, "these files have too many lines before their tests");
}

/// What reads or changes the world around a computation.
const IMPURE: [&str; 9] = [
    "fs",
    "TcpStream",
    "UdpSocket",
    "thread",
    "tokio",
    "Instant",
    "SystemTime",
    "Timestamp::now",
    "std::env",
];

#[test]
fn proto_knows_no_io_no_clock_and_no_thread() {
    assert_free_of("proto/src", &[], &IMPURE);
}

#[test]
fn the_engine_knows_no_io_no_clock_and_no_lock() {
    assert_free_of("sdk/src", &["engine"], &IMPURE);
    assert_free_of("sdk/src", &["engine"], &["Mutex", "RwLock"]);
}

fn assert_free_of(folder: &str, below: &[&str], forbidden: &[&str]) {
    let read = Crate::read(&root().join(folder), "lib.rs", Scope::Product);
    let mut found = Vec::new();
    for file in read
        .files
        .values()
        .filter(|file| below.iter().zip(&file.module).filter(|(a, b)| a == b).count() == below.len())
    {
        found.extend(
            forbidden
                .iter()
                .filter(|word| file.has(word))
                .map(|word| format!("{folder}/{}: {word}", file.name())),
        );
    }
    assert_none(&found, "these parts are pure");
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
