//! A flag once covered stays covered until that kill is restored.

use anyhow::ensure;
use ripcord_tests::{Outcome, World, flags, on_both_stores};
use serde_json::json;

use super::{assert_alive, assert_killed};

async fn no_edit_lifts_a_kill(world: World) -> Outcome {
    let admin = world.admin();
    admin.put_flag("checkout", &flags::boolean("on")).await?.ok()?;
    let id = admin.kill_flag("checkout").await?;
    let mut edited = flags::boolean("on");
    edited["description"] = json!("fixed");
    edited["rules"] = json!([{"serve": "on"}]);
    admin.put_flag("checkout", &edited).await?.ok()?;
    assert_killed(&admin, "checkout").await?;
    let patch = json!({"enabled": false, "reason": "a test"});
    admin
        .send(reqwest::Method::PATCH, &admin.path("flags/checkout"), Some(&patch), &[])
        .await?
        .ok()?;
    assert_killed(&admin, "checkout").await?;
    ensure!(admin.kills().await? == std::slice::from_ref(&id));
    admin.restore(&id).await?.ok()?;
    assert_alive(&admin, "checkout").await?;
    Ok(())
}

async fn a_tag_kill_covers_flags_tagged_later_and_untagging_does_not_free_them(world: World) -> Outcome {
    let admin = world.admin();
    admin.put_flag("old", &flags::tagged("on", &["payments"])).await?.ok()?;
    admin.put_flag("bystander", &flags::boolean("on")).await?.ok()?;
    let kill = admin.kill(&json!({"tag": "payments"})).await?.ok()?;
    ensure!(kill["flags"] == json!([{"flag": "old", "serves": "off"}]), "{kill}");
    let id = ripcord_tests::api::id_of(&kill)?;
    admin.put_flag("born-later", &flags::tagged("on", &["payments"])).await?.ok()?;
    admin.put_flag("bystander", &flags::tagged("on", &["payments"])).await?.ok()?;
    for flag in ["old", "born-later", "bystander"] {
        assert_killed(&admin, flag).await?;
        admin.put_flag(flag, &flags::boolean("on")).await?.ok()?;
        assert_killed(&admin, flag).await?;
    }
    admin.restore(&id).await?.ok()?;
    for flag in ["old", "born-later", "bystander"] {
        assert_alive(&admin, flag).await?;
    }
    Ok(())
}

async fn deleting_and_making_it_again_does_not_free_a_flag(mut world: World) -> Outcome {
    let admin = world.admin();
    admin.put_flag("checkout", &flags::boolean("on")).await?.ok()?;
    admin.put_flag("tagged", &flags::tagged("on", &["payments"])).await?.ok()?;
    let ids = [
        admin.kill_flag("checkout").await?,
        ripcord_tests::api::id_of(&admin.kill(&json!({"tag": "payments"})).await?.ok()?)?,
    ];
    for flag in ["checkout", "tagged"] {
        let deleted = admin.delete(&format!("flags/{flag}?reason=a+test&allow_killed_edit=true")).await?;
        ensure!([200, 204].contains(&deleted.status), "{} {}", deleted.status, deleted.body);
        admin.get(&format!("flags/{flag}")).await?.problem(404, "FLAG_NOT_FOUND")?;
        admin.put_flag(flag, &flags::boolean("on")).await?.ok()?;
        assert_killed(&admin, flag).await?;
    }
    world.restart().await?;
    for flag in ["checkout", "tagged"] {
        assert_killed(&admin, flag).await?;
    }
    for id in ids {
        admin.restore(&id).await?.ok()?;
    }
    for flag in ["checkout", "tagged"] {
        assert_alive(&admin, flag).await?;
    }
    Ok(())
}

async fn deleting_and_making_it_again_in_one_commit_does_not_free_a_flag(world: World) -> Outcome {
    let admin = world.admin();
    admin.put_flag("tagged", &flags::tagged("on", &["payments"])).await?.ok()?;
    admin.kill(&json!({"tag": "payments"})).await?.ok()?;
    let changes = [flags::delete("tagged"), flags::put("tagged", &flags::boolean("on"))];
    admin.commit(&changes).await?.ok()?;
    assert_killed(&admin, "tagged").await?;
    Ok(())
}

async fn a_kill_of_everything_covers_flags_made_later(world: World) -> Outcome {
    let admin = world.admin();
    admin.put_flag("one", &flags::boolean("on")).await?.ok()?;
    let kill = admin.kill(&json!({"all": true})).await?.ok()?;
    admin.put_flag("two", &flags::boolean("on")).await?.ok()?;
    assert_killed(&admin, "one").await?;
    assert_killed(&admin, "two").await?;
    admin.restore(&ripcord_tests::api::id_of(&kill)?).await?.ok()?;
    assert_alive(&admin, "two").await?;
    Ok(())
}

async fn a_killed_requirement_counts_with_what_it_serves(world: World) -> Outcome {
    let admin = world.admin();
    let mut needy = flags::boolean("off");
    needy["requires"] = json!([{"flag": "base", "variant": "on"}]);
    needy["rules"] = json!([{"serve": "on"}]);
    admin
        .commit(&[flags::put("base", &flags::boolean("on")), flags::put("needy", &needy)])
        .await?
        .ok()?;
    ensure!(admin.value("needy").await? == true);
    admin.kill_flag("base").await?;
    let answer = admin.explain("needy", "user-1").await?;
    ensure!(answer["value"] == false && answer["reason"] == "PREREQUISITE", "{answer}");
    Ok(())
}

on_both_stores!(
    no_edit_lifts_a_kill,
    a_tag_kill_covers_flags_tagged_later_and_untagging_does_not_free_them,
    deleting_and_making_it_again_does_not_free_a_flag,
    deleting_and_making_it_again_in_one_commit_does_not_free_a_flag,
    a_kill_of_everything_covers_flags_made_later,
    a_killed_requirement_counts_with_what_it_serves
);
