//! Going back from the terminal.

use anyhow::{Context as _, ensure};
use ripcord_tests::{Outcome, Server, Setup, flags};

use super::ripcord;

async fn released() -> anyhow::Result<Server> {
    let server = Server::start(Setup::embedded()).await?;
    let admin = server.admin();
    admin.put_flag("checkout", &flags::rollout(0)).await?.ok()?;
    admin.put_flag("checkout", &flags::rollout(60)).await?.ok()?;
    Ok(server)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_plan_prints_the_command_that_does_exactly_that() -> Outcome {
    let server = released().await?;
    let plan = ripcord(&server, &["rollback", "plan", "--to", "1", "--reason", "5xx since 14:02"])
        .await?
        .expect(0)?;
    plan.names(&["checkout"])?;
    let line = plan
        .out
        .lines()
        .find(|line| line.trim_start().starts_with("ripcord rollback --to 1"))
        .context("the command")?;
    let hash = line
        .split("--plan ")
        .nth(1)
        .and_then(|rest| rest.split_whitespace().next())
        .context("the hash")?;
    let json = ripcord(&server, &["rollback", "plan", "--to", "1", "--json"]).await?.expect(0)?.json()?;
    ensure!(
        json["hash"] == hash && json["flags"][0]["key"] == "checkout" && json["conflicts"].is_array(),
        "{json}"
    );
    let done = ripcord(&server, &["rollback", "--to", "1", "--plan", hash, "--json", "--wait", "10"])
        .await?
        .expect(0)?
        .json()?;
    ensure!(
        done["id"].is_string() && done["revision"] == 3 && done["state"] == "confirmed" && done["phases"].is_object(),
        "{done}"
    );
    let stale = ripcord(&server, &["rollback", "--to", "1", "--plan", hash, "--json"]).await?.expect(3)?;
    stale.problem("PLAN_STALE")?;
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_rollback_says_what_it_did_and_how_far_it_got() -> Outcome {
    let server = released().await?;
    let done = ripcord(&server, &["rollback", "--to", "1", "--since", "10m"]).await?.expect(0)?;
    done.names(&["ripcord rollback undo rb_"])?;
    let list = ripcord(&server, &["rollback", "list", "--json"]).await?.expect(0)?.json()?;
    let done = &list["items"][0];
    ensure!(done["revision"] == 3 && done["state"] == "confirmed", "{list}");
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_refused_says_what_to_do_and_ends_with_its_code() -> Outcome {
    let server = released().await?;
    let nothing = ripcord(&server, &["rollback", "--to", "last-known-good", "--json"]).await?.expect(3)?;
    nothing.problem("NO_KNOWN_GOOD")?;
    ripcord(&server, &["rollback"]).await?.expect(2)?;
    ripcord(&server, &["rollback", "--to", "1", "--steps", "5,50"]).await?.expect(2)?;
    ripcord(&server, &["rollback", "--to", "1", "--flag", "a", "--tag", "b"]).await?.expect(2)?;
    Ok(())
}
