//! A reader that applies frames as the protocol says, and knows nothing else.

use std::collections::BTreeMap;

use anyhow::{Context, bail, ensure};
use serde_json::Value;

use crate::stream::Frame;

/// The state of an environment, made from frames alone.
#[derive(Debug, Default, Clone)]
pub struct Replica {
    /// The epoch, 0 before the first snapshot.
    pub epoch: u64,
    /// The revision.
    pub revision: u64,
    /// The content hash that the server states.
    pub hash: String,
    /// Flags by key.
    pub flags: BTreeMap<String, Value>,
    /// Committed kills by id.
    pub kills: BTreeMap<String, Value>,
    /// Provisional kills by id.
    pub overlay: BTreeMap<String, Value>,
    /// How provisional kills ended: `merged`, `restored`, `withdrawn`.
    pub ended: BTreeMap<String, String>,
    /// How many snapshots came.
    pub snapshots: usize,
}

impl Replica {
    /// Applies one frame. An order that the protocol forbids is an error.
    pub fn apply(&mut self, frame: &Frame) -> anyhow::Result<()> {
        match frame.kind.as_str() {
            "snapshot" => self.replace(&frame.data),
            "delta" => self.step(&frame.data),
            "overlay" => self.lay_over(&frame.data),
            "heartbeat" => {
                let at = position(&frame.data)?;
                ensure!(at >= (self.epoch, 0), "a heartbeat from epoch {} after {}", at.0, self.epoch);
                Ok(())
            }
            "goodbye" => Ok(()),
            other => bail!("a frame of kind {other:?}"),
        }
    }

    fn replace(&mut self, data: &Value) -> anyhow::Result<()> {
        let at = position(data)?;
        ensure!(
            at >= (self.epoch, self.revision),
            "a snapshot of {at:?} after {:?}",
            (self.epoch, self.revision)
        );
        (self.epoch, self.revision) = at;
        self.hash = text(data, "hash")?;
        self.flags = object(&data["flags"]);
        self.kills = object(&data["kills"]);
        self.snapshots += 1;
        self.lay_over(&data["overlay"])
    }

    fn step(&mut self, data: &Value) -> anyhow::Result<()> {
        let to = position(data)?;
        let from = data["from"].as_u64().context("a delta without from")?;
        ensure!(to.0 == self.epoch, "a delta of epoch {} at epoch {}", to.0, self.epoch);
        ensure!(from == self.revision, "a delta from {from} at revision {}", self.revision);
        ensure!(to.1 > from, "a delta from {from} to {}", to.1);
        self.revision = to.1;
        self.hash = text(data, "hash")?;
        self.flags.extend(object(&data["changed"]["flags"]));
        self.kills.extend(object(&data["changed"]["kills"]));
        for key in strings(&data["removed"]["flags"]) {
            self.flags.remove(&key);
        }
        for id in strings(&data["removed"]["kills"]) {
            self.kills.remove(&id);
        }
        Ok(())
    }

    fn lay_over(&mut self, data: &Value) -> anyhow::Result<()> {
        self.overlay = object(&data["kills"]);
        for (id, how) in object(&data["ended"]) {
            self.ended.insert(id, how.as_str().context("an end is a word")?.to_owned());
        }
        Ok(())
    }

    /// The variant that a flag without rules serves to every user.
    pub fn default_variant(&self, flag: &str) -> Option<&str> {
        self.flags.get(flag)?["default"].as_str()
    }
}

fn position(data: &Value) -> anyhow::Result<(u64, u64)> {
    let epoch = data["epoch"].as_u64().with_context(|| format!("no epoch in {data}"))?;
    let revision = data["revision"].as_u64().with_context(|| format!("no revision in {data}"))?;
    Ok((epoch, revision))
}

fn text(data: &Value, member: &str) -> anyhow::Result<String> {
    Ok(data[member].as_str().with_context(|| format!("no {member} in {data}"))?.to_owned())
}

fn object(data: &Value) -> BTreeMap<String, Value> {
    data.as_object()
        .into_iter()
        .flatten()
        .map(|(key, value)| (key.clone(), value.clone()))
        .collect()
}

fn strings(data: &Value) -> Vec<String> {
    data.as_array()
        .into_iter()
        .flatten()
        .filter_map(|value| value.as_str().map(str::to_owned))
        .collect()
}
