//! Flags to go back, and rollbacks of them.

use std::ops::Range;

use ripcord_benches::environments;
use ripcord_proto::role::Role;
use ripcord_proto::rollback::{Rollback, RollbackId, RollbackScope, RollbackState};
use ripcord_proto::table::Entity as _;
use ripcord_proto::{Flag, FlagKey, TargetName};
use ripcord_server::bench::{ApiError, Applied, Draft, Environments, Expected, Operation, PreparedRollback, RollbackSpec, answer_of, prepare};

fn draft(operations: Vec<Operation>) -> anyhow::Result<Draft> {
    Ok(Draft {
        reason: Some("a bench".to_owned()),
        ..Draft::new(environments::production()?, environments::author(Role::Oncall), operations)
    })
}

/// Puts flags, each with rules that ask for three attributes and split; `version` decides by how much.
pub async fn put(environments: &Environments, flags: Range<usize>, version: usize) -> anyhow::Result<()> {
    let on = 10 + 40 * version;
    let operations = flags.map(|number| {
        let json = format!(
            r#"{{"description": "flag {number}", "tags": ["t{tag}"], "variants": {{"on": true, "off": false}}, "default": "off", "safe": "off",
            "rules": [{{"when": {{"attribute": "email", "ends_with": "@example.com"}}, "serve": "on"}},
                {{"when": {{"all": [{{"attribute": "plan", "one_of": ["beta", "pro"]}}, {{"attribute": "age", "gte": 18}}]}},
                  "serve": {{"split": [{{"variant": "off", "weight": {off}}}, {{"variant": "on", "weight": {on}}}]}}}}]}}"#,
            tag = number % 10,
            off = 100 - on,
        );
        Ok(Operation::PutFlag(FlagKey::new(&format!("flag-{number}"))?, Box::new(Flag::parse(&json)?)))
    });
    let operations = operations.collect::<anyhow::Result<Vec<_>>>()?;
    environments.submit(draft(operations)?).await?;
    Ok(())
}

/// A rollback of this scope.
pub fn spec(to: TargetName, scope: RollbackScope) -> RollbackSpec {
    RollbackSpec {
        to: Some(to),
        scope,
        segment: None,
        steps: Vec::new(),
        every_seconds: 0,
        options: Default::default(),
        acknowledged: Default::default(),
        acknowledged_checks: Default::default(),
        reason: None,
        detected: None,
    }
}

/// What is committed.
pub async fn prepared(environments: &Environments, spec: &RollbackSpec) -> anyhow::Result<PreparedRollback> {
    let prepared = prepare(environments, &environments::production()?, &environments::author(Role::Oncall), spec).await;
    prepared.map_err(|error| anyhow::anyhow!("{:?}", ApiError::from(error)))
}

/// The draft of the commit.
pub fn rollback_of(prepared: &PreparedRollback) -> anyhow::Result<Draft> {
    draft(vec![Operation::Rollback(Box::new(prepared.reversal.clone()))])
}

/// Nobody confirms here: the record is closed by hand, so that the next rollback is not refused.
pub async fn ended(environments: &Environments, applied: &Applied) -> anyhow::Result<()> {
    let made = answer_of(applied).and_then(|entry| entry.value().ok()).cloned();
    let made: Rollback = made.ok_or_else(|| anyhow::anyhow!("no rollback was committed"))?;
    let id: RollbackId = made.id.clone();
    let record = Rollback {
        state: RollbackState::Confirmed,
        ..made
    };
    environments
        .submit(draft(vec![Operation::put_record(id, record, Expected::Anything)?])?)
        .await?;
    Ok(())
}

/// The median.
pub fn p50(times: &[f64]) -> f64 {
    let mut sorted = times.to_vec();
    sorted.sort_by(f64::total_cmp);
    sorted[sorted.len() / 2]
}

/// Seconds as milliseconds.
pub fn millis(seconds: f64) -> String {
    format!("{:.2} ms", seconds * 1e3)
}
