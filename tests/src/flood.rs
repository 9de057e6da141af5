//! Everything that a server does beside kills, at once and without pause, as from callers who mean harm or cannot help it; and the
//! kills and restores that must take effect meanwhile (promise 4 of the design).

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use anyhow::ensure;
use reqwest::Method;
use serde_json::{Map, Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::runtime::Runtime;

use crate::api::{Answer, Api, id_of, read};
use crate::flags;
use crate::replica::Replica;
use crate::stream::{Reader as _, WebSocket};
use crate::waiting::{SOON, breathe, pace};

/// Flags of the environment that is flooded, beside those that are killed.
const FLAGS: usize = 1_500;
/// Attributes of each context that is evaluated.
const ATTRIBUTES: usize = 120;

/// One kind of load.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Load {
    /// Evaluations of all flags with a public key.
    Evaluations,
    /// Bodies that come a byte at a time, without any key.
    SlowBodies,
    /// Connections that say nothing.
    Silence,
    /// Scrapes of the metrics.
    Scrapes,
    /// Applications that connect for a stream.
    Streams,
    /// Requests whose method is a very long word.
    LongMethods,
    /// Plans of large commits.
    CommitPlans,
    /// Plans of rollbacks.
    RollbackPlans,
    /// Backups.
    Backups,
    /// Edits of flags.
    Edits,
}

impl Load {
    /// All of them.
    pub const ALL: [Self; 10] = [
        Self::Evaluations,
        Self::SlowBodies,
        Self::Silence,
        Self::Scrapes,
        Self::Streams,
        Self::LongMethods,
        Self::CommitPlans,
        Self::RollbackPlans,
        Self::Backups,
        Self::Edits,
    ];

    /// How many callers of this kind there are at a time.
    const fn callers(self) -> usize {
        match self {
            Self::SlowBodies => 300,
            Self::Streams => 200,
            Self::Silence => 100,
            Self::Evaluations | Self::LongMethods => 8,
            Self::Scrapes | Self::CommitPlans | Self::RollbackPlans | Self::Backups | Self::Edits => 2,
        }
    }
}

/// A flood that continues until it is dropped, on threads of its own.
#[derive(Debug)]
pub struct Flood {
    runtime: Option<Runtime>,
    sent: Arc<[AtomicU64; Load::ALL.len()]>,
}

/// The callers of a flood and what they send.
#[derive(Debug, Clone)]
struct Caller {
    admin: Api,
    client: Api,
    sdk: Api,
    sent: Arc<[AtomicU64; Load::ALL.len()]>,
}

impl Flood {
    /// Floods the server of `admin`, whose environment [`prepare`] has filled.
    pub async fn start(admin: &Api) -> anyhow::Result<Self> {
        let sent: Arc<[AtomicU64; Load::ALL.len()]> = Arc::default();
        let admin = &admin.alone();
        let caller = Caller {
            client: admin.role("client").await?,
            sdk: admin.role("sdk").await?,
            admin: admin.clone(),
            sent: Arc::clone(&sent),
        };
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
        for load in Load::ALL {
            for number in 0..load.callers() {
                runtime.spawn(caller.clone().call(load, number));
            }
        }
        Ok(Self { runtime: Some(runtime), sent })
    }

    /// How often this load was sent so far.
    pub fn sent(&self, load: Load) -> u64 {
        self.sent.get(load as usize).map_or(0, |sent| sent.load(Ordering::Relaxed))
    }
}

impl Drop for Flood {
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

impl Caller {
    async fn call(self, load: Load, number: usize) {
        loop {
            if let Some(sent) = self.sent.get(load as usize) {
                sent.fetch_add(1, Ordering::Relaxed);
            }
            // Whatever comes of it: a flood does not mind being refused.
            let _ = self.once(load, number).await;
            breathe().await;
        }
    }

