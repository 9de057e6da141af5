//! `ripcord demo`: a server, applications and users in one process, and a view of what the users are served.

mod shop;
mod view;

use std::net::SocketAddr;
use std::time::Duration;

use clap::Args;
use ripcord_proto::rest::keys::{KeyCreated, KeyRequest};
use ripcord_proto::role::Role;
use ripcord_proto::{EnvironmentKey, FlagsFile};
use tokio::sync::oneshot;
use tokio_util::sync::CancellationToken;

use self::shop::Shop;
use self::view::View;
use super::answer::Answer;
use super::client::{Call, Client};
use super::context::path;
use super::discovery::Keep;
use super::exit::{Exit, Failure};
use super::output::{Output, note};
use super::sample_flags::{BAD_RELEASE, FLAGS};
use super::server::{OwnServer, Server, Started};
use super::signals;
use super::source;
use super::target::{From, Target};

/// How often the flags are evaluated again for all users.
const EVERY: Duration = Duration::from_millis(250);

/// When the bad release goes out.
const RELEASE_AFTER: Duration = Duration::from_secs(15);
/// The name of the bad release.
const RELEASE: &str = "web-2.15";

/// See Ripcord at work in one terminal
///
/// It starts a server in a temporary folder, applications with simulated users, and shows what the users get while you
/// kill, roll back and restore from a second terminal. After a while a bad release goes out. Nothing is left behind.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  ripcord demo
  ripcord demo --applications 20 --users 5000
  ripcord demo --seconds 10                then it ends")]
pub(crate) struct Demo {
    /// Address of its server; a free port by default
    #[arg(long, default_value = "127.0.0.1:0", value_name = "ADDRESS")]
    listen: SocketAddr,
    /// Number of connected applications
    #[arg(long, default_value_t = 5, value_name = "NUMBER", value_parser = clap::value_parser!(u16).range(1..=1_000))]
    applications: u16,
    /// Number of simulated users
    #[arg(long, default_value_t = 1_000, value_name = "NUMBER", value_parser = clap::value_parser!(u32).range(1..=100_000))]
    users: u32,
    /// End after this many seconds; by default, at Ctrl-C
    #[arg(long, value_name = "NUMBER")]
    seconds: Option<u64>,
}

/// Runs until Ctrl-C.
pub(crate) fn run<S: Server>(output: Output, demo: &Demo) -> Result<Exit, Failure> {
    let failed = |what: &str, error: &dyn std::fmt::Display| Failure::Local(format!("{what}: {error}."));
    let folder = tempfile::tempdir().map_err(|error| failed("Cannot create a temporary folder", &error))?;
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .map_err(|error| failed("Cannot start a runtime", &error))?;
    let settings = OwnServer {
        listen: demo.listen,
        data_dir: folder.path().join("data"),
        node: "demo".to_owned(),
    };
    runtime.block_on(play::<S>(output, demo, settings))
}

async fn play<S: Server>(output: Output, demo: &Demo, settings: OwnServer) -> Result<Exit, Failure> {
    let mut signals = signals::listen()?;
    let stop = CancellationToken::new();
    let (ready, is_ready) = oneshot::channel();
    let started = |started: Started| {
        // The other end is held until the server has ended.
        let _ = ready.send(started);
    };
    let mut serving = std::pin::pin!(S::run(settings, started, stop.clone()));
    let ended = tokio::select! {
        ended = &mut serving => ended.map_err(Failure::from),
        shown = show(output, demo, is_ready) => shown,
        () = signals.next() => Ok(()),
    };
    stop.cancel();
    // One that has ended already was the reason, and cannot be waited for again.
    if ended.is_ok() {
        serving.await?;
        note("The demo has ended and its folder was removed.");
    }
    ended.map(|()| Exit::Done)
}

