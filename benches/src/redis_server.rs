//! A Redis of the bench's own, with appendfsync off as redis-server starts by default, and the bare calls that its figures are
//! compared with.

use std::net::TcpListener;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use redis::AsyncCommands as _;

/// A redis-server process, ended when this is dropped.
pub struct RedisServer {
    process: Child,
    port: u16,
}

/// What a commit of one flag writes: the comparison of the head, the log entry, the flag, the head.
const SCRIPT: &str = r"
if redis.call('HGET', KEYS[1], 'sequence') ~= ARGV[1] then return 0 end
redis.call('XADD', KEYS[2], ARGV[2] .. '-0', 'body', ARGV[3], 'digest', ARGV[4])
redis.call('HSET', KEYS[3], 'f:flag', ARGV[5])
redis.call('HSET', KEYS[1], 'sequence', ARGV[2], 'epoch', '1', 'revision', ARGV[2], 'chain', ARGV[4])
return 1";

impl RedisServer {
    /// Starts one on a free port; `None` where it is not installed.
    pub fn start(directory: &Path) -> anyhow::Result<Option<Self>> {
        let port = TcpListener::bind("127.0.0.1:0")?.local_addr()?.port();
        let mut command = Command::new("redis-server");
        command.args(["--port", &port.to_string(), "--bind", "127.0.0.1", "--save", "", "--appendonly", "no", "--dir"]);
        let spawned = command.arg(directory).stdout(Stdio::null()).stderr(Stdio::null()).spawn();
        let process = match spawned {
            Ok(process) => process,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(error.into()),
        };
        let server = Self { process, port };
        let start = Instant::now();
        while std::net::TcpStream::connect(("127.0.0.1", port)).is_err() {
            anyhow::ensure!(start.elapsed() < Duration::from_secs(5), "redis-server did not start");
            std::thread::sleep(Duration::from_millis(20));
        }
        Ok(Some(server))
    }

    /// Where it is.
    pub fn url(&self) -> String {
        format!("redis://127.0.0.1:{}", self.port)
    }

    async fn connection(&self) -> anyhow::Result<redis::aio::MultiplexedConnection> {
        Ok(redis::Client::open(self.url())?.get_multiplexed_async_connection().await?)
    }

    /// Seconds of each of `calls` EVALSHA calls that do what a commit does.
    pub async fn bare_scripts(&self, calls: usize) -> anyhow::Result<Vec<f64>> {
        let mut connection = self.connection().await?;
        let hash: String = redis::cmd("SCRIPT").arg("LOAD").arg(SCRIPT).query_async(&mut connection).await?;
        let _: () = connection.hset("{bare}:head", "sequence", "0").await?;
        let (body, digest, flag) = ("x".repeat(600), "0".repeat(64), "y".repeat(300));
        let mut times = Vec::with_capacity(calls);
        for number in 0..calls {
            let mut call = redis::cmd("EVALSHA");
            call.arg(&hash).arg(3).arg("{bare}:head").arg("{bare}:log").arg("{bare}:state");
            call.arg(number.to_string()).arg((number + 1).to_string()).arg(&body).arg(&digest).arg(&flag);
            let start = Instant::now();
            let written: u8 = call.query_async(&mut connection).await?;
            times.push(start.elapsed().as_secs_f64());
            anyhow::ensure!(written == 1, "the bare script did not write");
        }
        Ok(times)
    }

    /// Seconds from an XADD to its arrival at a reader that blocks on the stream.
    pub async fn bare_hand_over(&self, calls: usize) -> anyhow::Result<Vec<f64>> {
        let mut writer = self.connection().await?;
        let mut reader = self.connection().await?;
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

impl Drop for RedisServer {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}
