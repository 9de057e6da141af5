//! A kill from its request to the frame of a reader: without anything else, and while the server is flooded with evaluations, slow
//! bodies, scrapes, streams, plans, backups and edits at once; beside a bare fsync in the same folder, which is the store's own commit.
//!
//! `cargo bench -p ripcord-benches --bench flood`. It starts this program again as `ripcord serve` on the embedded store, whose folder
//! lies where `TMPDIR` says. Flood, reader and server share the machine's processors.

use std::io::{Seek as _, Write as _};
use std::time::{Duration, Instant};

use anyhow::ensure;
use ripcord_benches::process::KEY;
use ripcord_benches::subprocess::{ServerProcess, is_role};
use ripcord_benches::table::{Row, print};
use ripcord_tests::Api;
use ripcord_tests::flood::{self, Flood, Load, Watcher};

/// Kills that are timed, after some that are not.
const KILLS: usize = 400;
const WARM: usize = 20;
/// What 99 in 100 kills may take beyond the store's own commit.
const MOST: Duration = Duration::from_millis(50);
/// Bytes of a bare commit: about those of a kill's entry in the log.
const COMMIT_BYTES: usize = 1024;

fn main() -> anyhow::Result<()> {
    if is_role()? {
        return Ok(());
    }
    let server = ServerProcess::start()?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let admin = Api::new(&format!("http://{}", server.address), KEY, "production");
    let (calm, flooded, answered) = runtime.block_on(measure(&admin))?;
    let mut rows = Vec::new();
    rows.extend(calm.rows("without a flood"));
    rows.extend(flooded.rows("in a flood"));
    for load in Load::ALL {
        rows.push(Row::new(format!("{load:?}, sent in the flood"), answered[load as usize].to_string()));
    }
    let place = std::env::temp_dir();
    print(
        &format!("kill from its request to the frame, {KILLS} kills, store in {}", place.display()),
        &rows,
    );
    Ok(())
}

async fn measure(admin: &Api) -> anyhow::Result<(Times, Times, [u64; Load::ALL.len()])> {
    flood::prepare(admin, &["checkout"]).await?;
    let oncall = admin.role("oncall").await?.alone();
    let mut watcher = Watcher::connect(&admin.role("sdk").await?).await?;
    let calm = kills(&oncall, &mut watcher).await?;
    let flood = Flood::start(admin).await?;
    let flooded = kills(&oncall, &mut watcher).await?;
    let answered = Load::ALL.map(|load| flood.sent(load));
    Ok((calm, flooded, answered))
}

/// How long kills took, and bare commits between them.
struct Times {
    kills: Vec<Duration>,
    commits: Vec<Duration>,
}

async fn kills(oncall: &Api, watcher: &mut Watcher) -> anyhow::Result<Times> {
    let mut file = tempfile::tempfile()?;
    let mut times = Times {
        kills: Vec::with_capacity(KILLS),
        commits: Vec::with_capacity(KILLS),
    };
    for round in 0..WARM + KILLS {
        let (id, effect) = watcher.kill(oncall, "checkout").await?;
        watcher.restore(oncall, "checkout", &id).await?;
        let began = Instant::now();
        file.rewind()?;
        file.write_all(&[b'x'; COMMIT_BYTES])?;
        file.sync_data()?;
        if round >= WARM {
            times.kills.push(effect.in_force);
            times.commits.push(began.elapsed());
        }
    }
    times.kills.sort_unstable();
    times.commits.sort_unstable();
    ensure!(times.kills.len() == KILLS, "not every kill was timed");
    Ok(times)
}

impl Times {
    fn rows(&self, when: &str) -> [Row; 4] {
        let beyond = at(&self.kills, 990).saturating_sub(at(&self.commits, 990));
        [
            Row::new(format!("p50 {when}"), millis(at(&self.kills, 500))),
            Row::new(format!("p99 {when}"), millis(at(&self.kills, 990))),
            Row::new(format!("the store's own commit {when}, p99"), millis(at(&self.commits, 990))),
            Row::new(format!("p99 beyond it {when}, against {}", millis(MOST)), millis(beyond)).ratio(beyond.as_secs_f64() / MOST.as_secs_f64(), 1.0),
        ]
    }
}

fn at(times: &[Duration], per_mille: usize) -> Duration {
    times.get(times.len() * per_mille / 1_000).copied().unwrap_or_default()
}

fn millis(time: Duration) -> String {
    format!("{:.2} ms", time.as_secs_f64() * 1_000.0)
}
