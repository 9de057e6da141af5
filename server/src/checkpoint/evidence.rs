//! The evidence with which an environment vouches for its own state: applications that confirmed it, probes that pass, and outcomes
//! that are no worse than before.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use ripcord_proto::check::{CheckPhase, ScopedCheck};
use ripcord_proto::gate::Arm;
use ripcord_proto::outcome::Traffic;
use ripcord_proto::text::{counted, counted_len};
use ripcord_proto::{FlagKey, VariantName};
use serde_json::{Map, Value};

use super::soak::ContentAge;
use crate::check::Checks;
use crate::commit::state::EnvironmentState;
use crate::fleet::{ConfirmationTarget, Fleet};
use crate::outcome::statistics::RateTest;
use crate::outcome::{OutcomeTotal, Outcomes, PeerOutcomes, TotalsQuery};

/// How long other nodes may take to say who has confirmed the state.
const PATIENCE: Duration = Duration::from_secs(2);
/// How far back outcomes are compared: as far as nodes keep them.
const KEPT: SignedDuration = SignedDuration::from_hours(1);
/// Outcomes are counted in slots of this length: the one in which the content changed has both.
const MIXED: SignedDuration = SignedDuration::from_secs(5);
/// Evaluations of a variant below which its outcomes say nothing.
const FEWEST: u64 = 100;
/// By how much a variant's error rate may be higher than before, and the chance of a false alarm.
const WORSE: RateTest = RateTest { margin: 0.005, alpha: 0.05 };
/// The member of a judgement's figures that holds the outcomes, and the most series in it.
const OUTCOMES: &str = "outcomes";
const SERIES: usize = 200;

/// Evidence that a state is good.
#[derive(Debug)]
pub(super) struct VouchEvidence {
    /// In words.
    pub(super) text: String,
    pub(super) figures: Map<String, Value>,
}

/// Why there is no evidence.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Lacking {
    /// No connected application has confirmed the state.
    Applications,
    /// This probe fails.
    Probe { name: String, detail: String },
    /// This variant fails more often than before.
    Worse { flag: FlagKey, variant: Option<VariantName> },
    /// No probe is configured, and there are no outcomes to compare.
    Judgement,
}

impl std::fmt::Display for Lacking {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Applications => f.write_str("no connected application has confirmed it"),
            Self::Probe { name, detail } => write!(f, "probe {name} fails: {detail}"),
            Self::Worse { flag, variant } => {
                let variant = variant.as_ref().map_or("the caller's default", VariantName::as_str);
                write!(f, "{variant} of flag {flag} fails more often than before")
            }
            Self::Judgement => f.write_str("no probe is configured, and there are no outcomes to compare"),
        }
    }
}

type VariantSeries = (FlagKey, Option<VariantName>);

/// Where the evidence is from. Cheap to clone.
#[derive(Debug, Clone)]
pub struct EvidenceSources {
    /// Who has confirmed the states of environments.
    pub fleet: Fleet,
    /// Runs the probes of policies.
    pub checks: Checks,
    /// Outcomes reported to this node.
    pub outcomes: Outcomes,
    /// Outcomes reported to other nodes.
    pub elsewhere: Arc<dyn PeerOutcomes>,
}

impl EvidenceSources {
    /// Gathers the evidence for `state`, whose content is as old as `age` says.
    pub(super) async fn gather(&self, state: &EnvironmentState, age: ContentAge, (seconds, clock): (u64, Timestamp)) -> Result<VouchEvidence, Lacking> {
        let environment = &state.snapshot.environment;
        let target = ConfirmationTarget::Revision(state.head.position());
        let confirmation = self.fleet.confirmation(environment, &target, PATIENCE).await;
        let confirmation = confirmation
            .filter(|confirmation| confirmation.applied.confirmed > 0)
            .ok_or(Lacking::Applications)?;
        let probes = state.records.policy().checks.into_iter().map(|check| ScopedCheck {
            of: "environment".to_owned(),
            check,
        });
        let checks = self.checks.run(&probes.collect::<Vec<_>>(), CheckPhase::After).await;
        if let Some(failed) = checks.into_iter().find(|outcome| !outcome.passed) {
            let (name, detail) = (failed.name, failed.detail);
            return Err(Lacking::Probe { name, detail });
        }
        let probes = state.records.policy().checks.len();
        let (now, before) = self.outcomes_around(state, age, clock).await;
        let compared = compare(&now, &before)?;
        if probes == 0 && compared == 0 {
            return Err(Lacking::Judgement);
        }
        let applied = &confirmation.applied;
        let mut figures = Map::new();
        figures.insert("soaked_seconds".to_owned(), seconds.into());
        figures.insert("unchanged_since".to_owned(), Value::String(age.first.to_string()));
        figures.insert("checks_passed".to_owned(), probes.into());
        figures.insert("variants_compared".to_owned(), compared.into());
        figures.insert("applications_connected".to_owned(), applied.connected.into());
        figures.insert("applications_confirmed".to_owned(), applied.confirmed.into());
        figures.insert(OUTCOMES.to_owned(), written(&now));
        let text = format!(
            "unchanged for {seconds} s, nothing killed; confirmed by {} of {}; {} passed; {} compared, none worse than before",
            applied.confirmed,
            counted(applied.connected, "application", "applications"),
            counted_len(probes, "probe", "probes"),
            counted_len(compared, "variant", "variants")
        );
        Ok(VouchEvidence { text, figures })
    }

