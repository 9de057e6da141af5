//! An append whose answer never came: settled by its id, applied at most once.

use anyhow::ensure;
use ripcord_tests::{Cluster, Outcome, Redis, SOON, Server, Setup, eventually, flags};
use serde_json::json;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_write_into_a_paused_redis_is_answered_as_unknown_and_applied_at_most_once() -> Outcome {
    let redis = Redis::start().await?;
    let server = Server::start(Setup::on(&redis)).await?;
    let admin = server.admin();
    admin.put_flag("counter", &flags::number(0)).await?.ok()?;
    redis.pause()?;
    let key = [("idempotency-key", "unknown-1")];
    let path = admin.path("flags/counter?reason=a+test");
    let answer = admin.send(reqwest::Method::PUT, &path, Some(&flags::number(1)), &key).await?;
    let code = answer.body["code"].as_str().unwrap_or_default().to_owned();
    ensure!(
        answer.status == 503 && ["OUTCOME_UNKNOWN", "STORE_UNAVAILABLE"].contains(&code.as_str()),
        "{} {}",
        answer.status,
        answer.body
    );
    redis.resume()?;
    server.readyz_until("ready again", |ready| ready.body["status"] == "ready").await?;
    let again = eventually(SOON, "the repeat is answered", || async {
        let again = admin.send(reqwest::Method::PUT, &path, Some(&flags::number(1)), &key).await?;
        ensure!(again.status == 200, "{} {}", again.status, again.body);
        Ok(again)
    })
    .await?;
    ensure!(again.revision()? == 2, "{}", again.body);
    // The history is read from the mirror, which learns of a write in doubt when the feed brings it.
    eventually(SOON, "it is in the log once", || async {
        let log = admin.log().await?;
        let puts = log.iter().filter(|entry| entry["revision"].as_u64() == Some(2)).count();
        ensure!(puts == 1, "{log:?}");
        Ok(())
    })
    .await?;
    ensure!(admin.revision().await? == 2, "it was applied more than once");
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn after_an_unknown_outcome_memory_and_store_agree_again() -> Outcome {
    let cluster = Cluster::start().await?;
    let (a, b) = (cluster.a.admin(), cluster.b.admin());
    a.put_flag("counter", &flags::number(0)).await?.ok()?;
    cluster.agree().await?;
    for n in 1..4 {
        cluster.redis.pause()?;
        let (one, other) = (flags::number(n), flags::number(100 + n));
        let (left, right) = tokio::join!(a.put_flag("counter", &one), b.put_flag("counter", &other));
        ensure!(left?.status == 503 && right?.status == 503);
        cluster.redis.resume()?;
        cluster.a.readyz_until("ready again", |ready| ready.body["status"] == "ready").await?;
        cluster.b.readyz_until("ready again", |ready| ready.body["status"] == "ready").await?;
        eventually(SOON, "writes go through", || async {
            a.put_flag("after", &flags::number(n)).await?.ok().map(drop)
        })
        .await?;
        cluster.agree().await?;
    }
    for api in [a, b] {
        let report = api.get_root("/v1/audit/verify").await?.ok()?;
        ensure!(report["whole"] == json!(true), "{report}");
    }
    Ok(())
}
