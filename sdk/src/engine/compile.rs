//! Compiles a snapshot, as a whole or only what a delta changed.

use std::borrow::Cow;
use std::collections::BTreeSet;
use std::fmt;
use std::sync::Arc;

use hashbrown::HashMap;
use ripcord_proto::key::{EnvironmentKey, FlagKey, SegmentKey};
use ripcord_proto::kill::{Kill, KillScope};
use ripcord_proto::references::TouchedKeys;
use ripcord_proto::revision::Position;
use ripcord_proto::segment::Segment;
use ripcord_proto::snapshot::Snapshot;
use ripcord_proto::table::Entry;
use rustc_hash::FxBuildHasher;

use super::condition::Condition;
use super::flag::CompiledFlag;
use super::flag_table::{FlagTable, Slot};
use super::jsonlogic::Interpreter;

/// A compiled snapshot. It is immutable; the next one shares what did not change.
#[derive(Clone)]
pub struct Compiled {
    environment: EnvironmentKey,
    position: Position,
    flags: FlagTable,
    segments: Arc<HashMap<SegmentKey, Arc<CompiledSegment>, FxBuildHasher>>,
    /// The committed kills, by id.
    kills: Vec<Arc<Entry<Kill>>>,
    /// The provisional kills, by id.
    overlay: Vec<Arc<Entry<Kill>>>,
    interpreter: Interpreter,
    /// The attributes that the environment sets in every evaluation.
    pub(super) context: Arc<serde_json::Map<String, serde_json::Value>>,
    counters: u32,
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

impl Compiled {
    /// Compiles a whole snapshot.
    pub fn new(snapshot: &Snapshot) -> Self {
        let mut compiled = Self {
            environment: snapshot.environment.clone(),
            position: snapshot.position,
            flags: FlagTable::with_capacity(snapshot.flags.len()),
            segments: Arc::default(),
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
        compiled.mark_all();
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
        compiled.kills = next.kills.iter().cloned().collect();
        for key in &touched.segments {
            match next.segments.get(key.as_str()) {
                Some(entry) => compiled.put_segment(entry),
                None => drop(Arc::make_mut(&mut compiled.segments).remove(key)),
            }
        }
        for key in &touched.flags {
            match next.flags.get(key.as_str()) {
                Some(entry) => compiled.put_flag(entry),
                None => drop(compiled.flags.remove(key.as_str())),
            }
        }
        compiled.mark_again(self, &touched.flags);
        compiled
    }

    /// The same snapshot with these provisional kills, which replace the previous ones.
    #[must_use]
    pub fn with_overlay(&self, kills: &[Kill]) -> Self {
        let mut compiled = self.clone();
        compiled.overlay = kills
            .iter()
            .filter_map(|kill| Entry::new(kill.id.clone(), kill.clone(), self.position).ok())
            .map(Arc::new)
            .collect();
        compiled.mark_again(self, &BTreeSet::new());
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
        self.flags.get(key)
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
        Arc::make_mut(&mut self.segments).insert(
            entry.key().clone(),
            Arc::new(CompiledSegment {
                entry: Arc::clone(entry),
                condition,
            }),
        );
    }

    /// Puts a flag, which no kill covers yet.
    fn put_flag(&mut self, entry: &Arc<Entry<ripcord_proto::Flag>>) {
        let mut flag = CompiledFlag::new(entry, &self.interpreter, self.counters);
        match self.flags.get(entry.key().as_str()) {
            Some(before) if before.flag.variants() == flag.variants() => flag.keep_counters_of(&before.flag),
            _ => self.counters = self.counters.saturating_add(u32::try_from(flag.counters()).unwrap_or(u32::MAX)),
        }
        self.flags.insert(Slot {
            flag: Arc::new(flag),
            kill: None,
        });
    }

    /// All kills in the order in which they cover a flag: committed before provisional, older before newer.
    fn kills(&self) -> impl Iterator<Item = &Arc<Entry<Kill>>> + Clone {
        self.kills.iter().chain(&self.overlay)
    }

    /// Marks each flag with the first kill that covers it.
    fn mark_all(&mut self) {
        self.flags.iter_mut().for_each(|slot| slot.kill = None);
        for kill in self.kills.iter().chain(&self.overlay) {
            let mark = |slot: &mut Slot| {
                slot.kill.get_or_insert_with(|| Arc::clone(kill));
            };
            let Ok(value) = kill.value() else { continue };
            match &value.scope {
                KillScope::All(_) => self.flags.iter_mut().for_each(mark),
                KillScope::Flag(key) => _ = self.flags.get_mut(key.as_str()).map(mark),
                KillScope::Tag(_) => value.flags.iter().for_each(|key| _ = self.flags.get_mut(key.as_str()).map(mark)),
            }
        }
    }

    /// Marks the flags that were `touched` since `before`, and those whose kills are different.
    fn mark_again(&mut self, before: &Self, touched: &BTreeSet<FlagKey>) {
        let mut keys = Cow::Borrowed(touched);
        for kill in different(before.kills(), self.kills()).iter().filter_map(|kill| kill.value().ok()) {
            match &kill.scope {
                KillScope::All(_) => return self.mark_all(),
                KillScope::Flag(key) => _ = keys.to_mut().insert(key.clone()),
                KillScope::Tag(_) => keys.to_mut().extend(kill.flags.iter().cloned()),
            }
        }
        for key in keys.iter() {
            let covers = |entry: &&Arc<Entry<Kill>>| entry.value().is_ok_and(|kill| kill.covers(key.as_str()));
            let kill = self.kills().find(covers).cloned();
            if let Some(slot) = self.flags.get_mut(key.as_str()) {
                slot.kill = kill;
            }
        }
    }
}

/// The kills that only one of two lists contains.
fn different<'a>(
    before: impl Iterator<Item = &'a Arc<Entry<Kill>>> + Clone,
    after: impl Iterator<Item = &'a Arc<Entry<Kill>>> + Clone,
) -> Vec<Arc<Entry<Kill>>> {
    // As is usual: nothing about kills has changed.
    if before.clone().map(Arc::as_ptr).eq(after.clone().map(Arc::as_ptr)) {
        return Vec::new();
    }
    let (was, is): (BTreeSet<_>, BTreeSet<_>) = (before.clone().map(Arc::as_ptr).collect(), after.clone().map(Arc::as_ptr).collect());
    let ended = before.filter(|kill| !is.contains(&Arc::as_ptr(kill)));
    let new = after.filter(|kill| !was.contains(&Arc::as_ptr(kill)));
    ended.chain(new).cloned().collect()
}
