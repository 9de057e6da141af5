//! Keys and roles: missing, wrong, revoked, and the table of who may do what.

use std::time::Duration;

use anyhow::ensure;
use reqwest::Method;
use ripcord_tests::stream::{Reader, Sse, WebSocket};
use ripcord_tests::{Api, App, Cluster, Outcome, SOON, World, eventually, flags, on_both_stores};
use serde_json::{Value, json};

/// A request, and the roles that may make it.
struct Row {
    method: Method,
    path: &'static str,
    body: Option<Value>,
    roles: &'static [&'static str],
}

const READERS: &[&str] = &["viewer", "pipeline", "oncall", "editor", "admin"];
const EDITORS: &[&str] = &["pipeline", "editor", "admin"];
const KILLERS: &[&str] = &["pipeline", "oncall", "editor", "admin"];
const STREAMERS: &[&str] = &["sdk", "viewer", "pipeline", "oncall", "editor", "admin"];
const ADMINS: &[&str] = &["admin"];
const EVERY_ROLE: [&str; 7] = ["sdk", "client", "viewer", "pipeline", "oncall", "editor", "admin"];

fn table() -> Vec<Row> {
    let row = |method, path, body, roles| Row { method, path, body, roles };
    let env = "/v1/environments/production";
    let own = |path: &str| -> &'static str { Box::leak(format!("{env}/{path}").into_boxed_str()) };
    vec![
        row(Method::GET, own("flags"), None, READERS),
        row(Method::GET, own("flags/checkout"), None, READERS),
        row(Method::GET, own("segments"), None, READERS),
        row(Method::GET, own("kills"), None, READERS),
        row(Method::GET, own("revisions"), None, READERS),
        row(Method::GET, own("connections"), None, READERS),
        row(Method::GET, own("confirmations/1"), None, READERS),
        row(Method::POST, own("explain"), Some(json!({"flag": "checkout", "context": {}})), READERS),
        row(Method::GET, "/v1/snapshot", None, STREAMERS),
        row(Method::PUT, own("flags/new?reason=x"), Some(flags::boolean("on")), EDITORS),
        row(Method::PATCH, own("flags/checkout"), Some(json!({"enabled": true, "reason": "x"})), EDITORS),
        row(Method::DELETE, own("flags/gone?reason=x"), None, EDITORS),
        row(
            Method::PUT,
            own("segments/beta?reason=x"),
            Some(json!({"attribute": "a", "equals": 1})),
            EDITORS,
        ),
        row(
            Method::POST,
            own("commits"),
            Some(json!({"reason": "x", "changes": [flags::put("c", &flags::boolean("on"))]})),
            EDITORS,
        ),
        row(Method::POST, own("kills"), Some(json!({"scope": {"flag": "victim"}, "reason": "x"})), KILLERS),
        row(Method::GET, "/v1/keys", None, ADMINS),
        row(Method::GET, "/v1/backup", None, ADMINS),
        row(
            Method::POST,
            "/v1/keys",
            Some(json!({"role": "viewer", "environment": "production", "name": "n"})),
            ADMINS,
        ),
        row(Method::POST, "/v1/environments", Some(json!({"key": "other", "reason": "x"})), ADMINS),
        row(Method::PUT, own("settings"), Some(json!({"bucketing": "v3", "reason": "x"})), ADMINS),
    ]
}

async fn callers(admin: &Api) -> anyhow::Result<Vec<(&'static str, Api)>> {
    let mut callers = Vec::new();
    for role in EVERY_ROLE {
        callers.push((role, admin.role(role).await?));
    }
    Ok(callers)
}

async fn ready(world: &World) -> anyhow::Result<Api> {
    let admin = world.admin();
    let keys = ["checkout", "victim", "gone"];
    admin.commit(&keys.map(|key| flags::put(key, &flags::boolean("on")))).await?.ok()?;
    Ok(admin)
}

