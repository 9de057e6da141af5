//! The people and pipelines of a drill. Each acts over REST as in a real incident, with a key of its own role.

use std::collections::BTreeSet;
use std::time::Duration;

use ripcord_proto::kill::KillScope;
use ripcord_proto::problem::Problem;
use ripcord_proto::rest::commits::{ChangeRequest, CommitRequest};
use ripcord_proto::rest::flags::FlagView;
use ripcord_proto::rest::keys::{KeyCreated, KeyRequest};
use ripcord_proto::rest::kills::{KillRequest, KillResponse};
use ripcord_proto::rest::log::LogEntry;
use ripcord_proto::rest::responses::WriteResponse;
use ripcord_proto::rest::settings::SettingsRequest;
use ripcord_proto::role::Role;
use ripcord_proto::rollback::Rollback;
use ripcord_proto::{EnvironmentKey, FlagKey, KillId, Position, RollbackId, Snapshot};
use serde_json::{Value, json};

use super::fork::Fork;
use super::harness::Harness;
use crate::answer::{Answer, ClientError};
use crate::client::{Call, Client};
use crate::context::path;
use crate::exit::Failure;
use crate::snapshot;

/// The environment of a drill; every server has it from its first start.
const ENVIRONMENT: &str = "production";
/// The checkpoint of the known-good state.
pub(super) const CHECKPOINT: &str = "known-good";
/// The release that is rolled back.
pub(super) const RELEASE: &str = "bad-release";
/// How long the answer to a rollback or a kill may take. It is generous, because late answers are judged and not cut off.
const URGENT: Duration = Duration::from_mins(1);

pub(super) type Told<T> = Result<T, Box<Problem>>;

/// The actors of a drill.
#[derive(Debug)]
pub(super) struct Actors {
    environment: EnvironmentKey,
    admin: Client,
    pipeline: Client,
    on_call: Client,
    application_key: String,
}

/// Sends a call that a guard may refuse; a refusal is a valid result.
fn told<T>(answer: Result<Answer<T>, ClientError>) -> Result<Told<T>, Failure> {
    match answer {
        Ok(answer) => Ok(Ok(answer.value)),
        Err(ClientError::Problem(refusal)) => Ok(Err(Box::new(refusal.problem))),
        Err(error) => Err(error.into()),
    }
}

impl Actors {
    /// Creates a key for each actor.
    pub(super) async fn hire(harness: &Harness) -> Result<Self, Failure> {
        let environment = EnvironmentKey::new(ENVIRONMENT).map_err(|faults| Failure::Local(faults.to_string()))?;
        let admin = harness.client(None, "drill")?;
        let key_of = async |role: Role| {
            let request = KeyRequest {
                role,
                environments: vec![environment.clone()],
                name: format!("drill {role}"),
                reason: None,
            };
            let made: Answer<KeyCreated> = admin.call(Call::post(["v1", "keys"]).json(&request)?).await?;
            made.value
                .key
                .ok_or_else(|| Failure::Local("The drill's server created a key but did not return it.".to_owned()))
        };
        Ok(Self {
            pipeline: harness.client(Some(&key_of(Role::Pipeline).await?), "drill-pipeline")?,
            on_call: harness.client(Some(&key_of(Role::Oncall).await?), "drill-on-call")?,
            application_key: key_of(Role::Sdk).await?,
            environment,
            admin,
        })
    }

    /// The key of the applications.
    pub(super) fn application_key(&self) -> &str {
        &self.application_key
    }

    /// The environment of the drill.
    pub(super) const fn environment(&self) -> &EnvironmentKey {
        &self.environment
    }

