//! A rollback during a store outage: kills make its scope safe, and the rollback follows when the store is back.

use std::time::{Duration, Instant};

use ripcord_proto::kill::{AllFlags, KillScope};
use ripcord_proto::problem::Problem;
use ripcord_proto::scenario::StoreOutage;
use ripcord_proto::{FlagKey, KillId, Tag};
use serde_json::Value;

use super::{PAUSE, Runner, until};
use crate::confirm::in_milliseconds;
use crate::drill::observations::OutageStory;
use crate::exit::Failure;

/// How long kills may take to reach all applications.
const SAFE: Duration = Duration::from_secs(10);
/// How long nodes may take to find their store again.
const RETURN: Duration = Duration::from_secs(30);

/// The kill command that the refusal recommends.
const COMMAND: &str = "ripcord kill ";

impl Runner<'_> {
    /// Takes the store down.
    pub(super) async fn store_goes(&mut self, how: StoreOutage) -> Result<(), Failure> {
        match how {
            StoreOutage::Frozen => self.harness.freeze_store().await?,
            StoreOutage::Killed => self.harness.kill_store().await?,
        }
        self.observations.outage = Some(OutageStory::default());
        self.progress.done("the store is down");
        Ok(())
    }

    /// Whether the scenario has taken the store down.
    pub(super) fn store_is_away(&self) -> bool {
        self.observations.outage.as_ref().is_some_and(|outage| outage.commands.is_empty())
    }

    /// Does what the refusal says: kills. Then brings the store back and waits until the kills are in the log.
    pub(super) async fn make_safe(&mut self, problem: &Problem, decided: Instant) -> Result<(), Failure> {
        let commands = commands(&problem.detail);
        // The text shows only the first commands; the problem's field has all of them.
        let whole = problem
            .members
            .get("commands")
            .and_then(Value::as_array)
            .into_iter()
            .flatten()
            .filter_map(Value::as_str);
        let whole: Vec<String> = whole.map(str::to_owned).collect();
        let taken = if whole.len() > commands.len() { &whole } else { &commands };
        let scopes: Vec<KillScope> = taken.iter().filter_map(|command| scope(command)).collect();
        let mut kills = Vec::new();
        let mut provisional = 0;
        for scope in scopes {
            let kill = self.actors.kill(scope).await?;
            provisional += usize::from(kill.provisional);
            kills.push(kill.id);
        }
        let safe = until(SAFE, || self.traffic.all_clear()).await;
        let safe_after = safe.map(|at| at.saturating_duration_since(decided));
        self.progress.done(&match safe_after {
            Some(after) => format!(
                "killed as the refusal says ({}); every application is safe after {}",
                commands.join("; "),
                in_milliseconds(after)
            ),
            None => format!("killed as the refusal says ({}); not every application is safe", commands.join("; ")),
        });
        self.harness.return_store().await?;
        let merged = self.store_is_back(&kills).await;
        self.progress.done("the store is back, and the kills are in the log");
        self.kills = kills;
        self.observations.outage = Some(OutageStory {
            commands,
            kills: (self.kills.len(), provisional),
            safe_after,
            merged,
            replanned: false,
            rollbacks: 0,
        });
        Ok(())
    }

    /// Waits until the store is back and all kills are in the log.
    async fn store_is_back(&self, kills: &[KillId]) -> bool {
        let began = Instant::now();
        while began.elapsed() < RETURN {
            let mut there = self.actors.has_store().await;
            for kill in kills {
                there = there && self.actors.is_merged(kill).await;
            }
            if there {
                return true;
            }
            tokio::time::sleep(PAUSE).await;
        }
        false
    }
}

fn commands(text: &str) -> Vec<String> {
    let ends = |c: char| matches!(c, '`' | '\n' | ';' | '"');
    let found = text.split(COMMAND).skip(1).filter_map(|rest| rest.split(ends).next());
    found.map(|rest| format!("{COMMAND}{}", rest.trim().trim_end_matches(['.', ',']))).collect()
}

/// The scope of a kill command.
fn scope(command: &str) -> Option<KillScope> {
    let mut words = command.strip_prefix(COMMAND)?.split_whitespace();
    match words.next()? {
        "--all" => Some(KillScope::All(AllFlags)),
        "--tag" => words.next()?.parse::<Tag>().ok().map(KillScope::Tag),
        flag => flag.parse::<FlagKey>().ok().map(KillScope::Flag),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_commands_of_a_refusal_are_read_as_a_person_would_read_them() {
        let detail =
            "The store is down. Make it safe until then:\n  ripcord kill checkout-v2\n  ripcord kill --tag payments --reason \"x\"\nor `ripcord kill --all`.";
        let scopes: Vec<_> = commands(detail).iter().map(|command| scope(command)).collect();
        assert_eq!(
            scopes,
            [
                Some(KillScope::Flag("checkout-v2".parse().unwrap())),
                Some(KillScope::Tag("payments".parse().unwrap())),
                Some(KillScope::All(AllFlags)),
            ]
        );
    }
}
