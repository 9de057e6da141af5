use anyhow::{Context as _, ensure};
use ripcord_tests::app::Process;
use ripcord_tests::process::Signal;
use ripcord_tests::stream::{Reader, WebSocket};
use ripcord_tests::{Outcome, SOON, World, eventually, on_both_stores};
use serde_json::{Value, json};

use super::{audit, id, policy, puts, roll_back, shop, until};

fn moment(rollback: &Value, phase: &str) -> Option<String> {
    rollback["phases"][phase].as_str().map(ToOwned::to_owned)
}

async fn it_is_confirmed_by_real_applications_with_every_phase_timed(world: World) -> Outcome {
    let (admin, apps) = shop(&world).await?;
    let rollback = roll_back(&admin, "20s", &json!({})).await?;
    ensure!(rollback["state"] == "confirmed" && rollback["revision"] == 3, "{rollback:#}");
    let applied = &rollback["confirmation"]["applied"];
    ensure!(applied["connected"] == 3 && applied["confirmed"] == 3, "{rollback:#}");
    for phase in ["decided", "committed", "applied"] {
        ensure!(moment(&rollback, phase).is_some(), "{phase} is missing: {rollback:#}");
    }
    ensure!(moment(&rollback, "healthy").is_none(), "no check said so: {rollback:#}");
    for took in ["commit_ms", "applied_p50_ms", "applied_p99_ms", "applied_last_ms"] {
        ensure!(rollback["phases"][took].as_f64().is_some_and(|ms| ms >= 0.0), "{took}: {rollback:#}");
    }
    for app in &apps {
        app.serves("false").await?;
    }
    let log = audit(&admin).await?;
    let id = id(&rollback)?;
    let finals = log
        .iter()
        .filter(|entry| entry["revision"].is_null() && puts(entry, "rollback", Some(&id)))
        .count();
    // On a busy machine a look in between is recorded, too.
    ensure!((1..=2).contains(&finals), "one commit for the end: {log:#?}");
    Ok(())
}

async fn who_never_acknowledges_is_named_and_it_is_confirmed_when_that_one_is_gone(world: World) -> Outcome {
    let (admin, apps) = shop(&world).await?;
    policy(&admin, &json!({"confirm_within_seconds": 1})).await?;
    let sdk = admin.role("sdk").await?;
    let mut mute = WebSocket::connect(&sdk, "mute-7").await?;
    let first = mute.expect("snapshot", SOON).await?;
    mute.ack(&first).await?;
    admin.connected(4).await?;
    let rollback = roll_back(&admin, "20s", &json!({})).await?;
    ensure!(rollback["state"] == "partial", "{rollback:#}");
    let applied = &rollback["confirmation"]["applied"];
    ensure!(applied["confirmed"] == 3 && applied["connected"] == 4, "{rollback:#}");
    ensure!(applied["missing"][0]["name"] == "mute-7", "{rollback:#}");
    let listed = admin.pages("rollbacks").await?;
    ensure!(listed.len() == 1 && listed[0]["state"] == "partial", "{listed:#?}");
    mute.send(&json!({"type": "goodbye", "why": "application ends"})).await?;
    drop(mute);
    let confirmed = until(&admin, &id(&rollback)?, "confirmed").await?;
    ensure!(confirmed["confirmation"]["applied"]["connected"] == 3, "{confirmed:#}");
    drop(apps);
    Ok(())
}

async fn who_comes_late_confirms_late(world: World) -> Outcome {
    let (admin, apps) = shop(&world).await?;
    policy(&admin, &json!({"confirm_within_seconds": 1})).await?;
    apps[1].signal(Signal::Stop)?;
    let rollback = roll_back(&admin, "20s", &json!({})).await?;
    ensure!(
        rollback["state"] == "partial" && rollback["confirmation"]["applied"]["missing"][0]["name"] == "shop-2",
        "{rollback:#}"
    );
    apps[1].signal(Signal::Cont)?;
    until(&admin, &id(&rollback)?, "confirmed").await?;
    apps[1].serves("false").await?;
    Ok(())
}

async fn a_check_that_fails_says_that_service_is_not_restored(world: World) -> Outcome {
    let (admin, _apps) = shop(&world).await?;
    let url = format!("{}/healthz", world.url());
    let checks = json!([{"name": "well", "url": url}, {"name": "orders", "url": url, "expect": 418}]);
    policy(&admin, &json!({"confirm_within_seconds": 1, "checks": checks})).await?;
    let rollback = roll_back(&admin, "20s", &json!({})).await?;
    ensure!(rollback["state"] == "failed", "{rollback:#}");
    let checks = rollback["checks"].as_array().context("checks")?;
    let passed: Vec<_> = checks.iter().map(|check| (check["name"].as_str(), check["passed"].as_bool())).collect();
    ensure!(passed == [(Some("well"), Some(true)), (Some("orders"), Some(false))], "{rollback:#}");
    ensure!(moment(&rollback, "applied").is_some() && moment(&rollback, "healthy").is_none(), "{rollback:#}");
    ensure!(rollback["confirmation"]["complete"] == true, "{rollback:#}");
    Ok(())
}

