//! Where the environment lets nothing act by itself: a person is asked, and answers.

use anyhow::ensure;
use ripcord_tests::{Api, CommandOutput, Outcome, SOON, Server, World, eventually, on_both_stores};
use serde_json::{Value, json};

use super::{alert, firing, firings, make, mode, released, sent};

async fn a_firing_waits_until_somebody_on_call_confirms_it(world: World) -> Outcome {
    let admin = released(&world).await?;
    let made = make(&admin, &json!({"rollback": {"scope": "open_release"}}), &json!({"answer_within": "2h"})).await?;
    let came = sent(&admin, &made, &alert("firing", "a", 1, None), "fired").await?;
    ensure!(
        came["rollback"].is_null() && admin.value("checkout").await? == true,
        "nothing is done before: {came}"
    );
    let waits = firing(&admin, &came["firing"]).await?;
    ensure!(
        waits["state"] == "waiting" && waits["can_be_confirmed"] == true && waits["answer_by"].is_string(),
        "{waits}"
    );
    ensure!(waits["effects"]["flags"][0]["key"] == "checkout", "it says what it would do: {waits}");
    let id = came["firing"].as_str().unwrap_or_default();
    let refused = admin
        .role("pipeline")
        .await?
        .post(&format!("firings/{id}/confirm"), &json!({"reason": "r"}))
        .await?;
    refused.problem(403, "FORBIDDEN")?;
    let oncall = admin.role("oncall").await?;
    let ran = ripcord(&world, &oncall, &["trigger", "firings"]).await?;
    ran.names(&[&format!("ripcord trigger confirm {id}")])?;
    let doctor: Value = serde_json::from_str(&ripcord(&world, &oncall, &["doctor", "--json"]).await?.out)?;
    let finding = doctor["checks"]
        .as_array()
        .and_then(|checks| checks.iter().find(|check| check["check"] == "triggers"));
    ensure!(
        finding.is_some_and(|finding| finding["state"] == "warning" && finding["found"].as_str().unwrap_or_default().contains(id)),
        "{doctor}"
    );
    let ran = ripcord(&world, &oncall, &["trigger", "confirm", id, "--reason", "the graphs agree", "--json"]).await?;
    ensure!(ran.code == 0, "{} {}", ran.out, ran.err);
    let done: Value = serde_json::from_str(&ran.out)?;
    ensure!(done["state"] == "acted" && done["answered"]["reason"] == "the graphs agree", "{done}");
    ensure!(admin.value("checkout").await? == false, "it went back");
    let entry = admin.log().await?.swap_remove(0);
    ensure!(entry["actor"]["name"] == "test oncall" && entry["reason"].is_string(), "{entry}");
    oncall
        .post(&format!("firings/{id}/confirm"), &json!({"reason": "again"}))
        .await?
        .problem(409, "WRONG_STATE")?;
    Ok(())
}

async fn what_others_have_changed_since_is_named_before_and_after(world: World) -> Outcome {
    let admin = released(&world).await?;
    admin.put_flag("gift-cards", &ripcord_tests::flags::boolean("off")).await?.ok()?;
    let on = ripcord_tests::flags::boolean("on");
    admin.put("flags/gift-cards?reason=launch&release=web-12", &on).await?.ok()?;
    let mut edited = on;
    edited["description"] = json!("by hand");
    admin.put_flag("gift-cards", &edited).await?.ok()?;
    let plan = admin.post("rollbacks/plan", &json!({"release": "web-12"})).await?.ok()?;
    ensure!(plan["conflicts"][0]["flag"] == "gift-cards", "{plan}");
    let made = make(&admin, &json!({"rollback": {"scope": "open_release"}}), &json!({})).await?;
    let came = sent(&admin, &made, &alert("firing", "a", 1, None), "fired").await?;
    let waits = firing(&admin, &came["firing"]).await?;
    ensure!(waits["effects"]["conflicts"] == plan["conflicts"], "{waits}\n{plan}");
    let path = format!("firings/{}/confirm", came["firing"].as_str().unwrap_or_default());
    let done = admin.post(&path, &json!({"reason": "r"})).await?.ok()?;
    ensure!(done["state"] == "acted" && done["effects"]["conflicts"] == plan["conflicts"], "{done}");
    ensure!(admin.value("checkout").await? == false && admin.value("gift-cards").await? == true);
    Ok(())
}