/// The permission table is walked whole: every row with every role, without a key and with nonsense.
async fn each_role_may_do_what_the_table_says_and_nothing_else(world: World) -> Outcome {
    let admin = ready(&world).await?;
    let callers = callers(&admin).await?;
    let mut wrong = Vec::new();
    for row in table() {
        for (role, api) in &callers {
            let answer = api.send(row.method.clone(), row.path, row.body.as_ref(), &[]).await?;
            let allowed = row.roles.contains(role);
            let fine = if allowed {
                ![401, 403].contains(&answer.status)
            } else {
                answer.status == 403 && answer.body["code"] == "FORBIDDEN"
            };
            if !fine {
                wrong.push(format!("{} {} as {role}: {} {}", row.method, row.path, answer.status, answer.body));
            }
            if !allowed {
                let named: Vec<_> = answer.body["roles"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
                if !row.roles.iter().all(|role| named.contains(role)) {
                    wrong.push(format!("{} {}: the roles that may are not named: {}", row.method, row.path, answer.body));
                }
            }
        }
        for api in [
            admin.with_key(None),
            admin.with_key(Some("nonsense")),
            admin.with_key(Some("rc_admin_0123456789012345678901234567890123456789")),
        ] {
            let answer = api.send(row.method.clone(), row.path, row.body.as_ref(), &[]).await?;
            if answer.status != 401 || answer.body["code"] != "UNAUTHENTICATED" {
                wrong.push(format!("{} {} without a valid key: {} {}", row.method, row.path, answer.status, answer.body));
            }
        }
    }
    ensure!(wrong.is_empty(), "{}", wrong.join("\n"));
    Ok(())
}

async fn a_key_is_for_its_environments_only(world: World) -> Outcome {
    let admin = ready(&world).await?;
    admin
        .send(Method::POST, "/v1/environments", Some(&json!({"key": "staging", "reason": "x"})), &[])
        .await?
        .ok()?;
    let editor = admin.role("editor").await?;
    editor.environment("staging").get("flags").await?.problem(403, "FORBIDDEN")?;
    editor
        .environment("staging")
        .put_flag("f", &flags::boolean("on"))
        .await?
        .problem(403, "FORBIDDEN")?;
    let sdk = admin.environment("staging").role("sdk").await?;
    let own = sdk.get_root("/v1/snapshot").await?.ok()?;
    ensure!(own["environment"] == "staging", "the environment comes from the key: {own}");
    sdk.get_root("/v1/snapshot?environment=production").await?.problem(403, "FORBIDDEN")?;
    Ok(())
}

async fn a_key_works_as_bearer_and_as_api_key(world: World) -> Outcome {
    let admin = ready(&world).await?;
    let viewer = admin.role("viewer").await?;
    let answer = viewer
        .with_key(None)
        .send(Method::GET, &viewer.path("flags"), None, &[("x-api-key", viewer.key())])
        .await?;
    answer.ok()?;
    Ok(())
}

async fn a_revoked_key_is_refused_and_its_streams_end_at_once(world: World) -> Outcome {
    let admin = ready(&world).await?;
    let (sdk, id) = admin.role_with_id("sdk").await?;
    let other = admin.role("sdk").await?;
    let mut ws = WebSocket::connect(&sdk, "ws").await?;
    ws.expect("snapshot", SOON).await?;
    let mut sse = Sse::connect(&sdk, "sse", "sse-1").await?;
    sse.expect("snapshot", SOON).await?;
    let mut bystander = WebSocket::connect(&other, "bystander").await?;
    bystander.expect("snapshot", SOON).await?;
    let app = App::start(&sdk, "app").await?;
    admin.send(Method::DELETE, &format!("/v1/keys/{id}?reason=leaked"), None, &[]).await?.ok()?;
    let goodbye = ws.until_end(Duration::from_secs(3)).await?;
    ensure!(
        goodbye.is_some_and(|frame| frame.data["retry"] == false),
        "no goodbye that says that coming back cannot help"
    );
    sse.until_end(Duration::from_secs(3)).await?;
    sdk.get_root("/v1/snapshot").await?.problem(401, "UNAUTHENTICATED")?;
    let refused = WebSocket::try_open(&sdk).await?;
    ensure!(refused.is_err_and(|refused| refused.status == 401), "a revoked key opened a stream");
    admin.put_flag("checkout", &flags::boolean("off")).await?.ok()?;
    bystander.expect("delta", SOON).await?;
    ensure!(app.on("checkout"), "an application whose key was revoked keeps the state that it has");
    Ok(())
}

on_both_stores!(
    each_role_may_do_what_the_table_says_and_nothing_else,
    a_key_is_for_its_environments_only,
    a_key_works_as_bearer_and_as_api_key,
    a_revoked_key_is_refused_and_its_streams_end_at_once
);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_key_revoked_on_one_node_ends_its_streams_on_the_other() -> Outcome {
    let cluster = Cluster::start().await?;
    let (a, b) = (cluster.a.admin(), cluster.b.admin());
    a.put_flag("checkout", &flags::boolean("on")).await?.ok()?;
    let (sdk, id) = a.role_with_id("sdk").await?;
    let on_b = sdk.at(b.url());
    cluster.agree().await?;
    eventually(SOON, "the other node knows the key", || async { on_b.snapshot().await.map(drop) }).await?;
    let mut stream = WebSocket::connect(&on_b, "ws").await?;
    stream.expect("snapshot", SOON).await?;
    a.send(Method::DELETE, &format!("/v1/keys/{id}?reason=leaked"), None, &[]).await?.ok()?;
    stream.until_end(Duration::from_secs(3)).await?;
    on_b.get_root("/v1/snapshot").await?.problem(401, "UNAUTHENTICATED")?;
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_an_admin_key_given_the_first_start_makes_one_and_prints_it_once() -> Outcome {
    let setup = ripcord_tests::Setup::embedded().without("RIPCORD_ADMIN_KEY");
    let mut server = ripcord_tests::Server::start(setup).await?;
    let printed = |text: &str| text.split_whitespace().filter(|word| word.contains("rc_admin_")).count();
    let first = server.output();
    ensure!(printed(&first) == 1, "a first start prints its key once:\n{first}");
    let start = first.find("rc_admin_").unwrap_or_default();
    let key: String = first[start..].chars().take_while(|c| c.is_ascii_alphanumeric() || "_-".contains(*c)).collect();
    server.stop()?;
    server.restart().await?;
    ensure!(printed(&server.output()) == 1, "it was printed again");
    server.admin().with_key(Some(&key)).get("flags").await?.ok()?;
    Ok(())
}
