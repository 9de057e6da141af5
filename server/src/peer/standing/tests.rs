use std::sync::Arc;
use std::time::{Duration, Instant};

use ripcord_proto::digest::Digest;
use ripcord_proto::frame::Overlay;
use ripcord_proto::{EnvironmentKey, Epoch, Revision, Sequence};

use super::{Standing, StoreStanding, Verdict};
use crate::environment::NodeHeads;
use crate::peer::{PeerLog, PeerSync};
use crate::store::{Head, LogName};

const URL: &str = "http://b";

fn production() -> EnvironmentKey {
    EnvironmentKey::new("production").unwrap()
}

fn head(epoch: u64, sequence: u64) -> Head {
    Head {
        epoch: Epoch(epoch),
        revision: Revision(sequence),
        sequence: Sequence(sequence),
        chain: Digest::of([format!("{epoch} {sequence}").as_bytes()]),
    }
}

fn history(name: &str) -> Digest {
    Digest::of([name.as_bytes()])
}

fn own(epoch: u64, sequence: u64) -> NodeHeads {
    NodeHeads {
        history: Some(history("ours")),
        heads: [(LogName::Environment(production()), head(epoch, sequence))].into(),
    }
}

fn message(epoch: u64, sequence: u64) -> PeerSync {
    PeerSync {
        node: "b".to_owned(),
        history: Some(history("ours")),
        store_current: true,
        anchored: true,
        system: Some(Head::START),
        revoked: Vec::new(),
        environments: vec![PeerLog {
            environment: production(),
            head: Some(head(epoch, sequence)),
            overlay: Overlay::default(),
            committed: None,
            ended: std::collections::BTreeSet::new(),
        }],
    }
}

struct StandingCase {
    standing: Standing,
    own: NodeHeads,
    now: Instant,
}

impl StandingCase {
    /// A node whose log ends at 1:6.
    fn new() -> Self {
        let mut standing = Standing::new(&[URL.to_owned()]);
        standing.note_store(StoreStanding::Current);
        Self {
            standing,
            own: own(1, 6),
            now: Instant::now(),
        }
    }

    fn answers(&mut self, message: PeerSync) {
        self.standing.heard(&message, &self.own, self.now);
        self.standing.answered(URL, Some(Arc::new(message)), self.now);
    }

    fn pass(&mut self, milliseconds: u64) {
        self.now += Duration::from_millis(milliseconds);
    }

    fn verdict(&self, store: StoreStanding) -> Verdict {
        self.standing.judge(store, &self.own, self.now)
    }
}

#[test]
fn a_node_without_its_store_is_fresh_while_every_peer_answers_and_none_has_more() {
    let mut case = StandingCase::new();
    assert!(case.verdict(StoreStanding::Current).fresh, "its store is enough");
    assert!(!case.verdict(StoreStanding::Away).fresh, "nobody has answered yet");
    case.answers(message(1, 6));
    assert!(case.verdict(StoreStanding::Away).fresh);
    assert_eq!(case.verdict(StoreStanding::Away).fresher.as_deref(), Some("b"), "it reaches the store");
    case.pass(5_000);
    assert!(!case.verdict(StoreStanding::Away).fresh, "an answer grows old");
    case.standing.answered(URL, None, case.now);
    assert!(!case.verdict(StoreStanding::Away).fresh);
    assert_eq!(
        case.verdict(StoreStanding::Away).fresher,
        None,
        "a node that does not answer is not known to be fresher"
    );
}

#[test]
fn a_node_that_knows_of_more_is_behind_until_it_has_it() {
    let mut case = StandingCase::new();
    case.answers(message(1, 8));
    let behind = case.verdict(StoreStanding::Away).behind.expect("it is behind");
    assert_eq!((behind.theirs, behind.node.as_str()), (head(1, 8), "b"));
    assert!(!case.verdict(StoreStanding::Away).fresh);
    case.standing.answered(URL, None, case.now);
    assert!(case.verdict(StoreStanding::Away).behind.is_some(), "it stays behind if the peer goes away");
    case.own = own(1, 8);
    assert!(case.verdict(StoreStanding::Away).behind.is_none());
    case.answers(message(2, 3));
    assert!(case.verdict(StoreStanding::Away).behind.is_some(), "a later epoch is ahead");
    case.own = own(2, 3);
    case.answers(message(1, 9));
    assert!(case.verdict(StoreStanding::Away).behind.is_none(), "an earlier epoch is not");
}

