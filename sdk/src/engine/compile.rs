//! Compiles a snapshot, as a whole or only what a delta changed.

use std::borrow::Cow;
use std::fmt;
use std::hash::Hasher as _;
use std::sync::Arc;

use hashbrown::hash_table::Entry as TableEntry;
use hashbrown::{HashMap, HashTable};
use ripcord_proto::key::{EnvironmentKey, FlagKey, SegmentKey};
use ripcord_proto::kill::{Kill, KillScope};
use ripcord_proto::references::TouchedKeys;
use ripcord_proto::revision::Position;
use ripcord_proto::segment::Segment;
use ripcord_proto::snapshot::Snapshot;
use ripcord_proto::table::Entry;
use rustc_hash::{FxBuildHasher, FxHasher};

use super::condition::Condition;
use super::flag::CompiledFlag;
use super::jsonlogic::Interpreter;
use super::short_str::same;

/// A compiled snapshot. It is immutable; the next one shares what did not change.
#[derive(Clone)]
pub struct Compiled {
    environment: EnvironmentKey,
    position: Position,
    flags: HashTable<Slot>,
    segments: HashMap<SegmentKey, Arc<CompiledSegment>, FxBuildHasher>,
    /// The committed kills, by id.
    kills: Vec<Arc<Entry<Kill>>>,
    /// The provisional kills, by id.
    overlay: Vec<Arc<Entry<Kill>>>,
    interpreter: Interpreter,
    /// The attributes that the environment sets in every evaluation.
    pub(super) context: Arc<serde_json::Map<String, serde_json::Value>>,
    counters: u32,
}

/// A flag and the kill that covers it, if any.
#[derive(Debug, Clone)]
pub(super) struct Slot {
    pub(super) flag: Arc<CompiledFlag>,
    pub(super) kill: Option<Arc<Entry<Kill>>>,
}

/// A segment's condition, or why it could not be compiled.
#[derive(Debug)]
pub(super) struct CompiledSegment {
    pub(super) entry: Arc<Entry<Segment>>,
    pub(super) condition: Result<Condition, String>,
}

/// A flag, segment or kill that could not be compiled. A flag serves the caller's default; everything else works.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct CompileIssue {
    /// `flag`, `segment` or `kill`.
    pub kind: &'static str,
    /// The key of the flag or segment, or the id of the kill.
    pub key: String,
    /// What is wrong.
    pub message: String,
}

impl fmt::Display for CompileIssue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}: {}", self.kind, self.key, self.message)
    }
}

impl fmt::Debug for Compiled {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Compiled")
            .field("environment", &self.environment)
            .field("position", &self.position)
            .field("flags", &self.flags.len())
            .finish_non_exhaustive()
    }
}

#[inline]
fn hash_of(key: &str) -> u64 {
    let mut hasher = FxHasher::default();
    hasher.write(key.as_bytes());
    hasher.finish()
}

impl Compiled {
    /// Compiles a whole snapshot.
    pub fn new(snapshot: &Snapshot) -> Self {
        let mut compiled = Self {
            environment: snapshot.environment.clone(),
            position: snapshot.position,
            flags: HashTable::with_capacity(snapshot.flags.len()),
            segments: HashMap::default(),
            kills: snapshot.kills.iter().cloned().collect(),
            overlay: Vec::new(),
            interpreter: Interpreter::new(snapshot.settings.bucketing),
            context: Arc::new(snapshot.settings.context.clone()),
            counters: 0,
        };
        for entry in &snapshot.segments {
            compiled.put_segment(entry);
        }
        for entry in &snapshot.flags {
            compiled.put_flag(entry);
        }
        compiled.mark_kills();
        compiled
    }

    /// Compiles `next`, which differs from this snapshot in `touched` and in any kills. Only what was touched is compiled. The
    /// provisional kills stay.
    #[must_use]
    pub fn update(&self, next: &Snapshot, touched: &TouchedKeys) -> Self {
        let mut touched = Cow::Borrowed(touched);
        let mut interpreter = self.interpreter.clone();
        if next.settings.bucketing != interpreter.bucketing() {
            interpreter = Interpreter::new(next.settings.bucketing);
            let all = touched.to_mut();
            all.flags.extend(next.flags.iter().map(|entry| entry.key().clone()));
            all.segments.extend(next.segments.iter().map(|entry| entry.key().clone()));
        }
        let mut compiled = self.clone();
        compiled.position = next.position;
        compiled.interpreter = interpreter;
        if *compiled.context != next.settings.context {
            compiled.context = Arc::new(next.settings.context.clone());
        }
        compiled.unmark_kills();
        compiled.kills = next.kills.iter().cloned().collect();
        for key in &touched.segments {
            match next.segments.get(key.as_str()) {
                Some(entry) => compiled.put_segment(entry),
                None => drop(compiled.segments.remove(key)),
            }
        }
        for key in &touched.flags {
            match next.flags.get(key.as_str()) {
                Some(entry) => compiled.put_flag(entry),
                None => compiled.remove_flag(key),
            }
        }
        compiled.mark_kills();
        compiled
    }

    /// The same snapshot with these provisional kills, which replace the previous ones.
    #[must_use]
    pub fn with_overlay(&self, kills: &[Kill]) -> Self {
        let mut compiled = self.clone();
        compiled.unmark_kills();
        compiled.overlay = kills
            .iter()
            .filter_map(|kill| Entry::new(kill.id.clone(), kill.clone(), self.position).ok())
            .map(Arc::new)
            .collect();
        compiled.mark_kills();
        compiled
    }