    /// Fills the environment with the fork, in one commit.
    pub(super) async fn seed(&self, fork: &Fork) -> Result<(), Failure> {
        let settings = ChangeRequest::PutSettings(SettingsRequest {
            bucketing: fork.settings.bucketing,
            context: fork.settings.context.clone(),
            context_from_headers: fork.settings.context_from_headers.clone(),
            reassign_users: true,
            reason: None,
        });
        let segments = fork.segments().map(|(key, segment)| ChangeRequest::PutSegment {
            key: key.clone(),
            segment: Box::new(segment.clone()),
        });
        let flags = fork.flags().map(|(key, flag)| ChangeRequest::PutFlag {
            key: key.clone(),
            flag: Box::new(flag.clone()),
        });
        // A kill of a tag is in force even if no flag has the tag any more.
        let kills = fork.kills.iter().map(|scope| ChangeRequest::Kill {
            scope: scope.clone(),
            future: true,
            ignored: Vec::new(),
        });
        let changes = std::iter::once(settings).chain(segments).chain(flags).chain(kills).collect();
        let _: Answer<WriteResponse> = self.admin.call(self.commit("the state before the drill", changes)?).await?;
        Ok(())
    }

    fn commit(&self, reason: &str, changes: Vec<ChangeRequest>) -> Result<Call, ClientError> {
        Call::post(path(&self.environment, &["commits"])).json(&CommitRequest {
            reason: Some(reason.to_owned()),
            changes,
            plan: None,
            allow_killed_edit: false,
        })
    }

    /// The environment's current snapshot.
    pub(super) async fn snapshot(&self) -> Result<Snapshot, Failure> {
        snapshot::snapshot(&self.admin, &self.environment).await
    }

    /// Takes the checkpoint of the known-good state and vouches for it.
    pub(super) async fn vouch(&self, applications: usize) -> Result<(), Failure> {
        let checkpoint = Call::post(path(&self.environment, &["checkpoints"])).json(&json!({"name": CHECKPOINT, "note": "before the bad release"}))?;
        let _: Answer<Value> = self.on_call.call(checkpoint).await?;
        let evidence = json!({"evidence": "every application of the drill serves it", "figures": {"applications": applications}});
        let vouch = Call::post(path(&self.environment, &["checkpoints", CHECKPOINT, "vouch"])).json(&evidence)?;
        let _: Answer<Value> = self.on_call.call(vouch).await?;
        Ok(())
    }

    /// Sets the environment's policy.
    pub(super) async fn set_policy(&self, policy: &Value) -> Result<(), Failure> {
        let _: Answer<Value> = self.admin.call(Call::put(path(&self.environment, &["policy"])).json(policy)?).await?;
        Ok(())
    }

    /// Starts the release and makes its changes in one commit.
    pub(super) async fn release(&self, changes: Vec<ChangeRequest>) -> Result<Position, Failure> {
        let begin = Call::post(path(&self.environment, &["releases"])).json(&json!({"name": RELEASE}))?;
        let _: Answer<Value> = self.pipeline.call(begin).await?;
        // Only an admin may change settings.
        let with_settings = changes.iter().any(|change| matches!(change, ChangeRequest::PutSettings(_)));
        let who = if with_settings { &self.admin } else { &self.pipeline };
        let commit = self.commit("the bad release", changes)?.query("release", Some(RELEASE));
        let written: Answer<WriteResponse> = who.call(commit).await?;
        let revision = written.value.revision.unwrap_or_default();
        Ok(Position {
            epoch: written.value.epoch,
            revision,
        })
    }

    /// Plans a rollback.
    pub(super) async fn plan(&self, body: &Value) -> Result<Told<Value>, Failure> {
        let call = Call::post(path(&self.environment, &["rollbacks", "plan"])).json(body)?;
        told(self.on_call.call(call).await)
    }

    /// Rolls back under this `Idempotency-Key`. The answer comes with the commit, without waiting for confirmations.
    pub(super) async fn roll_back(&self, body: &Value, identity: &str) -> Result<Told<Rollback>, Failure> {
        let call = Call::post(path(&self.environment, &["rollbacks"])).json(body)?.identified(identity);
        told(self.on_call.call(call.urgent(URGENT)).await)
    }

