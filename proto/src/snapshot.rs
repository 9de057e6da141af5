//! The complete state of an environment at a revision.

use crate::digest::Digest;
use crate::flag::Flag;
use crate::key::EnvironmentKey;
use crate::kill::Kill;
use crate::revision::Position;
use crate::segment::Segment;
use crate::settings::Settings;
use crate::table::Table;

/// A content hash: SHA-256 over the digests of the tables of flags, segments and kills (in this order, see [`Table::digest`]), then
/// the settings' JSON. It covers committed state, not the overlay of provisional kills, and not the position.
pub type ContentHash = Digest;

/// The immutable state of an environment at a revision. Cloning is cheap: entries are reference-counted.
#[derive(Debug, Clone)]
pub struct Snapshot {
    /// The environment whose state this is.
    pub environment: EnvironmentKey,
    /// The position of this state in the log.
    pub position: Position,
    /// The settings, which apply to all flags.
    pub settings: Settings,
    /// All flags, by key.
    pub flags: Table<Flag>,
    /// All segments, by key.
    pub segments: Table<Segment>,
    /// The committed kills in force.
    pub kills: Table<Kill>,
}

impl Snapshot {
    /// An empty environment at revision 0.
    pub fn empty(environment: EnvironmentKey) -> Self {
        Self {
            environment,
            position: Position::START,
            settings: Settings::default(),
            flags: Table::default(),
            segments: Table::default(),
            kills: Table::default(),
        }
    }

    /// The content hash. Only what changed since an earlier snapshot's hash was computed is read: see [`Table::digest`].
    pub fn content_hash(&self) -> ContentHash {
        let settings = serde_json::to_vec(&self.settings).unwrap_or_default();
        let (flags, segments, kills) = (self.flags.digest(), self.segments.digest(), self.kills.digest());
        let tables = [flags.bytes().as_slice(), segments.bytes(), kills.bytes()];
        Digest::of(tables.into_iter().chain([settings.as_slice()]))
    }

    /// The content hash as it was defined before tables had chunks: SHA-256 over the digests of all flags, segments and kills, then the
    /// settings' JSON. Logs, checkpoints and servers of that time state it.
    pub fn flat_hash(&self) -> ContentHash {
        let settings = serde_json::to_vec(&self.settings).unwrap_or_default();
        let flags = self.flags.iter().map(|entry| entry.digest().bytes().as_slice());
        let segments = self.segments.iter().map(|entry| entry.digest().bytes().as_slice());
        let kills = self.kills.iter().map(|entry| entry.digest().bytes().as_slice());
        Digest::of(flags.chain(segments).chain(kills).chain([settings.as_slice()]))
    }

    /// Whether `stated` is its content hash, by the present definition or the earlier one.
    pub fn has_hash(&self, stated: &ContentHash) -> bool {
        self.content_hash() == *stated || self.flat_hash() == *stated
    }

    /// The kills that cover `key`, committed ones only.
    pub fn kills_of<'a>(&'a self, key: &'a str) -> impl Iterator<Item = &'a Kill> {
        self.kills.iter().filter_map(|entry| entry.value().ok()).filter(move |kill| kill.covers(key))
    }
}
