//! A real `ripcord serve`.

use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus};
use std::sync::OnceLock;

use anyhow::{Context, bail, ensure};
use tempfile::TempDir;

use crate::api::Api;
use crate::ports;
use crate::process::{Process, Signal};
use crate::redis::Redis;
use crate::waiting::{SOON, breathe, eventually};

/// The admin key of every server of the tests.
pub const ADMIN_KEY: &str = "rc_admin_whole-system-tests-0123456789abcdef";

/// The secret that the nodes of a cluster share.
pub const PEER_SECRET: &str = "a-secret-that-only-the-nodes-of-a-test-share";

/// The binary under test: `RIPCORD_BIN`, else built (or found up to date) beside the test binary.
pub fn binary() -> &'static Path {
    static BINARY: OnceLock<PathBuf> = OnceLock::new();
    BINARY.get_or_init(|| {
        if let Some(path) = std::env::var_os("RIPCORD_BIN") {
            return path.into();
        }
        let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
        let built = Command::new(cargo)
            .args(["build", "--quiet", "--workspace", "--all-targets"])
            .current_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/.."))
            .status();
        assert!(built.is_ok_and(|status| status.success()), "ripcord does not build");
        beside_the_tests("ripcord")
    })
}

/// A program that was built beside this test binary.
pub fn beside_the_tests(name: &str) -> PathBuf {
    // target/debug/deps/promises-1f2e3d → target/debug/NAME
    let current = std::env::current_exe().expect("a running program has a path");
    current.ancestors().nth(2).expect("test binaries lie in deps/").join(name)
}

/// How a server is started.
#[derive(Debug, Clone, Default)]
pub struct Setup {
    arguments: Vec<String>,
    variables: Vec<(String, Option<String>)>,
    port: Option<u16>,
    scheme: Scheme,
    printed: Printed,
    open_files: Option<u32>,
}

/// What becomes of what a server prints.
#[derive(Debug, Clone, Copy, Default)]
enum Printed {
    #[default]
    Kept,
    Discarded,
    /// Standard error is a pipe that nobody reads, and soon full.
    Unread,
}

/// What a server speaks.
#[derive(Debug, Clone, Copy, Default)]
enum Scheme {
    #[default]
    Http,
    Https,
}

impl Setup {
    /// On the embedded store.
    pub fn embedded() -> Self {
        Self::default()
    }

    /// On this Redis.
    pub fn on(redis: &Redis) -> Self {
        Self::at(&redis.url())
    }

    /// On the store of this address.
    pub fn at(store: &str) -> Self {
        Self::default().argument("--store").argument(store)
    }

    /// With a further argument of `ripcord serve`.
    #[must_use]
    pub fn argument(mut self, argument: impl Into<String>) -> Self {
        self.arguments.push(argument.into());
        self
    }

    /// With an environment variable.
    #[must_use]
    pub fn variable(mut self, name: &str, value: &str) -> Self {
        self.variables.push((name.to_owned(), Some(value.to_owned())));
        self
    }

    /// Without an environment variable that every other server of the tests has.
    #[must_use]
    pub fn without(mut self, name: &str) -> Self {
        self.variables.push((name.to_owned(), None));
        self
    }

    /// Over TLS with this certificate and key.
    #[must_use]
    pub fn tls(mut self, certificate: &Path, key: &Path) -> Self {
        self.scheme = Scheme::Https;
        self.argument("--tls-cert")
            .argument(certificate.display().to_string())
            .argument("--tls-key")
            .argument(key.display().to_string())
    }

    /// What it prints is not kept.
    #[must_use]
    pub fn quiet(mut self) -> Self {
        self.printed = Printed::Discarded;
        self
    }

    /// Nobody reads what it logs: the pipe fills up.
    #[must_use]
    pub fn unread(mut self) -> Self {
        self.printed = Printed::Unread;
        self
    }

    /// With so many open files at most.
    #[must_use]
    pub fn open_files(mut self, most: u32) -> Self {
        self.open_files = Some(most);
        self
    }

    /// On this port.
    #[must_use]
    pub fn port(mut self, port: u16) -> Self {
        self.port = Some(port);
        self
    }

