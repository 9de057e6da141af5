//! A second person, over real processes: what waits for one, and that it is done once, whoever approves it and on whichever node.

use anyhow::{Context as _, ensure};
use reqwest::Method;
use ripcord_tests::api::id_of;
use ripcord_tests::{Answer, Api, Cluster, CommandOutput, Outcome, SOON, Server, World, eventually, flags, on_both_stores};
use serde_json::{Value, json};

use super::newest;

/// The holders of two keys.
struct Two {
    /// Asks for things.
    anna: Api,
    /// Approves them.
    ben: Api,
}

impl Two {
    /// Of an environment that has the flag `checkout`, and whose policy asks for a second person for `guarded`.
    async fn of(server: &Server, guarded: &[&str]) -> anyhow::Result<Self> {
        let admin = server.admin();
        admin.put_flag("checkout", &flags::boolean("off")).await?.ok()?;
        admin.put("policy", &json!({"second_person": guarded})).await?.ok()?;
        Ok(Self {
            anna: admin.role("editor").await?,
            ben: admin.role("editor").await?,
        })
    }

    /// Ben approves what Anna asked for.
    async fn approves(&self, proposal: &Value) -> anyhow::Result<Answer> {
        approve(&self.ben, proposal).await
    }
}

async fn approve(by: &Api, proposal: &Value) -> anyhow::Result<Answer> {
    by.send(Method::POST, &by.path(&format!("proposals/{}/approve", id_of(proposal)?)), None, &[])
        .await
}

/// The proposal that an answer tells of, and that nothing else came of.
fn proposal(answer: &Answer) -> anyhow::Result<Value> {
    ensure!(answer.status == 202, "answered {}: {}", answer.status, answer.body);
    let proposal = answer.body["proposal"].clone();
    let place = answer.header("location").context("no location")?;
    ensure!(place == format!("/v1/environments/production/proposals/{}", id_of(&proposal)?), "{place}");
    ensure!(proposal["state"] == "proposed", "{proposal}");
    Ok(proposal)
}

async fn an_edit_is_done_when_the_holder_of_another_key_approves_it(mut world: World) -> Outcome {
    let two = Two::of(&world, &["changes"]).await?;
    let before = two.anna.revision().await?;
    let waits = proposal(&two.anna.put_flag("checkout", &flags::boolean("on")).await?)?;
    ensure!(two.anna.revision().await? == before, "a proposal makes no revision");
    approve(&two.anna, &waits).await?.problem(403, "FORBIDDEN")?;
    world.restart().await?;
    let two = Two {
        anna: two.anna.at(&world.url()),
        ben: two.ben.at(&world.url()),
    };
    let applied = two.approves(&waits).await?.ok()?;
    ensure!(applied["state"] == "applied" && applied["revision"] == before + 1, "{applied}");
    ensure!(two.anna.value("checkout").await? == json!(true), "it is not done");
    ensure!(two.approves(&waits).await?.ok()?["revision"] == before + 1, "it was done twice");
    ensure!(two.anna.revision().await? == before + 1, "it was done twice");
    let entry = two.anna.log().await?.swap_remove(0);
    ensure!(
        entry["actor"]["key"] != entry["approved"]["by"]["key"] && entry["approved"]["proposal"] == waits["id"],
        "{entry}"
    );
    let audit = world.admin().get_root("/v1/audit/verify").await?.ok()?;
    ensure!(audit["whole"] == true, "{audit}");
    Ok(())
}

async fn what_moved_meanwhile_makes_it_stale_and_nothing_is_done(world: World) -> Outcome {
    let two = Two::of(&world, &["changes"]).await?;
    let first = proposal(&two.anna.put_flag("checkout", &flags::boolean("on")).await?)?;
    let second = proposal(&two.anna.put_flag("checkout", &flags::rollout(5)).await?)?;
    two.approves(&second).await?.ok()?;
    let stale = two.approves(&first).await?.problem(409, "PROPOSAL_STALE")?;
    ensure!(stale["proposal"]["state"] == "stale", "{stale}");
    let now = two.anna.flag("checkout").await?;
    ensure!(now["flag"]["default"] == "off", "{now}");
    Ok(())
}