async fn what_was_declined_or_is_over_is_not_done_any_more(world: World) -> Outcome {
    let admin = released(&world).await?;
    let made = make(&admin, &json!({"rollback": {"scope": "open_release"}}), &json!({})).await?;
    let came = sent(&admin, &made, &alert("firing", "a", 1, None), "fired").await?;
    let path = format!("firings/{}", came["firing"].as_str().unwrap_or_default());
    let declined = admin.post(&format!("{path}/decline"), &json!({"reason": "it is the load test"})).await?.ok()?;
    ensure!(declined["state"] == "declined", "{declined}");
    ensure!(declined["answered"]["reason"] == "it is the load test", "{declined}");
    admin
        .post(&format!("{path}/confirm"), &json!({"reason": "r"}))
        .await?
        .problem(409, "WRONG_STATE")?;
    // Another incident, which ends before anybody answers.
    let came = sent(&admin, &made, &alert("firing", "b", 20, None), "fired").await?;
    sent(&admin, &made, &alert("resolved", "b", 20, Some(30)), "resolved").await?;
    let path = format!("firings/{}", came["firing"].as_str().unwrap_or_default());
    admin
        .post(&format!("{path}/confirm"), &json!({"reason": "r"}))
        .await?
        .problem(409, "WRONG_STATE")?;
    ensure!(firing(&admin, &came["firing"]).await?["resolved"] == "2026-01-05T10:00:30Z");
    ensure!(admin.value("checkout").await? == true);
    Ok(())
}

async fn the_mode_is_narrowed_and_never_widened_and_off_only_records(world: World) -> Outcome {
    let admin = released(&world).await?;
    mode(&admin, "automatic").await?;
    let made = make(&admin, &json!({"rollback": {"scope": "open_release"}}), &json!({"mode": "off"})).await?;
    let came = sent(&admin, &made, &alert("firing", "a", 1, None), "fired").await?;
    ensure!(firing(&admin, &came["firing"]).await?["state"] == "recorded");
    mode(&admin, "off").await?;
    let path = "triggers/error-rate";
    let patched = patch(&admin, path, &json!({"mode": "automatic"})).await?.ok()?;
    ensure!(patched["mode"] == "off" && patched["narrowed"] == "automatic", "{patched}");
    let came = sent(&admin, &made, &alert("firing", "b", 2, None), "fired").await?;
    ensure!(firing(&admin, &came["firing"]).await?["state"] == "recorded");
    ensure!(admin.value("checkout").await? == true);
    // Who is on call may switch it off, and nothing else.
    let oncall = admin.role("oncall").await?;
    patch(&oncall, path, &json!({"mode": null})).await?.problem(403, "FORBIDDEN")?;
    let ran = ripcord(&world, &oncall, &["trigger", "disarm", "error-rate", "--reason", "the monitoring is wrong"]).await?;
    ran.expect(0)?;
    sent(&admin, &made, &alert("firing", "c", 3, None), "disarmed").await?;
    ensure!(firings(&admin).await?.len() == 2, "a disarmed trigger leaves no record");
    Ok(())
}

async fn what_was_agreed_on_needs_no_second_person_and_its_maker_is_not_one(world: World) -> Outcome {
    let admin = released(&world).await?;
    let (editor, oncall) = (admin.role("editor").await?, admin.role("oncall").await?);
    let made = make(&editor, &json!({"rollback": {"scope": "open_release"}}), &json!({"cooldown": "0s"})).await?;
    admin
        .put("policy", &json!({"triggers": "automatic", "second_person": ["rollback"]}))
        .await?
        .ok()?;
    let came = sent(&admin, &made, &alert("firing", "a", 1, None), "fired").await?;
    ensure!(
        firing(&admin, &came["firing"]).await?["state"] == "acted" && admin.value("checkout").await? == false,
        "{came}"
    );
    eventually(SOON, "the rollback ends", || async {
        let rollbacks = admin.get("rollbacks").await?.ok()?;
        ensure!(rollbacks["items"][0]["state"] != "committed", "{rollbacks}");
        Ok(())
    })
    .await?;
    admin.put("policy", &json!({"triggers": "ask", "second_person": ["rollback"]})).await?.ok()?;
    admin
        .put("flags/checkout?reason=again&release=web-12", &ripcord_tests::flags::boolean("on"))
        .await?
        .ok()?;
    let came = sent(&admin, &made, &alert("firing", "b", 2, None), "fired").await?;
    let path = format!("firings/{}/confirm", came["firing"].as_str().unwrap_or_default());
    editor.post(&path, &json!({"reason": "r"})).await?.problem(409, "WRONG_STATE")?;
    ensure!(oncall.post(&path, &json!({"reason": "r"})).await?.ok()?["state"] == "acted");
    ensure!(admin.value("checkout").await? == false);
    Ok(())
}

