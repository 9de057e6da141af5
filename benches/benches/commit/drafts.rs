//! Environments to commit to, and what is committed.

use std::sync::Arc;

use ripcord_benches::environments;
use ripcord_proto::role::Role;
use ripcord_proto::{Flag, FlagKey, table::Entity as _};
use ripcord_server::bench::{Draft, Environments, Operation, Store};

/// Environments over `store`, with `flags` flags in `production`.
pub async fn start(store: Arc<dyn Store>, flags: usize) -> anyhow::Result<Environments> {
    let environments = environments::start(store).await?;
    let asks = (0..flags).map(|number| put(number, 0)).collect::<anyhow::Result<Vec<_>>>()?;
    environments.submit(draft_of(asks)?).await?;
    Ok(environments)
}

/// Asks for flag `number` as its definition number `version` has it.
pub fn put(number: usize, version: usize) -> anyhow::Result<Operation> {
    let json = format!(
        r#"{{"description": "version {version}", "enabled": true, "variants": {{"on": true, "off": false}}, "default": "off", "safe": "off",
        "rules": [{{"serve": {{"split": [{{"variant": "on", "weight": 25}}, {{"variant": "off", "weight": 75}}]}}}}]}}"#
    );
    Ok(Operation::PutFlag(FlagKey::new(&format!("flag-{number}"))?, Box::new(Flag::parse(&json)?)))
}

/// A draft of these asks.
pub fn draft_of(asks: Vec<Operation>) -> anyhow::Result<Draft> {
    Ok(Draft::new(environments::production()?, environments::author(Role::Pipeline), asks))
}
