//! What callers who may do little, or nothing, can do to a server and to those who use it.

use std::time::Duration;

use anyhow::{Context as _, ensure};
use reqwest::Method;
use ripcord_tests::stream::{Reader as _, WebSocket, hello};
use ripcord_tests::{Api, CommandOutput, Outcome, SOON, Server, Setup, flags};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

/// What an answer without a body, or a body that is never sent, may take.
const AT_ONCE: Duration = Duration::from_secs(20);

/// The status that is answered to a head whose body never comes.
async fn answered_without_its_body(server: &Server, path: &str) -> anyhow::Result<String> {
    let mut socket = TcpStream::connect(("127.0.0.1", server.port())).await?;
    let head = format!("POST {path} HTTP/1.1\r\nhost: ripcord\r\ncontent-type: application/json\r\ncontent-encoding: gzip\r\ncontent-length: 15000\r\n\r\n");
    socket.write_all(head.as_bytes()).await?;
    let mut status = [0; 12];
    tokio::time::timeout(AT_ONCE, socket.read_exact(&mut status))
        .await
        .with_context(|| format!("{path} waits for the body of a stranger"))??;
    Ok(String::from_utf8_lossy(&status).into_owned())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_paths_of_peers_read_no_body_of_a_stranger_and_are_not_there_without_a_secret() -> Outcome {
    let node = Server::start(Setup::embedded()).await?;
    let alone = Server::start(Setup::embedded().without("RIPCORD_PEER_SECRET")).await?;
    for path in ["/v1/peer/sync", "/v1/peer/confirmations"] {
        let (refused, unknown) = (answered_without_its_body(&node, path).await?, answered_without_its_body(&alone, path).await?);
        ensure!(
            (refused.as_str(), unknown.as_str()) == ("HTTP/1.1 401", "HTTP/1.1 404"),
            "{path}: {refused}, {unknown}"
        );
    }
    Ok(())
}

async fn outcomes(api: &Api, body: &Value) -> anyhow::Result<ripcord_tests::Answer> {
    api.send(Method::POST, "/v1/outcomes", Some(body), &[]).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn only_applications_report_and_confirm_and_only_what_can_be() -> Outcome {
    let server = Server::start(Setup::embedded()).await?;
    let admin = server.admin();
    admin.put_flag("checkout", &flags::boolean("on")).await?.ok()?;
    let counted = |id: &str, batch: u64, successes: u64| json!({"instance_id": id, "batch": batch, "counts": [{"flag": "checkout", "variant": "on", "evaluations": 1, "successes": successes}]});
    for role in ["viewer", "pipeline", "oncall", "editor", "client"] {
        let caller = admin.role(role).await?;
        outcomes(&caller, &counted("forged", 1, 1)).await?.problem(403, "FORBIDDEN")?;
        let ack = json!({"instance_id": "i1", "epoch": 1, "revision": 1});
        let acknowledged = caller.send(Method::POST, "/v1/stream/ack", Some(&ack), &[]).await?;
        acknowledged.problem(403, "FORBIDDEN")?;
    }
    let (own, other) = (admin.role("sdk").await?, admin.role("sdk").await?);
    for impossible in [
        counted("i1", 1, 1_000_000_000_000),
        counted("i1", u64::MAX, 1),
        counted(&"x".repeat(1_000_000), 1, 1),
    ] {
        let refused = outcomes(&own, &impossible).await?;
        ensure!([413, 422].contains(&refused.status), "{} {}", refused.status, refused.body);
    }
    // What one key reports for an instance does not make the other's reports old.
    outcomes(&other, &counted("i1", 1_000_000, 1)).await?.ok()?;
    let first = outcomes(&own, &counted("i1", 1, 1)).await?.ok()?;
    ensure!(first["again"].is_null(), "another key's report was taken for this one's: {first}");
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn wrong_keys_are_held_back_and_a_weak_admin_key_is_refused() -> Outcome {
    let server = Server::start(Setup::embedded()).await?;
    let guess = server.admin().with_key(Some("rc_admin_0123456789abcdef0123456789abcdef"));
    let mut last = 0;
    for _ in 0..1_000 {
        last = guess.get("flags").await?.status;
        if last == 429 {
            break;
        }
    }
    ensure!(last == 429, "a thousand wrong keys were answered with {last}");
    server.admin().get("flags").await?.ok()?;
    Server::prepare(Setup::embedded().variable("RIPCORD_ADMIN_KEY", "rc_admin_secret"))?.refuses()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_word_of_a_caller_becomes_a_label_of_a_metric() -> Outcome {
    let server = Server::start(Setup::embedded()).await?;
    let nobody = server.admin().with_key(None);
    for number in 0..20 {
        let word = format!("MADEUP{number}{}", "X".repeat(3_000));
        let method = Method::from_bytes(word.as_bytes())?;
        nobody.send(method, "/v1/environments", None, &[]).await?;
        nobody.send(Method::GET, &format!("/{word}"), None, &[]).await?;
    }
    let metrics = server.admin().get_root("/metrics").await?.body;
    let text = metrics.as_str().context("text")?;
    ensure!(!text.contains("MADEUP"), "{} bytes of metrics name what a stranger sent", text.len());
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn arming_a_trigger_is_guarded_as_what_it_does() -> Outcome {
    let server = Server::start(Setup::embedded()).await?;
    let admin = server.admin();
    admin.put_flag("checkout", &flags::boolean("on")).await?.ok()?;
    let policy = json!({"second_person": ["changes", "rollback"], "triggers": "automatic"});
    admin.put("policy", &policy).await?.ok()?;
    let trigger = json!({"name": "back", "source": "alertmanager", "action": {"rollback": {"scope": "environment"}}, "state": "armed"});
    let editor = admin.role("editor").await?;
    editor.post("triggers", &trigger).await?.problem(409, "SECOND_PERSON_NEEDED")?;
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_copy_of_an_environment_names_the_kills_that_it_does_not_have() -> Outcome {
    let server = Server::start(Setup::embedded()).await?;
    let admin = server.admin();
    admin.put_flag("checkout", &flags::boolean("on")).await?.ok()?;
    let id = admin.kill_flag("checkout").await?;
    let body = json!({"key": "rehearsal", "copy_of": "production"});
    let copy = admin.send(Method::POST, "/v1/environments", Some(&body), &[]).await?.ok()?;
    ensure!(copy["kills_not_copied"][0]["id"] == id, "{copy}");
    Ok(())
}

/// Characters that move the cursor, end a line or turn the direction, with what they would make a reader believe.
const HIDING: &str = "fine\u{1b}[2K\nCONFIRMED 12 of 12\u{9b}1A\u{202e}";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_others_write_moves_no_cursor_and_forges_no_line() -> Outcome {
    let server = Server::start(Setup::embedded()).await?;
    let admin = server.admin();
    admin.put_flag("checkout", &flags::boolean("on")).await?.ok()?;
    for member in ["owner", "description"] {
        let mut hiding = flags::boolean("on");
        hiding[member] = json!(HIDING);
        admin.put_flag("other", &hiding).await?.problem(422, "INVALID")?;
    }
    let sdk = admin.role("sdk").await?;
    let mut stream = WebSocket::open(&sdk).await?;
    stream.send(&hello(HIDING)).await?;
    let answer = stream.frame(SOON).await?;
    ensure!(answer.kind == "goodbye", "an instance of that name is served: {:?}", answer.data);
    let body = json!({"scope": {"flag": "checkout"}, "reason": HIDING});
    admin.post("kills", &body).await?.ok()?;
    admin.post("checkpoints", &json!({"name": "before", "note": HIDING})).await?;
    for arguments in [&["kill", "list"][..], &["audit"], &["flags", "show", "checkout"], &["checkpoint", "list"]] {
        let mut command = server.command();
        command
            .env("RIPCORD_SERVER", server.url())
            .env("RIPCORD_KEY", admin.key())
            .env("NO_COLOR", "1")
            .args(arguments);
        let shown = CommandOutput::of(command).await?.expect(0)?;
        let moves = |character: char| character.is_control() && character != '\n' || ('\u{202a}'..='\u{202e}').contains(&character);
        ensure!(!shown.out.contains(moves), "{arguments:?}: {:?}", shown.out);
        ensure!(
            shown.out.lines().all(|line| !line.trim_start().starts_with("CONFIRMED")),
            "{arguments:?} shows a forged line:\n{}",
            shown.out
        );
    }
    Ok(())
}
