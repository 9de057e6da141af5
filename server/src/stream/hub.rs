//! The hub of a worker thread: it owns the thread's streams and writes every frame itself, in one loop over the sockets that never
//! waits for any of them.
//!
//! Commits, revocations and the shutdown reach a hub through its [`Mailbox`], the only part that other threads touch.

use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, HashSet};
use std::rc::{Rc, Weak};
use std::sync::Arc;
use std::time::Instant;

use ripcord_proto::EnvironmentKey;
use ripcord_proto::frame::Heartbeat;

use super::admission::{AdmissionQueue, Precedence};
use super::connection::{Connection, Disconnect, NewConnection, Outlet};
use super::feed::Feed;
use super::mailbox::{HubMessage, Mailbox};
use super::shared::StreamState;
use crate::clock::{Clock as _, SystemClock};
use crate::snapshot::frames::Frame;

/// The streams of one worker thread.
pub(super) struct Hub {
    pub(super) shared: Arc<StreamState>,
    /// Read buffer, shared by all connections of the thread.
    pub(super) scratch: RefCell<Box<[u8]>>,
    mailbox: Arc<Mailbox>,
    lists: RefCell<BTreeMap<EnvironmentKey, Vec<Rc<Connection>>>>,
    admission: RefCell<AdmissionQueue<Weak<Connection>>>,
    /// Revoked keys: a connection that was authorised before and arrives afterwards is closed too.
    revoked: RefCell<HashSet<Arc<str>>>,
    opened: Cell<u32>,
    round: Cell<u32>,
}

/// The heartbeats of one interval are spread over this many rounds.
const ROUNDS: u32 = 60;
/// Connections written to before other tasks of the thread run.
const STRIDE: usize = 2_048;

impl Hub {
    pub(super) fn new(shared: Arc<StreamState>, mailbox: Arc<Mailbox>) -> Rc<Self> {
        let workers = u32::try_from(shared.settings.workers.max(1)).unwrap_or(u32::MAX);
        let rate = shared.settings.admissions_per_second / f64::from(workers);
        Rc::new(Self {
            shared,
            scratch: RefCell::new(vec![0; 16 * 1024].into_boxed_slice()),
            mailbox,
            lists: RefCell::default(),
            admission: RefCell::new(AdmissionQueue::new(rate.max(1.0), Instant::now())),
            revoked: RefCell::default(),
            opened: Cell::new(0),
            round: Cell::new(0),
        })
    }

