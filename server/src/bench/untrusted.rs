//! Everything that reads bytes which others wrote, each as one function of those bytes: it must not panic, whatever they are, and what
//! can be written again must read the same. The fuzzers (`tests/fuzz`) and the property tests beside this file call the same functions.

use std::sync::Arc;

use ripcord_proto::digest::Digest;
use ripcord_proto::flags_file::FlagsFile;
use ripcord_proto::frame::{ClientFrame, ServerFrame, encode_delta, encode_overlay, encode_snapshot};
use ripcord_proto::table::Entry;
use ripcord_proto::{EnvironmentKey, Flag, FlagKey, Position, Snapshot, flagd};
use ripcord_sdk::engine::{Compiled, Context, SinceContact, over_budget};
use serde_json::{Value, json};

use crate::store::backup::Backup;
use crate::store::journal;
use crate::store::state::StoredState;
use crate::{ofrep, stream};

/// A reader of untrusted bytes.
pub type Target = fn(&[u8]);

/// All of them, by the names of the fuzz targets.
pub const TARGETS: [(&str, Target); 11] = [
    ("server_frame", server_frame),
    ("client_frame", client_frame),
    ("hello", hello),
    ("acknowledgement", acknowledgement),
    ("websocket", websocket),
    ("flags_file", flags_file),
    ("jsonlogic", jsonlogic),
    ("ofrep_body", ofrep_body),
    ("kill_journal", kill_journal),
    ("mirror", mirror),
    ("backup", backup),
];

fn text(bytes: &[u8]) -> &str {
    std::str::from_utf8(bytes).unwrap_or_default()
}

/// A frame that an application gets.
pub fn server_frame(bytes: &[u8]) {
    let Some(written) = rewritten(text(bytes)) else { return };
    let again = rewritten(&written);
    assert_eq!(again.as_ref(), Some(&written), "a frame is read differently once it is written again");
}

fn rewritten(frame: &str) -> Option<String> {
    match ServerFrame::parse(frame).ok()? {
        ServerFrame::Snapshot(snapshot, hash, overlay) => encode_snapshot(&snapshot, &hash, &overlay).ok(),
        ServerFrame::Delta(delta) => encode_delta(&delta).ok(),
        ServerFrame::Overlay(overlay) => encode_overlay(&overlay).ok(),
        ServerFrame::Superseding(..) | ServerFrame::Heartbeat(_) | ServerFrame::Goodbye(_) => None,
    }
}

/// A frame that an application sends.
pub fn client_frame(bytes: &[u8]) {
    let Ok(frame) = serde_json::from_slice::<ClientFrame>(bytes) else { return };
    let written = serde_json::to_string(&frame).unwrap_or_default();
    let again = serde_json::from_str::<ClientFrame>(&written);
    assert!(again.is_ok_and(|again| again == frame), "{written}");
}

/// The hello in a query.
pub fn hello(bytes: &[u8]) {
    let Some(hello) = stream::hello_of_query(text(bytes)) else { return };
    assert!(!hello.instance_id.is_empty(), "a hello without an id");
}

/// A posted acknowledgement.
pub fn acknowledgement(bytes: &[u8]) {
    stream::is_acknowledgement(bytes);
}

/// What a WebSocket brings: the same messages, however it is cut.
pub fn websocket(bytes: &[u8]) {
    let whole = stream::count_messages(bytes, bytes.len());
    for piece in [1, 7] {
        assert_eq!(stream::count_messages(bytes, piece), whole, "in pieces of {piece}");
    }
}

/// A flags file, YAML or JSON, of this format or flagd's.
pub fn flags_file(bytes: &[u8]) {
    let Ok(imported) = flagd::parse_either(text(bytes)) else { return };
    let file = imported.into_file();
    let Ok(written) = file.to_yaml() else { return };
    let again = FlagsFile::parse(&written);
    assert!(again.as_ref().is_ok_and(|again| *again == file), "{again:?} of\n{written}");
}

/// A flag whose only rule is this JSONLogic, evaluated for a user.
pub fn jsonlogic(bytes: &[u8]) {
    let Ok(rule) = serde_json::from_slice::<Value>(bytes) else { return };
    // It only has to come to an end.
    let _ = over_budget(&rule);
    let flag = json!({"variants": {"on": true, "off": false}, "default": "off", "safe": "off", "rules": [{"serve": {"jsonlogic": rule}}]});
    let Some(snapshot) = snapshot_of(&flag) else { return };
    let list = json!(["a", {"b": [1, 2.5, null]}]);
    let context = Context::new("user-1").with("number", 29.0).with("list", &list);
    let compiled = Compiled::new(&snapshot);
    let once = compiled.evaluate("flag", &context, SinceContact::FRESH);
    let again = compiled.evaluate("flag", &context, SinceContact::FRESH);
    assert_eq!(once.variant(), again.variant(), "the same user gets another variant");
}

fn snapshot_of(flag: &Value) -> Option<Snapshot> {
    let flag = Flag::from_value(flag).ok()?;
    let mut snapshot = Snapshot::empty(EnvironmentKey::new("test").ok()?);
    snapshot.position = Position::new(1, 1);
    let entry = Entry::new(FlagKey::new("flag").ok()?, flag, snapshot.position).ok()?;
    snapshot.flags.insert(Arc::new(entry));
    Some(snapshot)
}

/// The body of an evaluation with a public key.
pub fn ofrep_body(bytes: &[u8]) {
    ofrep::is_context(bytes);
}

/// The journal of kills, as it is on disk, and a line of it whose checksum is right.
pub fn kill_journal(bytes: &[u8]) {
    if let Ok((pending, whole)) = journal::pending_after(bytes) {
        let kept = journal::pending_after(bytes.get(..whole).unwrap_or_default());
        assert!(
            kept.is_ok_and(|kept| kept == (pending, whole)),
            "cutting off the torn line changes what is pending"
        );
    }
    let line = journal::line_of(text(bytes));
    // It only has to come to an end.
    let _ = journal::pending_after(line.as_bytes());
}

/// A state of the mirror: with its digest, and as JSON for which a right digest is computed.
pub fn mirror(bytes: &[u8]) {
    let decoded = StoredState::decode(bytes).ok();
    let Some(state) = decoded.or_else(|| StoredState::from_json(text(bytes)).ok()) else {
        return;
    };
    let Ok(written) = state.encode() else { return };
    let again = StoredState::decode(&written).ok().and_then(|again| again.encode().ok());
    assert!(
        again.is_some_and(|again| again == written),
        "a state is read differently once it is written again"
    );
}

/// A backup: as it is, and with a right digest at its end.
pub fn backup(bytes: &[u8]) {
    backup_again(bytes);
    let mut whole = bytes.to_vec();
    whole.extend_from_slice(format!("{{\"end\":\"{}\"}}\n", Digest::of([bytes])).as_bytes());
    backup_again(&whole);
}

fn backup_again(bytes: &[u8]) {
    let Ok(backup) = Backup::read(bytes) else { return };
    let (mut written, mut twice) = (Vec::new(), Vec::new());
    if backup.write(&mut written).is_err() {
        return;
    }
    let again = Backup::read(written.as_slice()).ok().and_then(|again| again.write(&mut twice).ok());
    assert!(again.is_some() && twice == written, "a backup is read differently once it is written again");
}

#[cfg(test)]
mod tests;
