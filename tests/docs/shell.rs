//! One shell for a document, in a folder and on ports of its own; it ends with everything that it started.

use std::io::{BufRead as _, BufReader, Write as _};
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail};
use ripcord_tests::ports;
use ripcord_tests::server::binary;
use tempfile::TempDir;

/// For a command that ends.
const PATIENCE: Duration = Duration::from_secs(90);
/// The home that documents show.
const HOME: &str = "/home/ada";
/// The ports that documents show, and the settings by which a server gets others.
const PORTS: [(u16, &str); 3] = [(8016, "RIPCORD_LISTEN"), (8015, "RIPCORD_GRPC_SYNC_LISTEN"), (8013, "RIPCORD_GRPC_EVAL_LISTEN")];

#[derive(Debug)]
pub struct Shell {
    process: Child,
    input: ChildStdin,
    ended: Receiver<String>,
    folder: TempDir,
    commands: usize,
    ports: Vec<(String, String)>,
    /// The output of the newest command that runs on, and how much of it was compared.
    pub background: Option<(PathBuf, usize)>,
}

impl Shell {
    pub fn start() -> anyhow::Result<Self> {
        let folder = TempDir::with_prefix("ripcord-docs-")?;
        let home = folder.path().join("home");
        let work = home.join("ripcord");
        std::fs::create_dir_all(&work)?;
        let ports: Vec<_> = PORTS.map(|(shown, setting)| (shown.to_string(), ports::free().to_string(), setting)).into();
        let programs = binary().parent().context("a program lies in a folder")?.display().to_string();
        let path = std::env::var("PATH").unwrap_or_default();
        let shims = folder.path().join("bin");
        cargo(&shims, &programs, &ports[0].1)?;
        let mut command = Command::new("bash");
        for (name, _) in std::env::vars_os() {
            if name.to_string_lossy().starts_with("RIPCORD_") || name.to_string_lossy().starts_with("XDG_") {
                command.env_remove(name);
            }
        }
        for (_, port, setting) in &ports {
            command.env(setting, format!("127.0.0.1:{port}"));
        }
        let mut process = command
            .args(["--noprofile", "--norc"])
            .current_dir(&work)
            .env("HOME", &home)
            .env("USER", "ada")
            .env("LOGNAME", "ada")
            .env("PATH", format!("{}:{programs}:{path}", shims.display()))
            .env("NO_COLOR", "1")
            .env("TERM", "dumb")
            .env("COLUMNS", "200")
            .env("LC_ALL", "C.UTF-8")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .process_group(0)
            .spawn()
            .context("bash does not start")?;
        let input = process.stdin.take().context("no input")?;
        let output = BufReader::new(process.stdout.take().context("no output")?);
        let (tell, ended) = channel();
        std::thread::spawn(move || {
            for line in output.lines().map_while(Result::ok) {
                if tell.send(line).is_err() {
                    return;
                }
            }
        });
        Ok(Self {
            process,
            input,
            ended,
            folder,
            commands: 0,
            ports: ports.into_iter().map(|(shown, port, _)| (shown, port)).collect(),
            background: None,
        })
    }

    pub fn write(&self, name: &str, text: &str) -> anyhow::Result<()> {
        let path = self.folder.path().join("home/ripcord").join(name);
        std::fs::create_dir_all(path.parent().context("a file lies in a folder")?)?;
        Ok(std::fs::write(path, text)?)
    }

    /// Runs a command to its end; what it printed.
    pub fn run(&mut self, command: &str) -> anyhow::Result<Vec<String>> {
        let output = self.begin(command, "")?;
        let mine = format!("done {}", self.commands);
        match self.ended.recv_timeout(PATIENCE) {
            Ok(line) if line == mine => Ok(self.shown(&output, 0)),
            Ok(line) => bail!("the shell says {line:?} after `{command}`"),
            Err(_) => bail!(
                "`{command}` did not end within {PATIENCE:?}; it printed:\n{}",
                self.shown(&output, 0).join("\n")
            ),
        }
    }