    /// With the node on `port` as a peer.
    #[must_use]
    pub fn peer(self, port: u16) -> Self {
        self.argument("--peer").argument(format!("http://127.0.0.1:{port}"))
    }
}

/// A server on a port and a directory of its own.
#[derive(Debug)]
pub struct Server {
    setup: Setup,
    port: u16,
    process: Option<Process>,
    directory: TempDir,
}

impl Server {
    /// Starts one and waits until it is ready.
    pub async fn start(setup: Setup) -> anyhow::Result<Self> {
        let mut server = Self::prepare(setup)?;
        server.restart().await?;
        Ok(server)
    }

    /// One that is not running yet.
    pub fn prepare(setup: Setup) -> anyhow::Result<Self> {
        let directory = TempDir::with_prefix("ripcord-server-")?;
        std::fs::create_dir(directory.path().join("data"))?;
        Ok(Self {
            port: setup.port.unwrap_or_else(ports::free),
            setup,
            process: None,
            directory,
        })
    }

    /// Its address.
    pub fn url(&self) -> String {
        match self.setup.scheme {
            Scheme::Http => format!("http://127.0.0.1:{}", self.port),
            Scheme::Https => format!("https://127.0.0.1:{}", self.port),
        }
    }

    /// Its port.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Its data directory.
    pub fn data(&self) -> PathBuf {
        self.directory.path().join("data")
    }

    /// A directory beside its data, for caches, backups and files of a test.
    pub fn scratch(&self) -> &Path {
        self.directory.path()
    }

    /// A caller with the admin key, in `production`.
    pub fn admin(&self) -> Api {
        Api::new(&self.url(), ADMIN_KEY, "production")
    }

    /// Everything that it has printed, over all starts.
    pub fn output(&self) -> String {
        std::fs::read_to_string(self.directory.path().join("output.log")).unwrap_or_default()
    }

    /// The process.
    pub fn process(&self) -> anyhow::Result<&Process> {
        self.process.as_ref().context("this server is not running")
    }

    /// Starts it (again) on the same port and directory and waits until it is ready.
    pub async fn restart(&mut self) -> anyhow::Result<()> {
        self.launch()?;
        self.until("/readyz", 200).await
    }

    /// Starts it (again) and waits until it is alive, ready or not.
    pub async fn restart_unready(&mut self) -> anyhow::Result<()> {
        self.launch()?;
        self.until("/healthz", 200).await
    }

    /// Starts it (again) with other settings from now on.
    pub async fn restart_as(&mut self, setup: Setup) -> anyhow::Result<()> {
        self.setup = setup;
        self.restart().await
    }

    /// Starts it with settings with which it must refuse to start.
    pub fn refuses(&mut self) -> anyhow::Result<()> {
        self.launch()?;
        let status = self.process.as_mut().context("just launched")?.wait(SOON)?;
        self.process = None;
        self.is_refusal(status)
    }

    /// Starts it with other settings from now on, with which it must refuse to start.
    pub fn refuses_as(&mut self, setup: Setup) -> anyhow::Result<()> {
        self.setup = setup;
        self.refuses()
    }

    /// Starts it on a directory that may be damaged; whether it refused to start.
    pub async fn starts_or_refuses(&mut self) -> anyhow::Result<bool> {
        self.launch()?;
        let Err(error) = self.until("/readyz", 200).await else { return Ok(false) };
        let Some(status) = self.process.as_mut().context("just launched")?.ended()? else {
            return Err(error);
        };
        self.process = None;
        self.is_refusal(status)?;
        Ok(true)
    }

    /// The exit codes of a failure and of wrong usage are refusals; a panic has one of its own, a signal none.
    fn is_refusal(&self, status: ExitStatus) -> anyhow::Result<()> {
        ensure!(matches!(status.code(), Some(1 | 2)), "no refusal to start: {status}\n{}", self.output());
        Ok(())
    }

    /// `kill -9`.
    pub fn kill(&mut self) {
        self.process = None;
    }

    /// Asks it to end and waits for that.
    pub fn stop(&mut self) -> anyhow::Result<ExitStatus> {
        let mut process = self.process.take().context("this server is not running")?;
        process.signal(Signal::Term)?;
        process.wait(SOON)
    }