async fn commands_make_try_and_show_a_trigger(world: World) -> Outcome {
    let admin = released(&world).await?;
    let line = [
        "trigger",
        "create",
        "error-rate",
        "--source",
        "json",
        "--pointer",
        "/error_rate",
        "--above",
        "0.05",
        "--hmac",
        "--rollback",
        "flags",
        "--flag",
        "checkout",
        "--to",
        "last-known-good",
        "--while-release-open",
        "--cooldown",
        "30m",
    ];
    let ran = ripcord(&world, &admin, &line).await?.expect(0)?;
    ran.names(&["checkout", "last-known-good", "/v1/hooks/production.error-rate", "rct_", "Ripcord-Signature"])?;
    std::fs::write(world.scratch().join("bad.json"), "{\"error_rate\": 0.2}")?;
    std::fs::write(world.scratch().join("good.json"), "{\"error_rate\": 0.01}")?;
    let file = |name: &str| world.scratch().join(name).display().to_string();
    for (body, code, matched) in [("bad.json", 0, true), ("good.json", 3, false)] {
        let tried = ripcord(&world, &admin, &["trigger", "test", "error-rate", "-f", &file(body), "--json"])
            .await?
            .expect(code)?
            .json()?;
        ensure!(tried["matched"] == matched, "{body}: {tried}");
    }
    ripcord(&world, &admin, &["trigger", "show", "error-rate"])
        .await?
        .expect(0)?
        .names(&["checkout", "HMAC-SHA256", "30m"])?;
    ripcord(&world, &admin, &["trigger", "list"]).await?.expect(0)?.names(&["error-rate", "json"])?;
    ripcord(&world, &admin, &["trigger", "dry-run", "error-rate"]).await?.expect(0)?;
    ripcord(&world, &admin, &["env", "policy", "set", "--triggers", "automatic"]).await?.expect(0)?;
    let trigger = admin.get("triggers/error-rate").await?.ok()?;
    ensure!(trigger["state"] == "dry_run" && trigger["mode"] == "automatic", "{trigger}");
    ripcord(&world, &admin, &["trigger", "delete", "error-rate"]).await?.expect(0)?;
    ripcord(&world, &admin, &["trigger", "show", "error-rate"]).await?.expect(1)?;
    Ok(())
}

async fn the_cooldown_holds_over_a_restart_and_a_person_can_act_all_the_same(mut world: World) -> Outcome {
    let admin = released(&world).await?;
    mode(&admin, "automatic").await?;
    admin.put_flag("search", &ripcord_tests::flags::boolean("on")).await?.ok()?;
    let made = make(&admin, &json!({"kill": {"flags": ["search"]}}), &json!({"cooldown": "1h"})).await?;
    let first = sent(&admin, &made, &alert("firing", "a", 1, None), "fired").await?;
    admin.restore(first["kills"][0].as_str().unwrap_or_default()).await?.ok()?;
    world.kill();
    world.restart().await?;
    sent(&admin, &made, &alert("firing", "a", 1, None), "repeat").await?;
    let second = sent(&admin, &made, &alert("firing", "b", 2, None), "fired").await?;
    let held_back = firing(&admin, &second["firing"]).await?;
    ensure!(held_back["state"] == "suppressed" && admin.value("search").await? == true, "{held_back}");
    let path = format!("firings/{}/confirm", second["firing"].as_str().unwrap_or_default());
    let done = admin.post(&path, &json!({"reason": "it is another one"})).await?.ok()?;
    ensure!(done["state"] == "acted" && admin.value("search").await? == false, "{done}");
    Ok(())
}

on_both_stores!(
    a_firing_waits_until_somebody_on_call_confirms_it,
    what_others_have_changed_since_is_named_before_and_after,
    what_was_declined_or_is_over_is_not_done_any_more,
    the_mode_is_narrowed_and_never_widened_and_off_only_records,
    what_was_agreed_on_needs_no_second_person_and_its_maker_is_not_one,
    commands_make_try_and_show_a_trigger,
    the_cooldown_holds_over_a_restart_and_a_person_can_act_all_the_same
);

async fn ripcord(server: &Server, api: &Api, arguments: &[&str]) -> anyhow::Result<CommandOutput> {
    CommandOutput::of(server.ripcord_as(api.key(), arguments)).await
}

async fn patch(api: &Api, path: &str, body: &Value) -> anyhow::Result<ripcord_tests::Answer> {
    api.send(reqwest::Method::PATCH, &api.path(path), Some(body), &[]).await
}
