//! What hooks are sent by those who may not, by mistake, or in malice.

use anyhow::{Context as _, ensure};
use ripcord_tests::api::read;
use ripcord_tests::{Outcome, Server, Setup, World, flags, on_both_stores};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use super::{Made, alert, firings, make, mode, send_signed, signature, signature_of, signed};

async fn world_with_a_hook(server: &Server) -> anyhow::Result<(ripcord_tests::Api, Made)> {
    let admin = server.admin();
    admin.put_flag("checkout", &flags::boolean("on")).await?.ok()?;
    mode(&admin, "automatic").await?;
    let more = json!({"credential": "hmac", "cooldown": "0s"});
    let made = make(&admin, &json!({"kill": {"flags": ["checkout"]}}), &more).await?;
    Ok((admin, made))
}

async fn what_is_forged_or_too_old_does_nothing(world: World) -> Outcome {
    let (admin, made) = world_with_a_hook(&world).await?;
    let body = alert("firing", "a", 1, None);
    let (text, header) = signature(&made, &body, 0);
    let other = Made {
        secret: "another-secret-of-some-length".to_owned(),
        hook: made.hook.clone(),
    };
    let forged = signature(&other, &body, 0).1;
    for header in [forged.as_str(), "", "t=1,v1=00", &header.replace("v1=", "v2=")] {
        send_signed(&admin, &made, &text, header).await?.problem(401, "UNAUTHENTICATED")?;
    }
    send_signed(&admin, &made, &text.replace("page", "none"), &header)
        .await?
        .problem(401, "UNAUTHENTICATED")?;
    for hook in ["production.nobody", "nowhere.error-rate", "production", "production.error-rate.x"] {
        let unknown = Made {
            hook: format!("/v1/hooks/{hook}"),
            secret: made.secret.clone(),
        };
        signed(&admin, &unknown, &body, 0).await?.problem(401, "UNAUTHENTICATED")?;
    }
    let bearer = admin.with_key(Some(&made.secret)).request(reqwest::Method::POST, &made.hook).json(&body);
    read(bearer).await?.problem(401, "UNAUTHENTICATED")?;
    signed(&admin, &made, &body, -400).await?.problem(401, "UNAUTHENTICATED")?;
    ensure!(admin.value("checkout").await? == true && firings(&admin).await?.is_empty(), "nothing was done");
    let metrics = admin.get_root("/metrics").await?.body;
    for why in ["forged", "outside_the_window"] {
        let counter = format!("ripcord_trigger_refusals_total{{why=\"{why}\"}}");
        let is_there = metrics.as_str().unwrap_or_default().lines().any(|line| line.starts_with(&counter));
        ensure!(is_there, "{counter} is not there");
    }
    Ok(())
}

async fn a_replayed_delivery_is_known_and_does_nothing_even_after_a_restart(mut world: World) -> Outcome {
    let (admin, made) = world_with_a_hook(&world).await?;
    let (text, header) = signature(&made, &alert("firing", "a", 1, None), 0);
    let came = send_signed(&admin, &made, &text, &header).await?.ok()?;
    ensure!(came["outcome"] == "fired", "{came}");
    admin.restore(came["kills"][0].as_str().context("a kill")?).await?.ok()?;
    for restart in [false, true] {
        if restart {
            world.kill();
            world.restart().await?;
        }
        let again = send_signed(&admin, &made, &text, &header).await?.ok()?;
        ensure!(again["outcome"] == "duplicate" && again["kills"].is_null(), "{again}");
    }
    ensure!(admin.value("checkout").await? == true);
    Ok(())
}

async fn nonsense_is_refused_with_what_is_wrong_with_it(world: World) -> Outcome {
    let (admin, made) = world_with_a_hook(&world).await?;
    for body in [
        json!({"status": "firing"}),
        json!([1, 2, 3]),
        json!("firing"),
        json!({"alerts": [{"status": "firing", "labels": {}, "startsAt": "yesterday"}]}),
    ] {
        let problem = signed(&admin, &made, &body, 0).await?.problem(422, "INVALID")?;
        ensure!(problem["errors"][0]["problem"].is_string(), "{problem}");
    }
    for text in ["", "{", "\u{0}", "{\"a\": 1, \"a\": 2}"] {
        let answer = send_signed(&admin, &made, text, &signature_of(&made, text, 0)).await?;
        answer.problem(422, "INVALID")?;
    }
    ensure!(admin.value("checkout").await? == true && firings(&admin).await?.is_empty());
    Ok(())
}

on_both_stores!(
    what_is_forged_or_too_old_does_nothing,
    a_replayed_delivery_is_known_and_does_nothing_even_after_a_restart,
    nonsense_is_refused_with_what_is_wrong_with_it
);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn ten_megabytes_are_refused_before_they_are_read() -> Outcome {
    let server = Server::start(Setup::embedded()).await?;
    let (admin, made) = world_with_a_hook(&server).await?;
    // Nothing but the head is sent: the answer does not wait for the body.
    let address = admin.url().trim_start_matches("http://").to_owned();
    let mut stream = tokio::net::TcpStream::connect(&address).await?;
    let head = format!("POST {} HTTP/1.1\r\nHost: {address}\r\nContent-Length: 10485760\r\n\r\n", made.hook);
    stream.write_all(head.as_bytes()).await?;
    let mut answer = vec![0; 4_096];
    let read = tokio::time::timeout(ripcord_tests::SOON, stream.read(&mut answer)).await??;
    let text = String::from_utf8_lossy(answer.get(..read).unwrap_or_default()).into_owned();
    ensure!(text.starts_with("HTTP/1.1 413") && text.contains("TOO_LARGE"), "{text}");
    // One that does not say how large it is is read up to the limit, and no further.
    let chunks = futures_util::stream::iter((0..10).map(|_| Ok::<_, std::io::Error>(vec![b' '; 1024 * 1024])));
    let request = admin
        .with_key(None)
        .request(reqwest::Method::POST, &made.hook)
        .body(reqwest::Body::wrap_stream(chunks));
    // Whether the client sees the answer or a closed connection while it still sends is up to the network.
    if let Ok(answer) = ripcord_tests::api::read(request).await {
        ensure!(answer.status == 413, "{} {}", answer.status, answer.body);
    }
    ensure!(admin.value("checkout").await? == true);
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_view_shows_a_secret_again() -> Outcome {
    let server = Server::start(Setup::embedded()).await?;
    let (admin, made) = world_with_a_hook(&server).await?;
    signed(&admin, &made, &alert("firing", "a", 1, None), 0).await?.ok()?;
    let mut shown: Vec<Value> = Vec::new();
    for path in ["triggers", "triggers/error-rate", "firings", "revisions?limit=1000", "policy", "kills"] {
        shown.push(admin.get(path).await?.ok()?);
    }
    for path in ["/v1/audit?log=production", "/v1/snapshot?environment=production"] {
        shown.push(admin.get_root(path).await?.ok()?);
    }
    for view in shown {
        ensure!(!view.to_string().contains(&made.secret), "{view}");
    }
    ensure!(!server.output().contains(&made.secret), "the server has logged it");
    // The same call again, as a client repeats it: it answers as before, but for the secret.
    let body = json!({"name": "other", "source": "alertmanager", "action": {"hold": {}}});
    let create = || {
        admin.send(
            reqwest::Method::POST,
            "/v1/environments/production/triggers",
            Some(&body),
            &[("idempotency-key", "once")],
        )
    };
    let (first, again) = (create().await?.ok()?, create().await?.ok()?);
    ensure!(first["secret"].is_string() && again["secret"].is_null() && again["name"] == "other", "{again}");
    Ok(())
}