async fn a_kill_passes_at_once_and_its_restore_waits(world: World) -> Outcome {
    let two = Two::of(&world, &["changes", "rollouts", "rollback", "restore"]).await?;
    let kill = two.anna.kill_flag("checkout").await?;
    let waits = proposal(&two.anna.restore(&kill).await?)?;
    ensure!(two.anna.kills().await? == [kill.clone()], "the kill stands until a second person agrees");
    two.approves(&waits).await?.ok()?;
    ensure!(two.anna.kills().await?.is_empty(), "it was not lifted");
    Ok(())
}

async fn a_rollback_waits_and_goes_all_the_way_once_it_is_approved(world: World) -> Outcome {
    let two = Two::of(&world, &["rollback"]).await?;
    two.anna.put_flag("checkout", &flags::boolean("on")).await?.ok()?;
    let waits = proposal(&two.anna.post("rollbacks", &json!({"to": 1, "reason": "5xx"})).await?)?;
    ensure!(two.anna.value("checkout").await? == json!(true), "it was done without an approval");
    two.approves(&waits).await?.ok()?;
    ensure!(two.anna.value("checkout").await? == json!(false), "it was not done");
    eventually(SOON, "it is confirmed, as any other rollback", || async {
        let rollback = two.anna.get("rollbacks").await?.ok()?["items"][0].clone();
        ensure!(rollback["state"] == "confirmed", "{} {}", rollback["state"], rollback["message"]);
        Ok(())
    })
    .await?;
    Ok(())
}

async fn a_rollout_waits_to_start_and_its_steps_are_agreed_on_with_it(world: World) -> Outcome {
    let two = Two::of(&world, &["changes", "rollouts"]).await?;
    let plan = json!({"flag": "checkout", "variant": "on", "steps": [{"to": "50%", "hold": "1s"}, {"to": "100%", "hold": "1s"}], "no_gates": true});
    let waits = proposal(&two.anna.post("rollouts", &plan).await?)?;
    two.approves(&waits).await?.ok()?;
    eventually(SOON, "it is completed by itself", || async {
        let rollout = newest(&world).await?;
        ensure!(rollout["state"] == "completed", "{} {}", rollout["state"], rollout["reason"]);
        Ok(())
    })
    .await?;
    let again = json!({"flag": "checkout", "variant": "off", "rule": "rollout", "control": "on", "steps": [{"to": "100%", "hold": "1h"}], "no_gates": true});
    let waits = proposal(&two.anna.post("rollouts", &again).await?)?;
    let declined = two
        .ben
        .post(&format!("proposals/{}/decline", id_of(&waits)?), &json!({"reason": "why?"}))
        .await?
        .ok()?;
    ensure!(declined["state"] == "declined", "{declined}");
    Ok(())
}

async fn a_policy_that_asks_for_less_needs_a_second_person_too(world: World) -> Outcome {
    let two = Two::of(&world, &["changes"]).await?;
    let waits = proposal(&two.anna.put("policy", &json!({})).await?)?;
    proposal(&world.admin().put("policy", &json!({"second_person": []})).await?)?;
    ensure!(
        two.anna.get("policy").await?.ok()?["second_person"] == json!(["changes"]),
        "it was done without an approval"
    );
    two.approves(&waits).await?.ok()?;
    two.anna.put_flag("checkout", &flags::boolean("on")).await?.revision()?;
    Ok(())
}

