//! What the gRPC listeners owe to every client: TLS, pings, keys that end, and the older version's answer of all flags.

use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use libtest_mimic::Trial;
use reqwest::Method;
use ripcord_proto::grpc::evaluation_v1::ResolveAllRequest;
use ripcord_proto::grpc::evaluation_v1::any_flag::Value as AnyValue;
use ripcord_proto::grpc::evaluation_v1::service_client::ServiceClient as V1;
use ripcord_proto::grpc::evaluation_v2::ResolveBooleanRequest;
use ripcord_proto::grpc::evaluation_v2::service_client::ServiceClient as V2;
use ripcord_proto::grpc::sync_v1::SyncFlagsRequest;
use ripcord_proto::grpc::sync_v1::flag_sync_service_client::FlagSyncServiceClient;
use ripcord_tests::flags;
use ripcord_tests::server::Setup;
use serde_json::json;
use tonic::Code;
use tonic::transport::{Certificate, Channel, ClientTlsConfig};

use crate::grpc::request;
use crate::node::Node;
use crate::trial;

/// How long a client pings.
const PINGING: Duration = Duration::from_secs(2);

pub fn trials() -> Vec<Trial> {
    vec![
        trial("sync_is_served_by_tls_where_http_is", tls),
        trial("a_client_may_ping_as_often_as_it_likes_with_calls_and_without", pings),
        trial("a_key_that_is_revoked_evaluates_nothing_any_more", revoked),
        trial("version_1_answers_all_flags_as_older_clients_expect_them", all_flags),
    ]
}

fn asked() -> ResolveBooleanRequest {
    ResolveBooleanRequest {
        flag_key: "plain".to_owned(),
        context: None,
    }
}

async fn tls() -> Result<()> {
    let made = rcgen::generate_simple_self_signed(["127.0.0.1".to_owned(), "localhost".to_owned()])?;
    let folder = tempfile::tempdir()?;
    let (certificate, key) = (folder.path().join("cert.pem"), folder.path().join("key.pem"));
    std::fs::write(&certificate, made.cert.pem())?;
    std::fs::write(&key, made.signing_key.serialize_pem())?;
    let node = Node::started_with(Setup::embedded().tls(&certificate, &key)).await?;
    node.api.put_flag("plain", &flags::boolean("on")).await?.ok()?;
    let trust = ClientTlsConfig::new()
        .ca_certificate(Certificate::from_pem(made.cert.pem()))
        .domain_name("localhost");
    let endpoint = Channel::from_shared(format!("https://127.0.0.1:{}", node.sync))?.tls_config(trust)?;
    let mut client = FlagSyncServiceClient::new(endpoint.connect().await?);
    let asked = request(SyncFlagsRequest::default(), Some(node.api.key()), Some("source=production"));
    let mut stream = client.sync_flags(asked).await?.into_inner();
    let first = stream.message().await?.context("a payload")?;
    ensure!(first.flag_configuration.contains("plain"), "{}", first.flag_configuration);
    let plain = Channel::from_shared(Node::endpoint(node.sync))?.connect().await;
    let refused = match plain {
        Err(_) => true,
        Ok(channel) => FlagSyncServiceClient::new(channel).sync_flags(SyncFlagsRequest::default()).await.is_err(),
    };
    ensure!(refused, "nothing is told in the clear");
    Ok(())
}

async fn pings() -> Result<()> {
    let node = Node::start().await?;
    node.api.put_flag("plain", &flags::boolean("on")).await?.ok()?;
    let endpoint = Channel::from_shared(Node::endpoint(node.evaluation))?
        .http2_keep_alive_interval(Duration::from_millis(1))
        .keep_alive_timeout(Duration::from_secs(5))
        .keep_alive_while_idle(true);
    let mut client = V2::new(endpoint.connect().await?);
    let (began, mut calls) = (Instant::now(), 0);
    while began.elapsed() < PINGING {
        client
            .resolve_boolean(request(asked(), Some(node.api.key()), Some("source=production")))
            .await?;
        calls += 1;
        // While the connection has no stream, pings continue.
        node.api.get("flags").await?.ok()?;
    }
    ensure!(calls > 5, "{calls}");
    Ok(())
}

async fn revoked() -> Result<()> {
    let node = Node::start().await?;
    node.api.put_flag("plain", &flags::boolean("on")).await?.ok()?;
    let (holder, id) = node.api.role_with_id("sdk").await?;
    let ofrep = || ripcord_tests::api::read(holder.request(Method::POST, "/ofrep/v1/evaluate/flags/plain").json(&json!({})));
    let mut client = V2::new(Channel::from_shared(Node::endpoint(node.evaluation))?.connect().await?);
    for _ in 0..3 {
        ofrep().await?.ok()?;
        client.resolve_boolean(request(asked(), Some(holder.key()), None)).await?;
    }
    node.api.request(Method::DELETE, &format!("/v1/keys/{id}")).send().await?.error_for_status()?;
    ensure!(ofrep().await?.status == 401);
    let refused = client
        .resolve_boolean(request(asked(), Some(holder.key()), None))
        .await
        .err()
        .context("refused")?;
    ensure!(refused.code() == Code::Unauthenticated, "{refused}");
    Ok(())
}

async fn all_flags() -> Result<()> {
    let node = Node::start().await?;
    node.api.put_flag("plain", &flags::boolean("on")).await?.ok()?;
    let off = json!({"enabled": false, "variants": {"x": "y"}, "default": "x", "safe": "x"});
    node.api.put_flag("off", &off).await?.ok()?;
    node.api
        .put_flag("callers", &json!({"variants": {"x": 1}, "default": null, "safe": null}))
        .await?
        .ok()?;
    let broken = json!({"variants": {"x": 1}, "default": "x", "safe": "x", "rules": [{"serve": {"jsonlogic": {"nowhere": [1]}}}]});
    node.api.put_flag("broken", &broken).await?.ok()?;
    let mut client = V1::new(Channel::from_shared(Node::endpoint(node.evaluation))?.connect().await?);
    let all = client
        .resolve_all(request(ResolveAllRequest::default(), Some(node.api.key()), Some("source=production")))
        .await?
        .into_inner()
        .flags;
    let of = |key: &str| all.get(key).map(|flag| (flag.reason.as_str(), flag.variant.as_str(), flag.value.clone()));
    ensure!(of("plain") == Some(("STATIC", "on", Some(AnyValue::BoolValue(true)))), "{all:?}");
    ensure!(of("off") == Some(("DISABLED", "", Some(AnyValue::StringValue(String::new())))), "{all:?}");
    ensure!(of("broken") == Some(("ERROR", "", None)), "{all:?}");
    ensure!(of("callers").is_none(), "its value is the caller's own: {all:?}");
    Ok(())
}
