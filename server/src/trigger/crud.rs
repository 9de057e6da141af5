//! Creates, changes and deletes triggers.

use jiff::Timestamp;
use rand::RngExt as _;
use rand::distr::Alphanumeric;
use ripcord_proto::actor::Actor;
use ripcord_proto::digest::Digest;
use ripcord_proto::proposal::ProposedOperation;
use ripcord_proto::record::RecordKey;
use ripcord_proto::rest::triggers::{CredentialKind, TriggerPatch, TriggerRequest};
use ripcord_proto::trigger::{Credential, SignalSource, SigningKey, Trigger};
use ripcord_proto::{TriggerName, ValidationErrors, limits};

use crate::commit::{CommitError, Expected, MissingItem, Operation, Precheck};
use crate::secret::Secret;

/// Random letters and digits of a secret: 250 bits.
const RANDOM: usize = 42;

/// A new trigger, and its secret if the caller does not know it yet.
#[derive(Debug, Clone)]
pub struct CreatedTrigger {
    pub trigger: Trigger,
    /// To be shown once.
    pub secret: Option<Secret>,
}

/// A new trigger.
pub fn new_trigger(request: &TriggerRequest, by: Actor, at: Timestamp) -> CreatedTrigger {
    let is_gate = matches!(request.source, SignalSource::Gate(_));
    let minted = (!is_gate && request.secret.is_none()).then(|| Secret::new(format!("rct_{}", random())));
    let text = request.secret.clone().or_else(|| minted.as_ref().map(|secret| secret.expose().to_owned()));
    let credential = match (text, request.credential.unwrap_or(CredentialKind::Bearer)) {
        (None, _) => Credential::Inside,
        (Some(text), CredentialKind::Bearer) => Credential::Bearer(Digest::of([text.as_bytes()])),
        (Some(text), CredentialKind::Hmac) => Credential::Hmac(SigningKey::new(text)),
    };
    let trigger = Trigger {
        name: request.name.clone(),
        source: request.source.clone(),
        credential,
        action: request.action.clone(),
        conditions: request.conditions.clone(),
        cooldown: request.cooldown.unwrap_or(Trigger::COOLDOWN),
        max_per_hour: request.max_per_hour.unwrap_or(Trigger::MAX_PER_HOUR),
        answer_within: request.answer_within.unwrap_or(Trigger::ANSWER_WITHIN),
        state: request.state,
        mode: request.mode,
        note: request.note.clone(),
        by,
        at,
    };
    CreatedTrigger { trigger, secret: minted }
}

fn random() -> String {
    rand::rng().sample_iter(Alphanumeric).take(RANDOM).map(char::from).collect()
}

/// Creates a trigger; its name must be free.
pub fn create(trigger: Trigger) -> Operation {
    Operation::decide(move |state| {
        if state.records.triggers.len() >= limits::TRIGGERS {
            let problem = format!("the environment already has {} triggers, the maximum; delete one first", limits::TRIGGERS);
            return Err(CommitError::from(ValidationErrors::one("", problem)));
        }
        Ok(vec![Operation::put_record(trigger.name.clone(), trigger.clone(), Expected::Absent)?])
    })
}

/// Changes the given fields of a trigger. `expected` is the digest of the record that the caller read, if given.
pub fn change(name: TriggerName, patch: TriggerPatch, expected: Option<Digest>) -> Operation {
    let kept = ProposedOperation::ChangeTrigger {
        trigger: name.clone(),
        patch: serde_json::to_value(&patch).unwrap_or_default(),
    };
    let decision = Precheck::new(move |state| {
        let found = state.records.triggers.get(name.as_str());
        let found = found.and_then(|entry| Some((entry, entry.value().ok()?)));
        let (present, trigger) = found.ok_or_else(|| CommitError::NotFound(MissingItem::Record(RecordKey::Trigger(name.clone()))))?;
        let expected = Expected::Digest(expected.unwrap_or(*present.digest()));
        Ok(vec![Operation::put_record(name.clone(), changed(trigger, &patch), expected)?])
    });
    Operation::Decide(decision.kept_as(kept))
}

fn changed(trigger: &Trigger, patch: &TriggerPatch) -> Trigger {
    let patch = patch.clone();
    Trigger {
        action: patch.action.unwrap_or_else(|| trigger.action.clone()),
        conditions: patch.conditions.unwrap_or_else(|| trigger.conditions.clone()),
        cooldown: patch.cooldown.unwrap_or(trigger.cooldown),
        max_per_hour: patch.max_per_hour.unwrap_or(trigger.max_per_hour),
        answer_within: patch.answer_within.unwrap_or(trigger.answer_within),
        state: patch.state.unwrap_or(trigger.state),
        mode: patch.mode.map_or(trigger.mode, ripcord_proto::rest::triggers::ModeOverride::mode),
        note: patch.note.or_else(|| trigger.note.clone()),
        ..trigger.clone()
    }
}

/// Deletes a trigger; its firings stay.
pub fn delete(name: TriggerName, expected: Option<Digest>) -> Operation {
    Operation::decide(move |state| {
        let key = RecordKey::Trigger(name.clone());
        let found = state
            .records
            .digest(&key)
            .ok_or_else(|| CommitError::NotFound(MissingItem::Record(key.clone())))?;
        Ok(vec![Operation::DeleteRecord(key, Expected::Digest(expected.unwrap_or(found)))])
    })
}
