use std::sync::Arc;
use std::time::Instant;

use parking_lot::Mutex;
use ripcord_proto::frame::{Goodbye, Overlay, Resync, ServerFrame};
use ripcord_proto::{Epoch, Revision};

use super::*;
use crate::snapshot::fixture::{self, Stage};
use crate::snapshot::history::{History, HistoryLimits};

/// A stage with the history and the overlay numbers that a feed would keep.
struct SessionPlay {
    stage: Stage,
    history: Arc<Mutex<History>>,
    previous: Option<Revision>,
    overlays: u64,
}

impl SessionPlay {
    fn new(flags: usize) -> Self {
        Self {
            stage: Stage::new(flags),
            history: Arc::new(Mutex::new(History::new(HistoryLimits::default()))),
            previous: None,
            overlays: 0,
        }
    }

    fn head(&self) -> FrameSet {
        FrameSet::new(
            Arc::clone(&self.stage.served),
            Instant::now(),
            self.overlays,
            Arc::clone(&self.history),
            self.previous,
        )
    }

    fn put(&mut self) {
        let on = self.stage.position().revision.0.is_multiple_of(2);
        let delta = self.stage.put(on);
        self.previous = Some(delta.from);
        self.history.lock().push(delta);
    }

    fn pull(&mut self) {
        let on = self.stage.position().revision.0.is_multiple_of(2);
        let delta = self.stage.pull(on);
        self.previous = Some(delta.from);
        self.history.lock().push(delta);
    }

    fn kill_provisionally(&mut self) {
        let kill = fixture::kill(self.overlays, "flag-0");
        self.overlays += 1;
        self.stage.overlay(Overlay {
            kills: [(kill.id.clone(), kill)].into(),
            ended: [].into(),
        });
    }
}

fn hello_at(revision: Option<u64>) -> Hello {
    Hello {
        sdk: "test/1".to_owned(),
        instance: "a".to_owned(),
        instance_id: "i".to_owned(),
        epoch: revision.map(|_| Epoch(1)),
        revision: revision.map(Revision),
        hash: None,
        acknowledges: true,
    }
}

fn live(play: &SessionPlay, revision: Option<u64>) -> Session {
    let mut session = Session::greeting();
    session.greet(&hello_at(revision), &play.head());
    session.admit();
    session
}

fn next(session: &mut Session, play: &SessionPlay) -> Option<ServerFrame> {
    let frame = session.next(&play.head())?;
    Some(ServerFrame::parse(std::str::from_utf8(&frame.json()).unwrap()).unwrap())
}

fn ack(play: &SessionPlay, revision: u64, hash: ContentHash) -> ClientFrame {
    ClientFrame::Ack(Ack {
        epoch: play.stage.position().epoch,
        revision: Revision(revision),
        hash,
        kills: vec![],
    })
}

#[test]
fn nothing_is_handed_out_before_the_hello_and_before_the_admission() {
    let play = SessionPlay::new(3);
    let mut session = Session::greeting();
    assert!(next(&mut session, &play).is_none());
    assert_eq!(session.greet(&hello_at(None), &play.head()), Greeted::Behind(Precedence::Ordinary));
    assert!(next(&mut session, &play).is_none());
    session.admit();
    assert!(matches!(next(&mut session, &play), Some(ServerFrame::Snapshot(..))));
    assert!(next(&mut session, &play).is_none());
}

#[test]
fn a_slow_reader_gets_one_delta_from_what_was_written_last() {
    let mut play = SessionPlay::new(100);
    let mut session = live(&play, Some(1));
    play.put();
    assert!(matches!(next(&mut session, &play), Some(ServerFrame::Delta(delta)) if delta.from.0 == 1 && delta.to.revision.0 == 2));
    assert_eq!(session.take_collapses(), 0);
    play.put();
    play.put();
    play.pull();
    let Some(ServerFrame::Delta(delta)) = next(&mut session, &play) else {
        panic!("one delta");
    };
    assert_eq!((delta.from.0, delta.to.revision.0), (2, 5));
    assert_eq!(delta.urgency, ripcord_proto::delta::Urgency::Urgent);
    assert_eq!(session.take_collapses(), 1);
    assert!(next(&mut session, &play).is_none());
}

#[test]
fn who_serves_what_was_killed_is_let_in_before_who_is_merely_behind() {
    let mut play = SessionPlay::new(3);
    play.put();
    play.pull();
    play.put();
    let greet = |revision| Session::greeting().greet(&hello_at(revision), &play.head());
    assert_eq!(greet(Some(2)), Greeted::Behind(Precedence::Urgent));
    assert_eq!(greet(Some(3)), Greeted::Behind(Precedence::Ordinary));
    assert_eq!(greet(Some(4)), Greeted::UpToDate);
    assert_eq!(greet(None), Greeted::Behind(Precedence::Ordinary));
}

#[test]
fn a_node_that_is_behind_its_reader_takes_it_nowhere() {
    let mut play = SessionPlay::new(3);
    let mut session = live(&play, Some(3));
    assert!(next(&mut session, &play).is_none());
    play.put();
    play.put();
    assert!(next(&mut session, &play).is_none());
    play.put();
    assert!(matches!(next(&mut session, &play), Some(ServerFrame::Delta(delta)) if delta.from.0 == 3));
}

