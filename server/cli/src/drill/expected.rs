//! The values that every user must get: in the known-good state, and while the bad release is live.

use ripcord_proto::{FlagKey, Snapshot};
use ripcord_sdk::Client;
use serde_json::Value;

use super::users::{DrillUser, ReadableFlag};

/// Largest number of flags that the traffic evaluates. The final check evaluates all flags.
const WATCHED: usize = 100;

/// The values of both states, for each user and flag.
#[derive(Debug)]
pub(super) struct Expected {
    users: Vec<DrillUser>,
    features: Vec<ReadableFlag>,
    answers: Vec<Vec<Pair>>,
    watched: Vec<usize>,
}

/// The values of one flag for one user.
#[derive(Debug)]
pub(super) struct Pair {
    good: Value,
    bad: Value,
}

/// The state that a value belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Side {
    /// Both states have the same value.
    Either,
    /// Known-good.
    Good,
    /// The bad release's value.
    Bad,
    /// Neither.
    Other,
}

impl Pair {
    /// The state that `value` belongs to.
    pub(super) fn side(&self, served: &Value) -> Side {
        match (*served == self.good, *served == self.bad) {
            (true, true) => Side::Either,
            (true, false) => Side::Good,
            (false, true) => Side::Bad,
            (false, false) => Side::Other,
        }
    }

    fn tells(&self) -> bool {
        self.good != self.bad
    }

    /// The known-good value.
    pub(super) const fn good(&self) -> &Value {
        &self.good
    }
}

impl Expected {
    /// Evaluates both states with the SDK's engine.
    pub(super) fn new(good: &Snapshot, bad: &Snapshot) -> Self {
        let (users, features) = (DrillUser::all(), ReadableFlag::all(good));
        let (good, bad) = (Client::offline(good.clone()).view(), Client::offline(bad.clone()).view());
        let pairs = |user: &DrillUser| {
            let context = user.context();
            let pair = |feature: &ReadableFlag| Pair {
                good: feature.ask(&good, &context).value(),
                bad: feature.ask(&bad, &context).value(),
            };
            features.iter().map(pair).collect()
        };
        let answers: Vec<Vec<Pair>> = users.iter().map(pairs).collect();
        let tells = |index: &usize| answers.iter().any(|pairs| pairs.get(*index).is_some_and(Pair::tells));
        let watched = (0..features.len()).filter(tells).take(WATCHED).collect();
        Self {
            users,
            features,
            answers,
            watched,
        }
    }

    /// Number of watched flags whose values differ between the two states.
    pub(super) fn watched(&self) -> usize {
        self.watched.len()
    }

    /// A flag whose values differ between the two states.
    pub(super) fn telling(&self) -> impl Iterator<Item = &FlagKey> {
        self.watched.iter().filter_map(|index| Some(&self.features.get(*index)?.key))
    }

    /// Each user, with the watched flags and their expected values.
    pub(super) fn watch(&self) -> impl Iterator<Item = (&DrillUser, impl Iterator<Item = (&ReadableFlag, &Pair)>)> {
        self.users.iter().zip(&self.answers).map(|(user, pairs)| {
            let watched = self.watched.iter();
            (user, watched.filter_map(|index| Some((self.features.get(*index)?, pairs.get(*index)?))))
        })
    }

    /// Each user, with all flags and their expected values.
    pub(super) fn all(&self) -> impl Iterator<Item = (&DrillUser, impl Iterator<Item = (&ReadableFlag, &Pair)>)> {
        self.users
            .iter()
            .zip(&self.answers)
            .map(|(user, pairs)| (user, self.features.iter().zip(pairs)))
    }
}
