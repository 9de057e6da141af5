//! A Redis that is there but takes no writes, or not from this node: the true cause is said, and nothing is called ready that is not.

use anyhow::ensure;
use ripcord_tests::{Outcome, Redis, SOON, Server, Setup, eventually, flags};
use serde_json::json;

use super::super::p06_kill_without_the_store::{merged, provisional};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_redis_that_refuses_writes_is_named_with_its_cause() -> Outcome {
    for (refuse, accept, code) in [
        ("CONFIG SET maxmemory 1mb", "CONFIG SET maxmemory 0", "store_out_of_memory"),
        ("REPLICAOF 127.0.0.1 1", "REPLICAOF NO ONE", "store_read_only"),
        (
            "CONFIG SET min-replicas-to-write 1",
            "CONFIG SET min-replicas-to-write 0",
            "store_too_few_replicas",
        ),
    ] {
        let redis = Redis::start().await?;
        let server = Server::start(Setup::on(&redis)).await?;
        let admin = server.admin();
        admin.put_flag("checkout", &flags::boolean("on")).await?.ok()?;
        ensure!(redis.command(refuse)? == "+OK", "{refuse}");
        let answer = server.readyz_until(code, |answer| answer.body["parts"]["store"]["code"] == code).await?;
        ensure!(answer.status == 200 && answer.body["status"] == "degraded", "{refuse}: {}", answer.body);
        admin.put_flag("other", &flags::boolean("on")).await?.problem(503, "STORE_UNAVAILABLE")?;
        eventually(SOON, "the metrics name it", || async {
            let metrics = admin.get_root("/metrics").await?.body;
            let line = format!("ripcord_store_fault{{code=\"{code}\"}} 1");
            ensure!(
                metrics.as_str().is_some_and(|text| text.lines().any(|said| said == line)),
                "{refuse}: not in the metrics"
            );
            Ok(())
        })
        .await?;
        let doctor = server
            .command()
            .args(["doctor", "--json", "--server", &server.url(), "--key", admin.key()])
            .output()?;
        ensure!(!doctor.status.success(), "{refuse}: doctor says that all is well");
        ensure!(server.output().contains(code), "{refuse}: not in the log");
        let id = provisional(&admin, "checkout").await?;
        ensure!(redis.command(accept)? == "+OK", "{accept}");
        merged(&admin, &id).await?;
        server.readyz_until("ready again", |answer| answer.body["status"] == "ready").await?;
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_first_start_that_cannot_use_its_store_does_not_say_ready_and_says_why() -> Outcome {
    let redis = Redis::start().await?;
    let closed = ripcord_tests::ports::free();
    for (store, code) in [
        (format!("redis://nobody:wrong@127.0.0.1:{}", redis.port()), "store_wrong_password"),
        (format!("redis://127.0.0.1:{}/99", redis.port()), "store_no_database"),
        (format!("redis://127.0.0.1:{closed}"), "store_unreachable"),
    ] {
        let mut server = Server::prepare(Setup::at(&store))?;
        server.restart_unready().await?;
        let answer = server.readyz_until(code, |answer| answer.body["parts"]["store"]["code"] == code).await?;
        ensure!(
            answer.status == 503 && answer.body["parts"]["environments"]["code"] == "not_hydrated",
            "{}",
            answer.body
        );
        eventually(SOON, "it says what it is", || async {
            ensure!(server.output().contains("not ready"), "{store}: it printed {}", server.output());
            Ok(())
        })
        .await?;
        ensure!(!server.output().contains("Ripcord is ready."), "{store}: {}", server.output());
        ensure!(!server.output().contains("wrong@"), "the password is printed");
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_log_in_redis_that_loses_an_entry_is_mended_from_a_nodes_copy() -> Outcome {
    let redis = Redis::start().await?;
    let server = Server::start(Setup::on(&redis)).await?;
    let admin = server.admin();
    for n in 0..10 {
        admin.put_flag(&format!("flag-{n}"), &flags::boolean("on")).await?.ok()?;
    }
    for log in ["production", "system"] {
        let stream = format!("ripcord:{{{log}}}:log");
        let entries = redis.command(&format!("XLEN {stream}"))?;
        ensure!(redis.command(&format!("XDEL {stream} 1-0"))? == ":1", "nothing was deleted");
        eventually(SOON, "the entry is there again", || async {
            let now = redis.command(&format!("XLEN {stream}"))?;
            ensure!(now == entries, "{now} of {entries}");
            Ok(())
        })
        .await?;
    }
    let report = admin.get_root("/v1/audit/verify").await?.ok()?;
    ensure!(report["whole"] == true, "{report}");
    ensure!(
        server.readyz().await?.body["warnings"].to_string().contains("production"),
        "it is not said that Redis lost something"
    );
    admin.put_flag("after", &flags::boolean("on")).await?.ok()?;
    let fresh = Server::start(Setup::on(&redis)).await?;
    eventually(SOON, "a fresh node reads all of it", || async {
        ensure!(fresh.admin().snapshot().await?["hash"] == admin.snapshot().await?["hash"]);
        Ok(())
    })
    .await?;
    ensure!(admin.snapshot().await?["epoch"] == json!(1), "it is still the same log");
    Ok(())
}

/// Content that differs, with as many entries as there should be: only a comparison finds it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn verifying_compares_redis_with_the_nodes_copy() -> Outcome {
    let redis = Redis::start().await?;
    let server = Server::start(Setup::on(&redis)).await?;
    let admin = server.admin();
    admin.put_flag("checkout", &flags::boolean("on")).await?.ok()?;
    admin.put_flag("other", &flags::boolean("on")).await?.ok()?;
    let stream = "ripcord:{production}:log";
    // One command, so that the node never sees the wrong number of entries.
    let script = format!(
        "redis.call('DEL','{stream}') redis.call('XADD','{stream}','1-0','digest','x','body','y') redis.call('XADD','{stream}','2-0','digest','x','body','y') return 1"
    );
    ensure!(redis.command(&format!("EVAL \"{script}\" 1 {stream}"))? == ":1");
    let report = admin.get_root("/v1/audit/verify?log=production").await?.ok()?;
    ensure!(report["logs"][0]["damaged_in_store"] == 1 && report["logs"][0]["mended"] == true, "{report}");
    let report = admin.get_root("/v1/audit/verify?log=production").await?.ok()?;
    ensure!(report["whole"] == true && report["logs"][0]["damaged_in_store"].is_null(), "{report}");
    admin.put_flag("after", &flags::boolean("on")).await?.ok().map(drop)
}
