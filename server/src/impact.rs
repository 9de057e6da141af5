//! Which users a change affects: every flag that it may change is evaluated for every user of a population, as it is and as it would
//! be, by the engine that applications evaluate with. On two threads, beside the runtime.

mod sample_users;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use ripcord_proto::references::TouchedKeys;
use ripcord_proto::rest::rollbacks::{FlagShare, Population, UserShare};
use ripcord_proto::rule::Serve;
use ripcord_proto::{Flag, FlagKey, Snapshot, VariantName};
use ripcord_sdk::engine::{Compiled, Context, SinceContact};
use serde_json::{Map, Value};

use self::sample_users::AttributeMentions;
use crate::commit::CommitError;
use crate::outcome::FallingVariant;
use crate::snapshot::publication::Served;

/// Evaluations of one plan, at most: of more flags than that allows, fewer users are looked at, and the plan says how many.
const EVALUATIONS: usize = 20_000_000;
/// Simulated users, unless the caller says how many.
const USERS: usize = 10_000;
/// Threads that evaluate.
const THREADS: usize = 2;

/// What is compared.
pub(crate) struct ImpactComparison {
    pub(crate) now: Compiled,
    pub(crate) before: Snapshot,
    pub(crate) after: Snapshot,
    pub(crate) touched: TouchedKeys,
}

/// The users whose flags are compared.
#[derive(Debug, Clone)]
pub enum SampleUsers {
    /// So many simulated users.
    Synthetic(usize),
    Sample(Vec<Map<String, Value>>),
}

impl Default for SampleUsers {
    fn default() -> Self {
        Self::Synthetic(USERS)
    }
}

/// Who is affected.
#[derive(Debug)]
pub(crate) struct ImpactShares {
    pub(crate) flags: BTreeMap<FlagKey, FlagShare>,
    pub(crate) users: UserShare,
}

/// Counts who is affected.
pub(crate) async fn shares(comparison: ImpactComparison, users: SampleUsers) -> Result<ImpactShares, CommitError> {
    let counted = crate::tasks::blocking(move || comparison.count(users)).await;
    counted.map_err(|error| CommitError::Internal(format!("the share of users could not be computed: {error}")))
}

/// How many simulated users get a different variant of one flag at `after` than now.
pub(crate) async fn of_flag(served: Arc<Served>, after: Snapshot, key: FlagKey, users: usize) -> Result<UserShare, CommitError> {
    let counted = crate::tasks::blocking(move || {
        let mut touched = TouchedKeys::default();
        touched.flags.insert(key.clone());
        let then = served.compiled.update(&after, &touched);
        let mut mentions = AttributeMentions::default();
        for snapshot in [&served.snapshot, &after] {
            mentions.add_with_requirements(&key, snapshot);
        }
        let users = mentions.users(users);
        let changed = tally_part(&served.compiled, &then, &[key], &users).users;
        user_share(Population::Synthetic, users.len(), changed)
    });
    counted
        .await
        .map_err(|error| CommitError::Internal(format!("the share of users could not be computed: {error}")))
}

/// The variants of flags that fewer users get after a change than before it, by what simulated users get.
pub(crate) async fn falling(before: Snapshot, after: Snapshot, touched: TouchedKeys) -> Result<Vec<FallingVariant>, CommitError> {
    let counted = crate::tasks::blocking(move || {
        let now = Compiled::new(&before);
        let comparison = ImpactComparison { now, before, after, touched };
        comparison.falling()
    });
    counted
        .await
        .map_err(|error| CommitError::Internal(format!("the variants that fewer users get could not be computed: {error}")))
}

impl ImpactComparison {
    fn falling(self) -> Vec<FallingVariant> {
        let then = self.now.update(&self.after, &self.touched);
        let flags = self.affected();
        let varying: BTreeSet<&FlagKey> = flags.iter().filter(|key| !self.answers_everybody_alike(key)).collect();
        let most = (EVALUATIONS / 2 / varying.len().max(1)).max(1);
        let users = self.mentions(&flags).users(if varying.is_empty() { 1 } else { USERS.min(most) });
        let contexts: Vec<Context<'_>> = users.iter().map(Context::from_json).collect();
        let anybody = contexts.get(..1).unwrap_or_default();
        let users_of = |key| if varying.contains(key) { &*contexts } else { anybody };
        flags.iter().flat_map(|key| falling_of(&self.now, &then, key, users_of(key))).collect()
    }

    /// Whether a flag serves every user the same, before the change and after it.
    fn answers_everybody_alike(&self, key: &FlagKey) -> bool {
        let depends = |flag: &Flag| !flag.rules.is_empty() || !flag.requires.is_empty();
        [&self.before, &self.after]
            .iter()
            .all(|snapshot| !snapshot.flags.value(key.as_str()).is_some_and(depends))
    }

