//! Nodes of the landing before understand this one's messages, and this one theirs: a cluster is upgraded node by node.

use std::collections::BTreeSet;

use ripcord_proto::digest::Digest;
use ripcord_proto::frame::{KillEnd, Overlay};
use ripcord_proto::{EnvironmentKey, KillId};
use serde_json::{Value, json};

use super::{PeerLog, PeerSync};
use crate::store::Head;

/// As a node of the landing before writes it: one provisional kill, and one that has ended.
const BEFORE: &str = r#"{"node":"b","overlays":[["production",{"kills":{"k_01jd3x7q8v9w0y2z4a6b8c0d2e":{"id":"k_01jd3x7q8v9w0y2z4a6b8c0d2e","scope":{"flag":"checkout"},"reason":"5xx spike","actor":{"name":"ada","role":"oncall","key":"key_Ab12Cd34Ef56"},"at":"2026-11-24T10:00:00Z","flags":["checkout"]}},"ended":{"k_01jd3x7q8v9w0y2z4a6b8c0d2f":"withdrawn"}}],["staging",{"kills":{}}]]}"#;

fn id(text: &str) -> KillId {
    KillId::new(text).unwrap()
}

#[test]
fn a_message_of_the_version_before_tells_its_provisional_kills() {
    let theirs: PeerSync = serde_json::from_str(BEFORE).unwrap();
    assert_eq!(theirs.node, "b");
    let log = theirs.log(&EnvironmentKey::new("production").unwrap()).unwrap();
    assert_eq!(log.overlay.kills[&id("k_01jd3x7q8v9w0y2z4a6b8c0d2e")].reason.as_deref(), Some("5xx spike"));
    assert_eq!(log.overlay.ended[&id("k_01jd3x7q8v9w0y2z4a6b8c0d2f")], KillEnd::Withdrawn);
    assert!(theirs.environments.iter().all(|log| log.head.is_none() && log.committed.is_none()));
    assert!(theirs.history.is_none() && theirs.system.is_none() && theirs.revoked.is_empty());
    assert!(
        !theirs.vouches() && !theirs.anchored && !theirs.store_current,
        "what it does not say is not known"
    );
}

/// The definitions of the landing before.
#[derive(Debug, serde::Serialize, serde::Deserialize)]
struct SyncBefore {
    node: String,
    overlays: Vec<(EnvironmentKey, Overlay)>,
}

fn message() -> PeerSync {
    let before: PeerSync = serde_json::from_str(BEFORE).unwrap();
    PeerSync {
        history: Some(Digest::of([b"ours".as_slice()])),
        store_current: true,
        anchored: true,
        system: Some(Head::START),
        revoked: vec!["key_Ab12Cd34Ef56".to_owned()],
        environments: before
            .environments
            .into_iter()
            .map(|log| PeerLog {
                head: Some(Head::START),
                committed: Some(log.overlay.kills.values().cloned().collect()),
                ended: BTreeSet::from([id("k_01jd3x7q8v9w0y2z4a6b8c0d2g")]),
                ..log
            })
            .collect(),
        ..before
    }
}

#[test]
fn a_node_of_the_version_before_reads_the_provisional_kills_of_this_one() {
    let text = serde_json::to_string(&message()).unwrap();
    let read: SyncBefore = serde_json::from_str(&text).unwrap();
    let before: SyncBefore = serde_json::from_str(BEFORE).unwrap();
    assert_eq!(read.node, before.node);
    let told = |sync: SyncBefore| {
        sync.overlays
            .into_iter()
            .filter(|(_, overlay)| *overlay != Overlay::default())
            .collect::<Vec<_>>()
    };
    assert_eq!(told(read), told(before), "an overlay without kills need not be told");
}

#[test]
fn a_message_is_read_as_it_was_written_and_members_of_later_versions_are_skipped() {
    let written = serde_json::to_value(message()).unwrap();
    let mut later = written.clone();
    later["mood"] = json!("fine");
    later["environments"][0]["mood"] = json!("fine");
    later["overlays"][0][1]["mood"] = json!("fine");
    for text in [written.clone(), later] {
        let read: PeerSync = serde_json::from_value(text).unwrap();
        assert!(read.vouches());
        assert_eq!(serde_json::to_value(read).unwrap(), written);
    }
}

#[test]
fn a_message_without_its_newer_members_is_one_that_vouches_for_nothing() {
    let written = serde_json::to_value(message()).unwrap();
    let newer = ["history", "store_current", "anchored", "system", "revoked", "environments"];
    for name in newer {
        let mut less = written.clone();
        less.as_object_mut().unwrap().remove(name);
        let read: PeerSync = serde_json::from_value(less).unwrap();
        let expected = !matches!(name, "anchored" | "history" | "system" | "environments");
        assert_eq!(read.vouches(), expected, "{name}");
    }
    assert_eq!(
        Value::from(newer.len() + 2),
        Value::from(written.as_object().unwrap().len()),
        "a new member belongs into this list"
    );
}
