//! Stale flags: flags that look unused, by their counts.

use std::collections::BTreeMap;

use jiff::Timestamp;
use ripcord_proto::outcome::Traffic;
use ripcord_proto::rest::stale_flags::{StaleFlag, StaleReason};
use ripcord_proto::table::Entry;
use ripcord_proto::{Flag, Snapshot, VariantName};

use super::counters::OutcomeTotal;

/// Evaluations that are needed before one variant for all of them means anything.
const TELLING: u64 = 100;

/// The flags of `snapshot` that look unused: they serve one variant only, are never evaluated, or have expired.
///
/// A killed flag serves one variant because it is killed, and a disabled flag serves none; for these only the expiry counts.
pub fn stale(snapshot: &Snapshot, totals: &[OutcomeTotal], now: Timestamp) -> Vec<StaleFlag> {
    let mut counted: BTreeMap<&str, Vec<&OutcomeTotal>> = BTreeMap::new();
    for total in totals {
        counted.entry(total.flag.as_str()).or_default().push(total);
    }
    let of = |entry: &Entry<Flag>| {
        let flag = entry.value().ok()?;
        let totals = counted.get(entry.key().as_str()).map_or(&[][..], Vec::as_slice);
        let served = served(totals);
        let evaluations = totals.iter().map(|total| total.evaluations).sum();
        let killed = snapshot.kills_of(entry.key().as_str()).next().is_some();
        let mut reasons = Vec::new();
        if evaluations == 0 {
            reasons.push(StaleReason::NeverEvaluated);
        }
        if let Some(variant) = only(&served, totals).filter(|_| !killed && flag.enabled) {
            reasons.push(StaleReason::OneVariant(variant.clone()));
        }
        reasons.extend(flag.expires_at.filter(|at| *at <= now).map(StaleReason::Expired));
        (!reasons.is_empty()).then(|| StaleFlag {
            key: entry.key().clone(),
            owner: flag.owner.clone(),
            revision: entry.changed().revision,
            reasons,
            served,
            evaluations,
        })
    };
    snapshot.flags.iter().filter_map(|entry| of(entry)).collect()
}

fn served(totals: &[&OutcomeTotal]) -> BTreeMap<VariantName, u64> {
    let mut served = BTreeMap::new();
    for total in totals.iter().filter(|total| total.traffic == Traffic::Real) {
        if let Some(variant) = &total.variant {
            *served.entry(variant.clone()).or_insert(0) += total.evaluations;
        }
    }
    served
}

/// The only variant that was served, if there were enough evaluations.
fn only<'a>(served: &'a BTreeMap<VariantName, u64>, totals: &[&OutcomeTotal]) -> Option<&'a VariantName> {
    let by_default = totals
        .iter()
        .any(|total| total.traffic == Traffic::Real && total.variant.is_none() && total.evaluations > 0);
    let mut variants = served.iter();
    match (variants.next(), variants.next()) {
        (Some((variant, evaluations)), None) if *evaluations >= TELLING && !by_default => Some(variant),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use ripcord_proto::table::Entity as _;
    use ripcord_proto::{EnvironmentKey, FlagKey, Position};

    use super::*;

    fn key(text: &str) -> FlagKey {
        FlagKey::new(text).unwrap()
    }

    fn snapshot(flags: &[(&str, &str)]) -> Snapshot {
        let mut snapshot = Snapshot::empty(EnvironmentKey::new("production").unwrap());
        for (name, more) in flags {
            let json = format!(r#"{{"variants": {{"on": true, "off": false}}, "default": "off", "safe": "off"{more}}}"#);
            let entry = Entry::new(key(name), Flag::parse(&json).unwrap(), Position::new(1, 7)).unwrap();
            snapshot.flags.insert(Arc::new(entry));
        }
        snapshot
    }

    fn total(flag: &str, variant: &str, traffic: Traffic, evaluations: u64) -> OutcomeTotal {
        OutcomeTotal {
            flag: key(flag),
            variant: Some(VariantName::new(variant).unwrap()),
            traffic,
            evaluations,
            successes: 0,
            errors: 0,
        }
    }

    #[test]
    fn a_flag_is_stale_by_what_was_counted_or_by_its_time() {
        let snapshot = snapshot(&[
            ("both", ""),
            ("few", ""),
            ("never", r#", "owner": "search""#),
            ("off", r#", "enabled": false"#),
            ("old", r#", "expires_at": "2025-01-01T00:00:00Z""#),
            ("one", ""),
            ("probed", ""),
        ]);
        let totals = [
            total("both", "on", Traffic::Real, 1_000),
            total("both", "off", Traffic::Real, 1),
            total("few", "on", Traffic::Real, 99),
            total("off", "on", Traffic::Real, 1_000),
            total("old", "on", Traffic::Real, 5),
            total("one", "on", Traffic::Real, 100),
            total("one", "off", Traffic::Synthetic, 100),
            total("probed", "on", Traffic::Synthetic, 500),
        ];
        let found = stale(&snapshot, &totals, "2026-01-01T00:00:00Z".parse().unwrap());
        let reasons: Vec<_> = found.iter().map(|flag| (flag.key.as_str(), flag.reasons.clone())).collect();
        assert_eq!(
            reasons,
            [
                ("never", vec![StaleReason::NeverEvaluated]),
                ("old", vec![StaleReason::Expired("2025-01-01T00:00:00Z".parse().unwrap())]),
                ("one", vec![StaleReason::OneVariant(VariantName::new("on").unwrap())]),
            ]
        );
        assert_eq!((found[2].evaluations, found[2].served.len()), (200, 1));
        assert_eq!(found[0].owner.as_deref(), Some("search"));
    }
}
