//! Promise 3: what was answered with success is there after `kill -9`.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use anyhow::{Context as _, ensure};
use ripcord_tests::{Api, Durability, Outcome, Redis, SOON, Server, Setup, World, eventually, flags, on_both_stores};

/// Commits that are under way when the server is killed.
const COMMITS: u64 = 1_000;
/// How often that is done.
const ROUNDS: u64 = 10;
/// How many callers commit at the same time.
const WRITERS: u64 = 8;

/// Each writer counts its own flag up; what it was last answered must be there afterwards, or the one that was under way.
async fn count_up(admin: Api, writer: u64, from: u64, answered: Arc<Vec<AtomicU64>>) {
    for n in from..from + COMMITS / WRITERS {
        let Ok(answer) = admin.put_flag(&format!("writer-{writer}"), &flags::number(n)).await else {
            return;
        };
        if answer.status >= 300 {
            return;
        }
        answered[usize::try_from(writer).unwrap_or_default()].store(n, Ordering::SeqCst);
    }
}

async fn chain_is_whole(admin: &Api) -> Outcome {
    let report = admin.get_root("/v1/audit/verify").await?.ok()?;
    ensure!(report["whole"] == true, "the chain does not verify: {report}");
    Ok(())
}

async fn every_answered_commit_survives_kill_9_in_the_middle_of_a_thousand_ten_times_over(mut world: World) -> Outcome {
    let admin = world.admin();
    let answered: Arc<Vec<AtomicU64>> = Arc::new((0..WRITERS).map(|_| AtomicU64::new(0)).collect());
    for round in 0..ROUNDS {
        let from = 1 + round * COMMITS;
        let writers: Vec<_> = (0..WRITERS)
            .map(|writer| tokio::spawn(count_up(admin.clone(), writer, from, Arc::clone(&answered))))
            .collect();
        // Somewhere in the middle, elsewhere each time.
        let enough = from + 10 + round * 7;
        eventually(SOON, "commits are under way", || async {
            ensure!(answered[0].load(Ordering::SeqCst) >= enough, "not far enough");
            Ok(())
        })
        .await?;
        world.kill();
        for writer in writers {
            writer.await?;
        }
        world.restart().await.with_context(|| format!("round {round}"))?;
        let snapshot = admin.snapshot().await?;
        for (writer, answered) in answered.iter().enumerate() {
            let there = snapshot["flags"][format!("writer-{writer}")]["variants"]["now"].as_u64().unwrap_or_default();
            let last = answered.load(Ordering::SeqCst);
            ensure!(
                there == last || there == last + 1 || there == from,
                "round {round}: writer {writer} was answered {last}, there is {there}"
            );
            ensure!(there >= last, "round {round}: writer {writer} was answered {last}, there is {there}");
        }
        chain_is_whole(&admin).await?;
    }
    Ok(())
}

async fn a_backup_brings_everything_back_in_a_new_epoch(mut world: World) -> Outcome {
    let admin = world.admin();
    admin.put_flag("kept", &flags::boolean("on")).await?.ok()?;
    let kill = admin.kill_flag("kept").await?;
    let viewer = admin.role("viewer").await?;
    let file = world.scratch().join("backup.ripcord");
    let made = world
        .command()
        .args(["backup"])
        .arg(&file)
        .args(["--server", &world.url(), "--key", admin.key()])
        .output()?;
    ensure!(made.status.success(), "ripcord backup: {}", String::from_utf8_lossy(&made.stderr));
    admin.put_flag("later", &flags::boolean("on")).await?.ok()?;
    let before = admin.snapshot().await?;
    world.stop()?;
    let setup = world.setup().argument("--restore-backup").argument(file.display().to_string());
    let state = newer_data_is_not_overwritten(&mut world, &setup)?;
    let setup = setup.argument("--restore-backup-over").argument(state);
    world.restart_as(setup).await?;
    let after = admin.snapshot().await?;
    ensure!(after["epoch"].as_u64() > before["epoch"].as_u64(), "the epoch stayed {}", after["epoch"]);
    ensure!(after["flags"]["kept"] == before["flags"]["kept"], "{after}");
    ensure!(after["flags"]["later"].is_null(), "what came after the backup is there");
    ensure!(admin.kills().await? == [kill], "the kill is gone");
    viewer.get("flags").await?.ok()?;
    chain_is_whole(&admin).await?;
    // The same command line once more: it is restored once.
    admin.put_flag("since", &flags::boolean("on")).await?.ok()?;
    world.stop()?;
    world.restart().await?;
    let again = admin.snapshot().await?;
    ensure!(
        again["epoch"] == after["epoch"] && again["flags"]["since"].is_object(),
        "it was restored again: {again}"
    );
    Ok(())
}

