use std::time::Duration;

use proptest::prelude::*;
use ripcord_proto::Revision;
use ripcord_proto::confirmation::{Confirmation, LevelCounts};
use ripcord_proto::frame::{KillEnd, Overlay};

use super::*;
use crate::fleet::{ConfirmationTarget, merge};
use crate::snapshot::fixture::{self, Stage};

mod lost;

/// Members under a clock of their own.
struct FleetPlay {
    stage: Stage,
    members: Members,
    now: Instant,
}

impl FleetPlay {
    fn new() -> Self {
        let stage = Stage::new(1);
        let settings = FleetSettings {
            revisions: 10,
            ..FleetSettings::new("node-1")
        };
        let mut play = Self {
            members: Members::new(&stage.environment(), &settings),
            stage,
            now: Instant::now(),
        };
        play.publish(PublishedChange::Replaced);
        play
    }

    fn publish(&mut self, change: PublishedChange) {
        self.members.published(&Publication {
            served: Arc::clone(&self.stage.served),
            change,
            at: self.now,
        });
    }

    fn commit(&mut self) -> u64 {
        let delta = self.stage.put(self.stage.position().revision.0.is_multiple_of(2));
        self.publish(PublishedChange::Delta(delta));
        self.stage.position().revision.0
    }

    fn overlay(&mut self, overlay: Overlay) {
        self.stage.overlay(overlay);
        self.publish(PublishedChange::Overlay);
    }

    fn pass(&mut self, seconds: u64) {
        self.now += Duration::from_secs(seconds);
        self.members.expire(self.now);
    }

    fn join(&mut self, name: &str, revision: Option<u64>) -> MemberId {
        self.members.join(member(name, revision), self.now)
    }

    fn ack(&mut self, member: MemberId, revision: u64) {
        self.members.acknowledged(member, Position::new(1, revision), &[], self.now);
    }

    fn confirmation(&self, target: &ConfirmationTarget) -> Confirmation {
        merge(target, self.members.report(target, self.now).unwrap(), Vec::new())
    }

    fn applied(&self, revision: u64) -> LevelCounts {
        self.confirmation(&ConfirmationTarget::Revision(Position::new(1, revision))).applied
    }

    /// Confirmed of connected.
    fn share(&self, revision: u64) -> (u64, u64) {
        let level = self.applied(revision);
        (level.confirmed, level.connected)
    }
}

fn member(name: &str, revision: Option<u64>) -> NewMember {
    NewMember {
        name: name.to_owned(),
        id: format!("id-{name}"),
        key: "key".to_owned(),
        sdk: "test/1".to_owned(),
        position: revision.map(|revision| Position::new(1, revision)),
        acknowledges: true,
        transport: Transport::WebSocket,
    }
}

#[test]
fn the_denominator_is_who_is_connected_at_the_commit() {
    let mut play = FleetPlay::new();
    let early = play.join("early", Some(1));
    let revision = play.commit();
    let late = play.join("late", None);
    play.ack(late, revision);
    assert_eq!(play.share(revision), (0, 1));
    play.ack(early, revision);
    assert_eq!(play.share(revision), (1, 1));
    assert!(play.confirmation(&ConfirmationTarget::Revision(Position::new(1, revision))).complete);
}

#[test]
fn an_acknowledgement_covers_every_revision_before_and_is_timed_from_each() {
    let mut play = FleetPlay::new();
    let member = play.join("a", Some(1));
    let first = play.commit();
    play.now += Duration::from_millis(100);
    let second = play.commit();
    play.now += Duration::from_millis(50);
    play.ack(member, second);
    assert_eq!((play.share(first), play.share(second)), ((1, 1), (1, 1)));
    assert!((play.applied(first).max_ms.unwrap() - 150.0).abs() < 0.01);
    assert!((play.applied(second).max_ms.unwrap() - 50.0).abs() < 0.01);
    assert_eq!(play.applied(second).slowest.unwrap().name, "a");
    assert_eq!(play.members.catch_ups.len(), 1, "one entry, however many revisions were passed over");
}

#[test]
fn who_comes_back_within_the_grace_time_counts_and_who_comes_later_does_not() {
    let mut play = FleetPlay::new();
    let quick = play.join("quick", Some(1));
    let slow = play.join("slow", Some(1));
    play.members.lost(quick, play.now);
    play.members.lost(slow, play.now);
    play.pass(121);
    let revision = play.commit();
    assert_eq!(play.share(revision), (0, 0));
    play.pass(29);
    play.join("quick", Some(1));
    assert_eq!(play.share(revision), (0, 1));
    play.pass(2);
    play.join("slow", Some(1));
    assert_eq!(play.share(revision), (0, 1));
    let stranger = play.join("stranger", Some(1));
    assert_eq!(play.share(revision), (0, 1), "a stranger with an old state comes too late as well");
    let next = play.commit();
    play.ack(stranger, next);
    assert_eq!(play.share(next), (1, 3));
}

