//! Ids on the command line: an argument is a whole id or a beginning that only one id has; a list shows as much of each as tells
//! them apart.

use std::str::FromStr;

use ripcord_proto::drill::DrillId;
use ripcord_proto::{FiringId, KillId, ProposalId, RollbackId, RolloutId, ValidationErrors};

use super::answer::Answer;
use super::context::Context;
use super::exit::Failure;

/// Ids among which a beginning is looked up: the newest ones.
const SEARCHED: usize = 10_000;
/// Characters of an id that a list shows at least: the prefix, the time in milliseconds and two more.
const SHOWN: usize = 14;

/// Ids of one kind: how they begin, and where they are listed.
pub(crate) trait Listed: FromStr<Err = ValidationErrors> + Clone {
    /// `k_`
    const PREFIX: &'static str;
    /// What it is an id of.
    const WHAT: &'static str;
    /// The collection in the API.
    const COLLECTION: &'static str;
    /// The command that lists them.
    const COMMAND: &'static str;
}

macro_rules! listed {
    ($($id:ident, $prefix:literal, $what:literal, $collection:literal, $command:literal;)*) => {
        $(impl Listed for $id {
            const PREFIX: &'static str = $prefix;
            const WHAT: &'static str = $what;
            const COLLECTION: &'static str = $collection;
            const COMMAND: &'static str = $command;
        })*
    };
}

listed! {
    KillId, "k_", "kill", "kills", "kill list";
    RollbackId, "rb_", "rollback", "rollbacks", "rollback list";
    RolloutId, "ro_", "rollout", "rollouts", "rollout list";
    ProposalId, "pr_", "proposal", "proposals", "proposal list";
    DrillId, "d_", "drill", "drills", "drill list";
    FiringId, "f_", "firing", "firings", "trigger firings";
}

/// An id as a person gives it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum IdArg<T> {
    Whole(T),
    /// The first characters of one, with its prefix.
    Beginning(String),
}

impl<T: Listed> FromStr for IdArg<T> {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let whole = match text.parse() {
            Ok(id) => return Ok(Self::Whole(id)),
            Err(faults) => faults,
        };
        let digits = text.strip_prefix(T::PREFIX).unwrap_or_default();
        let is_beginning = !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit() || byte.is_ascii_lowercase());
        if is_beginning {
            Ok(Self::Beginning(text.to_owned()))
        } else {
            Err(whole.to_string())
        }
    }
}

impl<T: Listed> IdArg<T> {
    /// The id that is meant. A beginning is looked up; it must be of exactly one.
    pub(crate) async fn resolved(&self, call: &Context) -> Result<T, Failure> {
        #[derive(serde::Deserialize)]
        struct Item {
            id: String,
        }
        let beginning = match self {
            Self::Whole(id) => return Ok(id.clone()),
            Self::Beginning(text) => text,
        };
        let items: Answer<Vec<Item>> = call.client.list(&call.path(&[T::COLLECTION]), SEARCHED).await?;
        let ids: Vec<&str> = items.value.iter().map(|item| item.id.as_str()).collect();
        let id = only(&ids, beginning, T::WHAT, &call.command(T::COMMAND)).map_err(Failure::Local)?;
        id.parse().map_err(|faults: ValidationErrors| Failure::Local(faults.to_string()))
    }
}

/// The only id with this beginning.
fn only<'a>(ids: &[&'a str], beginning: &str, what: &str, list: &str) -> Result<&'a str, String> {
    let found: Vec<&str> = ids.iter().copied().filter(|id| id.starts_with(beginning)).collect();
    match found.as_slice() {
        [one] => Ok(one),
        [] => Err(format!("no {what} has an id that begins with {beginning}. `{list}` lists them.")),
        several => Err(format!(
            "{} {what}s have an id that begins with {beginning}. Type more of the id; `{list}` lists them.",
            several.len()
        )),
    }
}

/// The ids of a list, shortened as far as they stay distinct.
pub(crate) fn short<'a>(ids: impl IntoIterator<Item = &'a str>) -> Vec<&'a str> {
    let ids: Vec<&str> = ids.into_iter().collect();
    let mut sorted = ids.clone();
    sorted.sort_unstable();
    let common = |pair: &[&str]| match pair {
        [one, other] => one.bytes().zip(other.bytes()).take_while(|(a, b)| a == b).count(),
        _ => 0,
    };
    let needed = sorted.windows(2).map(common).max().map_or(0, |common| common + 1);
    let length = needed.max(SHOWN);
    ids.into_iter().map(|id| id.get(..length).unwrap_or(id)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const ONE: &str = "k_01jd3x7q8v9w0y2z4a6b8c0d2e";
    const OTHER: &str = "k_01jd3x7q8v9w0z2z4a6b8c0d2e";

    #[test]
    fn an_id_or_its_beginning_can_be_given() {
        assert_eq!(ONE.parse(), Ok(IdArg::Whole(KillId::new(ONE).unwrap())));
        assert_eq!("k_01jd".parse(), Ok(IdArg::<KillId>::Beginning("k_01jd".to_owned())));
        for wrong in ["k_", "checkout", "rb_01jd", "k_01JD", "k_01-d"] {
            assert!(wrong.parse::<IdArg<KillId>>().is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_beginning_must_be_of_one_id() {
        let only = |beginning| only(&[ONE, OTHER], beginning, "kill", "ripcord kill list");
        assert_eq!(only("k_01jd3x7q8v9w0y"), Ok(ONE));
        assert!(only("k_01jd").is_err() && only("k_02").is_err());
    }

    #[test]
    fn a_list_shows_what_tells_its_ids_apart() {
        assert_eq!(short([ONE]), ["k_01jd3x7q8v9w"]);
        assert_eq!(short([ONE, OTHER]), ["k_01jd3x7q8v9w0y", "k_01jd3x7q8v9w0z"]);
    }
}
