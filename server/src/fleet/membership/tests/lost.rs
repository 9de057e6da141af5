//! Lost applications.

use super::*;

impl FleetPlay {
    fn revision(&self, revision: u64) -> Confirmation {
        self.confirmation(&ConfirmationTarget::Revision(Position::new(1, revision)))
    }

    /// The lost applications of a revision: their names, and whether they count as missing.
    fn lost(&self, revision: u64) -> Vec<(String, bool)> {
        let lost = self.revision(revision).lost;
        lost.into_iter().map(|lost| (lost.instance.name, lost.missing)).collect()
    }
}

#[test]
fn who_is_lost_after_a_commit_is_missing_by_name_for_15_minutes_and_then_gone() {
    let mut play = FleetPlay::new();
    let member = play.join("a", Some(1));
    let revision = play.commit();
    play.members.lost(member, play.now);
    let level = play.applied(revision);
    assert_eq!((level.connected, level.gone), (1, 0));
    assert!(level.missing[0].lost);
    assert_eq!(level.missing[0].revision, Some(Revision(1)));
    play.pass(14 * 60);
    assert_eq!(play.share(revision), (0, 1));
    play.pass(61);
    let level = play.applied(revision);
    assert_eq!((level.connected, level.gone, level.missing.len()), (0, 1, 0));
    assert!(play.revision(revision).lost.is_empty());
    let later = play.commit();
    assert_eq!(play.applied(later).gone, 0);
}

#[test]
fn who_was_lost_less_than_two_minutes_before_a_commit_is_missing_and_who_was_lost_earlier_is_named() {
    let mut play = FleetPlay::new();
    let connected = play.join("connected", Some(1));
    let early = play.join("early", Some(1));
    let late = play.join("late", Some(1));
    play.members.lost(early, play.now);
    play.pass(100);
    play.members.lost(late, play.now);
    play.pass(30);
    let revision = play.commit();
    play.ack(connected, revision);
    let confirmation = play.revision(revision);
    assert!(!confirmation.complete && !confirmation.is_settled());
    assert_eq!((confirmation.applied.confirmed, confirmation.applied.connected), (1, 2));
    assert_eq!(confirmation.applied.missing[0].instance.name, "late");
    assert_eq!(play.lost(revision), [("early".to_owned(), false), ("late".to_owned(), true)]);
    play.pass(100);
    let next = play.commit();
    play.ack(connected, next);
    assert!(play.revision(next).complete);
    assert_eq!(play.lost(next), [("early".to_owned(), false), ("late".to_owned(), false)]);
    assert_eq!(play.revision(next).lost_total, 2);
}

#[test]
fn who_comes_back_confirms_what_it_missed() {
    let mut play = FleetPlay::new();
    let member = play.join("a", Some(1));
    play.members.lost(member, play.now);
    let revision = play.commit();
    assert_eq!(play.share(revision), (0, 1));
    let back = play.join("a", Some(1));
    play.ack(back, revision);
    assert!(play.revision(revision).complete);
    assert!(play.lost(revision).is_empty());
}

#[test]
fn a_new_process_of_the_same_key_and_name_takes_the_place_of_a_lost_one() {
    let mut play = FleetPlay::new();
    let process = |id: &str, key: &str| NewMember {
        id: id.to_owned(),
        key: key.to_owned(),
        ..member("shop", None)
    };
    let first = play.members.join(process("first", "key"), play.now);
    play.ack(first, 1);
    let confirmed = play.commit();
    play.ack(first, confirmed);
    play.members.lost(first, play.now);
    let revision = play.commit();
    play.members.join(process("stranger", "other key"), play.now);
    assert_eq!(play.lost(revision), [("shop".to_owned(), true)]);
    let second = play.members.join(process("second", "key"), play.now);
    assert!(play.lost(revision).is_empty());
    assert_eq!((play.share(confirmed), play.share(revision)), ((1, 1), (0, 1)));
    play.ack(second, revision);
    assert_eq!((play.share(confirmed), play.share(revision)), ((1, 1), (1, 1)));
}

#[test]
fn a_lost_application_is_named_across_epochs_and_for_provisional_kills() {
    let mut play = FleetPlay::new();
    let member = play.join("a", Some(1));
    play.members.lost(member, play.now);
    play.stage.next_epoch();
    play.publish(PublishedChange::Replaced);
    let confirmation = play.confirmation(&ConfirmationTarget::Revision(Position::new(2, 1)));
    assert_eq!((confirmation.applied.connected, confirmation.lost_total), (1, 1));
    let kill = fixture::kill(1, "flag-0");
    let target = ConfirmationTarget::Kill(kill.id.clone());
    play.overlay(Overlay {
        kills: [(kill.id.clone(), kill)].into(),
        ended: [].into(),
    });
    let confirmation = play.confirmation(&target);
    assert_eq!((confirmation.applied.connected, confirmation.lost[0].missing), (1, true));
    assert_eq!(confirmation.lost[0].lease_seconds, None, "flag-0 has no lease");
    play.pass(130);
    let later = fixture::kill(2, "flag-0");
    let target = ConfirmationTarget::Kill(later.id.clone());
    play.overlay(Overlay {
        kills: [(later.id.clone(), later)].into(),
        ended: [].into(),
    });
    let confirmation = play.confirmation(&target);
    assert_eq!((confirmation.applied.connected, confirmation.lost[0].missing), (0, false));
    assert!(!confirmation.complete);
}

#[test]
fn who_said_goodbye_is_not_lost() {
    let mut play = FleetPlay::new();
    let member = play.join("a", Some(1));
    play.members.left(member);
    let revision = play.commit();
    assert!(play.lost(revision).is_empty());
}
