//! Promise 9: raising a percentage never takes the feature from a user; lowering it takes it from those who got it last.

use std::collections::BTreeSet;

use anyhow::ensure;
use ripcord_tests::{App, Outcome, World, flags, on_both_stores};

const USERS: u32 = 3_000;

fn exposed(app: &App, flag: &str) -> BTreeSet<u32> {
    (0..USERS).filter(|user| app.on_for(flag, &format!("user-{user}"))).collect()
}

async fn going_up_nobody_loses_the_feature_and_going_down_nobody_gains_it(world: World) -> Outcome {
    let admin = world.admin();
    admin.put_flag("checkout", &flags::rollout(0)).await?.ok()?;
    let app = App::start(&admin.role("sdk").await?, "app").await?;
    let mut revision = 1;
    let mut at = Vec::new();
    for percent in [1, 5, 10, 25, 50, 90, 100] {
        admin.put_flag("checkout", &flags::rollout(percent)).await?.ok()?;
        revision += 1;
        app.reaches(revision).await?;
        let now = exposed(&app, "checkout");
        let before = at.last().map_or_else(BTreeSet::new, |(_, users): &(u32, BTreeSet<u32>)| users.clone());
        ensure!(
            before.is_subset(&now),
            "going up to {percent} % took it from {:?}",
            before.difference(&now).collect::<Vec<_>>()
        );
        let share = f64::from(u32::try_from(now.len())?) / f64::from(USERS) * 100.0;
        ensure!((share - f64::from(percent)).abs() < 3.0, "{percent} % is {share:.1} % of the users");
        at.push((percent, now));
    }
    while let Some((percent, users)) = at.pop() {
        admin.put_flag("checkout", &flags::rollout(percent)).await?.ok()?;
        // 100 % was put last: putting it again changes nothing and makes no revision.
        revision += u64::from(percent != 100);
        app.reaches(revision).await?;
        ensure!(
            exposed(&app, "checkout") == users,
            "{percent} % on the way down is not who had it on the way up"
        );
    }
    Ok(())
}

on_both_stores!(going_up_nobody_loses_the_feature_and_going_down_nobody_gains_it);
