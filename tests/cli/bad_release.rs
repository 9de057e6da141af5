//! A bad release from its beginning to its end, as the people and the pipeline of a shop go through it.

use anyhow::{Context as _, ensure};
use jiff::Timestamp;
use ripcord_tests::shop::Shop;
use ripcord_tests::{Outcome, SOON, World, eventually, on_both_stores};
use serde_json::{Value, json};

use super::{ripcord, ripcord_as};

const BEFORE: &str = "\
environment: production
flags:
  checkout-v2:
    owner: payments
    variants: {on: true, off: false}
    default: off
    safe: off
  banner:
    variants: {plain: plain, loud: loud}
    default: plain
    safe: plain
";

const RELEASE: &str = "\
environment: production
flags:
  checkout-v2:
    owner: payments
    variants: {on: true, off: false}
    default: on
    safe: off
  banner:
    variants: {plain: plain, loud: loud}
    default: loud
    safe: plain
";

/// A moment of the phases.
fn moment(phases: &Value, name: &str) -> anyhow::Result<Timestamp> {
    let text = phases[name].as_str().with_context(|| format!("{name} is missing in {phases}"))?;
    Ok(text.parse()?)
}

async fn a_bad_release_is_taken_back_and_the_report_says_what_was_seen(world: World) -> Outcome {
    let file = |name: &str, text: &str| -> anyhow::Result<String> {
        let path = world.scratch().join(name);
        std::fs::write(&path, text)?;
        Ok(path.display().to_string())
    };
    let (before, release) = (file("before.yaml", BEFORE)?, file("release.yaml", RELEASE)?);
    let (pipeline, oncall) = (world.admin().role("pipeline").await?, world.admin().role("oncall").await?);
    ripcord_as(&world, pipeline.key(), &["apply", "-f", &before]).await?.expect(0)?;
    let shop = Shop::open(&world.admin().role("sdk").await?, "checkout-v2", 3).await?;
    let policy = json!({"confirm_within_seconds": 5, "checks": [{"name": "shop", "url": shop.health(), "pointer": "/error_rate", "below": 0.01}]});
    world.admin().put("policy", &policy).await?.ok()?;

    // The way back is there before the way forward.
    ripcord_as(&world, oncall.key(), &["checkpoint", "create", "monday"]).await?.expect(0)?;
    ripcord_as(&world, oncall.key(), &["checkpoint", "vouch", "monday", "--evidence", "a quiet weekend"])
        .await?
        .expect(0)?;
    let begin = ["release", "begin", "web-1", "--artifact", "web 1", "--owner", "commander=ana"];
    ripcord_as(&world, pipeline.key(), &begin).await?.expect(0)?;
    ripcord_as(&world, pipeline.key(), &["apply", "-f", &release, "--release", "web-1"])
        .await?
        .expect(0)?;
    eventually(SOON, "the release is in force", || async {
        ensure!(shop.on("checkout-v2") == 3, "on in {}", shop.on("checkout-v2"));
        Ok(())
    })
    .await?;
    let onset = Timestamp::now();
    eventually(SOON, "the trouble is reported", || async {
        let metrics = world.admin().get_root("/metrics").await?;
        let is_error = |line: &str| line.starts_with("ripcord_outcomes_total") && line.contains("error") && line.contains("checkout-v2");
        ensure!(
            metrics
                .body
                .as_str()
                .context("metrics are text")?
                .lines()
                .any(|line| is_error(line) && !line.ends_with(" 0")),
            "no error is counted"
        );
        Ok(())
    })
    .await?;

    // The plan, and exactly that.
    ripcord_as(&world, oncall.key(), &["release", "show", "web-1"])
        .await?
        .expect(0)?
        .names(&["checkout-v2", "banner"])?;
    let plan = ripcord_as(&world, oncall.key(), &["rollback", "plan", "--release", "web-1", "--json"])
        .await?
        .expect(0)?
        .json()?;
    let keys: Vec<_> = plan["flags"]
        .as_array()
        .context("flags")?
        .iter()
        .filter_map(|flag| flag["key"].as_str())
        .collect();
    ensure!(keys == ["banner", "checkout-v2"], "{plan}");
    ensure!(plan["conflicts"] == json!([]), "{plan}");
    let hash = plan["hash"].as_str().context("hash")?.to_owned();
    let since = onset.to_string();
    let (asked, served_before) = (Timestamp::now(), shop.served());
    let arguments = ["rollback", "--release", "web-1", "--plan", &hash, "--since", &since, "--wait", "20", "--json"];
    let done = ripcord_as(&world, oncall.key(), &arguments).await?.expect(0)?.json()?;
    ensure!(done["state"] == "confirmed", "{done}");
    ensure!(shop.on("checkout-v2") == 0, "confirmed, and still on in {}", shop.on("checkout-v2"));

    // What it reports is what the shop has measured.
    let (phases, seen) = (&done["phases"], shop.turned_off());
    ensure!(seen.len() == 3, "{seen:?}");
    let order = ["decided", "committed", "applied", "healthy"].map(|name| moment(phases, name));
    let [decided, committed, applied, healthy] = order;
    let (decided, committed, applied, healthy) = (decided?, committed?, applied?, healthy?);
    ensure!(moment(phases, "detected")? == onset, "{phases}");
    ensure!(
        asked <= decided && decided <= committed && committed <= applied && applied <= healthy,
        "{phases}"
    );
    ensure!(decided <= seen[0], "turned off at {seen:?}, reported {phases}");
    let reported = phases["applied_last_ms"].as_f64().context("applied_last_ms")?;
    ensure!(reported >= 0.0, "{phases}");
    let (served, bad) = (shop.served(), &done["bad_exposure"]);
    let counted = |name: &str| bad[name].as_u64().with_context(|| format!("{name} in {bad}"));
    // Every user who was served the bad state met an error; the health endpoint evaluates, too, and tells no outcome.
    let (errors, probes) = (counted("errors_real")?, counted("errors_synthetic")?);
    ensure!(errors > 0 && errors <= served.0, "counted {served:?}, before {served_before:?}, reported {bad}");
    ensure!(probes <= served.1, "counted {served:?}, reported {bad}");
    ensure!(counted("real")? >= errors && counted("synthetic")? >= probes, "{bad}");

    // It can be read afterwards, and it is a way that can be gone back.
    let id = done["id"].as_str().context("id")?.to_owned();
    let shown = ripcord(&world, &["rollback", "show", &id, "--json"]).await?.expect(0)?.json()?;
    ensure!(
        shown["confirmation"]["applied"]["confirmed"] == 3 && shown["scope"]["release"] == "web-1",
        "{shown}"
    );
    let again = ripcord_as(&world, oncall.key(), &["rollback", "undo", &id, "--reason", "the fix is out", "--json"]).await?;
    ensure!(again.code != 2 && again.code != 3, "{}\n{}", again.out, again.err);
    eventually(SOON, "it is forward again", || async {
        ensure!(shop.on("checkout-v2") == 3, "on in {}", shop.on("checkout-v2"));
        Ok(())
    })
    .await?;
    let list = ripcord(&world, &["rollback", "list", "--json"]).await?.expect(0)?.json()?;
    let first = list["items"].as_array().and_then(|items| items.iter().find(|item| item["id"] == id.as_str()));
    ensure!(first.is_some_and(|rollback| rollback["state"] == "undone"), "{list}");
    ripcord(&world, &["audit", "verify"]).await?.expect(0)?;
    Ok(())
}

on_both_stores!(a_bad_release_is_taken_back_and_the_report_says_what_was_seen);
