//! Input as people, browsers and other systems really send it.

use anyhow::{Context as _, ensure};
use reqwest::Method;
use ripcord_tests::process::Signal;
use ripcord_tests::stream::{Reader as _, WebSocket};
use ripcord_tests::{Answer, Api, CommandOutput, Outcome, SOON, Server, Setup, flags};
use serde_json::{Value, json};

/// Names that flagd takes.
const NAMES: [&str; 9] = ["10%", "new checkout", "a+b", "a/b?c=d&e#f", "@x", "_beta", "-x", "🚀", "e\u{301}"];

/// A name as one segment of a path.
fn segment(name: &str) -> String {
    name.bytes().map(|byte| format!("%{byte:02X}")).collect::<Vec<_>>().concat()
}

fn named(variant: &str) -> Value {
    json!({"variants": {variant: true, "=": false}, "default": variant, "safe": "="})
}

async fn ripcord(server: &Server, arguments: &[&str]) -> anyhow::Result<CommandOutput> {
    CommandOutput::of(server.ripcord(arguments)).await
}

async fn bulk(api: &Api, body: &str) -> anyhow::Result<Answer> {
    let request = api
        .request(Method::POST, "/ofrep/v1/evaluate/flags?environment=production")
        .header("content-type", "application/json");
    ripcord_tests::api::read(request.body(body.to_owned())).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn keys_and_variants_may_be_called_whatever_flagd_lets_them_be_called() -> Outcome {
    let server = Server::start(Setup::embedded()).await?;
    let admin = server.admin();
    for name in NAMES {
        let key = segment(name);
        admin.put_flag(&key, &named(name)).await?.ok()?;
        let shown = admin.flag(&key).await?;
        ensure!(shown["key"] == name && shown["flag"]["default"] == name, "{shown}");
        let path = format!("/ofrep/v1/evaluate/flags/{key}?environment=production");
        let answer = admin.send(Method::POST, &path, Some(&json!({})), &[]).await?.ok()?;
        ensure!(answer["key"] == name && answer["variant"] == name && answer["value"] == true, "{answer}");
        let killed = ripcord(&server, &["kill", "--reason", "a test", "--", name]).await?;
        ensure!(killed.code == 0, "{name}: {} {}", killed.out, killed.err);
        ensure!(admin.explain(name, "user-1").await?["variant"] == "=", "{name} is not killed");
        let shown = ripcord(&server, &["flags", "show", "--json", "--", name]).await?.expect(0)?.json()?;
        ensure!(shown["key"] == name, "{shown}");
    }
    let exported = ripcord(&server, &["export"]).await?.expect(0)?.out;
    let file = server.scratch().join("all.yaml");
    std::fs::write(&file, exported)?;
    ripcord(&server, &["plan", "-f", &file.display().to_string()]).await?.expect(0)?;
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_imported_fractional_is_a_split_that_a_percentage_moves() -> Outcome {
    let server = Server::start(Setup::embedded()).await?;
    let admin = server.admin();
    let file = server.scratch().join("demo.flagd.yaml");
    let targeting = json!({"fractional": [["on", 10], ["off", 90]]});
    let text = format!(
        "flags:\n  # floods the shop\n  demo:\n    state: ENABLED\n    variants: {{on: true, off: false}}\n    defaultVariant: off\n    targeting: {targeting}\n"
    );
    std::fs::write(&file, text)?;
    ripcord(&server, &["import", "flagd", "-f", &file.display().to_string()]).await?.expect(0)?;
    let flag = admin.flag("demo").await?["flag"].clone();
    ensure!(
        flag["description"] == "floods the shop" && flag["rules"][0]["serve"]["hash"] == "flagd",
        "{flag}"
    );
    let on = async || {
        let mut on = 0;
        for user in 0..200 {
            on += usize::from(admin.explain("demo", &format!("user-{user}")).await?["value"] == true);
        }
        anyhow::Ok(on)
    };
    let before = on().await?;
    ensure!(before < 60, "{before} of 200 at 10 %");
    ripcord(&server, &["flags", "set", "demo", "--percent", "100", "--reason", "a test"])
        .await?
        .expect(0)?;
    ensure!(on().await? == 200, "the percentage moved nobody");
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_rule_that_can_never_work_is_warned_of_in_every_answer() -> Outcome {
    let server = Server::start(Setup::embedded()).await?;
    let admin = server.admin();
    for rule in [
        json!({"serve": {"jsonlogic": {"if": [{"startswith": [{"var": "a"}, "x"]}, "on"]}}}),
        json!({"serve": {"jsonlogic": {"if": [{"var": "a"}, "onn"]}}}),
        json!({"serve": {"jsonlogic": {"fractionalEvaluation": [["on", 50], ["off", 50]]}}}),
        json!({"when": {"attribute": "zip", "one_of": [2134, "10001"]}, "serve": "on"}),
    ] {
        let mut flag = flags::boolean("on");
        flag["rules"] = json!([rule]);
        let planned = admin.post("commits/plan", &json!({"changes": [flags::put("f", &flag)]})).await?.ok()?;
        let warned = |answer: &Value| answer["warnings"].as_array().is_some_and(|warnings| warnings.len() == 1);
        ensure!(warned(&planned), "{planned}");
        let put = admin.put_flag("f", &flag).await?.ok()?;
        ensure!(warned(&put), "{put}");
        admin.delete("flags/f?reason=a+test").await?.ok()?;
    }
    let put = admin.put_flag("f", &flags::rollout(30)).await?.ok()?;
    ensure!(put["warnings"].as_array().is_none_or(Vec::is_empty), "{put}");
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn half_an_emoji_in_one_attribute_fails_no_evaluation() -> Outcome {
    let server = Server::start(Setup::embedded()).await?;
    let admin = server.admin();
    admin.put_flag("checkout", &flags::boolean("on")).await?.ok()?;
    admin.kill_flag("checkout").await?;
    for attribute in [r#""name": "x\ud83d""#, r#""name": "\ude00""#, r#""\ud83d": 1"#, r#""list": ["\ud83d"]"#] {
        let answer = bulk(&admin, &format!("{{\"context\": {{\"targetingKey\": \"u\", {attribute}}}}}"))
            .await?
            .ok()?;
        ensure!(answer["flags"][0]["value"] == false, "{attribute}: {answer}");
        let explain = format!("{{\"flag\": \"checkout\", \"context\": {{{attribute}}}}}");
        let request = admin.request(Method::POST, &admin.path("explain")).header("content-type", "application/json");
        let explained = ripcord_tests::api::read(request.body(explain)).await?.ok()?;
        ensure!(explained["reason"] == "KILLED", "{attribute}: {explained}");
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_page_with_tracing_may_send_the_headers_of_its_tracing() -> Outcome {
    let server = Server::start(Setup::embedded()).await?;
    let asked = "baggage,sentry-trace,traceparent,tracestate,x-b3-traceid,x-datadog-trace-id";
    let headers = [
        ("origin", "https://shop.example"),
        ("access-control-request-method", "POST"),
        ("access-control-request-headers", asked),
    ];
    let answer = server
        .admin()
        .with_key(None)
        .send(Method::OPTIONS, "/ofrep/v1/evaluate/flags", None, &headers)
        .await?;
    let allowed = answer
        .header("access-control-allow-headers")
        .context("nothing is allowed")?
        .to_ascii_lowercase();
    let allowed: Vec<_> = allowed.split(',').map(str::trim).collect();
    for header in asked.split(',').chain(["authorization", "content-type"]) {
        ensure!(allowed.contains(&header), "{header} is not among {allowed:?}");
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn ten_thousand_ids_fit_into_a_segment() -> Outcome {
    let server = Server::start(Setup::embedded()).await?;
    let admin = server.admin();
    let id = |n: u32| format!("0195f3a2-7c1e-7a2b-9d3e-{n:012x}");
    let ids: Vec<_> = (0..10_000).map(id).collect();
    admin
        .put("segments/beta?reason=a+test", &json!({"attribute": "targetingKey", "one_of": ids}))
        .await?
        .ok()?;
    let mut flag = flags::boolean("off");
    flag["rules"] = json!([{"when": {"segment": "beta"}, "serve": "on"}]);
    admin.put_flag("f", &flag).await?.ok()?;
    ensure!(admin.explain("f", &id(9_999)).await?["value"] == true);
    ensure!(admin.explain("f", &id(10_000)).await?["value"] == false);
    let more: Vec<_> = (0..10_001).map(id).collect();
    let refused = admin
        .put("segments/beta?reason=a+test", &json!({"attribute": "targetingKey", "one_of": more}))
        .await?;
    refused.problem(422, "INVALID")?;
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn told_twice_to_end_a_server_drains_once() -> Outcome {
    let mut server = Server::start(Setup::embedded()).await?;
    let sdk = server.admin().role("sdk").await?;
    let mut stream = WebSocket::connect(&sdk, "raw").await?;
    stream.expect("snapshot", SOON).await?;
    server.process()?.signal(Signal::Term)?;
    let status = server.stop()?;
    ensure!(status.success(), "{status}\n{}", server.output());
    ensure!(stream.until_end(SOON).await?.is_some(), "no goodbye");
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn behind_a_proxy_with_a_path_the_stream_is_named_as_callers_reach_it() -> Outcome {
    let setup = Setup::embedded().argument("--public-url").argument("https://flags.example.com/ripcord/");
    let server = Server::start(setup).await?;
    let endpoint = bulk(&server.admin(), "{}").await?.ok()?["eventStreams"][0]["endpoint"].clone();
    ensure!(endpoint["origin"] == "https://flags.example.com", "{endpoint}");
    let uri = endpoint["requestUri"].as_str().context("no URI")?;
    ensure!(uri.starts_with("/ripcord/ofrep/v1/events?"), "{uri}");
    let plain = Server::start(Setup::embedded()).await?;
    let endpoint = bulk(&plain.admin(), "{}").await?.ok()?["eventStreams"][0]["endpoint"].clone();
    ensure!(endpoint["origin"].is_null(), "{endpoint}");
    Server::prepare(Setup::embedded().argument("--public-url").argument("flags.example.com"))?.refuses()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_flag_that_expires_at_the_end_of_the_year_9999_is_kept() -> Outcome {
    let server = Server::start(Setup::embedded()).await?;
    let admin = server.admin();
    let mut flag = flags::boolean("off");
    flag["expires_at"] = json!("9999-12-31T23:59:59Z");
    flag["rules"] = json!([{"when": {"attribute": "until", "after": "2026-01-01T00:00:00Z"}, "serve": "on"}]);
    admin.put_flag("f", &flag).await?.ok()?;
    let body = json!({"flag": "f", "context": {"targetingKey": "u", "until": "9999-12-31T23:59:59Z"}});
    ensure!(admin.post("explain", &body).await?.ok()?["value"] == true);
    Ok(())
}

/// Files of flags as YAML 1.2 has them: texts that other readers take for numbers, empty documents, members that stand twice.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_file_means_what_yaml_says_and_what_is_wrong_is_told_with_its_place() -> Outcome {
    let server = Server::start(Setup::embedded()).await?;
    let apply = async |text: &str| {
        let file = server.scratch().join("flags.yaml");
        std::fs::write(&file, text)?;
        ripcord(&server, &["apply", "-f", &file.display().to_string(), "--reason", "a test"]).await
    };
    let flag = "flags:\n  f:\n    variants: {on: true, off: false}\n    default: off\n    safe: off\n";
    let rule = "    rules:\n    - when: {attribute: a, one_of: [123_456, 0b11, 1:30]}\n      serve: on\n";
    apply(&format!("{flag}{rule}---\n")).await?.expect(0)?;
    let shown = server.admin().flag("f").await?;
    ensure!(shown["flag"]["rules"][0]["when"]["one_of"] == json!(["123_456", "0b11", "1:30"]), "{shown}");
    for (text, place) in [(format!("{flag}    default: on\n"), "line 6"), (format!("{flag}---\nflags: {{}}\n"), "line 7")] {
        apply(&text).await?.expect(1)?.error_names(&[place])?;
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_condition_says_when_types_differ_and_both_ways_to_compare_versions_agree() -> Outcome {
    let server = Server::start(Setup::embedded()).await?;
    let admin = server.admin();
    let explain = async |condition: Value, context: Value| {
        let mut flag = flags::boolean("off");
        flag["rules"] = json!([{"when": condition, "serve": "on"}]);
        admin.put_flag("f", &flag).await?.ok()?;
        admin.post("explain", &json!({"flag": "f", "context": context})).await?.ok()
    };
    let explained = explain(json!({"attribute": "a", "equals": 5}), json!({"a": "5"})).await?;
    let rule = explained["steps"].as_array().and_then(|steps| steps.iter().find(|step| step["step"] == "rule"));
    let differ = rule.map(|step| &step["when"]["types_differ"]);
    ensure!(differ == Some(&json!({"wanted": "number", "found": "text"})), "{explained}");
    for (range, least) in [(">=1.2.0", "1.2.0"), (">=v1.2.0", "v1.2.0")] {
        let beta = json!({"v": "1.3.0-beta.1"});
        let in_range = explain(json!({"attribute": "v", "semver_in": range}), beta.clone()).await?;
        let at_least = explain(json!({"attribute": "v", "semver_gte": least}), beta).await?;
        ensure!(in_range["value"] == true && at_least["value"] == true, "{in_range}\n{at_least}");
    }
    Ok(())
}
