//! Storms, repeats, and things told in the wrong order.

use anyhow::ensure;
use futures_util::future::join_all;
use ripcord_tests::{Outcome, SOON, World, eventually, flags, on_both_stores};
use serde_json::json;

use super::{alert, firing, firings, make, mode, released, send, sent};

async fn two_hundred_deliveries_of_one_incident_are_one_action(world: World) -> Outcome {
    let admin = released(&world).await?;
    mode(&admin, "automatic").await?;
    let made = make(
        &admin,
        &json!({"rollback": {"scope": "open_release"}}),
        &json!({"cooldown": "0s", "max_per_hour": 100}),
    )
    .await?;
    let before = admin.log().await?.len();
    let body = alert("firing", "a", 1, None);
    let answers = join_all((0..200).map(|_| send(&admin, &made, &body))).await;
    let mut fired = 0;
    for answer in answers {
        let body = answer?.ok()?;
        ensure!(["fired", "repeat"].contains(&body["outcome"].as_str().unwrap_or_default()), "{body}");
        fired += u32::from(body["outcome"] == "fired");
    }
    ensure!(fired == 1, "{fired} of 200 fired");
    ensure!(admin.get("rollbacks").await?.ok()?["items"].as_array().is_some_and(|items| items.len() == 1));
    ensure!(admin.log().await?.len() == before + 1, "one revision");
    let id = firings(&admin).await?[0]["id"].clone();
    eventually(SOON, "all are counted", || async {
        let fired = firing(&admin, &id).await?;
        ensure!(fired["repeats"] == 199, "{fired}");
        Ok(())
    })
    .await?;
    Ok(())
}

async fn what_is_told_late_or_out_of_order_changes_nothing(world: World) -> Outcome {
    let admin = world.admin();
    admin.put_flag("checkout", &flags::boolean("on")).await?.ok()?;
    mode(&admin, "automatic").await?;
    let made = make(&admin, &json!({"kill": {"flags": ["checkout"]}}), &json!({"cooldown": "0s"})).await?;
    // The end comes first.
    sent(&admin, &made, &alert("resolved", "a", 10, Some(20)), "resolved").await?;
    sent(&admin, &made, &alert("firing", "a", 10, None), "ignored").await?;
    ensure!(admin.value("checkout").await? == true, "what is over is not acted on");
    // A new one fires, and the end of the old one is repeated.
    let came = sent(&admin, &made, &alert("firing", "a", 30, None), "fired").await?;
    sent(&admin, &made, &alert("resolved", "a", 10, Some(20)), "ignored").await?;
    ensure!(firing(&admin, &came["firing"]).await?["resolved"].is_null(), "it is still open");
    sent(&admin, &made, &alert("firing", "a", 30, None), "repeat").await?;
    sent(&admin, &made, &alert("resolved", "a", 30, Some(40)), "resolved").await?;
    sent(&admin, &made, &alert("firing", "a", 30, None), "ignored").await?;
    ensure!(admin.kills().await?.len() == 1);
    Ok(())
}

async fn the_newest_two_hundred_firings_are_kept(world: World) -> Outcome {
    let admin = world.admin();
    admin.put_flag("checkout", &flags::boolean("on")).await?.ok()?;
    mode(&admin, "off").await?;
    let made = make(&admin, &json!({"kill": {"flags": ["checkout"]}}), &json!({})).await?;
    for group in 0..210 {
        sent(&admin, &made, &alert("firing", &format!("g{group}"), 1, None), "fired").await?;
    }
    let kept = firings(&admin).await?;
    ensure!(kept.len() == 200, "{}", kept.len());
    ensure!(kept[0]["group"] == alert("firing", "g209", 1, None)["groupKey"], "{}", kept[0]);
    Ok(())
}

on_both_stores!(
    two_hundred_deliveries_of_one_incident_are_one_action,
    what_is_told_late_or_out_of_order_changes_nothing,
    the_newest_two_hundred_firings_are_kept
);