    /// The environment.
    pub const fn environment(&self) -> &EnvironmentKey {
        &self.environment
    }

    /// The position of the snapshot.
    pub const fn position(&self) -> Position {
        self.position
    }

    /// The number of flags.
    pub fn flag_count(&self) -> usize {
        self.flags.len()
    }

    /// All flags, in no particular order.
    pub fn flags(&self) -> impl Iterator<Item = &CompiledFlag> {
        self.flags.iter().map(|slot| &*slot.flag)
    }

    /// The flag with this key.
    pub fn flag(&self, key: &str) -> Option<&CompiledFlag> {
        self.slot(key).map(|slot| &*slot.flag)
    }

    /// The number of counters of all flags together, see [`CompiledFlag::counter_base`].
    pub const fn counters(&self) -> usize {
        self.counters as usize
    }

    /// What could not be compiled, ordered by kind and key.
    pub fn issues(&self) -> Vec<CompileIssue> {
        let flags = self.flags().filter_map(|flag| {
            Some(CompileIssue {
                kind: "flag",
                key: flag.key().to_string(),
                message: flag.issue()?.to_owned(),
            })
        });
        let segments = self.segments.iter().filter_map(|(key, segment)| {
            Some(CompileIssue {
                kind: "segment",
                key: key.to_string(),
                message: segment.condition.as_ref().err()?.clone(),
            })
        });
        let kills = self.kills.iter().filter_map(|kill| {
            Some(CompileIssue {
                kind: "kill",
                key: kill.key().to_string(),
                message: kill.value().err()?.to_string(),
            })
        });
        let mut issues: Vec<CompileIssue> = flags.chain(segments).chain(kills).collect();
        issues.sort_by(|one, other| (one.kind, &one.key).cmp(&(other.kind, &other.key)));
        issues
    }

    #[inline]
    pub(super) fn slot(&self, key: &str) -> Option<&Slot> {
        self.flags.find(hash_of(key), |slot| same(slot.flag.key().as_str().as_bytes(), key.as_bytes()))
    }

    pub(super) fn segment(&self, key: &SegmentKey) -> Option<&CompiledSegment> {
        self.segments.get(key).map(|segment| &**segment)
    }

    pub(super) const fn interpreter(&self) -> &Interpreter {
        &self.interpreter
    }

    fn put_segment(&mut self, entry: &Arc<Entry<Segment>>) {
        let condition = match entry.value() {
            Ok(segment) => Condition::new(&segment.when, &self.interpreter),
            Err(faults) => Err(faults.to_string()),
        };
        self.segments.insert(
            entry.key().clone(),
            Arc::new(CompiledSegment {
                entry: Arc::clone(entry),
                condition,
            }),
        );
    }

    fn put_flag(&mut self, entry: &Arc<Entry<ripcord_proto::Flag>>) {
        let key = entry.key().as_str();
        let hash = |slot: &Slot| hash_of(slot.flag.key().as_str());
        match self.flags.entry(hash_of(key), |slot| slot.flag.key().as_str() == key, hash) {
            TableEntry::Occupied(mut place) => {
                let before = &place.get().flag;
                let mut flag = CompiledFlag::new(entry, &self.interpreter, self.counters);
                if before.variants() == flag.variants() {
                    flag.keep_counters_of(before);
                } else {
                    self.counters = self.counters.saturating_add(u32::try_from(flag.counters()).unwrap_or(u32::MAX));
                }
                *place.get_mut() = Slot {
                    flag: Arc::new(flag),
                    kill: None,
                };
            }
            TableEntry::Vacant(place) => {
                let flag = CompiledFlag::new(entry, &self.interpreter, self.counters);
                self.counters = self.counters.saturating_add(u32::try_from(flag.counters()).unwrap_or(u32::MAX));
                place.insert(Slot {
                    flag: Arc::new(flag),
                    kill: None,
                });
            }
        }
    }

    fn remove_flag(&mut self, key: &FlagKey) {
        if let Ok(place) = self.flags.find_entry(hash_of(key.as_str()), |slot| slot.flag.key() == key) {
            place.remove();
        }
    }

    fn unmark_kills(&mut self) {
        if !self.kills.is_empty() || !self.overlay.is_empty() {
            self.flags.iter_mut().for_each(|slot| slot.kill = None);
        }
    }

    /// Marks each flag with the first kill that covers it: committed before provisional, older before newer.
    fn mark_kills(&mut self) {
        let mark = |slot: &mut Slot, kill: &Arc<Entry<Kill>>| {
            slot.kill.get_or_insert_with(|| Arc::clone(kill));
        };
        for kill in self.kills.iter().chain(&self.overlay) {
            let Ok(value) = kill.value() else { continue };
            match &value.scope {
                KillScope::All(_) => self.flags.iter_mut().for_each(|slot| mark(slot, kill)),
                KillScope::Flag(key) => mark_one(&mut self.flags, key, |slot| mark(slot, kill)),
                KillScope::Tag(_) => value.flags.iter().for_each(|key| mark_one(&mut self.flags, key, |slot| mark(slot, kill))),
            }
        }
    }
}

fn mark_one(flags: &mut HashTable<Slot>, key: &FlagKey, mark: impl Fn(&mut Slot)) {
    if let Some(slot) = flags.find_mut(hash_of(key.as_str()), |slot| slot.flag.key() == key) {
        mark(slot);
    }
}