#[test]
fn a_goodbye_leaves_the_denominator_and_what_was_confirmed_stays() {
    let mut play = FleetPlay::new();
    let one = play.join("one", Some(1));
    let other = play.join("other", Some(1));
    let first = play.commit();
    play.ack(one, first);
    let second = play.commit();
    play.members.left(one);
    assert_eq!((play.share(first), play.share(second)), ((1, 2), (0, 1)));
    play.members.left(other);
    assert_eq!((play.share(first), play.share(second)), ((1, 1), (0, 0)));
}

#[test]
fn an_instance_that_connects_twice_counts_once() {
    let mut play = FleetPlay::new();
    let before = play.join("a", Some(1));
    let revision = play.commit();
    let after = play.join("a", Some(1));
    play.members.lost(before, play.now);
    assert_eq!(play.share(revision), (0, 1));
    play.ack(before, revision);
    assert_eq!(play.share(revision), (0, 1), "the old connection no longer speaks for it");
    play.ack(after, revision);
    assert_eq!(play.share(revision), (1, 1));
}

#[test]
fn a_client_that_cannot_answer_counts_as_sent_and_one_that_polls_as_fetched() {
    let mut play = FleetPlay::new();
    let mute = play.members.join(
        NewMember {
            acknowledges: false,
            ..member("mute", Some(1))
        },
        play.now,
    );
    play.members.fetched(member("poller", Some(1)), Position::new(1, 1), play.now);
    let revision = play.commit();
    let target = ConfirmationTarget::Revision(Position::new(1, revision));
    play.members.sent(mute, Position::new(1, revision), play.now);
    let counted = play.confirmation(&target);
    assert_eq!((counted.sent.confirmed, counted.sent.connected), (1, 1));
    assert_eq!((counted.fetched.confirmed, counted.fetched.connected), (0, 1));
    assert_eq!(counted.applied.connected, 0);
    play.members.fetched(member("poller", Some(1)), Position::new(1, revision), play.now);
    assert_eq!(play.confirmation(&target).fetched.confirmed, 1);
}

#[test]
fn what_a_client_claims_beyond_the_newest_revision_is_not_believed() {
    let mut play = FleetPlay::new();
    let member = play.join("a", Some(1));
    play.ack(member, 5);
    let revision = play.commit();
    assert_eq!(play.share(revision), (0, 1));
}

#[test]
fn old_revisions_are_kept_as_figures() {
    let mut play = FleetPlay::new();
    let member = play.join("a", Some(1));
    let revision = play.commit();
    play.ack(member, revision);
    play.join("mute", None);
    let second = play.commit();
    play.ack(member, second);
    for _ in 0..20 {
        play.commit();
    }
    play.pass(1);
    assert_eq!(play.members.counts_by_revision.len(), 10);
    assert_eq!((play.share(revision), play.share(second)), ((1, 1), (1, 2)));
    let old = play.applied(second);
    assert!(old.missing.is_empty());
    assert!(old.max_ms.is_some());
}

#[test]
fn a_new_epoch_asks_everybody_again() {
    let mut play = FleetPlay::new();
    let member = play.join("a", Some(1));
    play.ack(member, 1);
    play.stage.next_epoch();
    play.publish(PublishedChange::Replaced);
    let target = ConfirmationTarget::Revision(Position::new(2, 1));
    assert_eq!(play.confirmation(&target).applied.connected, 1);
    assert_eq!(play.confirmation(&target).applied.confirmed, 0);
    play.members.acknowledged(member, Position::new(2, 1), &[], play.now);
    assert_eq!(play.confirmation(&target).applied.confirmed, 1);
}

#[test]
fn a_provisional_kill_is_confirmed_by_its_id_or_by_the_revision_that_it_was_merged_at() {
    let mut play = FleetPlay::new();
    let by_id = play.join("by-id", Some(1));
    let by_revision = play.join("by-revision", Some(1));
    let kill = fixture::kill(1, "flag-0");
    let id = kill.id.clone();
    let target = ConfirmationTarget::Kill(id.clone());
    play.overlay(Overlay {
        kills: [(id.clone(), kill)].into(),
        ended: [].into(),
    });
    play.members.acknowledged(by_id, Position::new(1, 1), std::slice::from_ref(&id), play.now);
    let share = |play: &FleetPlay| {
        let level = play.confirmation(&target).applied;
        (level.confirmed, level.connected)
    };
    assert_eq!(share(&play), (1, 2));
    let revision = play.commit();
    play.overlay(Overlay {
        kills: [].into(),
        ended: [(id, KillEnd::Merged)].into(),
    });
    play.ack(by_revision, revision);
    assert_eq!(share(&play), (2, 2));
    play.members.left(by_id);
    assert_eq!(share(&play), (2, 2));
}

