//! Laws that hold in every interleaving of changes, losses, duplicates, reorderings and reconnects.

use proptest::prelude::*;
use ripcord_proto::snapshot::ContentHash;

use super::world::{frame_of, kill};
use super::*;

/// Something that happens to the server, the stream or the client.
#[derive(Debug, Clone)]
enum Happens {
    Put(u8, bool),
    Remove(u8),
    Kill(u8),
    Restore(u8),
    NextEpoch,
    /// The frame so many places back is sent (again).
    Send(usize),
    Snapshot,
    /// A snapshot of how things were so many revisions ago.
    Old(usize),
    Garbage,
    Heartbeat,
    Fetch,
    Reconnect,
    Pass(u8),
}

fn happens() -> impl Strategy<Value = Happens> {
    prop_oneof![
        4 => (0..6_u8, any::<bool>()).prop_map(|(flag, on)| Happens::Put(flag, on)),
        1 => (0..6_u8).prop_map(Happens::Remove),
        1 => (0..6_u8).prop_map(Happens::Kill),
        1 => (0..6_u8).prop_map(Happens::Restore),
        1 => Just(Happens::NextEpoch),
        6 => (0..4_usize).prop_map(Happens::Send),
        1 => Just(Happens::Snapshot),
        1 => (0..6_usize).prop_map(Happens::Old),
        1 => Just(Happens::Garbage),
        1 => Just(Happens::Heartbeat),
        1 => Just(Happens::Fetch),
        1 => Just(Happens::Reconnect),
        1 => (0..60_u8).prop_map(Happens::Pass),
    ]
}

/// The server's side: all it ever was, and all frames it ever made.
struct History {
    world: World,
    states: Vec<(Position, ContentHash, String)>,
    frames: Vec<String>,
}

impl History {
    fn new() -> Self {
        let mut history = Self {
            world: World::new(),
            states: Vec::new(),
            frames: Vec::new(),
        };
        history.remember();
        history
    }

    fn remember(&mut self) {
        self.states.push((self.world.position(), self.world.hash(), self.world.frame()));
    }

    fn change(&mut self, change: impl FnOnce(&mut World) -> ripcord_proto::delta::Delta) {
        let delta = change(&mut self.world);
        self.frames.push(frame_of(&delta));
        self.remember();
    }

    fn happen(&mut self, what: &Happens, harness: &mut Harness) {
        let flag = |number: &u8| format!("flag-{number}");
        match what {
            Happens::Put(number, on) => self.change(|world| world.put(&flag(number), *on)),
            Happens::Remove(number) => self.change(|world| world.remove(&flag(number))),
            Happens::Kill(number) => self.change(|world| world.commit(&kill(u64::from(*number), &flag(number)))),
            Happens::Restore(number) => self.change(|world| world.restore(&kill(u64::from(*number), "x").id)),
            Happens::NextEpoch => {
                self.world.next_epoch();
                self.remember();
            }
            Happens::Send(back) => {
                if let Some(frame) = self.frames.iter().rev().nth(*back) {
                    harness.hear(frame);
                }
            }
            Happens::Snapshot => harness.hear(&self.world.frame()),
            Happens::Old(back) => {
                if let Some((_, _, frame)) = self.states.iter().rev().nth(*back) {
                    harness.hear(frame);
                }
            }
            Happens::Garbage => harness.hear("{\"type\":\"delta\""),
            Happens::Heartbeat => harness.hear(&self.world.heartbeat(true)),
            Happens::Fetch => harness.protocol.fetched(FetchResult::State(self.world.frame()), harness.now),
            Happens::Reconnect => {
                harness.lose();
                harness.connect();
            }
            Happens::Pass(seconds) => harness.pass(Duration::from_secs(u64::from(*seconds))),
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn the_position_only_goes_forward_and_the_state_is_always_the_servers_at_that_position(
        events in proptest::collection::vec(happens(), 1..80),
        seed in any::<u64>(),
    ) {
        let mut history = History::new();
        let mut harness = Harness::seeded(seed);
        harness.connect();
        let mut last = None;
        for event in &events {
            history.happen(event, &mut harness);
            harness.collect();
            let position = harness.position();
            prop_assert!(position >= last, "{event:?} led from {last:?} to {position:?}");
            last = position;
            if let Some(held) = harness.protocol.held() {
                let state = history.states.iter().find(|(at, _, _)| *at == held.snapshot.position);
                prop_assert_eq!(state.map(|(_, hash, _)| *hash), Some(held.snapshot.content_hash()));
                prop_assert_eq!(held.hash, held.snapshot.content_hash());
            }
            for effect in &harness.done {
                if let Effect::Send(ClientFrame::Ack(ack)) = effect {
                    let at = Position { epoch: ack.epoch, revision: ack.revision };
                    prop_assert!(Some(at) <= position, "nothing is confirmed that is not in force");
                }
            }
            harness.forget();
        }
        // Whatever happened before, the server's snapshot brings the client to the server's position.
        harness.lose();
        harness.connect();
        harness.hear(&history.world.frame());
        prop_assert_eq!(harness.position(), Some(history.world.position()));
        prop_assert_eq!(harness.state(), State::Ready);
    }
}
