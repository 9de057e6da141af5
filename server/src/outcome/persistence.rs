//! The window on disk, so that the reports of the last hour survive a restart of this node.
//!
//! Every slot is appended as a line once it is over, the open one when the server stops; a crash loses five seconds. If a slot has two
//! lines, the server was restarted within it, and the later line is complete. There is one file per hour, deleted once the window
//! has passed it.

use std::collections::{BTreeMap, HashMap};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use ripcord_proto::outcome::Traffic;
use ripcord_proto::{EnvironmentKey, FlagKey, VariantName};

use super::counts::Counts;
use super::registry::{EnvironmentOutcomes, Outcomes};
use super::window::{SLOT, Window};
use crate::clock::Clock;
use crate::tasks::TaskSet;

/// A slot as it is written.
#[derive(Debug, serde::Serialize, serde::Deserialize)]
struct SlotLine {
    slot: i64,
    counts: Vec<SeriesCounts>,
}

#[derive(Debug, serde::Serialize, serde::Deserialize)]
struct SeriesCounts {
    env: EnvironmentKey,
    flag: FlagKey,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    variant: Option<VariantName>,
    #[serde(default)]
    traffic: Traffic,
    // Not flattened: serde reads no numbers as keys from within a flattened member.
    counts: Counts,
}

/// The folder of the window.
#[derive(Debug)]
struct WindowFolder {
    path: PathBuf,
    /// The newest slot that was written.
    written: i64,
    /// Whether nothing was appended yet: the process before may have ended within a line.
    fresh: bool,
}

/// Restores the last hour from `folder` and keeps writing to it until the server stops.
pub fn keep(outcomes: &Outcomes, folder: PathBuf, clock: Arc<dyn Clock>, tasks: &TaskSet) {
    let mut folder = WindowFolder {
        path: folder,
        written: i64::MIN,
        fresh: true,
    };
    folder.restore(outcomes, clock.now());
    let (outcomes, stop) = (outcomes.clone(), tasks.stop_token());
    tasks.long_lived("outcome-window", async move {
        let mut failed = false;
        loop {
            let ends = tokio::select! {
                () = stop.cancelled() => true,
                () = tokio::time::sleep(Duration::from_secs(SLOT.unsigned_abs())) => false,
            };
            let until = if ends {
                clock.now() + jiff::SignedDuration::from_secs(SLOT)
            } else {
                clock.now()
            };
            let lines = outcomes.over(folder.written, until);
            let written = crate::tasks::blocking(move || {
                let written = folder.write(&lines);
                (folder, written)
            });
            let Ok((kept, written)) = written.await else { return };
            folder = kept;
            match written {
                Err(error) if !std::mem::replace(&mut failed, true) => {
                    tracing::warn!(%error, "outcomes cannot be saved; a restart would lose the last hour");
                }
                Err(_) => {}
                Ok(()) => failed = false,
            }
            if ends {
                return;
            }
        }
    });
}

impl WindowFolder {
    fn write(&mut self, lines: &[SlotLine]) -> io::Result<()> {
        let Some(last) = lines.last() else { return Ok(()) };
        std::fs::create_dir_all(&self.path)?;
        let mut text = String::new();
        if std::mem::take(&mut self.fresh) {
            text.push('\n');
        }
        for line in lines {
            text += &serde_json::to_string(line)?;
            text.push('\n');
        }
        let file = self.path.join(format!("{}.jsonl", hour(last.slot)));
        std::fs::OpenOptions::new().create(true).append(true).open(file)?.write_all(text.as_bytes())?;
        self.written = last.slot;
        for (old, path) in files(&self.path)? {
            if old < hour(last.slot) - 1 {
                std::fs::remove_file(path)?;
            }
        }
        Ok(())
    }