async fn a_check_that_fails_is_shown_long_before_the_deadline(world: World) -> Outcome {
    let (admin, _apps) = shop(&world).await?;
    let url = format!("{}/healthz", world.url());
    let checks = json!([{"name": "orders", "url": url, "expect": 418}]);
    policy(&admin, &json!({"confirm_within_seconds": 600, "checks": checks})).await?;
    let rollback = roll_back(&admin, "1ms", &json!({})).await?;
    ensure!(rollback["bad_exposure"].is_null(), "not counted yet: {rollback:#}");
    let path = format!("rollbacks/{}", id(&rollback)?);
    let shown = eventually(SOON, "the failing check is shown", || async {
        let rollback = admin.get(&path).await?.ok()?;
        ensure!(rollback["checks"][0]["name"] == "orders", "{rollback:#}");
        Ok(rollback)
    })
    .await?;
    ensure!(shown["state"] == "committed" && shown["checks"][0]["passed"] == false, "{shown:#}");
    ensure!(shown["checks"][0]["detail"].as_str().is_some_and(|detail| detail.contains("200")), "{shown:#}");
    ensure!(moment(&shown, "committed").is_some() && moment(&shown, "healthy").is_none(), "{shown:#}");
    policy(&admin, &json!({"confirm_within_seconds": 600})).await?;
    Ok(())
}

async fn a_check_that_passes_is_what_makes_it_healthy(world: World) -> Outcome {
    let (admin, _apps) = shop(&world).await?;
    let checks = json!([{"name": "well", "url": format!("{}/healthz", world.url())}]);
    policy(&admin, &json!({"checks": checks})).await?;
    let rollback = roll_back(&admin, "20s", &json!({})).await?;
    ensure!(rollback["state"] == "confirmed" && moment(&rollback, "healthy").is_some(), "{rollback:#}");
    ensure!(rollback["phases"]["healthy_ms"].as_f64().is_some_and(|ms| ms >= 0.0), "{rollback:#}");
    Ok(())
}

async fn a_check_that_hangs_ends_at_its_timeout(world: World) -> Outcome {
    let (admin, _apps) = shop(&world).await?;
    let silent = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
    let url = format!("http://{}/", silent.local_addr()?);
    let checks = json!([{"name": "hangs", "url": url, "timeout_ms": 300}]);
    policy(&admin, &json!({"confirm_within_seconds": 1, "checks": checks})).await?;
    let rollback = roll_back(&admin, "20s", &json!({})).await?;
    ensure!(rollback["state"] == "failed", "{rollback:#}");
    ensure!(rollback["checks"][0]["passed"] == false, "{rollback:#}");
    Ok(())
}

async fn it_is_undone_by_the_same_act_and_reviewed_afterwards(world: World) -> Outcome {
    let (admin, apps) = shop(&world).await?;
    let rollback = roll_back(&admin, "20s", &json!({})).await?;
    let first = id(&rollback)?;
    let undone = admin
        .post(&format!("rollbacks/{first}/undo?wait=20s"), &json!({"reason": "it was not the flag"}))
        .await?;
    ensure!(undone.status == 201 && undone.body["state"] == "confirmed", "{:#}", undone.body);
    for app in &apps {
        app.serves("true").await?;
    }
    let was = admin.get(&format!("rollbacks/{first}")).await?.ok()?;
    ensure!(was["state"] == "undone" && was["undone_by"] == undone.body["id"], "{was:#}");
    admin.post(&format!("rollbacks/{first}/undo"), &json!({})).await?.problem(409, "WRONG_STATE")?;
    let oncall = admin.role("oncall").await?;
    let reviewed = oncall
        .post(&format!("rollbacks/{first}/review"), &json!({"note": "the cache was cold"}))
        .await?
        .ok()?;
    ensure!(reviewed["review"]["done"]["note"] == "the cache was cold", "{reviewed:#}");
    oncall
        .post(&format!("rollbacks/{first}/review"), &json!({"note": "again"}))
        .await?
        .problem(409, "WRONG_STATE")?;
    Ok(())
}

async fn what_was_served_between_onset_and_confirmation_is_counted(world: World) -> Outcome {
    let (admin, apps) = shop(&world).await?;
    let sdk = admin.role("sdk").await?;
    let count = |traffic: &str, evaluations: u64, errors: u64| json!({"flag": "checkout", "variant": "on", "traffic": traffic, "evaluations": evaluations, "errors": errors});
    let good = json!({"flag": "checkout", "variant": "off", "evaluations": 5_000, "errors": 1});
    let batch = json!({"instance_id": "worker-1", "batch": 1, "counts": [count("real", 120, 7), count("synthetic", 30, 2), good]});
    sdk.send(reqwest::Method::POST, "/v1/outcomes", Some(&batch), &[]).await?.ok()?;
    let rollback = roll_back(&admin, "20s", &json!({})).await?;
    let served = &rollback["bad_exposure"];
    ensure!(
        served["real"].as_u64().is_some_and(|real| (120..5_000).contains(&real)) && served["errors_real"] == 7,
        "{rollback:#}"
    );
    ensure!(served["synthetic"] == 30 && served["errors_synthetic"] == 2, "{rollback:#}");
    drop::<Vec<Process>>(apps);
    Ok(())
}

on_both_stores!(
    it_is_confirmed_by_real_applications_with_every_phase_timed,
    who_never_acknowledges_is_named_and_it_is_confirmed_when_that_one_is_gone,
    who_comes_late_confirms_late,
    a_check_that_fails_says_that_service_is_not_restored,
    a_check_that_fails_is_shown_long_before_the_deadline,
    a_check_that_passes_is_what_makes_it_healthy,
    a_check_that_hangs_ends_at_its_timeout,
    it_is_undone_by_the_same_act_and_reviewed_afterwards,
    what_was_served_between_onset_and_confirmation_is_counted
);
