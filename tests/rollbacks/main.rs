//! Rollbacks from their commit to their end, with real applications, on both stores and over the death of nodes.

mod nodes;
mod pings;
mod proof;
mod staged;

use anyhow::{Context as _, ensure};
use ripcord_tests::app::Process;
use ripcord_tests::{Api, Outcome, SOON, Server, World, eventually, flags};
use serde_json::{Value, json};

/// Three applications that serve the bad state: `checkout` was off at revision 1 and is on.
async fn shop(world: &World) -> anyhow::Result<(Api, Vec<Process>)> {
    let admin = world.admin();
    admin.put_flag("checkout", &flags::boolean("off")).await?.ok()?;
    let sdk = admin.role("sdk").await?;
    let mut apps = Vec::new();
    for name in ["shop-1", "shop-2", "shop-3"] {
        apps.push(Process::start(&sdk, name, "checkout").await?);
    }
    admin.connected(3).await?;
    admin.put_flag("checkout", &flags::boolean("on")).await?.ok()?;
    for app in &apps {
        app.serves("true").await?;
    }
    Ok((admin, apps))
}

/// Rolls `checkout` back to revision 1, with these members beside.
async fn roll_back(api: &Api, wait: &str, beside: &Value) -> anyhow::Result<Value> {
    let mut body = json!({"to": 1, "flags": ["checkout"], "reason": "a test"});
    for (member, value) in beside.as_object().context("members")? {
        body[member] = value.clone();
    }
    let answer = api.post(&format!("rollbacks?wait={wait}"), &body).await?;
    ensure!(answer.status == 201, "{}: {}", answer.status, answer.body);
    Ok(answer.body)
}

/// The rollback once it is in this state.
async fn until(api: &Api, id: &str, state: &str) -> anyhow::Result<Value> {
    eventually(SOON, &format!("the rollback is {state}"), || async {
        let rollback = api.get(&format!("rollbacks/{id}?wait=1s")).await?.ok()?;
        ensure!(rollback["state"] == state, "{rollback:#}");
        Ok(rollback)
    })
    .await
}

async fn policy(api: &Api, policy: &Value) -> Outcome {
    api.put("policy", policy).await?.ok().map(drop)
}

fn id(rollback: &Value) -> anyhow::Result<String> {
    Ok(rollback["id"].as_str().context("a rollback has an id")?.to_owned())
}

/// The log with its records, newest first.
async fn audit(api: &Api) -> anyhow::Result<Vec<Value>> {
    let page = api.get_root("/v1/audit?log=production&limit=1000").await?.ok()?;
    Ok(page["items"].as_array().context("a page has items")?.clone())
}

/// Whether an entry of the log puts a record of this kind, with this key if one is named.
fn puts(entry: &Value, record: &str, key: Option<&str>) -> bool {
    let mut changes = entry["changes"].as_array().into_iter().flatten();
    changes.any(|change| change["change"] == "put_record" && change["record"] == record && key.is_none_or(|key| change["key"] == key))
}

/// The nodes that were the leader, in order: each of them put the lease into the log itself.
async fn leaders(server: &Server) -> anyhow::Result<Vec<String>> {
    let log = audit(&server.admin()).await?;
    let leases = log.iter().rev().filter(|entry| puts(entry, "driver", None));
    Ok(leases.filter_map(|entry| entry["origin"]["node"].as_str().map(str::to_owned)).collect())
}
