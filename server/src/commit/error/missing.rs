//! What a draft names that does not exist.

use std::collections::BTreeMap;
use std::fmt;

use ripcord_proto::problem::{Code, Problem};
use ripcord_proto::record::RecordKey;
use ripcord_proto::release::Release;
use ripcord_proto::similar::nearest;
use ripcord_proto::table::Table;
use ripcord_proto::text::counted_len;
use ripcord_proto::{CheckpointName, EnvironmentKey, Flag, FlagKey, KillId, ReleaseName, Segment, SegmentKey, Tag, TargetName};

/// A name that nothing has.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UnknownName<K> {
    name: K,
    /// The name that may be meant.
    near: Option<String>,
}

impl<K: fmt::Display> UnknownName<K> {
    /// Of all `names`, none is this one.
    pub fn among<'a>(name: K, names: impl IntoIterator<Item = &'a str>) -> Self {
        let near = nearest(&name.to_string(), names).map(ToOwned::to_owned);
        Self { name, near }
    }
}

impl<K: fmt::Display> fmt::Display for UnknownName<K> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.name.fmt(f)
    }
}

/// Something that does not exist.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum MissingItem {
    #[error("environment {0} does not exist")]
    Environment(UnknownName<EnvironmentKey>),
    #[error("flag {0} does not exist")]
    Flag(UnknownName<FlagKey>),
    #[error("segment {0} does not exist")]
    Segment(UnknownName<SegmentKey>),
    #[error("release {0} does not exist")]
    Release(UnknownName<ReleaseName>),
    /// No flag has the tag.
    #[error("no flag has the tag {tag}")]
    Tag {
        tag: Tag,
        /// A tag like it, and how many flags have that.
        near: Option<(Tag, usize)>,
    },
    #[error("kill {0} is not in force")]
    Kill(KillId),
    #[error("{} {} does not exist", .0.kind(), .0.as_str())]
    Record(RecordKey),
    /// An API key, by its id.
    #[error("key {0} does not exist")]
    Key(String),
    #[error("There is no checkpoint {name}: {}.", alternatives(nearest))]
    Checkpoint {
        name: CheckpointName,
        /// Existing names like it.
        nearest: Vec<CheckpointName>,
    },
    /// A checkpoint is needed, and this names a revision.
    #[error("{0} is a revision, not a checkpoint. See the checkpoints: `ripcord checkpoint list`.")]
    NotACheckpoint(TargetName),
}

impl MissingItem {
    /// The flag `key` is not among `flags`.
    pub fn flag(key: &FlagKey, flags: &Table<Flag>) -> Self {
        Self::Flag(UnknownName::among(key.clone(), flags.iter().map(|entry| entry.key().as_str())))
    }

    /// The segment `key` is not among `segments`.
    pub fn segment(key: &SegmentKey, segments: &Table<Segment>) -> Self {
        Self::Segment(UnknownName::among(key.clone(), segments.iter().map(|entry| entry.key().as_str())))
    }

    /// The release `name` is not among `releases`.
    pub fn release(name: &ReleaseName, releases: &Table<Release>) -> Self {
        Self::Release(UnknownName::among(name.clone(), releases.iter().map(|entry| entry.key().as_str())))
    }

    /// None of `flags` has `tag`.
    pub fn tag(tag: &Tag, flags: &Table<Flag>) -> Self {
        let mut tags: BTreeMap<&Tag, usize> = BTreeMap::new();
        for other in flags.values().flat_map(|flag| &flag.tags) {
            *tags.entry(other).or_default() += 1;
        }
        let near = nearest(tag.as_str(), tags.keys().map(|other| other.as_str()));
        let near = near.and_then(|near| tags.iter().find(|(other, _)| other.as_str() == near));
        Self::Tag {
            tag: tag.clone(),
            near: near.map(|(other, flags)| ((*other).clone(), *flags)),
        }
    }

    /// The name that may be meant.
    fn near(&self) -> Option<&str> {
        match self {
            Self::Environment(UnknownName { near, .. })
            | Self::Flag(UnknownName { near, .. })
            | Self::Segment(UnknownName { near, .. })
            | Self::Release(UnknownName { near, .. }) => near.as_deref(),
            Self::Tag { near, .. } => near.as_ref().map(|(tag, _)| tag.as_str()),
            Self::Checkpoint { nearest, .. } => nearest.first().map(CheckpointName::as_str),
            Self::Kill(_) | Self::Record(_) | Self::Key(_) | Self::NotACheckpoint(_) => None,
        }
    }

    pub(super) fn problem(&self) -> Problem {
        let near = self.near();
        let meant = near.map(|near| format!(" Did you mean {near}?")).unwrap_or_default();
        let (code, detail) = match self {
            Self::Environment(key) => (
                Code::EnvironmentNotFound,
                format!("Environment {key} does not exist.{meant} List environments with `ripcord env list`."),
            ),
            Self::Flag(key) => (
                Code::FlagNotFound,
                format!("Flag {key} does not exist in this environment.{meant} List flags with `ripcord flags list`."),
            ),
            Self::Segment(key) => (
                Code::NotFound,
                format!("Segment {key} does not exist in this environment.{meant} List segments with `ripcord segments list`."),
            ),
            Self::Release(name) => (
                Code::NotFound,
                format!("No release {name} exists in this environment.{meant} List them with `ripcord release list`."),
            ),
            Self::Tag { tag, near } => (Code::NotFound, no_tag(tag, near.as_ref())),
            Self::Kill(id) => (Code::NotFound, format!("Kill {id} is not in force. List kills with `ripcord kill list`.")),
            Self::Record(key) => {
                let (kind, name) = (key.kind(), key.as_str());
                let list = if kind == "firing" {
                    "trigger firings".to_owned()
                } else {
                    format!("{kind} list")
                };
                let detail = format!("No {kind} {name} exists in this environment. List them with `ripcord {list}`.");
                (Code::NotFound, detail)
            }
            Self::Key(id) => (Code::NotFound, format!("Key {id} does not exist. List keys with `ripcord keys list`.")),
            Self::Checkpoint { .. } | Self::NotACheckpoint(_) => (Code::NotFound, self.to_string()),
        };
        let problem = Problem::new(code, detail);
        match near {
            Some(near) => problem.with("did_you_mean", near),
            None => problem,
        }
    }
}

fn no_tag(tag: &Tag, near: Option<&(Tag, usize)>) -> String {
    let meant = near.map(|(near, flags)| format!(" Did you mean \"{near}\" ({})?", counted_len(*flags, "flag", "flags")));
    format!(
        "Nothing was killed: no flag has the tag \"{tag}\".{} To kill flags that get this tag later: `ripcord kill --tag {tag} --future` (in the API, \"future\": true).",
        meant.unwrap_or_default()
    )
}

fn alternatives(nearest: &[CheckpointName]) -> String {
    if nearest.is_empty() {
        return "there are none yet. Create one: `ripcord checkpoint create NAME`".to_owned();
    }
    let names: Vec<&str> = nearest.iter().map(CheckpointName::as_str).collect();
    format!("the nearest names are {}. See all: `ripcord checkpoint list`", names.join(", "))
}
