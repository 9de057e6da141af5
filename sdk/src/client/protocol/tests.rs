//! The protocol in many orders of events. No test waits: the tests set the time.

mod kills;
mod laws;
mod leases;
mod ordering;
mod resync;
#[allow(missing_docs, unreachable_pub, reason = "shared with the tests over real sockets")]
#[path = "../../../tests/client/world.rs"]
pub(in crate::client) mod world;

use std::time::{Duration, Instant};

use ripcord_proto::delta::Urgency;
use ripcord_proto::frame::{Ack, ClientFrame, Goodbye, Hello, Overlay};
use ripcord_proto::{EnvironmentKey, KillId, Position};

use super::*;
use crate::client::status::{ConnectionError, State};
use crate::client::time_point::TimePoint;
use world::World;

/// The protocol of one client, and the effects that it asked for.
struct Harness {
    protocol: Protocol,
    now: TimePoint,
    done: Vec<Effect>,
}

impl Harness {
    /// A new client.
    fn new() -> Self {
        Self::seeded(7)
    }

    fn seeded(seed: u64) -> Self {
        let now = TimePoint {
            instant: Instant::now(),
            wall: "2026-03-01T12:00:00Z".parse().unwrap(),
        };
        let config = Config {
            environment: EnvironmentKey::new("production").ok(),
            instance: "checkout-1".to_owned(),
            instance_id: "1".to_owned(),
            acknowledges: true,
            silence_timeout: Duration::from_secs(45),
            heartbeat: Duration::from_secs(15),
            reconcile: Some(Duration::from_mins(1)),
        };
        Self {
            protocol: Protocol::new(config, seed, now),
            now,
            done: Vec::new(),
        }
    }

    /// Connected, before any frame.
    fn connected() -> Self {
        let mut harness = Self::new();
        harness.connect();
        harness
    }

    /// Connected, with the state of `world`.
    fn ready(world: &World) -> Self {
        let mut harness = Self::connected();
        harness.hear(&world.frame());
        assert_eq!(harness.state(), State::Ready);
        harness.forget();
        harness
    }

    fn collect(&mut self) {
        let effects = self.protocol.effects();
        self.done.extend(effects);
    }

    /// Opens the stream that is due, whenever that is, and returns the client's hello.
    fn connect(&mut self) -> Hello {
        for _ in 0..1_000 {
            self.protocol.due(self.now);
            self.collect();
            let hello = self.done.iter().rev().find_map(|effect| {
                if let Effect::Connect(hello) = effect {
                    Some(Hello::clone(hello))
                } else {
                    None
                }
            });
            if let Some(hello) = hello {
                self.protocol.opened(self.now);
                self.forget();
                return hello;
            }
            let wait = self.protocol.deadline(self.now).expect("something is due");
            self.pass(wait.saturating_duration_since(self.now.instant));
        }
        panic!("the client never connects");
    }

    fn hear(&mut self, text: &str) {
        self.protocol.frame(text, self.now);
        self.collect();
    }

    /// Lets time pass, waking the protocol whenever it wants to be woken.
    fn pass(&mut self, time: Duration) {
        let end = self.now.later(time);
        for _ in 0..10_000 {
            let next = self.protocol.deadline(self.now).filter(|at| *at < end.instant);
            let Some(at) = next else { break };
            self.now = self.now.later(at.saturating_duration_since(self.now.instant));
            self.protocol.due(self.now);
            self.collect();
        }
        self.now = end;
        self.protocol.due(self.now);
        self.collect();
    }

    fn lose(&mut self) {
        self.protocol.lost(StreamError::Broken("cut".to_owned()), self.now);
        self.collect();
        self.forget();
    }

    fn forget(&mut self) {
        self.collect();
        self.done.clear();
    }

    fn state(&self) -> State {
        self.protocol.status().state
    }

    fn position(&self) -> Option<Position> {
        self.protocol.position()
    }

    fn error(&self) -> Option<ConnectionError> {
        self.protocol.status().error
    }

    /// The acknowledgements since the last look.
    fn acks(&mut self) -> Vec<Ack> {
        let effects = std::mem::take(&mut self.done);
        effects
            .into_iter()
            .filter_map(|effect| if let Effect::Send(ClientFrame::Ack(ack)) = effect { Some(ack) } else { None })
            .collect()
    }

    fn resyncs(&self) -> usize {
        self.done.iter().filter(|effect| matches!(effect, Effect::Send(ClientFrame::Resync(_)))).count()
    }

    fn applies(&self) -> usize {
        self.done.iter().filter(|effect| matches!(effect, Effect::Apply(_))).count()
    }

    fn disconnects(&self) -> usize {
        self.done.iter().filter(|effect| matches!(effect, Effect::Disconnect)).count()
    }

    fn kills(&self) -> Vec<KillId> {
        self.protocol.status().provisional_kills
    }
}

fn goodbye(retry: Option<bool>, retry_after_ms: Option<u64>) -> String {
    let why = "shutting down".to_owned();
    ripcord_proto::frame::encode_goodbye(&Goodbye { why, retry_after_ms, retry }).unwrap()
}
