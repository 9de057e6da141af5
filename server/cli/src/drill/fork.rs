//! What a drill runs on: a copy of an environment's state (read, never written), or a flags file, or a few flags
//! that are built in.

use std::path::Path;

use ripcord_proto::kill::KillScope;
use ripcord_proto::policy::Policy;
use ripcord_proto::rest::kills::KillView;
use ripcord_proto::settings::Settings;
use ripcord_proto::{Flag, FlagKey, FlagsFile, SegmentKey, limits};

use crate::answer::{Answer, ClientError};
use crate::client::{Call, Client};
use crate::context::Context;
use crate::exit::Failure;
use crate::{input, sample_flags, snapshot};

/// The state that a drill runs on.
#[derive(Debug, Clone)]
pub(super) struct Fork {
    /// Its origin, for people.
    pub(super) from: String,
    /// Flags and segments. The flags have no checks, because those would call the real services.
    pub(super) file: FlagsFile,
    /// The environment's settings.
    pub(super) settings: Settings,
    /// Flags that are killed.
    pub(super) kills: Vec<KillScope>,
    /// The environment's deadline for confirming a rollback, in seconds.
    pub(super) confirm_within_seconds: u64,
}

impl Fork {
    /// Forks an environment.
    pub(super) async fn environment(call: &Context) -> Result<Self, Failure> {
        let snapshot = snapshot::snapshot(&call.client, call.environment()).await?;
        if snapshot.flags.is_empty() {
            return Self::built_in(&format!("{} is empty: the built-in flags", call.environment()));
        }
        let kills: Answer<Vec<KillView>> = call.client.list(&call.path(&["kills"]), limits::FLAGS).await?;
        let policy = policy(&call.client, &call.path(&["policy"])).await?;
        Ok(Self {
            from: format!("{} at {}", call.environment(), snapshot.position),
            file: without_checks(snapshot::flags_file(&snapshot)?),
            settings: snapshot.settings,
            kills: kills.value.into_iter().map(|view| view.kill.scope).collect(),
            confirm_within_seconds: policy.confirm_within_seconds(),
        })
    }

    /// Uses a flags file.
    pub(super) fn file(path: &Path) -> Result<Self, Failure> {
        Ok(Self::of(input::name(path), input::flags_file(path)?))
    }

    /// Uses the built-in flags.
    fn built_in(from: &str) -> Result<Self, Failure> {
        let file = FlagsFile::parse(sample_flags::FLAGS).map_err(|faults| Failure::File {
            file: "the built-in flags".to_owned(),
            faults,
        })?;
        Ok(Self::of(from.to_owned(), file))
    }

    fn of(from: String, file: FlagsFile) -> Self {
        Self {
            from,
            file: without_checks(file),
            settings: Settings::default(),
            kills: Vec::new(),
            confirm_within_seconds: Policy::default().confirm_within_seconds(),
        }
    }

    pub(super) fn flags(&self) -> impl Iterator<Item = (&FlagKey, &Flag)> {
        self.file.flags.iter()
    }

    pub(super) fn segments(&self) -> impl Iterator<Item = (&SegmentKey, &ripcord_proto::Segment)> {
        self.file.segments.iter()
    }
}

fn without_checks(mut file: FlagsFile) -> FlagsFile {
    file.environment = None;
    for flag in file.flags.values_mut() {
        flag.checks = Vec::new();
    }
    file
}

async fn policy(client: &Client, path: &[&str]) -> Result<Policy, ClientError> {
    #[derive(serde::Deserialize)]
    struct FlagsSeen {
        #[serde(default)]
        confirm_within_seconds: Option<u64>,
    }
    let seen: Answer<FlagsSeen> = client.call(Call::get(path.iter().copied())).await?;
    Ok(Policy {
        confirm_within_seconds: seen.value.confirm_within_seconds,
        ..Policy::default()
    })
}