    async fn once(&self, load: Load, number: usize) -> anyhow::Result<()> {
        match load {
            Load::Evaluations => send(&self.client, Method::POST, "/ofrep/v1/evaluate/flags", &context(number)).await,
            Load::SlowBodies => self.slow_body(number).await,
            Load::Silence => self.silence().await,
            Load::Scrapes => send(&self.admin, Method::GET, "/metrics", &Value::Null).await,
            Load::Streams => self.stream(number).await,
            Load::LongMethods => self.long_method().await,
            Load::CommitPlans => send(&self.admin, Method::POST, &self.admin.path("commits/plan"), &disabling_all()).await,
            Load::RollbackPlans => {
                let plan = json!({"to": 1, "population": 1_000});
                send(&self.admin, Method::POST, &self.admin.path("rollbacks/plan"), &plan).await
            }
            Load::Backups => send(&self.admin, Method::GET, "/v1/backup", &Value::Null).await,
            Load::Edits => {
                let flag = flags::rollout(u32::from(rand::random::<u8>() % 100));
                self.admin.put_flag(&format!("edited-{number}"), &flag).await?.ok()?;
                Ok(())
            }
        }
    }

    /// Half of them name a path that has places kept for it, and half of them do not say how long the body is.
    async fn slow_body(&self, number: usize) -> anyhow::Result<()> {
        let path = self.admin.path(if number.is_multiple_of(2) { "kills" } else { "commits" });
        let length = if number % 4 < 2 {
            "content-length: 4000\r\n\r\n{"
        } else {
            "transfer-encoding: chunked\r\n\r\nfff\r\n{"
        };
        let head = format!("POST {path} HTTP/1.1\r\nhost: flood\r\ncontent-type: application/json\r\n{length}");
        let mut connection = self.connection().await?;
        connection.write_all(head.as_bytes()).await?;
        loop {
            pace(Duration::from_millis(200)).await;
            connection.write_all(b" ").await?;
        }
    }

    async fn silence(&self) -> anyhow::Result<()> {
        let mut connection = self.connection().await?;
        connection.read_to_end(&mut Vec::new()).await?;
        Ok(())
    }

    async fn long_method(&self) -> anyhow::Result<()> {
        let mut connection = self.connection().await?;
        let head = format!("{} / HTTP/1.1\r\nhost: flood\r\nconnection: close\r\n\r\n", "A".repeat(30_000));
        connection.write_all(head.as_bytes()).await?;
        connection.read_to_end(&mut Vec::new()).await?;
        Ok(())
    }

    async fn stream(&self, number: usize) -> anyhow::Result<()> {
        let mut stream = WebSocket::connect(&self.sdk, &format!("flood-{number}")).await?;
        stream.until_end(SOON).await?;
        Ok(())
    }

