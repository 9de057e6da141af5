use ripcord_proto::change::Change;
use ripcord_proto::commit::Sealed;
use ripcord_proto::frame::Overlay;
use ripcord_proto::table::Entry;
use ripcord_proto::{EnvironmentKey, FlagKey, Position};
use ripcord_sdk::Context;
use ripcord_sdk::engine::SinceContact;
use std::sync::Arc;
use tokio::sync::mpsc;

use super::Publisher;
use crate::commit::state::EnvironmentState;
use crate::commit::traits::{LogState as _, Sink as _};
use crate::snapshot::board::Board;
use crate::snapshot::fixture::{flag, kill};
use crate::store::fixture::next_entry;

struct PublisherCase {
    state: EnvironmentState,
    board: Arc<Board>,
    publisher: Publisher,
}

impl PublisherCase {
    fn new() -> Self {
        let state = EnvironmentState::empty(EnvironmentKey::new("production").unwrap());
        let board = Arc::<Board>::default();
        let publisher = Publisher::start(Arc::clone(&board), &state, Overlay::default(), mpsc::unbounded_channel().0, mpsc::channel(1).0);
        Self { state, board, publisher }
    }

    /// A commit that puts a flag which serves `true`, and the state after it.
    fn commit(&self, key: &str) -> (Sealed, EnvironmentState) {
        let position = Position::new(1, 1);
        let key = FlagKey::new(key).unwrap();
        let changes = vec![Change::PutFlag(Arc::new(Entry::new(key, flag(true), position).unwrap()))];
        let sealed = next_entry(&self.state.head, position.epoch, Some(position.revision), changes);
        let after = self.state.clone().after(&sealed);
        (sealed, after)
    }

    fn serves(&self, key: &str) -> bool {
        let served = self.board.served("production").unwrap();
        served.compiled.boolean(key, &Context::new("user"), SinceContact::FRESH, false)
    }
}

#[test]
fn what_is_prepared_is_seen_by_nobody_until_it_is_durable() {
    let case = PublisherCase::new();
    let (sealed, after) = case.commit("checkout");
    case.publisher.prepare(&case.state, &after, std::slice::from_ref(&sealed));
    assert!(!case.serves("checkout"));
    case.publisher.advance(&case.state, &after, &[sealed]);
    assert!(case.serves("checkout"));
}

#[test]
fn a_kill_laid_over_what_is_on_its_way_to_the_store_stands() {
    let case = PublisherCase::new();
    let (sealed, after) = case.commit("checkout");
    case.publisher.prepare(&case.state, &after, std::slice::from_ref(&sealed));
    let kill = kill(1, "checkout");
    case.publisher.overlay(|overlay| drop(overlay.kills.insert(kill.id.clone(), kill)));
    case.publisher.advance(&case.state, &after, &[sealed]);
    assert!(!case.serves("checkout"));
    assert_eq!(case.board.served("production").unwrap().snapshot.position, Position::new(1, 1));
}

#[test]
fn what_the_store_refused_is_not_shown_with_what_came_instead() {
    let case = PublisherCase::new();
    let (refused, not_made) = case.commit("refused");
    case.publisher.prepare(&case.state, &not_made, &[refused]);
    let (sealed, after) = case.commit("checkout");
    case.publisher.advance(&case.state, &after, &[sealed]);
    assert!(case.serves("checkout"));
    assert!(!case.serves("refused"));
}