    fn restore(&mut self, outcomes: &Outcomes, now: Timestamp) {
        let lines = match read(&self.path) {
            Ok(lines) => lines,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return,
            Err(error) => {
                tracing::warn!(%error, "cannot read the outcomes saved before this start");
                return;
            }
        };
        let open = Window::open(now);
        let within = lines.into_iter().filter(|(slot, _)| (open - Window::reach()..=open).contains(slot));
        for (slot, line) in within {
            outcomes.restore(&line);
            // The open slot is written again, with what is added to it.
            self.written = self.written.max(slot.min(open - 1));
        }
    }
}

/// The lines of all files, by slot, the later one of two.
fn read(folder: &Path) -> io::Result<BTreeMap<i64, SlotLine>> {
    let mut lines = BTreeMap::new();
    for path in files(folder)?.into_values() {
        let text = std::fs::read(&path)?;
        let (whole, torn): (Vec<_>, Vec<_>) = text
            .split(|byte| *byte == b'\n')
            .filter(|line| !line.is_empty())
            .map(serde_json::from_slice::<SlotLine>)
            .partition(Result::is_ok);
        // A crash cuts off one line at most; more than one means damage.
        if torn.len() > 1 {
            tracing::warn!(file = %path.display(), lines = torn.len(), "saved outcomes: unreadable lines were skipped");
        }
        lines.extend(whole.into_iter().flatten().map(|line| (line.slot, line)));
    }
    Ok(lines)
}

/// The files by their hours.
fn files(folder: &Path) -> io::Result<BTreeMap<i64, PathBuf>> {
    let mut files = BTreeMap::new();
    for entry in std::fs::read_dir(folder)? {
        let path = entry?.path();
        let named = path.file_stem().and_then(|name| name.to_str()).and_then(|name| name.parse().ok());
        if let Some(hour) = named {
            files.insert(hour, path);
        }
    }
    Ok(files)
}

const fn hour(slot: i64) -> i64 {
    slot.div_euclid(3_600 / SLOT)
}

impl Outcomes {
    /// The slots after `after` that are over, of all environments.
    fn over(&self, after: i64, now: Timestamp) -> Vec<SlotLine> {
        let mut lines: BTreeMap<i64, Vec<SeriesCounts>> = BTreeMap::new();
        for entry in &self.state.environments {
            let (env, own) = entry.pair();
            let names: HashMap<_, _> = own.counters.ids().map(|(series, id)| (id, series)).collect();
            for (slot, counts) in own.window.over(after, now) {
                let kept = counts.iter().filter_map(|(id, counts)| {
                    let (flag, variant, traffic) = *names.get(id)?;
                    Some(SeriesCounts {
                        env: env.clone(),
                        flag: flag.clone(),
                        variant: variant.clone(),
                        traffic: *traffic,
                        counts: counts.clone(),
                    })
                });
                lines.entry(slot).or_default().extend(kept);
            }
        }
        lines.into_iter().map(|(slot, counts)| SlotLine { slot, counts }).collect()
    }

    /// Counts what was counted before a restart. It was shown as metrics then.
    fn restore(&self, line: &SlotLine) {
        for SeriesCounts {
            env,
            flag,
            variant,
            traffic,
            counts,
        } in &line.counts
        {
            let mut entry = self.state.environments.entry(env.clone()).or_default();
            let EnvironmentOutcomes { counters, window } = &mut *entry;
            let id = counters.put((flag.clone(), variant.clone(), *traffic), counts);
            window.add_to(line.slot, id, counts);
        }
        if let Some(begin) = Window::begin_of(line.slot) {
            self.state.first_report.get_or_init(|| begin);
        }
    }
}

#[cfg(test)]
mod tests {
    use ripcord_proto::gate::OutcomeMeasure;
    use ripcord_proto::outcome::OutcomeBatch;
    use ripcord_proto::table::{Entity as _, Entry};
    use ripcord_proto::{Flag, Position, Snapshot};

    use super::super::series::SeriesQuery;
    use super::*;