    /// The number of rollbacks.
    pub(super) async fn rollbacks(&self) -> Result<usize, Failure> {
        let rollbacks: Answer<Vec<serde::de::IgnoredAny>> = self.on_call.list(&path(&self.environment, &["rollbacks"]), usize::MAX).await?;
        Ok(rollbacks.value.len())
    }

    /// The state of a rollback; `None` if no node answers.
    pub(super) async fn rollback(&self, id: &RollbackId) -> Option<Rollback> {
        let call = Call::get(path(&self.environment, &["rollbacks", id.as_str()])).urgent(Duration::ZERO);
        let answer: Result<Answer<Rollback>, _> = self.on_call.call(call).await;
        answer.ok().map(|answer| answer.value)
    }

    pub(super) async fn kill(&self, scope: KillScope) -> Result<KillResponse, Failure> {
        let request = KillRequest {
            scope,
            reason: Some("the store is down, and the release is bad".to_owned()),
            future: true,
            ignored: Vec::new(),
        };
        let call = Call::post(path(&self.environment, &["kills"])).json(&request)?;
        let answer: Answer<KillResponse> = self.on_call.call(call.urgent(URGENT)).await?;
        Ok(answer.value)
    }

    pub(super) async fn restore(&self, id: &KillId) -> Result<(), Failure> {
        let call = Call::delete(path(&self.environment, &["kills", id.as_str()])).query("reason", Some("the rollback is confirmed"));
        let _: Answer<Value> = self.on_call.call(call).await?;
        Ok(())
    }

    /// Whether a kill is in the log.
    pub(super) async fn is_merged(&self, id: &KillId) -> bool {
        let call = Call::get(path(&self.environment, &["kills", id.as_str()])).urgent(Duration::ZERO);
        let answer: Result<Answer<Value>, _> = self.on_call.call(call).await;
        answer.is_ok_and(|answer| answer.value.get("revision").is_some_and(Value::is_u64))
    }

    /// Whether the store is available.
    pub(super) async fn has_store(&self) -> bool {
        let call = Call::get(["readyz"]).urgent(Duration::ZERO);
        let answer: Result<Answer<Value>, _> = self.on_call.call(call).await;
        answer.is_ok_and(|answer| answer.value.pointer("/parts/store/state").and_then(Value::as_str) == Some("ready"))
    }

    /// Edits the description of a flag at its current revision; `None` if another edit came first.
    pub(super) async fn describe(&self, key: &FlagKey, words: &str) -> Result<Option<Position>, Failure> {
        let at = || path(&self.environment, &["flags", key.as_str()]);
        let view: Answer<FlagView> = self.admin.call(Call::get(at())).await?;
        let mut flag: Value = serde_json::from_str(view.value.flag.get()).map_err(|error| Failure::Local(format!("Cannot read a flag: {error}.")))?;
        if let Some(members) = flag.as_object_mut() {
            members.insert("description".to_owned(), json!(words));
        }
        let read_at = Position {
            epoch: view.value.epoch,
            revision: view.value.revision,
        };
        let put = Call::put(at()).json(&flag)?.if_match(read_at).query("reason", Some(words));
        let written = told(self.admin.call::<WriteResponse>(put).await)?;
        Ok(written.ok().and_then(|written| {
            Some(Position {
                epoch: written.epoch,
                revision: written.revision?,
            })
        }))
    }

    /// The reason of every commit, by the revision that it made.
    pub(super) async fn log(&self) -> Result<Vec<LogEntry>, Failure> {
        let entries: Answer<Vec<LogEntry>> = self.admin.list(&path(&self.environment, &["revisions"]), usize::MAX).await?;
        Ok(entries.value)
    }

    pub(super) fn flags_of(plan: &Value) -> BTreeSet<String> {
        let flags = plan.get("flags").and_then(Value::as_array).into_iter().flatten();
        flags.filter_map(|flag| flag.get("key")?.as_str().map(str::to_owned)).collect()
    }
}