    /// Runs until its thread ends.
    pub(super) async fn run(self: Rc<Self>) {
        let mut rounds = tokio::time::interval(self.shared.settings.heartbeat / ROUNDS);
        rounds.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            let admission = self.admission_delay();
            // Fair among whatever is ready: a flood of commits delays neither heartbeats nor waiting clients.
            tokio::select! {
                () = self.mailbox.arrived.notified() => self.handle_messages().await,
                () = async { tokio::time::sleep(admission.unwrap_or_default()).await }, if admission.is_some() => self.admit(),
                _ = rounds.tick() => self.beat(),
            }
        }
    }

    /// Opens a connection. Call [`Self::recheck`] afterwards.
    pub(super) fn open(&self, mut opening: NewConnection) -> Rc<Connection> {
        let opened = self.opened.get();
        self.opened.set(opened.wrapping_add(1));
        opening.phase = opened % ROUNDS;
        let connection = Rc::new(Connection::new(opening, Instant::now()));
        let mut lists = self.lists.borrow_mut();
        let list = lists.entry(connection.feed.environment.clone()).or_default();
        connection.place.set(list.len());
        list.push(Rc::clone(&connection));
        drop(lists);
        connection
    }

    /// Closes a connection that is no longer allowed: its key was revoked, its environment deleted, or the server began to shut down
    /// while it was being opened.
    pub(super) fn recheck(&self, connection: &Connection) {
        if self.revoked.borrow().contains(&connection.key_id) {
            connection.end(&self.shared.goodbyes.revoked);
        } else if self.shared.feeds.of(connection.feed.environment.as_str()).is_none() {
            connection.end(&self.shared.goodbyes.removed);
        } else if let Some(goodbye) = self.shared.closing.get() {
            connection.end(goodbye);
        }
    }

    /// Removes a connection that has ended.
    pub(super) fn close(&self, connection: &Connection, end: Disconnect) {
        connection.ended(end);
        let mut lists = self.lists.borrow_mut();
        let Some(list) = lists.get_mut(connection.feed.environment.as_str()) else {
            return;
        };
        let place = connection.place.replace(usize::MAX);
        if place < list.len() {
            list.swap_remove(place);
            if let Some(moved) = list.get(place) {
                moved.place.set(place);
            }
        }
        if list.is_empty() {
            lists.remove(connection.feed.environment.as_str());
        }
    }

    /// Queues a connection for its first payload.
    pub(super) fn queue(&self, connection: &Rc<Connection>, precedence: Precedence) {
        self.admission.borrow_mut().push(Rc::downgrade(connection), precedence);
        self.shared.waits(1);
        self.mailbox.arrived.notify_one();
    }

    /// A heartbeat of an environment as it is now.
    pub(super) fn heartbeat(&self, connection: &Connection) -> Option<Frame> {
        let position = connection.feed.head().position();
        Frame::heartbeat(&Heartbeat {
            epoch: position.epoch,
            revision: position.revision,
            time: SystemClock.now(),
            fresh: *self.shared.fresh.borrow(),
        })
    }

    async fn handle_messages(&self) {
        for message in self.mailbox.take() {
            match message {
                HubMessage::Published(environment) => self.fan_out(&environment).await,
                HubMessage::Removed(environment, goodbye) => self.end_where(&goodbye, |connection| connection.feed.environment == environment),
                HubMessage::Revoked(key_id, goodbye) => {
                    self.revoked.borrow_mut().insert(Arc::clone(&key_id));
                    self.end_where(&goodbye, |connection| connection.key_id == key_id);
                }
                HubMessage::Close(goodbye) => self.end_where(&goodbye, |_| true),
            }
        }
    }

    /// Writes what is new to every reader of an environment, from the last to the first: if one ends in between, its place in the list
    /// is taken by the last, which was written to already, so no reader is skipped.
    async fn fan_out(&self, environment: &EnvironmentKey) {
        let mut left = usize::MAX;
        while left > 0 {
            {
                let lists = self.lists.borrow();
                let list = lists.get(environment.as_str()).map(Vec::as_slice).unwrap_or_default();
                left = left.min(list.len());
                let stop = left.saturating_sub(STRIDE);
                for connection in list.get(stop..left).unwrap_or_default().iter().rev() {
                    connection.push();
                }
                left = stop;
            }
            if left > 0 {
                tokio::task::yield_now().await;
            }
        }
        let urgent = self.shared.feeds.of(environment.as_str()).is_some_and(|feed| {
            let head = feed.head();
            head.served.urgent == head.position()
        });
        if urgent {
            self.promote();
        }
    }

    /// Moves waiting clients to the urgent queue if they lack an urgent revision.
    fn promote(&self) {
        self.admission.borrow_mut().promote(|waiting| {
            waiting
                .upgrade()
                .is_some_and(|connection| connection.session.borrow().precedence(&connection.feed.head()) == Precedence::Urgent)
        });
    }

    fn end_where(&self, goodbye: &Frame, matches: impl Fn(&Connection) -> bool) {
        for connection in self.lists.borrow().values().flatten() {
            if matches(connection) {
                connection.end(goodbye);
            }
        }
    }

    fn admission_delay(&self) -> Option<std::time::Duration> {
        let mut admission = self.admission.borrow_mut();
        if admission.is_empty() { None } else { Some(admission.delay(Instant::now())) }
    }

    fn admit(&self) {
        let now = Instant::now();
        loop {
            let next = self.admission.borrow_mut().next(now);
            let Some(waiting) = next else {
                return;
            };
            self.shared.waits(-1);
            let Some(connection) = waiting.upgrade() else {
                continue;
            };
            let payload = {
                let mut session = connection.session.borrow_mut();
                session.admit();
                connection.feed.head().frame_from(session.position()).map_or(0, |frame| frame.websocket().len())
            };
            self.admission.borrow_mut().pay(payload);
            connection.push();
        }
    }

    /// Number of rounds within which each connection of a feed gets one heartbeat: all, or few enough for three heartbeats within the
    /// shortest lease. A divisor of [`ROUNDS`], so that the phases stay aligned.
    fn rounds_of(&self, feed: &Feed) -> u32 {
        const DIVISORS: [u32; 12] = [60, 30, 20, 15, 12, 10, 6, 5, 4, 3, 2, 1];
        let Some(lease) = feed.shortest_lease() else { return ROUNDS };
        let round = self.shared.settings.heartbeat / ROUNDS;
        DIVISORS.into_iter().find(|rounds| round * *rounds <= lease / 3).unwrap_or(1)
    }

    /// One round: a sixtieth of the connections get their heartbeat (more if a lease is short), and connections past a timeout are
    /// closed.
    fn beat(&self) {
        let round = self.round.get();
        self.round.set((round + 1) % ROUNDS);
        let now = Instant::now();
        let timeouts = self.shared.settings.timeouts();
        let is_fresh = *self.shared.fresh.borrow();
        for list in self.lists.borrow().values() {
            let heartbeat = list.first().and_then(|connection| self.heartbeat(connection));
            let rounds = list.first().map_or(ROUNDS, |connection| self.rounds_of(&connection.feed));
            for connection in list {
                connection.check(&timeouts, now);
                // A node that may be behind itself cannot tell.
                if is_fresh && connection.supersede_if_ahead(now) {
                    connection.push();
                }
                if connection.phase % rounds == round % rounds
                    && let Some(heartbeat) = &heartbeat
                {
                    connection.session.borrow_mut().beat(heartbeat.clone());
                    if let Outlet::WebSocket(socket) = connection.outlet()
                        && now.saturating_duration_since(connection.heard.get()) > self.shared.settings.heartbeat / 2
                    {
                        socket.borrow_mut().ping();
                    }
                    connection.push();
                }
            }
        }
        self.shared.fleet.expire(now);
    }
}