/// A start that would lose commits is refused, and names the state that it would lose.
fn newer_data_is_not_overwritten(world: &mut World, setup: &Setup) -> anyhow::Result<String> {
    world.refuses_as(setup.clone())?;
    let output = world.output();
    let state = output.rsplit("--restore-backup-over ").next().context("the refusal names no way out")?;
    Ok(state.chars().take_while(char::is_ascii_hexdigit).collect())
}

on_both_stores!(
    every_answered_commit_survives_kill_9_in_the_middle_of_a_thousand_ten_times_over,
    a_backup_brings_everything_back_in_a_new_epoch
);

/// The files of a data directory, largest first.
fn files(directory: &Path) -> anyhow::Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    let mut folders = vec![directory.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder)? {
            let path = entry?.path();
            if path.is_dir() { folders.push(path) } else { found.push(path) }
        }
    }
    found.sort_by_key(|path| std::cmp::Reverse(path.metadata().map(|metadata| metadata.len()).unwrap_or_default()));
    Ok(found)
}

/// A stopped server with two hundred commits in its data directory.
async fn filled() -> anyhow::Result<Server> {
    let mut server = Server::start(Setup::embedded()).await?;
    let admin = server.admin();
    for n in 0..20 {
        let changes: Vec<_> = (0..10).map(|flag| flags::put(&format!("flag-{flag}"), &flags::number(n))).collect();
        admin.commit(&changes).await?.ok()?;
    }
    server.stop()?;
    Ok(server)
}