#[test]
fn with_its_store_a_node_is_behind_only_if_its_feed_is_late() {
    let mut case = StandingCase::new();
    case.answers(message(1, 8));
    assert!(case.verdict(StoreStanding::Current).fresh);
    case.pass(1_100);
    case.answers(message(1, 9));
    assert!(!case.verdict(StoreStanding::Current).fresh, "what was missing then is still missing");
    case.own = own(1, 9);
    assert!(case.verdict(StoreStanding::Current).fresh);
    case.answers(message(1, 10));
    assert!(case.verdict(StoreStanding::Current).fresh, "the time begins anew");
}

#[test]
fn nodes_with_logs_of_their_own_are_not_compared() {
    let mut case = StandingCase::new();
    let stranger = PeerSync {
        history: Some(history("theirs")),
        ..message(1, 99)
    };
    case.answers(stranger);
    let verdict = case.verdict(StoreStanding::Current);
    assert!(verdict.fresh && verdict.behind.is_none());
    assert!(!case.verdict(StoreStanding::Away).fresh, "a stranger cannot vouch for it");
    case.own.history = None;
    case.answers(message(1, 8));
    assert!(
        case.verdict(StoreStanding::Away).behind.is_some(),
        "a node that knows nothing is behind anybody"
    );
}

#[test]
fn nodes_that_have_not_met_their_store_since_they_started_cannot_vouch_for_each_other() {
    let mut case = StandingCase::new();
    case.answers(PeerSync {
        anchored: false,
        ..message(1, 6)
    });
    assert!(!case.verdict(StoreStanding::Away).fresh, "the peer may have forgotten what it committed");
    case.answers(message(1, 6));
    assert!(case.verdict(StoreStanding::Away).fresh);
    case.standing = Standing::new(&[URL.to_owned()]);
    case.answers(message(1, 6));
    assert!(!case.verdict(StoreStanding::Away).fresh, "so may this node");
}

#[test]
fn what_neither_the_store_nor_the_node_that_had_it_has_any_more_is_not_waited_for() {
    let mut case = StandingCase::new();
    case.answers(message(1, 8));
    case.pass(1_100);
    assert!(!case.verdict(StoreStanding::Current).fresh);
    case.answers(message(1, 6));
    assert!(
        case.verdict(StoreStanding::Current).fresh,
        "it died before it had written it down, and the store lost it"
    );
    assert!(case.verdict(StoreStanding::Away).behind.is_some(), "the store may have it");
    case.answers(message(1, 8));
    assert!(!case.verdict(StoreStanding::Current).fresh);
}

/// While a cluster is upgraded, some of its nodes say nothing of their logs.
#[test]
fn a_peer_that_does_not_say_where_its_logs_end_vouches_for_nothing() {
    let without = |change: fn(&mut PeerSync)| {
        let mut message = message(1, 6);
        change(&mut message);
        message
    };
    let before: PeerSync = serde_json::from_str(r#"{"node":"b","overlays":[["production",{"kills":{}}]]}"#).unwrap();
    let silent = [
        before,
        without(|message| message.system = None),
        without(|message| message.environments[0].head = None),
        without(|message| message.history = None),
    ];
    for message in silent {
        let mut case = StandingCase::new();
        case.answers(message.clone());
        let verdict = case.verdict(StoreStanding::Away);
        assert!(!verdict.fresh, "{message:?}");
        assert!(verdict.behind.is_none() && case.verdict(StoreStanding::Current).fresh, "{message:?}");
    }
}