    fn production() -> EnvironmentKey {
        EnvironmentKey::new("production").unwrap()
    }

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(1_790_000_000 + second).unwrap()
    }

    fn report(outcomes: &Outcomes, number: u64, second: i64) {
        let flag = Flag::parse(r#"{"variants": {"on": true, "off": false}, "default": "off", "safe": "off"}"#).unwrap();
        let mut snapshot = Snapshot::empty(production());
        snapshot
            .flags
            .insert(Arc::new(Entry::new(FlagKey::new("checkout").unwrap(), flag, Position::new(1, 1)).unwrap()));
        let batch = serde_json::json!({"instance_id": "a", "batch": number, "counts": [
            {"flag": "checkout", "variant": "on", "evaluations": 10, "errors": 1, "latencies_us": [[500_000, 2]]}]});
        let batch: OutcomeBatch = serde_json::from_value(batch).unwrap();
        outcomes.count(&production(), "key", &batch, &snapshot, at(second));
    }

    /// How often it was served in all, and before a moment.
    fn served(outcomes: &Outcomes, since: i64) -> (u64, u64) {
        let series = SeriesQuery {
            flag: FlagKey::new("checkout").unwrap(),
            variant: VariantName::new("on").unwrap(),
            what: OutcomeMeasure::Error,
            since: at(since),
        };
        let (sums, before) = outcomes.sums(&production(), &[series]);
        (sums[0].real.served, before[0].real.served)
    }

    fn folder(path: &Path) -> WindowFolder {
        WindowFolder {
            path: path.to_owned(),
            written: i64::MIN,
            fresh: true,
        }
    }

    #[test]
    fn a_node_that_starts_again_knows_what_was_reported_before_and_when() {
        let directory = tempfile::tempdir().unwrap();
        let (outcomes, mut kept) = (Outcomes::new(at(0)), folder(directory.path()));
        for number in 0..4 {
            report(&outcomes, number + 1, i64::try_from(number).unwrap() * 10);
        }
        kept.write(&outcomes.over(kept.written, at(30))).unwrap();
        assert_eq!(served(&outcomes, 0), (40, 10));

        // A crash within a line.
        let file = files(directory.path()).unwrap().into_values().next().unwrap();
        std::fs::OpenOptions::new().append(true).open(file).unwrap().write_all(b"{\"slot\":").unwrap();
        let (again, mut kept) = (Outcomes::new(at(31)), folder(directory.path()));
        kept.restore(&again, at(31));
        assert_eq!(served(&again, 10), (30, 20), "the slot that was open is lost");

        // The slot that is open at the end is written, and once more after it was added to.
        report(&again, 5, 31);
        kept.write(&again.over(kept.written, at(36))).unwrap();
        let (third, mut kept) = (Outcomes::new(at(32)), folder(directory.path()));
        kept.restore(&third, at(32));
        report(&third, 6, 32);
        kept.write(&third.over(kept.written, at(36))).unwrap();
        let fourth = Outcomes::new(at(36));
        folder(directory.path()).restore(&fourth, at(36));
        assert_eq!(served(&fourth, 0), (50, 10));
        assert_eq!(served(&fourth, 29), (50, 30));
    }

    #[test]
    fn what_the_window_has_left_behind_is_deleted_and_not_taken_back() {
        let directory = tempfile::tempdir().unwrap();
        let (outcomes, mut kept) = (Outcomes::new(at(0)), folder(directory.path()));
        for hour in 0..4_u8 {
            report(&outcomes, u64::from(hour) + 1, i64::from(hour) * 3_600);
            let lines = outcomes.over(kept.written, at(i64::from(hour) * 3_600 + 5));
            kept.write(&lines).unwrap();
        }
        assert_eq!(files(directory.path()).unwrap().len(), 2);
        let again = Outcomes::new(at(4 * 3_600));
        folder(directory.path()).restore(&again, at(4 * 3_600 - 10));
        assert_eq!(served(&again, 0).0, 10);
        folder(&directory.path().join("nothing")).restore(&again, at(0));
    }
}
