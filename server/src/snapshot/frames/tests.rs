use ripcord_proto::frame::ServerFrame;

use super::*;
use crate::snapshot::fixture::Stage;
use crate::snapshot::history::HistoryLimits;

fn head_after(stage: &mut Stage, revisions: u64) -> FrameSet {
    let history = Arc::new(Mutex::new(History::new(HistoryLimits::default())));
    let mut previous = None;
    for round in 0..revisions {
        let delta = stage.put(round % 2 == 0);
        previous = Some(delta.from);
        history.lock().push(delta);
    }
    FrameSet::new(Arc::clone(&stage.served), Instant::now(), 0, history, previous)
}

fn parsed(frame: &Frame) -> ServerFrame {
    ServerFrame::parse(std::str::from_utf8(&frame.json()).unwrap()).unwrap()
}

#[test]
fn a_frame_is_encoded_once_for_all_who_come_from_the_same_revision() {
    let head = head_after(&mut Stage::new(50), 5);
    for from in [Some(Position::new(1, 5)), Some(Position::new(1, 2)), None] {
        let (one, other) = (head.frame_from(from).unwrap(), head.frame_from(from).unwrap());
        assert!(std::ptr::eq(one.websocket().as_ptr(), other.websocket().as_ptr()));
    }
}

#[test]
fn many_changes_give_way_to_the_snapshot_when_that_is_smaller() {
    let mut stage = Stage::new(1);
    let head = head_after(&mut stage, 3);
    assert_eq!(
        head.frame_from(Some(Position::new(1, 1))).unwrap().kind(),
        FrameKind::Delta,
        "small deltas stay deltas"
    );
    assert_eq!(
        head.frame_from(Some(Position::new(1, 0))).unwrap().kind(),
        FrameKind::Snapshot,
        "beyond the history"
    );
    assert_eq!(head.frame_from(Some(Position::new(0, 3))).unwrap().kind(), FrameKind::Snapshot, "another epoch");
}

#[test]
fn the_header_of_a_text_frame_states_its_length() {
    for (length, header) in [
        (0, vec![0x81, 0]),
        (125, vec![0x81, 125]),
        (126, vec![0x81, 126, 0, 126]),
        (65_535, vec![0x81, 126, 255, 255]),
        (65_536, vec![0x81, 127, 0, 0, 0, 0, 0, 1, 0, 0]),
    ] {
        let frame = Frame::new(FrameKind::Delta, None, &"x".repeat(length));
        assert!(frame.websocket().starts_with(&header));
        assert_eq!(frame.websocket().len(), header.len() + length);
        assert_eq!(frame.json().len(), length);
    }
}

#[test]
fn an_event_has_a_name_an_id_and_the_frame_as_its_data() {
    let frame = Frame::new(FrameKind::Delta, Some(Position::new(1, 42)), "{\"a\":\n1}");
    assert_eq!(frame.sse().as_ref(), b"event: delta\nid: 1:42\ndata: {\"a\":\ndata: 1}\n\n");
    assert_eq!(frame.sse_chunk().as_ref(), b"2C\r\nevent: delta\nid: 1:42\ndata: {\"a\":\ndata: 1}\n\n\r\n");
    let heartbeat = Frame::new(FrameKind::Heartbeat, None, "{}");
    assert_eq!(heartbeat.sse().as_ref(), b"event: heartbeat\ndata: {}\n\n");
}

#[test]
fn what_is_encoded_is_what_is_served() {
    let mut stage = Stage::new(3);
    let head = head_after(&mut stage, 1);
    let ServerFrame::Snapshot(snapshot, hash, _) = parsed(&head.snapshot().unwrap()) else {
        panic!("a snapshot");
    };
    assert_eq!((snapshot.position, hash), (stage.position(), stage.served.hash));
    let document = head.document().unwrap();
    assert_eq!(document.body, head.snapshot().unwrap().json());
    assert!(document.etag.starts_with(b"\"1:2-"));
}