#[test]
fn a_new_epoch_is_a_snapshot() {
    let mut play = SessionPlay::new(3);
    let mut session = live(&play, Some(1));
    play.stage.next_epoch();
    play.previous = None;
    assert!(matches!(next(&mut session, &play), Some(ServerFrame::Snapshot(snapshot, ..)) if snapshot.position == Position::new(2, 1)));
}

#[test]
fn a_hash_that_differs_is_healed_once_and_confirms_nothing() {
    let play = SessionPlay::new(3);
    let mut session = live(&play, Some(1));
    let wrong = ripcord_proto::digest::Digest::ZERO;
    for expected in [true, false] {
        assert_eq!(session.hear(ack(&play, 1, wrong), &play.head()), Reaction::Noted);
        assert_eq!(next(&mut session, &play).is_some(), expected);
    }
    let right = play.stage.served.hash;
    assert!(matches!(session.hear(ack(&play, 1, right), &play.head()), Reaction::Confirmed(_)));
}

#[test]
fn a_client_that_asks_for_a_snapshot_gets_it() {
    let play = SessionPlay::new(3);
    let mut session = live(&play, Some(1));
    let resync = ClientFrame::Resync(Resync { why: "hash".to_owned() });
    assert_eq!(session.hear(resync, &play.head()), Reaction::Noted);
    assert!(matches!(next(&mut session, &play), Some(ServerFrame::Snapshot(..))));
}

#[test]
fn an_overlay_comes_with_the_snapshot_or_by_itself_and_only_once() {
    let mut play = SessionPlay::new(3);
    play.kill_provisionally();
    let mut fresh = live(&play, None);
    assert!(matches!(next(&mut fresh, &play), Some(ServerFrame::Snapshot(_, _, overlay)) if overlay.kills.len() == 1));
    assert!(next(&mut fresh, &play).is_none());
    let mut resumed = live(&play, Some(1));
    assert!(matches!(next(&mut resumed, &play), Some(ServerFrame::Overlay(_))));
    assert!(next(&mut resumed, &play).is_none());
    play.put();
    play.kill_provisionally();
    assert!(matches!(next(&mut resumed, &play), Some(ServerFrame::Delta(_))));
    assert!(matches!(next(&mut resumed, &play), Some(ServerFrame::Overlay(_))));
}

#[test]
fn a_provisional_kill_does_not_wait_for_the_admission() {
    let mut play = SessionPlay::new(3);
    play.put();
    play.kill_provisionally();
    let mut session = Session::greeting();
    session.greet(&hello_at(Some(1)), &play.head());
    assert!(matches!(next(&mut session, &play), Some(ServerFrame::Overlay(_))));
    assert!(next(&mut session, &play).is_none());
}

#[test]
fn news_come_before_signs_of_life_and_the_newest_heartbeat_is_the_one_that_is_sent() {
    let mut play = SessionPlay::new(3);
    let mut session = live(&play, Some(1));
    let beat = |revision| {
        Frame::heartbeat(&ripcord_proto::frame::Heartbeat {
            epoch: Epoch(1),
            revision: Revision(revision),
            time: jiff::Timestamp::UNIX_EPOCH,
            fresh: true,
        })
        .unwrap()
    };
    session.beat(beat(1));
    session.beat(beat(2));
    play.put();
    assert!(matches!(next(&mut session, &play), Some(ServerFrame::Delta(_))));
    assert!(matches!(next(&mut session, &play), Some(ServerFrame::Heartbeat(beat)) if beat.revision.0 == 2));
    assert!(next(&mut session, &play).is_none());
}

#[test]
fn a_goodbye_is_the_last_frame() {
    let mut play = SessionPlay::new(3);
    let mut session = live(&play, Some(1));
    play.put();
    let goodbye = Frame::goodbye(&Goodbye {
        why: "shutting down".to_owned(),
        retry_after_ms: Some(1_000),
        retry: Some(true),
    });
    assert!(session.end(goodbye.clone()));
    assert!(!session.end(goodbye));
    assert!(matches!(next(&mut session, &play), Some(ServerFrame::Goodbye(_))));
    assert!(session.has_ended());
    assert!(next(&mut session, &play).is_none());
}

#[test]
fn frames_out_of_turn_are_refused() {
    let play = SessionPlay::new(3);
    let hash = play.stage.served.hash;
    assert!(matches!(Session::greeting().hear(ack(&play, 1, hash), &play.head()), Reaction::Refused(_)));
    let mut session = live(&play, Some(1));
    assert!(matches!(session.hear(ClientFrame::Hello(hello_at(None)), &play.head()), Reaction::Refused(_)));
}

#[test]
fn a_client_that_is_ahead_gets_a_snapshot_that_names_its_position() {
    let mut play = SessionPlay::new(3);
    play.put();
    let mut session = live(&play, Some(26));
    assert!(
        session.is_ahead(&play.head()) && next(&mut session, &play).is_none(),
        "not before it is known that nobody has it"
    );
    session.supersede();
    let frame = next(&mut session, &play);
    assert!(
        matches!(&frame, Some(ServerFrame::Superseding(snapshot, _, _, from))
        if snapshot.position == play.head().position() && *from == Position::new(1, 26)),
        "{frame:?}"
    );
    assert!(next(&mut session, &play).is_none());
    play.put();
    assert!(matches!(next(&mut session, &play), Some(ServerFrame::Delta(_))), "it goes on from there");
}