    /// Starts a command that runs on; what it has printed once `enough` tells how many lines are, or once patience ends.
    pub fn run_on(&mut self, command: &str, enough: impl Fn(&[String]) -> Option<usize>) -> anyhow::Result<Vec<String>> {
        let command = command.trim_end().trim_end_matches('&');
        let output = self.begin(command, " &")?;
        self.ended.recv_timeout(PATIENCE).with_context(|| format!("`{command}` does not start"))?;
        self.background = Some((output, 0));
        self.more(enough)
    }

    /// What the newest command that runs on has printed since it was asked last.
    pub fn more(&mut self, enough: impl Fn(&[String]) -> Option<usize>) -> anyhow::Result<Vec<String>> {
        let (output, from) = self.background.clone().context("nothing runs on")?;
        let deadline = Instant::now() + if super::is_update() { PATIENCE / 20 } else { PATIENCE / 2 };
        loop {
            let mut printed = self.shown(&output, from);
            let count = enough(&printed).or((Instant::now() > deadline).then_some(printed.len()));
            if let Some(count) = count {
                self.background = Some((output, from + count));
                printed.truncate(count);
                return Ok(printed);
            }
            std::thread::sleep(Duration::from_millis(50));
        }
    }

    fn begin(&mut self, command: &str, end: &str) -> anyhow::Result<PathBuf> {
        self.commands += 1;
        let script = self.folder.path().join(format!("command-{}", self.commands));
        let output = self.folder.path().join(format!("output-{}", self.commands));
        let mut command = command.to_owned();
        for (shown, port) in &self.ports {
            command = command.replace(shown, port);
        }
        std::fs::write(&script, command.replace(HOME, &self.home()))?;
        let source = format!(". '{}' >'{}' 2>&1 </dev/null{end}", script.display(), output.display());
        // The status is kept for a command that asks for it.
        writeln!(self.input, "{source}\nstatus=$?; echo done {}; (exit $status)", self.commands)?;
        self.input.flush()?;
        Ok(output)
    }

    fn home(&self) -> String {
        self.folder.path().join("home").display().to_string()
    }

    /// What a file holds, with the ports and the home that documents show.
    fn shown(&self, output: &Path, from: usize) -> Vec<String> {
        let bytes = std::fs::read(output).unwrap_or_default();
        let mut text = String::from_utf8_lossy(&bytes).replace(&self.home(), HOME);
        for (shown, port) in &self.ports {
            text = text.replace(port, shown);
        }
        text.lines().skip(from).map(|line| line.trim_end().to_owned()).collect()
    }
}

/// A `cargo` that runs the examples that were built with the tests, and nothing else: a document is followed without a source tree.
fn cargo(folder: &Path, programs: &str, port: &str) -> anyhow::Result<()> {
    let script = format!(
        "#!/bin/sh\nwhile [ $# -gt 0 ] && [ \"$1\" != --example ]; do shift; done\n\
         [ -x \"{programs}/examples/$2\" ] || {{ echo \"cargo: no example here: $2\"; exit 127; }}\n\
         RIPCORD_SERVER=${{RIPCORD_SERVER:-http://127.0.0.1:{port}}} exec \"{programs}/examples/$2\"\n"
    );
    std::fs::create_dir_all(folder)?;
    let path = folder.join("cargo");
    std::fs::write(&path, script)?;
    Ok(std::fs::set_permissions(&path, std::os::unix::fs::PermissionsExt::from_mode(0o755))?)
}

impl Drop for Shell {
    fn drop(&mut self) {
        let group = format!("-{}", self.process.id());
        for signal in ["-TERM", "-KILL"] {
            // The group may be gone already.
            let _ = Command::new("kill").args([signal, "--", &group]).stderr(Stdio::null()).status();
            std::thread::sleep(Duration::from_millis(200));
        }
        let _ = self.process.wait();
    }
}