/// After damage: either a clear refusal, or nothing at all is missing.
async fn refused_or_whole(server: &mut Server, damage: &str) -> anyhow::Result<bool> {
    if server.starts_or_refuses().await.with_context(|| damage.to_owned())? {
        return Ok(true);
    }
    let admin = server.admin();
    ensure!(admin.revision().await? == 20, "{damage}: revisions were lost in silence");
    let snapshot = admin.snapshot().await?;
    for flag in 0..10 {
        ensure!(
            snapshot["flags"][format!("flag-{flag}")]["variants"]["now"] == 19,
            "{damage}: flag-{flag} is not what it was"
        );
    }
    chain_is_whole(&admin).await.with_context(|| damage.to_owned())?;
    server.stop()?;
    Ok(false)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_data_directory_that_was_cut_short_is_refused_and_nothing_is_lost_in_silence() -> Outcome {
    let mut server = filled().await?;
    let file = files(&server.data())?.into_iter().next().context("no file in the data directory")?;
    let whole = std::fs::read(&file)?;
    let mut refusals = 0;
    for percent in [0, 1, 25, 50, 75, 99] {
        std::fs::write(&file, &whole[..whole.len() * percent / 100])?;
        if refused_or_whole(&mut server, &format!("cut to {percent} %")).await? {
            refusals += 1;
        }
        std::fs::write(&file, &whole)?;
    }
    ensure!(refusals >= 4, "of six cut files only {refusals} were refused");
    server.restart().await?;
    ensure!(server.admin().revision().await? == 20, "the whole file does not start any more");
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_data_directory_with_flipped_bytes_is_refused_or_whole() -> Outcome {
    let mut server = filled().await?;
    let file = files(&server.data())?.into_iter().next().context("no file in the data directory")?;
    let whole = std::fs::read(&file)?;
    // In the header, and wherever the words of a commit stand.
    let needle = b"a test";
    let words: Vec<_> = whole
        .windows(needle.len())
        .enumerate()
        .filter(|(_, bytes)| bytes == needle)
        .map(|(at, _)| at)
        .collect();
    ensure!(!words.is_empty(), "no commit's reason stands in the file");
    let places = [8, 40].into_iter().chain(words.iter().step_by(words.len().div_ceil(6)).copied());
    let mut refusals = 0;
    for place in places {
        let mut damaged = whole.clone();
        damaged[place] ^= 0x20;
        std::fs::write(&file, damaged)?;
        if refused_or_whole(&mut server, &format!("a bit flipped at byte {place} of {}", whole.len())).await? {
            refusals += 1;
        }
        std::fs::write(&file, &whole)?;
    }
    ensure!(refusals > 0, "no damage was noticed");
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_servers_never_share_a_data_directory() -> Outcome {
    let server = Server::start(Setup::embedded()).await?;
    let mut second = Server::prepare(Setup::embedded())?;
    std::fs::remove_dir_all(second.data())?;
    std::os::unix::fs::symlink(server.data(), second.data())?;
    second.refuses()?;
    server.admin().put_flag("still", &flags::boolean("on")).await?.ok()?;
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_redis_that_can_lose_acknowledged_data_is_named_at_start_and_in_readyz() -> Outcome {
    for (durability, arguments) in [
        (Durability::Nothing, &[][..]),
        (Durability::Always, &["--maxmemory", "100mb", "--maxmemory-policy", "allkeys-lru"][..]),
    ] {
        let redis = Redis::with(durability, arguments).await?;
        let server = Server::start(Setup::on(&redis)).await?;
        let ready = server.readyz().await?;
        let warnings = ready.body["warnings"].as_array().cloned().unwrap_or_default();
        ensure!(!warnings.is_empty(), "{arguments:?}: {}", ready.body);
        for warning in warnings {
            let warning = warning.as_str().unwrap_or_default();
            ensure!(server.output().contains(warning), "the start does not say {warning:?}:\n{}", server.output());
        }
    }
    let redis = Redis::start().await?;
    let server = Server::start(Setup::on(&redis)).await?;
    let ready = server.readyz().await?;
    ensure!(ready.body["warnings"].as_array().is_none_or(Vec::is_empty), "{}", ready.body);
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn commits_under_way_at_shutdown_are_finished_or_refused_never_half_done() -> Outcome {
    let mut server = Server::start(Setup::embedded()).await?;
    let admin = server.admin();
    let answered: Arc<Vec<AtomicU64>> = Arc::new((0..WRITERS).map(|_| AtomicU64::new(0)).collect());
    let writers: Vec<_> = (0..WRITERS)
        .map(|writer| tokio::spawn(count_up(admin.clone(), writer, 1, Arc::clone(&answered))))
        .collect();
    eventually(SOON, "every writer has been answered", || async {
        ensure!(answered.iter().all(|count| count.load(Ordering::SeqCst) > 0), "{answered:?}");
        Ok(())
    })
    .await?;
    let status = server.stop()?;
    ensure!(status.success(), "a stopped server ends with {status}");
    for writer in writers {
        writer.await?;
    }
    server.restart().await?;
    let snapshot = admin.snapshot().await?;
    for (writer, answered) in answered.iter().enumerate() {
        let there = snapshot["flags"][format!("writer-{writer}")]["variants"]["now"].as_u64().unwrap_or_default();
        ensure!(there >= answered.load(Ordering::SeqCst), "writer {writer}");
    }
    chain_is_whole(&admin).await
}
