//! Which users a rollback affects: every flag that it may change is evaluated for every user of a population, as it is and as it would
//! be, by the engine that applications evaluate with. On two threads, beside the runtime.

use std::collections::{BTreeMap, BTreeSet};

use ripcord_proto::references::TouchedKeys;
use ripcord_proto::rest::rollbacks::{FlagShare, Population, UserShare};
use ripcord_proto::rule::Serve;
use ripcord_proto::{Flag, FlagKey, Snapshot};
use ripcord_sdk::engine::{Compiled, Context, SinceContact};
use serde_json::{Map, Value};

use super::sample_users::AttributeMentions;
use crate::commit::CommitError;

/// Evaluations of one plan, at most: of more flags than that allows, fewer users are looked at, and the plan says how many.
const EVALUATIONS: usize = 20_000_000;
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
        Self::Synthetic(10_000)
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

impl ImpactComparison {
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
            users: UserShare {
                source,
                contexts,
                changed: tally.users,
                share: share(tally.users, contexts),
            },
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
            for flag in flags.iter().filter_map(|key| snapshot.flags.value(key.as_str())) {
                mentions.add(flag, snapshot);
                for requirement in &flag.requires {
                    if let Some(required) = snapshot.flags.value(requirement.flag.as_str()) {
                        mentions.add(required, snapshot);
                    }
                }
            }
        }
        mentions
    }
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

#[expect(clippy::cast_precision_loss, reason = "at most ten thousand")]
fn share(part: u64, whole: u64) -> f64 {
    if whole == 0 { 0.0 } else { part as f64 / whole as f64 }
}
