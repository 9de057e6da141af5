//! Every order of merge: safest wins, an id enters the log at most once, a restored id stays restored.

use anyhow::ensure;
use ripcord_tests::{Cluster, Outcome, SOON, eventually, flags};
use serde_json::json;

use super::super::p04_kill_wins::{assert_alive, assert_killed};
use super::{in_the_log, merged, provisional};

/// Two nodes that cannot hear each other, and whose Redis is paused.
async fn cut_off() -> anyhow::Result<Cluster> {
    let cluster = Cluster::strangers().await?;
    cluster.a.admin().put_flag("checkout", &flags::tagged("on", &["payments"])).await?.ok()?;
    cluster.agree().await?;
    cluster.redis.pause()?;
    Ok(cluster)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_provisional_kills_of_one_scope_both_merge_and_each_is_restored_by_its_own_name() -> Outcome {
    let cluster = cut_off().await?;
    let (a, b) = (cluster.a.admin(), cluster.b.admin());
    let (first, second) = (provisional(&a, "checkout").await?, provisional(&b, "checkout").await?);
    ensure!(first != second);
    cluster.redis.resume()?;
    for id in [&first, &second] {
        merged(&a, id).await?;
        merged(&b, id).await?;
        ensure!(in_the_log(&a, id).await? == (1, 0), "{id} is in the log {:?} times", in_the_log(&a, id).await?);
    }
    cluster.agree().await?;
    a.restore(&first).await?.ok()?;
    assert_killed(&a, "checkout").await?;
    a.restore(&second).await?.ok()?;
    assert_alive(&a, "checkout").await?;
    eventually(SOON, "the other node follows", || assert_alive(&b, "checkout")).await
}

/// Kill on one node, restore of a committed kill on the other before that: only the named one is lifted.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_restore_lifts_the_kill_that_it_names_and_no_other_that_merges_later() -> Outcome {
    let cluster = Cluster::strangers().await?;
    let (a, b) = (cluster.a.admin(), cluster.b.admin());
    a.put_flag("checkout", &flags::tagged("on", &["payments"])).await?.ok()?;
    let committed = ripcord_tests::api::id_of(&a.kill(&json!({"tag": "payments"})).await?.ok()?)?;
    cluster.agree().await?;
    cluster.redis.pause()?;
    let taken = provisional(&b, "checkout").await?;
    cluster.redis.resume()?;
    eventually(SOON, "the committed kill is restored", || async { a.restore(&committed).await?.ok().map(drop) }).await?;
    merged(&a, &taken).await?;
    cluster.agree().await?;
    assert_killed(&a, "checkout").await?;
    assert_killed(&b, "checkout").await?;
    ensure!(a.kills().await? == [taken]);
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_kill_that_was_merged_and_restored_never_comes_back_from_a_journal() -> Outcome {
    let mut cluster = Cluster::start().await?;
    let (a, b) = (cluster.a.admin(), cluster.b.admin());
    a.put_flag("checkout", &flags::boolean("on")).await?.ok()?;
    cluster.agree().await?;
    cluster.redis.pause()?;
    let id = provisional(&a, "checkout").await?;
    eventually(SOON, "the peer has it", || assert_killed(&b, "checkout")).await?;
    // The node that took it dies before it can merge; its peer merges, and there it is restored.
    cluster.a.kill();
    cluster.redis.resume()?;
    merged(&b, &id).await?;
    b.restore(&id).await?.ok()?;
    assert_alive(&b, "checkout").await?;
    // Back with its journal, which still has the kill.
    cluster.a.restart().await?;
    cluster.agree().await?;
    eventually(SOON, "the restored kill stays restored", || assert_alive(&a, "checkout")).await?;
    cluster.b.restart().await?;
    cluster.agree().await?;
    assert_alive(&b, "checkout").await?;
    ensure!(in_the_log(&a, &id).await? == (1, 1), "{:?}", in_the_log(&a, &id).await?);
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_kill_taken_by_a_node_that_was_cut_off_wins_over_edits_made_meanwhile() -> Outcome {
    let mut cluster = Cluster::strangers().await?;
    let (a, b) = (cluster.a.admin(), cluster.b.admin());
    a.put_flag("checkout", &flags::tagged("on", &["payments"])).await?.ok()?;
    cluster.agree().await?;
    // Gone, not paused: nothing that the node has sent may lie in a socket and be taken later.
    cluster.a.mirrored().await?;
    cluster.b.mirrored().await?;
    cluster.redis.kill();
    let id = provisional(&b, "checkout").await?;
    cluster.b.kill();
    cluster.redis.restart().await?;
    eventually(SOON, "the other node writes", || async {
        a.put_flag("other", &flags::boolean("on")).await?.ok().map(drop)
    })
    .await?;
    a.commit(&[flags::delete("checkout")]).await?.ok()?;
    a.put_flag("checkout", &flags::boolean("on")).await?.ok()?;
    assert_alive(&a, "checkout").await?;
    cluster.b.restart().await?;
    merged(&a, &id).await?;
    assert_killed(&a, "checkout").await?;
    assert_killed(&b, "checkout").await?;
    cluster.agree().await?;
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_tag_kill_without_the_store_latches_onto_what_it_covered_when_it_was_taken() -> Outcome {
    let cluster = cut_off().await?;
    let (a, b) = (cluster.a.admin(), cluster.b.admin());
    let kill = a.kill(&json!({"tag": "payments"})).await?.ok()?;
    ensure!(kill["provisional"] == true, "{kill}");
    assert_killed(&a, "checkout").await?;
    cluster.redis.resume()?;
    let id = ripcord_tests::api::id_of(&kill)?;
    merged(&b, &id).await?;
    b.put_flag("checkout", &flags::boolean("on")).await?.ok()?;
    assert_killed(&b, "checkout").await?;
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_kill_taken_while_the_emptied_store_is_filled_again_is_kept() -> Outcome {
    let mut cluster = Cluster::start().await?;
    let (a, b) = (cluster.a.admin(), cluster.b.admin());
    a.put_flag("checkout", &flags::boolean("on")).await?.ok()?;
    cluster.agree().await?;
    cluster.redis.lose_everything()?;
    let id = provisional(&a, "checkout").await?;
    cluster.redis.restart().await?;
    merged(&b, &id).await?;
    cluster.agree().await?;
    assert_killed(&b, "checkout").await?;
    ensure!(in_the_log(&b, &id).await? == (1, 0));
    Ok(())
}