    async fn connection(&self) -> anyhow::Result<TcpStream> {
        let address = self.admin.url().trim_start_matches("http://");
        Ok(TcpStream::connect(address).await?)
    }
}

async fn send(api: &Api, method: Method, path: &str, body: &Value) -> anyhow::Result<()> {
    let request = api.request(method, path);
    let request = if body.is_null() { request } else { request.json(body) };
    request.send().await?.bytes().await?;
    Ok(())
}

fn context(number: usize) -> Value {
    let attributes = (0..ATTRIBUTES).map(|attribute| (format!("attribute-{attribute}"), json!(format!("value-{attribute}-{number}"))));
    let mut context: Map<String, Value> = attributes.collect();
    context.insert("targetingKey".to_owned(), json!(format!("user-{number}")));
    json!({"context": context})
}

fn disabling_all() -> Value {
    let changes: Vec<_> = (0..FLAGS)
        .map(|number| json!({"set_enabled": {"key": format!("flag-{number}"), "enabled": false}}))
        .collect();
    json!({"changes": changes})
}

/// Fills the environment with as many flags as a flood needs, and with those that are to be killed.
pub async fn prepare(admin: &Api, killed: &[&str]) -> anyhow::Result<()> {
    let ruled = |number: usize| {
        let mut flag = flags::rollout(50);
        flag["client"] = json!(true);
        let rule = json!({"when": {"attribute": format!("attribute-{}", number % ATTRIBUTES), "ends_with": "-never"}, "serve": "on"});
        if let Some(rules) = flag["rules"].as_array_mut() {
            rules.insert(0, rule);
        }
        flag
    };
    let filling = (0..FLAGS).map(|number| flags::put(&format!("flag-{number}"), &ruled(number)));
    let killed = killed.iter().map(|key| flags::put(key, &flags::boolean("on")));
    let edited = (0..Load::Edits.callers()).map(|number| flags::put(&format!("edited-{number}"), &flags::rollout(10)));
    let changes: Vec<_> = filling.chain(killed).chain(edited).collect();
    admin.commit(&changes).await?.ok()?;
    // A later revision, so that there is something to roll back.
    let later: Vec<_> = (0..FLAGS / 4)
        .map(|number| flags::put(&format!("flag-{number}"), &flags::rollout(90)))
        .collect();
    admin.commit(&later).await?.ok()?;
    Ok(())
}

/// How long something took to take effect, from the moment it was sent.
#[derive(Debug, Clone, Copy)]
pub struct Effect {
    /// Until the answer was there.
    pub answered: Duration,
    /// Until a reader had the frame.
    pub in_force: Duration,
}

/// A reader that sees a kill take effect.
#[derive(Debug)]
pub struct Watcher {
    stream: WebSocket,
    replica: Replica,
}

impl Watcher {
    /// Connects, and has the environment.
    pub async fn connect(sdk: &Api) -> anyhow::Result<Self> {
        let mut stream = WebSocket::connect(sdk, "watcher").await?;
        let mut replica = Replica::default();
        replica.apply(&stream.expect("snapshot", SOON).await?)?;
        Ok(Self { stream, replica })
    }

    /// Whether a kill of this flag is in force, provisional or not.
    fn is_killed(&self, flag: &str) -> bool {
        let mut kills = self.replica.kills.values().chain(self.replica.overlay.values());
        kills.any(|kill| kill["scope"]["flag"] == flag)
    }

    /// Kills a flag over a new connection, as the command line does, and waits until the kill is in force here. Returns its id.
    pub async fn kill(&mut self, api: &Api, flag: &str) -> anyhow::Result<(String, Effect)> {
        let body = json!({"scope": {"flag": flag}, "reason": "a test"});
        let request = api.request(Method::POST, &api.path("kills")).json(&body);
        let (answer, effect) = self.effect(request, |watcher| watcher.is_killed(flag)).await?;
        Ok((id_of(&answer.ok()?)?, effect))
    }

    /// Lifts a kill in the same way.
    pub async fn restore(&mut self, api: &Api, flag: &str, id: &str) -> anyhow::Result<Effect> {
        let request = api.request(Method::DELETE, &api.path(&format!("kills/{id}?reason=fixed")));
        let (answer, effect) = self.effect(request, |watcher| !watcher.is_killed(flag)).await?;
        answer.ok()?;
        Ok(effect)
    }

    /// Sends a request over a new connection, and reads the stream until it has its effect.
    async fn effect(&mut self, request: reqwest::RequestBuilder, has: impl Fn(&Self) -> bool) -> anyhow::Result<(Answer, Effect)> {
        let started = Instant::now();
        let answered = async {
            let answer = read(request.header("connection", "close")).await?;
            ensure!((200..300).contains(&answer.status), "answered {} {}", answer.status, answer.body);
            anyhow::Ok((answer, started.elapsed()))
        };
        let seen = async {
            while !has(self) {
                let frame = self.stream.frame(SOON).await?;
                ensure!(frame.kind != "goodbye", "the reader was sent away: {}", frame.data);
                self.replica.apply(&frame)?;
            }
            anyhow::Ok(started.elapsed())
        };
        let ((answer, answered), in_force) = tokio::try_join!(answered, seen)?;
        Ok((answer, Effect { answered, in_force }))
    }
}
