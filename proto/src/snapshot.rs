//! The complete state of an environment at a revision.

use crate::digest::Digest;
use crate::flag::Flag;
use crate::key::EnvironmentKey;
use crate::kill::Kill;
use crate::revision::Position;
use crate::segment::Segment;
use crate::settings::Settings;
use crate::table::Table;

/// A content hash: SHA-256 over the digests of all flags, segments and kills (in this order, each by key), then of the
/// settings' JSON. It covers committed state, not the overlay of provisional kills, and not the position.
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

    /// The content hash, computed from the digests of the entries (32 bytes each), not from their contents.
    pub fn content_hash(&self) -> ContentHash {
        let settings = serde_json::to_vec(&self.settings).unwrap_or_default();
        let flags = self.flags.iter().map(|entry| entry.digest().bytes().as_slice());
        let segments = self.segments.iter().map(|entry| entry.digest().bytes().as_slice());
        let kills = self.kills.iter().map(|entry| entry.digest().bytes().as_slice());
        Digest::of(flags.chain(segments).chain(kills).chain([settings.as_slice()]))
    }

    /// The kills that cover `key`, committed ones only.
    pub fn kills_of<'a>(&'a self, key: &'a str) -> impl Iterator<Item = &'a Kill> {
        self.kills.iter().filter_map(|entry| entry.value().ok()).filter(move |kill| kill.covers(key))
    }
}