    fn count(self, users: SampleUsers) -> ImpactShares {
        let then = self.now.update(&self.after, &self.touched);
        let flags = self.affected();
        let most = (EVALUATIONS / 2 / flags.len().max(1)).max(1);
        let (source, users) = match users {
            SampleUsers::Sample(mut contexts) => {
                contexts.truncate(most);
                (Population::Sample, contexts)
            }
            SampleUsers::Synthetic(count) => (Population::Synthetic, self.mentions(&flags).users(count.min(most))),
        };
        let tally = tally(&self.now, &then, &flags, &users);
        let contexts = users.len() as u64;
        let shares = flags.into_iter().zip(tally.flags).map(|(key, changed)| {
            let share = FlagShare {
                changed,
                share: share(changed, contexts),
            };
            (key, share)
        });
        ImpactShares {
            flags: shares.collect(),
            users: user_share(source, users.len(), tally.users),
        }
    }

    /// Flags whose answer may change: those that are touched, and those that depend on what is.
    fn affected(&self) -> Vec<FlagKey> {
        let rebucketed = self.before.settings != self.after.settings;
        let segments = !self.touched.segments.is_empty();
        let depends = |flag: &Flag| {
            let splits = || flag.rules.iter().any(|rule| matches!(rule.serve, Serve::Split(_) | Serve::JsonLogic(_)));
            let conditions = || flag.rules.iter().any(|rule| rule.when.is_some());
            !flag.requires.is_empty() || segments && conditions() || rebucketed && (splits() || conditions())
        };
        let flags = self.after.flags.iter().filter(|entry| {
            let key = entry.key();
            self.touched.flags.contains(key) || entry.value().is_ok_and(depends)
        });
        flags.map(|entry| entry.key().clone()).collect()
    }

    fn mentions(&self, flags: &[FlagKey]) -> AttributeMentions {
        let mut mentions = AttributeMentions::default();
        for snapshot in [&self.before, &self.after] {
            for key in flags {
                mentions.add_with_requirements(key, snapshot);
            }
        }
        mentions
    }
}

/// The variants of one flag that fewer users get. One whose value differs counts too: no user gets its old value any more.
fn falling_of(now: &Compiled, then: &Compiled, key: &FlagKey, contexts: &[Context<'_>]) -> Vec<FallingVariant> {
    let mut changes = BTreeMap::<Option<&VariantName>, VariantChange>::new();
    for context in contexts {
        let is = now.evaluate(key.as_str(), context, SinceContact::FRESH);
        let will = then.evaluate(key.as_str(), context, SinceContact::FRESH);
        let differs = is.variant() == will.variant() && is.value() != will.value();
        let before = changes.entry(is.variant()).or_default();
        (before.before, before.differs) = (before.before + 1, before.differs || differs);
        changes.entry(will.variant()).or_default().after += 1;
    }
    let falls = changes.into_iter().filter(|(_, change)| change.after < change.before || change.differs);
    falls
        .map(|(variant, change)| FallingVariant {
            flag: key.clone(),
            variant: variant.cloned(),
            remains: change.after > 0,
        })
        .collect()
}

/// How many users get a variant before and after a change.
#[derive(Default)]
struct VariantChange {
    before: u64,
    after: u64,
    differs: bool,
}

/// How many users are affected, of each flag and of any.
struct AffectedCounts {
    flags: Vec<u64>,
    users: u64,
}

fn tally(now: &Compiled, then: &Compiled, flags: &[FlagKey], users: &[Map<String, Value>]) -> AffectedCounts {
    let part = users.len().div_ceil(THREADS).max(1);
    let parts: Vec<AffectedCounts> = std::thread::scope(|scope| {
        let threads: Vec<_> = users.chunks(part).map(|users| scope.spawn(|| tally_part(now, then, flags, users))).collect();
        threads.into_iter().filter_map(|thread| thread.join().ok()).collect()
    });
    let mut sum = AffectedCounts {
        flags: vec![0; flags.len()],
        users: 0,
    };
    for part in parts {
        sum.users += part.users;
        sum.flags.iter_mut().zip(part.flags).for_each(|(sum, part)| *sum += part);
    }
    sum
}

fn tally_part(now: &Compiled, then: &Compiled, flags: &[FlagKey], users: &[Map<String, Value>]) -> AffectedCounts {
    let mut tally = AffectedCounts {
        flags: vec![0; flags.len()],
        users: 0,
    };
    let contexts: Vec<Context<'_>> = users.iter().map(Context::from_json).collect();
    let mut affected = BTreeSet::new();
    for (key, count) in flags.iter().zip(&mut tally.flags) {
        for (place, context) in contexts.iter().enumerate() {
            let is = now.evaluate(key.as_str(), context, SinceContact::FRESH);
            let will = then.evaluate(key.as_str(), context, SinceContact::FRESH);
            if is.variant() != will.variant() || is.value() != will.value() {
                *count += 1;
                affected.insert(place);
            }
        }
    }
    tally.users = affected.len() as u64;
    tally
}

fn user_share(source: Population, users: usize, changed: u64) -> UserShare {
    let contexts = users as u64;
    UserShare {
        source,
        contexts,
        changed,
        share: share(changed, contexts),
    }
}

#[expect(clippy::cast_precision_loss, reason = "at most ten thousand")]
fn share(part: u64, whole: u64) -> f64 {
    if whole == 0 { 0.0 } else { part as f64 / whole as f64 }
}