async fn the_command_line_shows_what_waits_and_what_became_of_it(world: World) -> Outcome {
    let two = Two::of(&world, &["changes"]).await?;
    std::fs::write(
        world.scratch().join("flags.yaml"),
        "flags:\n  checkout: {variants: {on: true, off: false}, default: on, safe: off}\n",
    )?;
    let asked = CommandOutput::of(by(&world, &two.anna, &["apply", "-f", "flags.yaml", "--adopt", "--reason", "2.14"]))
        .await?
        .expect(3)?;
    asked.names(&["ripcord proposal approve pr_", "ripcord proposal wait pr_"])?;
    let list = CommandOutput::of(by(&world, &two.ben, &["proposal", "list", "--json"]))
        .await?
        .expect(0)?
        .json()?;
    let id = id_of(&list["items"][0])?;
    CommandOutput::of(by(&world, &two.ben, &["proposal", "show", &id]))
        .await?
        .expect(0)?
        .names(&["2.14"])?;
    CommandOutput::of(by(&world, &two.anna, &["proposal", "wait", &id, "--wait", "1s"]))
        .await?
        .expect(4)?;
    CommandOutput::of(by(&world, &two.anna, &["proposal", "approve", &id])).await?.expect(3)?;
    let waiting = tokio::spawn(CommandOutput::of(by(&world, &two.anna, &["proposal", "wait", &id, "--wait", "1m", "--json"])));
    let applied = CommandOutput::of(by(&world, &two.ben, &["proposal", "approve", &id, "--reason", "seen", "--json"]))
        .await?
        .expect(0)?
        .json()?;
    ensure!(applied["state"] == "applied" && applied["revision"] == 2, "{applied}");
    let waited = waiting.await??.expect(0)?.json()?;
    ensure!(waited["state"] == "applied", "{waited}");
    let audit = CommandOutput::of(by(&world, &two.ben, &["audit", "--json"])).await?.expect(0)?.json()?;
    let approved = audit["items"].as_array().context("items")?.iter().find(|entry| entry["revision"] == 2);
    ensure!(approved.is_some_and(|entry| entry["approved"]["proposal"] == id.as_str()), "{audit}");
    let json = CommandOutput::of(by(&world, &two.anna, &["flags", "disable", "checkout", "--reason", "r", "--json"]))
        .await?
        .expect(3)?
        .json()?;
    let id = id_of(&json["proposal"])?;
    let withdrawn = ["proposal", "withdraw", &id, "--reason", "not after all", "--json"];
    let withdrawn = CommandOutput::of(by(&world, &two.anna, &withdrawn)).await?.expect(0)?.json()?;
    ensure!(withdrawn["state"] == "withdrawn", "{withdrawn}");
    CommandOutput::of(by(&world, &two.anna, &["proposal", "wait", &id])).await?.expect(3)?;
    let patient = tokio::spawn(CommandOutput::of(by(
        &world,
        &two.anna,
        &["flags", "disable", "checkout", "--reason", "r", "--await-approval", "1m"],
    )));
    let waits = eventually(SOON, "it is proposed", || async {
        two.ben.get("proposals?state=proposed").await?.ok()?["items"].get(0).cloned().context("not yet")
    })
    .await?;
    two.approves(&waits).await?.ok()?;
    patient.await??.expect(0)?;
    ensure!(two.anna.explain("checkout", "user-1").await?["reason"] == "DISABLED", "it was not done");
    Ok(())
}

on_both_stores!(
    an_edit_is_done_when_the_holder_of_another_key_approves_it,
    what_moved_meanwhile_makes_it_stale_and_nothing_is_done,
    a_kill_passes_at_once_and_its_restore_waits,
    a_rollback_waits_and_goes_all_the_way_once_it_is_approved,
    a_rollout_waits_to_start_and_its_steps_are_agreed_on_with_it,
    a_policy_that_asks_for_less_needs_a_second_person_too,
    the_command_line_shows_what_waits_and_what_became_of_it
);

/// A command as the holder of a key runs it.
fn by(server: &Server, who: &Api, arguments: &[&str]) -> std::process::Command {
    let mut command = server.ripcord_as(who.key(), arguments);
    command.current_dir(server.scratch());
    command
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn approved_on_two_nodes_at_once_it_is_done_once() -> Outcome {
    let cluster = Cluster::start().await?;
    let two = Two::of(&cluster.a, &["changes"]).await?;
    for round in 1..=10u32 {
        let waits = proposal(&two.anna.put_flag("checkout", &flags::rollout(round)).await?)?;
        let before = cluster.agree().await?;
        let carol = two.ben.at(&cluster.b.url());
        eventually(SOON, "the other node knows of it", || async {
            carol.get(&format!("proposals/{}", id_of(&waits)?)).await?.ok()
        })
        .await?;
        let (here, there) = tokio::join!(approve(&two.ben, &waits), approve(&carol, &waits));
        let (here, there) = (here?.ok()?, there?.ok()?);
        ensure!(here["revision"] == there["revision"] && here["revision"] == before + 1, "{here}\n{there}");
        ensure!(cluster.agree().await? == before + 1, "it was done twice");
    }
    Ok(())
}