    fn launch(&mut self) -> anyhow::Result<()> {
        self.process = None;
        let output = match self.setup.printed {
            Printed::Kept | Printed::Unread => self.directory.path().join("output.log"),
            Printed::Discarded => "/dev/null".into(),
        };
        // A write beyond a limit of file size is an error then, as on a full disk, and not the end of the process.
        let limit = self.setup.open_files.map(|most| format!("ulimit -n {most}; ")).unwrap_or_default();
        let unread = match self.setup.printed {
            // Opened for reading too, so that the opening does not wait for a reader.
            Printed::Unread => "rm -f \"$HOME/unread\"; mkfifo \"$HOME/unread\"; exec \"$@\" 2<>\"$HOME/unread\"",
            Printed::Kept | Printed::Discarded => "exec \"$@\"",
        };
        let mut command = self.wrapped(&format!("trap '' XFSZ; {limit}{unread}"));
        command
            .args(["serve", "--listen", &format!("127.0.0.1:{}", self.port), "--data-dir"])
            .arg(self.data())
            .args(&self.setup.arguments);
        self.process = Some(Process::start("ripcord serve", &mut command, &output)?);
        Ok(())
    }

    fn wrapped(&self, script: &str) -> Command {
        let mut command = Command::new("sh");
        command.args(["-c", script, "sh"]).arg(binary());
        self.set_variables(&mut command);
        command
    }

    /// The binary with the variables of this server and a home of its own, so that nothing of this machine plays a part.
    pub fn command(&self) -> Command {
        let mut command = Command::new(binary());
        self.set_variables(&mut command);
        command
    }

    fn set_variables(&self, command: &mut Command) {
        command
            .env_remove("RIPCORD_SERVER")
            .env_remove("RIPCORD_KEY")
            .env_remove("RIPCORD_ENV")
            .env_remove("XDG_RUNTIME_DIR")
            .env_remove("XDG_STATE_HOME")
            .env_remove("XDG_CONFIG_HOME")
            .env("HOME", self.directory.path())
            .env("RIPCORD_ADMIN_KEY", ADMIN_KEY)
            .env("RIPCORD_PEER_SECRET", PEER_SECRET);
        for (name, value) in &self.setup.variables {
            match value {
                Some(value) => command.env(name, value),
                None => command.env_remove(name),
            };
        }
    }

    /// Waits until `path` answers `status`; a server that ends before that is an error at once.
    pub async fn until(&mut self, path: &str, status: u16) -> anyhow::Result<()> {
        let api = self.admin();
        let deadline = std::time::Instant::now() + SOON;
        loop {
            let seen = api.get_root(path).await;
            if seen.as_ref().is_ok_and(|answer| answer.status == status) {
                return Ok(());
            }
            if let Some(process) = &mut self.process
                && let Some(ended) = process.ended()?
            {
                bail!("ripcord serve ended ({ended}):\n{}", self.output());
            }
            if std::time::Instant::now() > deadline {
                bail!("{path} never answered {status}, last {seen:?}; the server printed:\n{}", self.output());
            }
            breathe().await;
        }
    }

    /// Waits until everything that this node has from its Redis is on its own disk as well.
    pub async fn mirrored(&self) -> anyhow::Result<()> {
        eventually(SOON, "the mirror is on disk", || async {
            let metrics = self.admin().get_root("/metrics").await?.body;
            let mut lines = metrics.as_str().unwrap_or_default().lines();
            let waiting = lines.find_map(|line| line.strip_prefix("ripcord_mirror_waiting_entries "));
            ensure!(waiting == Some("0"), "entries that are not on disk yet: {waiting:?}");
            Ok(())
        })
        .await
    }

    /// What `/readyz` says, whatever its status.
    pub async fn readyz(&self) -> anyhow::Result<crate::api::Answer> {
        self.admin().get_root("/readyz").await
    }

    /// Waits until `/readyz` says what `look` wants.
    pub async fn readyz_until(&self, what: &str, look: impl Fn(&crate::api::Answer) -> bool) -> anyhow::Result<crate::api::Answer> {
        eventually(SOON, what, || async {
            let answer = self.readyz().await?;
            ensure!(look(&answer), "/readyz says {} {}", answer.status, answer.body);
            Ok(answer)
        })
        .await
    }
}
