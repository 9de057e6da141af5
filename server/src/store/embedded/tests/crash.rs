//! `kill -9` in the middle of commits: whatever was acknowledged is there afterwards.

use std::io::{BufRead as _, BufReader, Write as _};
use std::process::{Command, Stdio};

use ripcord_proto::Sequence;

use super::open;
use crate::store::contract::{Writer, log};
use crate::store::{LogName, Store};

const DIRECTORY: &str = "RIPCORD_TEST_CRASH_DIRECTORY";
const ROUNDS: usize = 10;

/// The child: commits to three logs at once and prints what was acknowledged, until it is killed.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "run as a child process by the test below"]
async fn commits_until_it_is_killed() {
    let Some(directory) = std::env::var_os(DIRECTORY) else { return };
    let store = open(directory.as_ref()).unwrap();
    let commit = async |name: &str| {
        let log = log(name);
        let head = store.load(&log).await.unwrap().head;
        let mut writer = Writer::at(&log, head);
        for _ in 0..100_000 {
            store.append(writer.append(1)).await.unwrap();
            let line = format!("acknowledged {name} {}\n", writer.head.sequence);
            std::io::stdout().lock().write_all(line.as_bytes()).unwrap();
        }
    };
    tokio::join!(commit("production"), commit("staging"), commit("system"));
}

#[tokio::test]
async fn every_acknowledged_commit_survives_kill_9() {
    let directory = tempfile::tempdir().unwrap();
    let mut acknowledged = std::collections::BTreeMap::<LogName, u64>::new();
    for round in 0..ROUNDS {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args([
                "store::embedded::tests::crash::commits_until_it_is_killed",
                "--exact",
                "--ignored",
                "--nocapture",
            ])
            .env(DIRECTORY, directory.path())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines().map_while(Result::ok);
        // What was printed before the kill and is still in the pipe counts as well.
        for line in lines.by_ref().take(40 + 17 * round) {
            note(&mut acknowledged, &line);
        }
        child.kill().unwrap();
        lines.for_each(|line| note(&mut acknowledged, &line));
        child.wait().unwrap();

        let store = open(directory.path()).unwrap();
        for (log, sequence) in &acknowledged {
            let entries = store.read(log, Sequence(0), usize::MAX).await.unwrap();
            assert!(entries.len() as u64 >= *sequence, "round {round}: {log} lost {sequence}");
        }
        store.close().await.unwrap();
    }
    assert_eq!(acknowledged.len(), 3);
}

fn note(acknowledged: &mut std::collections::BTreeMap<LogName, u64>, line: &str) {
    // The test harness of the child may print on the same line.
    let Some((_, entry)) = line.split_once("acknowledged ") else { return };
    let (name, sequence) = entry.split_once(' ').unwrap();
    if let Ok(sequence) = sequence.parse() {
        acknowledged.insert(log(name), sequence);
    }
}