#[test]
fn the_same_id_with_another_key_is_somebody_else() {
    let mut play = FleetPlay::new();
    let own = play.join("web", Some(1));
    let other = NewMember {
        key: "another key".to_owned(),
        ..member("web", Some(1))
    };
    let stranger = play.members.join(other, play.now);
    let browser = NewMember {
        transport: Transport::Ofrep,
        ..member("web", Some(1))
    };
    play.members.listens(browser.clone(), play.now);
    let kill = fixture::kill(1, "flag-0");
    let id = kill.id.clone();
    play.overlay(Overlay {
        kills: [(id.clone(), kill)].into(),
        ended: [].into(),
    });
    play.members.acknowledged(stranger, Position::new(1, 1), std::slice::from_ref(&id), play.now);
    let level = play.confirmation(&ConfirmationTarget::Kill(id)).applied;
    assert_eq!((level.confirmed, level.connected), (1, 2));
    let revision = play.commit();
    play.ack(stranger, revision);
    play.members.fetched(browser, Position::new(1, revision), play.now);
    assert_eq!(play.share(revision), (1, 2));
    play.members.left(stranger);
    assert_eq!(play.members.connections().len(), 2);
    play.ack(own, revision);
    assert_eq!(play.share(revision), (2, 2));
}

#[test]
fn a_lost_application_beyond_the_limit_is_the_one_that_was_lost_first() {
    let mut play = FleetPlay::new();
    for number in 0..=limits::LOST_APPLICATIONS {
        let lost = play.join(&format!("app-{number}"), Some(1));
        play.now += Duration::from_millis(1);
        play.members.lost(lost, play.now);
    }
    let names: Vec<String> = play.members.connections().into_iter().map(|connected| connected.instance.name).collect();
    assert_eq!(names.len(), limits::LOST_APPLICATIONS);
    assert!(!names.contains(&"app-0".to_owned()) && names.contains(&"app-1".to_owned()));
}

#[derive(Debug, Clone)]
enum Act {
    Commit,
    Join(u8),
    Ack(u8, u8),
    Lose(u8),
    Leave(u8),
    Pass(u8),
}

fn acts() -> impl Strategy<Value = Vec<Act>> {
    let act = prop_oneof![
        Just(Act::Commit),
        (0..6_u8).prop_map(Act::Join),
        (0..6_u8, 0..4_u8).prop_map(|(who, behind)| Act::Ack(who, behind)),
        (0..6_u8).prop_map(Act::Lose),
        (0..6_u8).prop_map(Act::Leave),
        (1..50_u8).prop_map(Act::Pass),
    ];
    prop::collection::vec(act, 1..120)
}

proptest! {
    /// Whatever happens, no more have confirmed than count, and a later revision is never confirmed by more of the connected
    /// than an earlier one by those who count for both.
    #[test]
    fn the_counts_hold_together(acts in acts()) {
        let mut play = FleetPlay::new();
        let mut members = std::collections::BTreeMap::<u8, MemberId>::new();
        for act in acts {
            let head = play.stage.position().revision.0;
            match act {
                Act::Commit => { play.commit(); }
                Act::Join(who) => { let id = play.join(&who.to_string(), Some(head)); members.insert(who, id); }
                Act::Ack(who, behind) => if let Some(id) = members.get(&who) { play.ack(*id, head.saturating_sub(u64::from(behind))); },
                Act::Lose(who) => if let Some(id) = members.remove(&who) { play.members.lost(id, play.now); },
                Act::Leave(who) => if let Some(id) = members.remove(&who) { play.members.left(id); },
                Act::Pass(seconds) => play.pass(u64::from(seconds)),
            }
            for revision in play.members.first..=play.members.head() {
                let level = play.applied(revision);
                prop_assert!(level.confirmed <= level.connected);
                prop_assert_eq!(level.connected - level.confirmed, level.missing.len() as u64);
            }
        }
        // An application that was lost shortly before would count, too.
        play.pass(121);
        let revision = play.commit();
        for id in members.values() {
            play.ack(*id, revision);
        }
        let level = play.applied(revision);
        prop_assert_eq!((level.confirmed, level.connected), (members.len() as u64, members.len() as u64));
    }
}
