//! The fuzzers' targets everywhere, for a moment: arbitrary bytes, and the fuzzers' seeds with small damage.

use std::path::{Path, PathBuf};

use proptest::prelude::*;
use proptest::test_runner::TestRunner;

use super::*;

fn seeds(name: &str) -> Vec<Vec<u8>> {
    let folder: PathBuf = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/fuzz/seeds").join(name);
    let files = std::fs::read_dir(&folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
    let seeds: Vec<_> = files.map(|file| std::fs::read(file.unwrap().path()).unwrap()).collect();
    assert!(!seeds.is_empty(), "{name} has no seed");
    seeds
}

/// A change of some bytes at a place: cut out, put in, or written over.
fn damaged(seed: &[u8], place: usize, cut: usize, with: &[u8]) -> Vec<u8> {
    let start = place.min(seed.len());
    let end = (start + cut).min(seed.len());
    [&seed[..start], with, &seed[end..]].concat()
}

fn never_panics(name: &str) {
    let (_, target) = TARGETS.into_iter().find(|(own, _)| *own == name).unwrap();
    let seeds = seeds(name);
    for seed in &seeds {
        target(seed);
    }
    let longest = seeds.iter().map(Vec::len).max().unwrap_or_default();
    let mut runner = TestRunner::new(ProptestConfig {
        failure_persistence: None,
        ..ProptestConfig::with_cases(192)
    });
    let bytes = proptest::collection::vec(any::<u8>(), 0..200);
    let fed = |bytes: &[u8]| {
        target(bytes);
        Ok(())
    };
    runner.run(&bytes, |bytes| fed(&bytes)).unwrap();
    let with = proptest::collection::vec(prop_oneof![any::<u8>(), prop::sample::select(b"{}[]\",:0 -\n".to_vec())], 0..6);
    let damage = (prop::sample::select(seeds), 0..=longest, 0..12_usize, with);
    runner.run(&damage, |(seed, place, cut, with)| fed(&damaged(&seed, place, cut, &with))).unwrap();
}

macro_rules! never_panic {
    ($($name:ident),+ $(,)?) => {$(
        #[test]
        fn $name() {
            never_panics(stringify!($name));
        }
    )+};
}

never_panic!(
    server_frame,
    client_frame,
    hello,
    acknowledgement,
    websocket,
    flags_file,
    jsonlogic,
    ofrep_body,
    kill_journal,
    mirror,
    backup,
);

/// A seed is what is really read and written, or it leads nowhere.
#[test]
fn the_seeds_are_valid() {
    for seed in seeds("server_frame") {
        assert!(ServerFrame::parse(text(&seed)).is_ok(), "{}", text(&seed));
    }
    for seed in seeds("client_frame") {
        assert!(serde_json::from_slice::<ClientFrame>(&seed).is_ok(), "{}", text(&seed));
    }
    for seed in seeds("hello") {
        assert!(stream::hello_of_query(text(&seed)).is_some(), "{}", text(&seed));
    }
    for seed in seeds("acknowledgement") {
        assert!(stream::is_acknowledgement(&seed), "{}", text(&seed));
    }
    for seed in seeds("flags_file") {
        assert!(flagd::parse_either(text(&seed)).is_ok(), "{}", text(&seed));
    }
    for seed in seeds("ofrep_body") {
        assert!(ofrep::is_context(&seed), "{}", text(&seed));
    }
    for seed in seeds("kill_journal") {
        assert!(journal::pending_after(journal::line_of(text(&seed)).as_bytes()).is_ok(), "{}", text(&seed));
    }
    for seed in seeds("mirror") {
        assert!(StoredState::from_json(text(&seed)).is_ok(), "{}", text(&seed));
    }
    let mut messages = seeds("websocket").into_iter().map(|seed| stream::count_messages(&seed, 1));
    assert!(messages.all(|messages| messages.is_some_and(|messages| messages > 0)));
}

/// Every function has a fuzz target that calls it.
#[test]
fn every_reader_is_fuzzed() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/fuzz/fuzz_targets");
    for (name, _) in TARGETS {
        let source = std::fs::read_to_string(folder.join(format!("{name}.rs"))).unwrap_or_default();
        assert!(source.contains(&format!("untrusted::{name}(")), "tests/fuzz/fuzz_targets/{name}.rs");
    }
}
