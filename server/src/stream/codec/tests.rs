use proptest::prelude::*;

use super::*;

const FIN: u8 = 0x80;

fn masked(first: u8, payload: &[u8]) -> Vec<u8> {
    let mask = [1, 2, 3, 4];
    let mut frame = vec![first];
    match payload.len() {
        short @ 0..126 => frame.push(0x80 | u8::try_from(short).unwrap()),
        middle @ 126..65_536 => {
            frame.push(0x80 | 0x7E);
            frame.extend(u16::try_from(middle).unwrap().to_be_bytes());
        }
        long => {
            frame.push(0x80 | 0x7F);
            frame.extend((long as u64).to_be_bytes());
        }
    }
    frame.extend(mask);
    frame.extend(payload.iter().zip(mask.iter().cycle()).map(|(byte, mask)| byte ^ mask));
    frame
}

fn decode(bytes: &[u8]) -> Result<Vec<Incoming>, Violation> {
    let mut all = Vec::new();
    Decoder::default().feed(bytes, |incoming| all.push(incoming))?;
    Ok(all)
}

#[test]
fn what_clients_send_is_told_apart() {
    let bytes = [
        masked(FIN | TEXT, b"hello"),
        masked(FIN | PING, b"still there?"),
        masked(FIN | PONG, b""),
        masked(FIN | CLOSE, &[3, 232]),
    ];
    let expected = vec![
        Incoming::Text("hello".to_owned()),
        Incoming::Ping(b"still there?".to_vec()),
        Incoming::Pong,
        Incoming::Close,
    ];
    assert_eq!(decode(&bytes.concat()), Ok(expected));
}

#[test]
fn a_message_may_come_in_fragments_with_a_ping_between_them() {
    let bytes = [
        masked(TEXT, b"one "),
        masked(FIN | PING, b""),
        masked(CONTINUATION, b"two "),
        masked(FIN | CONTINUATION, b"three"),
    ];
    let expected = vec![Incoming::Ping(Vec::new()), Incoming::Text("one two three".to_owned())];
    assert_eq!(decode(&bytes.concat()), Ok(expected));
}

#[test]
fn what_the_protocol_forbids_is_a_violation_with_its_close_code() {
    let unmasked = [FIN | TEXT, 2, b'h', b'i'];
    for (bytes, violation, code) in [
        (unmasked.to_vec(), Violation::Protocol, 1002),
        (masked(FIN | 0x40 | TEXT, b"hi"), Violation::Protocol, 1002),
        (masked(FIN | CONTINUATION, b"hi"), Violation::Protocol, 1002),
        (masked(PING, b"hi"), Violation::Protocol, 1002),
        (masked(FIN | PING, &[0; 126]), Violation::Protocol, 1002),
        (masked(FIN | 0x3, b"hi"), Violation::Protocol, 1002),
        ([masked(TEXT, b"a"), masked(FIN | TEXT, b"b")].concat(), Violation::Protocol, 1002),
        (masked(FIN | BINARY, b"hi"), Violation::Binary, 1003),
        (masked(FIN | TEXT, &[0xFF]), Violation::Utf8, 1007),
        (masked(FIN | TEXT, &vec![b'a'; MESSAGE_BYTES + 1]), Violation::TooLarge, 1009),
        (
            [masked(TEXT, &vec![b'a'; MESSAGE_BYTES]), masked(CONTINUATION, b"b")].concat(),
            Violation::TooLarge,
            1009,
        ),
    ] {
        assert_eq!(decode(&bytes), Err(violation));
        assert_eq!(violation.close_code(), code);
    }
}

#[test]
fn a_length_that_was_never_meant_is_refused_before_anything_is_kept() {
    let mut frame = vec![FIN | TEXT, 0x80 | 0x7F];
    frame.extend(u64::MAX.to_be_bytes());
    assert_eq!(decode(&frame), Err(Violation::TooLarge));
}

#[test]
fn answers_to_pings_carry_their_payload() {
    assert_eq!(pong_frame(b"hi"), [0x8A, 2, b'h', b'i']);
    assert_eq!(close_frame(1000), [0x88, 2, 3, 232]);
}

proptest! {
    #[test]
    fn where_the_bytes_are_cut_makes_no_difference(texts in prop::collection::vec("[a-zé]{0,200}", 1..5), cut in 1..64_usize) {
        let bytes: Vec<u8> = texts.iter().flat_map(|text| masked(FIN | TEXT, text.as_bytes())).collect();
        let mut decoder = Decoder::default();
        let mut all = Vec::new();
        for piece in bytes.chunks(cut) {
            decoder.feed(piece, |incoming| all.push(incoming)).unwrap();
        }
        prop_assert_eq!(all, texts.into_iter().map(Incoming::Text).collect::<Vec<_>>());
        prop_assert!(decoder.partial.is_empty());
    }

    #[test]
    fn random_bytes_never_panic(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        let _ = decode(&bytes);
    }
}
