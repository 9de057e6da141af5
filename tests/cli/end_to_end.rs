//! The line that everything hangs on: apply → SDK sees it → kill → SDK serves safe → confirmation 100 % → restore.

use anyhow::{Context as _, ensure};
use ripcord_tests::app::Process;
use ripcord_tests::{Outcome, World, on_both_stores};

use super::ripcord;

const FILE: &str = "\
environment: production
segments:
  beta:
    attribute: plan
    equals: beta
flags:
  checkout-v2:
    description: New checkout
    variants:
      on: true
      off: false
    default: on
    safe: off
    tags: [payments]
  banner:
    variants: {red: '#f00', blue: '#00f'}
    default: blue
    safe: blue
    rules:
      - when: {segment: beta}
        serve: red
      - serve:
          split:
            - {variant: red, weight: 25%}
            - {variant: blue, weight: 75%}
";

async fn a_change_is_applied_seen_killed_confirmed_and_restored(world: World) -> Outcome {
    let file = world.scratch().join("flags.yaml");
    std::fs::write(&file, FILE)?;
    let file = file.display().to_string();
    let planned = ripcord(&world, &["plan", "-f", &file]).await?.expect(0)?;
    planned.names(&["checkout-v2", "banner"])?;
    ensure!(world.admin().revision().await? == 0, "a plan changed something");
    ripcord(&world, &["apply", "-f", &file, "--reason", "launch"])
        .await?
        .expect(0)?
        .names(&["checkout-v2"])?;
    ensure!(world.admin().revision().await? == 1, "an apply is one commit");

    let sdk = world.admin().role("sdk").await?;
    let mut apps = Vec::new();
    for name in ["shop-1", "shop-2"] {
        apps.push(Process::start(&sdk, name, "checkout-v2").await?);
    }
    for app in &apps {
        app.serves("true").await?;
    }

    let killed = ripcord(&world, &["kill", "checkout-v2", "--reason", "5xx spike", "--json"])
        .await?
        .expect(0)?
        .json()?;
    ensure!(
        killed["scope"]["flag"] == "checkout-v2" && killed["revision"] == 2 && killed["reason"] == "5xx spike",
        "{killed}"
    );
    let applied = &killed["confirmation"]["applied"];
    ensure!(
        applied["connected"] == 2 && applied["confirmed"] == 2 && applied["max_ms"].is_number(),
        "{killed}"
    );
    for app in &apps {
        let now = app.serves("false").await?;
        ensure!(now["reason"] == "KILLED", "{now}");
    }
    // Asked for again it changes nothing, and prints the command that undoes it.
    let again = ripcord(&world, &["kill", "checkout-v2"]).await?.expect(0)?;
    let id = killed["id"].as_str().context("a kill has an id")?;
    again.names(&[&format!("ripcord restore {id}")])?;
    // A list shows as much of an id as tells it from the others.
    let shown = id.get(..14).context("an id is longer")?;
    ripcord(&world, &["kill", "list"])
        .await?
        .expect(0)?
        .names(&[shown, "checkout-v2", "5xx spike"])?;
    let restored = ripcord(&world, &["restore", id, "--reason", "fixed", "--json"]).await?.expect(0)?.json()?;
    ensure!(restored["revision"] == 3, "{restored}");
    for app in &apps {
        app.serves("true").await?;
    }

    let again = ripcord(&world, &["apply", "-f", &file, "--reason", "launch"]).await?.expect(0)?;
    ensure!(world.admin().revision().await? == 3, "applying the same again made a revision: {}", again.out);
    ripcord(&world, &["audit", "verify"]).await?.expect(0)?;
    let log = ripcord(&world, &["audit"]).await?.expect(0)?;
    log.names(&["launch", "5xx spike", "fixed"])?;
    Ok(())
}

on_both_stores!(a_change_is_applied_seen_killed_confirmed_and_restored);