/// Fills the server, connects the applications and shows what they serve.
async fn show(output: Output, demo: &Demo, is_ready: oneshot::Receiver<Started>) -> Result<(), Failure> {
    let Ok(started) = is_ready.await else {
        // The server ends, and says why.
        return std::future::pending().await;
    };
    let announcement = started.announce(Keep::WhileRunning);
    if let Err(error) = &announcement {
        tracing::warn!(%error, "commands on this machine need --server and --key");
    }
    let (server, admin) = (started.url(), started.admin_key.clone());
    let client = Client::new(Target {
        server: server.clone(),
        alternatives: Vec::new(),
        server_from: From::Local,
        key: admin.clone(),
        key_from: From::Local,
        actor: Some("demo".to_owned()),
        ca_cert: None,
        rivals: Vec::new(),
    })?;
    let environment = fill(&client).await?;
    let key = application_key(&client, &environment).await?;
    let shop = Shop::open(&server, &key, &environment, demo.applications, demo.users)
        .await
        .map_err(Failure::Local)?;
    let hint = announcement.is_err().then(|| format!(" --server {server} --key {}", admin.unwrap_or_default()));
    let mut view = View::new(output, &server, &shop, hint.unwrap_or_default());
    let end = demo.seconds.map(|seconds| tokio::time::Instant::now() + Duration::from_secs(seconds));
    let mut tick = tokio::time::interval(EVERY);
    let release_at = tokio::time::Instant::now() + RELEASE_AFTER;
    let mut is_out = false;
    loop {
        tick.tick().await;
        if !is_out && tokio::time::Instant::now() >= release_at {
            is_out = true;
            // A kill that someone made in the meantime may prevent it, which is what kills are for.
            if let Err(refused) = bad_release(&client, &environment).await {
                tracing::debug!(%refused, "the bad release did not go out");
            }
        }
        let newest = view::newest(&client, &environment).await?;
        view.show(&shop.exposure(), newest.as_ref());
        if end.is_some_and(|end| tokio::time::Instant::now() >= end) {
            shop.close().await;
            return Ok(());
        }
    }
}

/// Applies the demo's flags.
async fn fill(client: &Client) -> Result<EnvironmentKey, Failure> {
    let file = FlagsFile::parse(FLAGS).map_err(|faults| Failure::File {
        file: "flags.yaml".to_owned(),
        faults,
    })?;
    let environment = file
        .environment
        .clone()
        .ok_or_else(|| Failure::Local("The demo's flags do not name an environment.".to_owned()))?;
    let request = source::commit_of(file, Some("the demo starts".to_owned()));
    let _: Answer<serde::de::IgnoredAny> = client.call(Call::post(path(&environment, &["commits"])).json(&request)?).await?;
    Ok(environment)
}

/// Begins a release and applies its change.
async fn bad_release(client: &Client, environment: &EnvironmentKey) -> Result<(), Failure> {
    let begin = Call::post(path(environment, &["releases"])).json(&serde_json::json!({"name": RELEASE, "artifact": "web 2.15"}))?;
    let _: Answer<serde::de::IgnoredAny> = client.call(begin).await?;
    let file = FlagsFile::parse(BAD_RELEASE).map_err(|faults| Failure::File {
        file: "release.yaml".to_owned(),
        faults,
    })?;
    let request = source::commit_of(file, Some("web 2.15: the new checkout for everyone".to_owned()));
    let commit = Call::post(path(environment, &["commits"])).query("release", Some(RELEASE)).json(&request)?;
    let _: Answer<serde::de::IgnoredAny> = client.call(commit).await?;
    Ok(())
}

async fn application_key(client: &Client, environment: &EnvironmentKey) -> Result<String, Failure> {
    let request = KeyRequest {
        role: Role::Sdk,
        environments: vec![environment.clone()],
        name: "demo applications".to_owned(),
        reason: None,
    };
    let made: Answer<KeyCreated> = client.call(Call::post(["v1", "keys"]).json(&request)?).await?;
    made.value
        .key
        .ok_or_else(|| Failure::Local("The server created a key but did not return it.".to_owned()))
}

#[cfg(test)]
mod tests;
