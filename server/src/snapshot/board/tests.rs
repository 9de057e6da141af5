use std::sync::Arc;

use parking_lot::Mutex;
use ripcord_proto::{EnvironmentKey, Position};

use super::Listener;
use crate::snapshot::fixture::Stage;
use crate::snapshot::publication::{Publication, PublishedChange};

#[derive(Default)]
struct Heard(Mutex<Vec<(Position, &'static str)>>);

impl Listener for Heard {
    fn published(&self, _: &EnvironmentKey, publication: &Publication) {
        let change = match publication.change {
            PublishedChange::Delta(_) => "delta",
            PublishedChange::Overlay => "overlay",
            PublishedChange::Replaced => "replaced",
        };
        self.0.lock().push((publication.served.snapshot.position, change));
    }

    fn removed(&self, _: &EnvironmentKey) {}
}

#[test]
fn a_listener_is_told_what_is_served_before_it_is_told_of_swaps() {
    let mut stage = Stage::new(1);
    stage.put(true);
    let heard = Arc::new(Heard::default());
    stage.board.listen(Arc::clone(&heard) as Arc<dyn Listener>);
    stage.put(false);
    assert_eq!(*heard.0.lock(), [(Position::new(1, 2), "replaced"), (Position::new(1, 3), "delta")]);
}
