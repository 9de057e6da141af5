//! A Redis of the bench's own, and the bare calls that its figures are compared with.

use std::process::{Command, Stdio};
use std::time::Instant;

use redis::AsyncCommands as _;
use ripcord_tests::Redis;

pub use ripcord_tests::Durability;

/// A redis-server process, ended when this is dropped.
pub struct RedisServer {
    process: Redis,
}

/// The script by which the store appends.
const SCRIPT: &str = include_str!("../../server/src/store/redis/append.lua");

impl RedisServer {
    /// Starts one on a free port; `None` if it is not installed.
    pub async fn start(durability: Durability) -> anyhow::Result<Option<Self>> {
        let installed = Command::new("redis-server")
            .arg("--version")
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .status();
        match installed {
            Ok(_) => Ok(Some(Self {
                process: Redis::with(durability, &[]).await?,
            })),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error.into()),
        }
    }

    /// Where it is.
    pub fn url(&self) -> String {
        self.process.url()
    }

    async fn connection(&self) -> anyhow::Result<redis::aio::MultiplexedConnection> {
        Ok(redis::Client::open(self.url())?.get_multiplexed_async_connection().await?)
    }

    /// Calls of the store's script that write what the newest commit wrote, to the log `log`.
    pub async fn bare_scripts(&self, log: &str) -> anyhow::Result<BareScripts> {
        let mut connection = self.connection().await?;
        let hash: String = redis::cmd("SCRIPT").arg("LOAD").arg(SCRIPT).query_async(&mut connection).await?;
        let newest: redis::streams::StreamRangeReply = connection.xrevrange_count("ripcord:{production}:log", "+", "-", 1).await?;
        let newest = newest.ids.first().ok_or_else(|| anyhow::anyhow!("nothing was committed yet"))?;
        let body = newest.get("body").ok_or_else(|| anyhow::anyhow!("an entry without a body"))?;
        let fields = ["hash", "f:flag-0"];
        let values: Vec<String> = connection.hmget("ripcord:{production}:state", &fields).await?;
        Ok(BareScripts {
            connection,
            hash,
            body,
            fields: fields.into_iter().zip(values).collect(),
            keys: [format!("bare:{{{log}}}:state"), format!("bare:{{{log}}}:log")],
            number: 0,
        })
    }

    /// Seconds from an XADD to its arrival at a reader that blocks on the stream.
    pub async fn bare_hand_over(&self, calls: usize) -> anyhow::Result<Vec<f64>> {
        let mut writer = self.connection().await?;
        let mut reader = self.connection().await?;
        let _: u32 = writer.del("{bare}:feed").await?;
        let (told, mut heard) = tokio::sync::mpsc::channel::<Instant>(1);
        let reading = tokio::spawn(async move {
            let mut last = "0".to_owned();
            for _ in 0..calls {
                let mut call = redis::cmd("XREAD");
                call.arg("BLOCK").arg(5_000).arg("STREAMS").arg("{bare}:feed").arg(&last);
                let reply: redis::streams::StreamReadReply = call.query_async(&mut reader).await?;
                let id = reply.keys.first().and_then(|key| key.ids.last()).map(|entry| entry.id.clone());
                last = id.ok_or_else(|| anyhow::anyhow!("nothing was handed over"))?;
                told.send(Instant::now()).await?;
            }
            anyhow::Ok(())
        });
        let mut times = Vec::with_capacity(calls);
        let body = "x".repeat(600);
        for _ in 0..calls {
            let written = Instant::now();
            let _: String = writer.xadd("{bare}:feed", "*", &[("body", &body)]).await?;
            let arrived = heard.recv().await.ok_or_else(|| anyhow::anyhow!("the reader ended"))?;
            times.push(arrived.saturating_duration_since(written).as_secs_f64());
        }
        reading.await??;
        Ok(times)
    }
}

/// Calls of the store's script over one connection.
pub struct BareScripts {
    connection: redis::aio::MultiplexedConnection,
    hash: String,
    body: String,
    fields: Vec<(&'static str, String)>,
    keys: [String; 2],
    number: u64,
}

impl BareScripts {
    /// Seconds of each of `calls` more.
    pub async fn block(&mut self, calls: usize) -> anyhow::Result<Vec<f64>> {
        let mut times = Vec::with_capacity(calls);
        for _ in 0..calls {
            let call = self.next();
            let start = Instant::now();
            let answer: redis::Value = call.query_async(&mut self.connection).await?;
            times.push(start.elapsed().as_secs_f64());
            anyhow::ensure!(answer == redis::Value::Okay, "the bare script did not write");
        }
        Ok(times)
    }

    fn next(&mut self) -> redis::Cmd {
        let digest = |number: u64| format!("{number:064x}");
        let head = |number: u64| {
            if number == 0 {
                String::new()
            } else {
                format!("1 {number} {number} {}", digest(number))
            }
        };
        let before = self.number;
        self.number += 1;
        let mut call = redis::cmd("EVALSHA");
        call.arg(&self.hash).arg(2).arg(&self.keys);
        call.arg(head(before)).arg(1);
        call.arg(format!("{}-0", self.number)).arg(digest(self.number)).arg(&self.body);
        call.arg(1 + self.fields.len()).arg("head").arg(head(self.number));
        for (field, value) in &self.fields {
            call.arg(field).arg(value);
        }
        call
    }
}
