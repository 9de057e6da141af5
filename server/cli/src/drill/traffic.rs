//! Evaluation traffic: threads that evaluate flags for simulated users in each application and record the answers.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use parking_lot::Mutex;
use ripcord_proto::Position;
use ripcord_sdk::{Client, Outcome};

use super::expected::{Expected, Side};

/// Largest number of threads.
const THREADS: usize = 3;
/// Shortest pause between two rounds of a thread.
const PAUSE: Duration = Duration::from_millis(2);
/// Pause after a round, as a multiple of the round's duration: traffic must not take the machine from the servers under test.
const REST: u32 = 3;

/// When one application was first seen in each state.
#[derive(Debug, Default)]
pub(super) struct Sight {
    /// It served nothing of the bad release.
    clear: Option<Instant>,
    /// Everything it served was known-good.
    good: Option<Instant>,
    /// Everything it served was bad or forced.
    bad: Option<Instant>,
}

/// Counts of views at one position, by their content.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Views {
    /// All known-good, all bad, or all forced.
    pub(super) whole: u64,
    /// A mix of both states.
    pub(super) torn: u64,
    /// An example of a torn view, for people.
    pub(super) example: Option<String>,
}

/// State shared by all threads.
#[derive(Debug)]
struct TrafficState {
    expected: Arc<Expected>,
    applications: Vec<Client>,
    sights: Vec<Mutex<Sight>>,
    views: Mutex<BTreeMap<Position, Views>>,
    evaluations: AtomicU64,
    bad: AtomicU64,
    ends: AtomicBool,
}

/// Running traffic. Dropping it stops its threads.
#[derive(Debug)]
pub(super) struct Traffic {
    shared: Arc<TrafficState>,
    threads: Vec<JoinHandle<()>>,
}

impl Traffic {
    pub(super) fn start(expected: Arc<Expected>, applications: Vec<Client>) -> std::io::Result<Self> {
        let shared = Arc::new(TrafficState {
            expected,
            sights: applications.iter().map(|_| Mutex::default()).collect(),
            applications,
            views: Mutex::default(),
            evaluations: AtomicU64::new(0),
            bad: AtomicU64::new(0),
            ends: AtomicBool::new(false),
        });
        let count = THREADS.min(shared.applications.len());
        let drive = |thread: usize| {
            let shared = Arc::clone(&shared);
            let builder = std::thread::Builder::new().name(format!("drill-traffic-{thread}"));
            builder.spawn(move || shared.drive(thread, count))
        };
        let threads = (0..count).map(drive).collect::<Result<_, _>>()?;
        Ok(Self { shared, threads })
    }

    /// The number of evaluations, and how many of them returned the bad release's value.
    pub(super) fn counts(&self) -> (u64, u64) {
        let read = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        (read(&self.shared.evaluations), read(&self.shared.bad))
    }

    /// When the last application served everything bad; `None` if some have not.
    pub(super) fn all_bad(&self) -> Option<Instant> {
        self.last(|sight| sight.bad)
    }

    /// When the last application stopped serving anything bad; `None` if some have not.
    pub(super) fn all_clear(&self) -> Option<Instant> {
        self.last(|sight| sight.clear)
    }

    /// When the last application was back at known-good; `None` if some are not.
    pub(super) fn all_good(&self) -> Option<Instant> {
        self.last(|sight| sight.good)
    }

    fn last(&self, when: impl Fn(&Sight) -> Option<Instant>) -> Option<Instant> {
        let each = self.shared.sights.iter().map(|sight| when(&sight.lock()));
        each.collect::<Option<Vec<_>>>()?.into_iter().max()
    }

    pub(super) fn views(&self) -> BTreeMap<Position, Views> {
        self.shared.views.lock().clone()
    }

    pub(super) fn end(&mut self) {
        self.shared.ends.store(true, Ordering::Relaxed);
        for thread in self.threads.drain(..) {
            // A thread that panicked recorded nothing more; what it recorded before still counts.
            let _ = thread.join();
        }
    }
}

impl Drop for Traffic {
    fn drop(&mut self) {
        self.end();
    }
}

/// Evaluates one view for all users.
#[derive(Debug, Default)]
struct Look {
    good: u64,
    bad: u64,
    other: u64,
    forced: u64,
    asked: u64,
    odd: Option<String>,
}

impl TrafficState {
    /// The rounds of one thread over its share of the applications.
    fn drive(&self, thread: usize, threads: usize) {
        while !self.ends.load(Ordering::Relaxed) {
            let began = Instant::now();
            let own = self.applications.iter().zip(&self.sights).skip(thread).step_by(threads);
            for (application, sight) in own {
                self.serve(application, sight);
            }
            std::thread::sleep(PAUSE.max(began.elapsed() * REST));
        }
    }

    /// One request of an application: all users, from one view.
    fn serve(&self, application: &Client, sight: &Mutex<Sight>) {
        let view = application.view();
        let mut look = Look::default();
        for (user, features) in self.expected.watch() {
            let context = user.context();
            for (feature, pair) in features {
                let seen = feature.ask(&view, &context);
                look.asked += 1;
                if seen.is_forced() {
                    look.forced += 1;
                    continue;
                }
                let side = pair.side(&seen.value());
                let outcome = if side == Side::Bad { Outcome::Error } else { Outcome::Success };
                seen.went(application, outcome);
                look.note(side, || format!("{} for {:?}", feature.key, context.targeting_key().unwrap_or_default()));
            }
        }
        self.evaluations.fetch_add(look.asked, Ordering::Relaxed);
        self.bad.fetch_add(look.bad, Ordering::Relaxed);
        sight.lock().update(&look);
        if let Some(position) = view.position() {
            self.views.lock().entry(position).or_default().count(look);
        }
    }
}

impl Look {
    fn note(&mut self, side: Side, what: impl FnOnce() -> String) {
        match side {
            Side::Either => {}
            Side::Good => self.good += 1,
            Side::Bad => {
                self.bad += 1;
                if self.good > 0 && self.odd.is_none() {
                    self.odd = Some(format!("{} was bad while the rest was known-good", what()));
                }
            }
            Side::Other => {
                self.other += 1;
                if self.odd.is_none() {
                    self.odd = Some(format!("{} was neither", what()));
                }
            }
        }
    }

    const fn is_torn(&self) -> bool {
        self.other > 0 || (self.good > 0 && self.bad > 0)
    }
}

impl Sight {
    fn update(&mut self, look: &Look) {
        let since = |before: Option<Instant>, holds: bool| holds.then(|| before.unwrap_or_else(Instant::now));
        self.clear = since(self.clear, look.bad == 0 && look.other == 0);
        self.good = since(self.good, look.bad == 0 && look.other == 0 && look.forced == 0);
        self.bad = since(self.bad, look.bad > 0 && look.good == 0 && look.other == 0);
    }
}

impl Views {
    fn count(&mut self, look: Look) {
        if look.is_torn() {
            self.torn += 1;
            self.example = self.example.take().or(look.odd);
        } else {
            self.whole += 1;
        }
    }
}