    /// The outcomes of each variant since the content last changed, and those to compare them with: of the known-good state before,
    /// else of the time before.
    async fn outcomes_around(
        &self,
        state: &EnvironmentState,
        age: ContentAge,
        clock: Timestamp,
    ) -> (BTreeMap<VariantSeries, Arm>, BTreeMap<VariantSeries, Arm>) {
        let totals = async |from: Timestamp, to: Timestamp| {
            let environment = state.snapshot.environment.clone();
            let query = TotalsQuery { environment, from, to };
            let mut all = self.outcomes.totals_between(&query);
            all.extend(self.elsewhere.totals(&query).await);
            arms(all)
        };
        let now = totals(age.since.saturating_add(MIXED).unwrap_or(Timestamp::MAX), clock).await;
        let before = match known_good(state) {
            Some(before) if !before.is_empty() => before,
            Some(_) | None => {
                let earlier = |by: SignedDuration| age.since.saturating_sub(by).unwrap_or(Timestamp::MIN);
                totals(earlier(KEPT), earlier(MIXED)).await
            }
        };
        (now, before)
    }
}

/// The sums of real traffic of variants of which applications report outcomes.
fn arms(totals: Vec<OutcomeTotal>) -> BTreeMap<VariantSeries, Arm> {
    let mut arms = BTreeMap::<VariantSeries, (Arm, u64)>::new();
    for total in totals.into_iter().filter(|total| total.traffic == Traffic::Real) {
        let (arm, told) = arms.entry((total.flag, total.variant)).or_default();
        arm.served = arm.served.saturating_add(total.evaluations);
        arm.errors = arm.errors.saturating_add(total.errors);
        *told = told.saturating_add(total.successes.saturating_add(total.errors));
    }
    arms.into_iter()
        .filter(|(_, (_, told))| *told > 0)
        .map(|(series, (arm, _))| (series, arm))
        .collect()
}

/// How many variants could be compared with before, or the first that is worse.
fn compare(now: &BTreeMap<VariantSeries, Arm>, before: &BTreeMap<VariantSeries, Arm>) -> Result<usize, Lacking> {
    let mut compared = 0;
    for ((flag, variant), arm) in now {
        // A variant that was not served before is compared with its flag as a whole.
        let same = before.get(&(flag.clone(), variant.clone())).copied();
        let whole = || {
            let of_flag = before.iter().filter(|((other, _), _)| other == flag);
            of_flag.fold(Arm::default(), |sum, (_, arm)| sum.and(*arm))
        };
        let control = same.filter(|arm| arm.served >= FEWEST).unwrap_or_else(whole);
        if control.served < FEWEST {
            continue;
        }
        if WORSE.is_worse(*arm, control) {
            let (flag, variant) = (flag.clone(), variant.clone());
            return Err(Lacking::Worse { flag, variant });
        }
        compared += usize::from(arm.served >= FEWEST);
    }
    Ok(compared)
}

/// The outcomes that the newest known-good checkpoint was judged by.
fn known_good(state: &EnvironmentState) -> Option<BTreeMap<VariantSeries, Arm>> {
    let figures = state.records.last_known_good()?.judgements.last()?.figures.get(OUTCOMES)?.as_array()?;
    Some(figures.iter().filter_map(read).collect())
}

fn written(arms: &BTreeMap<VariantSeries, Arm>) -> Value {
    let mut newest: Vec<_> = arms.iter().collect();
    newest.sort_by_key(|(_, arm)| std::cmp::Reverse(arm.served));
    let rows = newest.into_iter().take(SERIES);
    rows.map(|((flag, variant), arm)| serde_json::json!({"flag": flag, "variant": variant, "evaluations": arm.served, "errors": arm.errors}))
        .collect()
}

fn read(row: &Value) -> Option<(VariantSeries, Arm)> {
    let flag = FlagKey::new(row.get("flag")?.as_str()?).ok()?;
    let variant = match row.get("variant").and_then(Value::as_str) {
        Some(name) => Some(VariantName::new(name).ok()?),
        None => None,
    };
    Some(((flag, variant), Arm::new(row.get("evaluations")?.as_u64()?, row.get("errors")?.as_u64()?)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn series(variant: &str, arm: Arm) -> (VariantSeries, Arm) {
        ((FlagKey::new("checkout").unwrap(), Some(VariantName::new(variant).unwrap())), arm)
    }

    #[test]
    fn a_variant_that_fails_more_often_than_before_is_no_evidence() {
        let before = [series("off", Arm::new(5_000, 10))].into();
        assert_eq!(compare(&[series("off", Arm::new(5_000, 12))].into(), &before), Ok(1));
        let worse = compare(&[series("off", Arm::new(5_000, 12)), series("on", Arm::new(1_000, 500))].into(), &before);
        assert!(matches!(worse, Err(Lacking::Worse { variant: Some(variant), .. }) if variant.as_str() == "on"));
    }

    #[test]
    fn outcomes_without_anything_to_compare_them_with_prove_nothing() {
        assert_eq!(compare(&[series("on", Arm::new(5_000, 2_500))].into(), &BTreeMap::new()), Ok(0));
        assert_eq!(
            compare(&[series("on", Arm::new(5, 0))].into(), &[series("on", Arm::new(5_000, 0))].into()),
            Ok(0)
        );
    }

    #[test]
    fn the_outcomes_of_a_checkpoint_are_read_back_as_they_were_written() {
        let arms: BTreeMap<VariantSeries, Arm> = [series("on", Arm::new(5_000, 12)), ((FlagKey::new("search").unwrap(), None), Arm::new(7, 1))].into();
        let read: BTreeMap<VariantSeries, Arm> = written(&arms).as_array().unwrap().iter().filter_map(read).collect();
        assert_eq!(read, arms);
    }
}
