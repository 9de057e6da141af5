//! Evaluation traffic: threads that ask the applications for their users, as requests would, and note what they see.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use parking_lot::Mutex;
use ripcord_proto::Position;
use ripcord_sdk::{Client, Outcome};

use super::expected::{Expected, Side};

/// Threads, at most.
const THREADS: usize = 3;
/// Between two rounds of a thread, at least.
const PAUSE: Duration = Duration::from_millis(2);
/// How much longer a thread rests than a round took, so that traffic leaves the machine to what it is driven against.
const REST: u32 = 3;

/// What is seen of one application, each since when.
#[derive(Debug, Default)]
pub(super) struct Sight {
    /// It has served nothing of the bad release.
    clear: Option<Instant>,
    /// All that it served was known-good.
    good: Option<Instant>,
    /// All that it served was bad or forced.
    bad: Option<Instant>,
}

/// Views by what they held, at one position.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Views {
    /// All known-good, all bad, or all of them forced.
    pub(super) whole: u64,
    /// Some of both.
    pub(super) torn: u64,
    /// What a torn one held, in words.
    pub(super) example: Option<String>,
}

/// What all threads share.
#[derive(Debug)]
struct Shared {
    expected: Arc<Expected>,
    applications: Vec<Client>,
    sights: Vec<Mutex<Sight>>,
    views: Mutex<BTreeMap<Position, Views>>,
    evaluations: AtomicU64,
    bad: AtomicU64,
    ends: AtomicBool,
}

/// Traffic that is being driven. Dropping it ends its threads.
#[derive(Debug)]
pub(super) struct Traffic {
    shared: Arc<Shared>,
    threads: Vec<JoinHandle<()>>,
}

impl Traffic {
    pub(super) fn start(expected: Arc<Expected>, applications: Vec<Client>) -> std::io::Result<Self> {
        let shared = Arc::new(Shared {
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

    /// How many evaluations there were, and how many of them served what the bad release serves.
    pub(super) fn counts(&self) -> (u64, u64) {
        let read = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        (read(&self.shared.evaluations), read(&self.shared.bad))
    }

    /// When the last application had all that is bad, where all have.
    pub(super) fn all_bad(&self) -> Option<Instant> {
        self.last(|sight| sight.bad)
    }

    /// When the last application had ceased to serve anything bad, where all have.
    pub(super) fn all_clear(&self) -> Option<Instant> {
        self.last(|sight| sight.clear)
    }

    /// When the last application was back at known-good, where all are.
    pub(super) fn all_good(&self) -> Option<Instant> {
        self.last(|sight| sight.good)
    }

    fn last(&self, when: impl Fn(&Sight) -> Option<Instant>) -> Option<Instant> {
        let each = self.shared.sights.iter().map(|sight| when(&sight.lock()));
        each.collect::<Option<Vec<_>>>()?.into_iter().max()
    }

    /// The views by position.
    pub(super) fn views(&self) -> BTreeMap<Position, Views> {
        self.shared.views.lock().clone()
    }

    pub(super) fn end(&mut self) {
        self.shared.ends.store(true, Ordering::Relaxed);
        for thread in self.threads.drain(..) {
            // One that panicked has seen nothing more; what it had seen is judged all the same.
            let _ = thread.join();
        }
    }
}

impl Drop for Traffic {
    fn drop(&mut self) {
        self.end();
    }
}

/// What one view held for all users.
#[derive(Debug, Default)]
struct Look {
    good: u64,
    bad: u64,
    other: u64,
    forced: u64,
    asked: u64,
    odd: Option<String>,
}

impl Shared {
    /// One thread's rounds over its share of the applications.
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

    /// One request of an application: all users, all out of one view.
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
