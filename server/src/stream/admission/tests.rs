use super::*;

fn admitted(admission: &mut AdmissionQueue<u32>, now: Instant) -> Vec<u32> {
    std::iter::from_fn(|| {
        let next = admission.next(now);
        if next.is_some() {
            admission.pay(100);
        }
        next
    })
    .collect()
}

#[test]
fn those_whom_a_kill_passed_by_are_let_in_first_and_each_in_its_turn() {
    let now = Instant::now();
    let mut admission = AdmissionQueue::new(100.0, now);
    for client in 0..20 {
        let precedence = if client % 2 == 0 { Precedence::Ordinary } else { Precedence::Urgent };
        admission.push(client, precedence);
    }
    assert_eq!(admitted(&mut admission, now), [1, 3, 5, 7, 9, 11, 13, 15, 17, 19]);
    assert_eq!(admitted(&mut admission, now), [] as [u32; 0]);
    assert_eq!(admitted(&mut admission, now + Duration::from_millis(30)), [0, 2, 4]);
}

#[test]
fn a_storm_is_let_in_at_the_rate_that_is_set() {
    let start = Instant::now();
    let mut admission = AdmissionQueue::new(2_000.0, start);
    for client in 0..10_000 {
        admission.push(client, Precedence::Ordinary);
    }
    let mut let_in = 0;
    let mut waited = Duration::ZERO;
    while !admission.is_empty() {
        let_in += admitted(&mut admission, start + waited).len();
        waited += Duration::from_millis(5);
        let most = 200 + usize::try_from(waited.as_millis()).unwrap() * 2;
        assert!(let_in <= most, "{let_in} after {waited:?}");
    }
    assert_eq!(let_in, 10_000);
    assert!(waited < Duration::from_secs(5), "{waited:?}");
}

#[test]
fn a_kill_moves_those_who_wait_to_the_front() {
    let now = Instant::now();
    let mut admission = AdmissionQueue::new(30.0, now);
    for client in 0..6 {
        admission.push(client, Precedence::Ordinary);
    }
    admission.promote(|client| *client >= 4);
    assert_eq!(admitted(&mut admission, now), [4, 5, 0]);
}

#[test]
fn large_snapshots_are_spread_wider() {
    let now = Instant::now();
    let mut admission = AdmissionQueue::new(100.0, now);
    for client in 0..10 {
        admission.push(client, Precedence::Ordinary);
    }
    assert_eq!(admission.next(now), Some(0));
    admission.pay(20 * 64 * 1024);
    assert_eq!(admission.next(now), None);
    assert!(admission.delay(now) > Duration::from_millis(100));
    assert_eq!(admission.next(now + Duration::from_millis(200)), Some(1));
}
