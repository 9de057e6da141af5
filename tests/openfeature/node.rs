//! A server with flagd's listeners on ports of their own.

use std::path::{Path, PathBuf};

use anyhow::{Result, ensure};
use ripcord_proto::settings::Bucketing;
use ripcord_tests::server::Setup;
use ripcord_tests::{Api, Server, ports};
use serde_json::json;

pub struct Node {
    pub server: Server,
    pub api: Api,
    pub sync: u16,
    pub evaluation: u16,
}

impl Node {
    pub async fn start() -> Result<Self> {
        Self::started_with(Setup::embedded()).await
    }

    pub async fn started_with(setup: Setup) -> Result<Self> {
        let (sync, evaluation) = (ports::free(), ports::free());
        let listen = |port: u16| format!("127.0.0.1:{port}");
        let setup = setup
            .argument("--grpc-sync-listen")
            .argument(listen(sync))
            .argument("--grpc-eval-listen")
            .argument(listen(evaluation));
        let server = Server::start(setup).await?;
        let api = server.admin();
        Ok(Self { server, api, sync, evaluation })
    }

    /// With these flags of flagd's, imported as a person does it.
    pub async fn with_flags(file: &Path, bucketing: Bucketing) -> Result<Self> {
        let node = Self::start().await?;
        if bucketing == Bucketing::V2 {
            let settings = json!({"bucketing": "v2", "rebuckets_everybody": true});
            node.api.put("settings?reason=test", &settings).await?.ok()?;
        }
        node.import(file)?;
        Ok(node)
    }

    pub fn import(&self, file: &Path) -> Result<()> {
        let ran = self.run(&["import", "flagd", "-f", &file.display().to_string()])?;
        ensure!(!ran.is_empty(), "an import says what it did");
        Ok(())
    }

    /// What `ripcord ARGUMENTS` prints.
    pub fn run(&self, arguments: &[&str]) -> Result<String> {
        let ran = self.server.command().args(arguments).args(self.access()).output()?;
        ensure!(ran.status.success(), "ripcord {arguments:?}: {}", String::from_utf8_lossy(&ran.stderr));
        Ok(String::from_utf8(ran.stdout)?)
    }

    /// What tells a command where to go, and as whom.
    pub fn access(&self) -> [String; 6] {
        let url = self.server.url();
        ["--server", &url, "--key", self.api.key(), "--env", "production"].map(str::to_owned)
    }

    pub fn endpoint(port: u16) -> String {
        format!("http://127.0.0.1:{port}")
    }
}

/// The tool chains that `tests/run` installed.
pub fn tools() -> PathBuf {
    let built = || Path::new(env!("CARGO_MANIFEST_DIR")).join("../target/openfeature");
    std::env::var_os("RIPCORD_OPENFEATURE").map_or_else(built, PathBuf::from)
}

/// Whether a test without its tool chain is skipped. With `CI=true` it runs, and fails: a machine that is set up for this would
/// otherwise test less and less without anyone knowing.
pub fn is_skipped(has_tools: bool) -> bool {
    !has_tools && std::env::var_os("CI").is_none_or(|ci| ci != "true")
}

/// A script beside the tests.
pub fn script(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("openfeature/tools").join(name)
}
