//! The official clients, as they come from `PyPI` and npm, against a live server: each sees a kill.

use std::path::PathBuf;
use std::process::Stdio;
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use libtest_mimic::Trial;
use ripcord_tests::flags;
use ripcord_tests::server::Setup;
use tokio::io::{AsyncBufReadExt as _, BufReader, Lines};
use tokio::process::{ChildStdout, Command};

use crate::node::{Node, is_skipped, script, tools};
use crate::trial;

const SOON: Duration = Duration::from_secs(30);

/// A client: what it is called, and which of a server's listeners it calls.
#[derive(Clone, Copy)]
struct Client {
    name: &'static str,
    language: Language,
    kind: &'static str,
    listener: Listener,
}

#[derive(Clone, Copy, PartialEq)]
enum Language {
    Python,
    JavaScript,
}

#[derive(Clone, Copy)]
enum Listener {
    Http,
    Sync,
    Evaluation,
}

const CLIENTS: [Client; 8] = [
    Client {
        name: "python_flagd_in_process",
        language: Language::Python,
        kind: "flagd",
        listener: Listener::Sync,
    },
    Client {
        name: "python_flagd_rpc",
        language: Language::Python,
        kind: "rpc",
        listener: Listener::Evaluation,
    },
    Client {
        name: "python_ofrep",
        language: Language::Python,
        kind: "ofrep",
        listener: Listener::Http,
    },
    Client {
        name: "node_flagd_in_process",
        language: Language::JavaScript,
        kind: "flagd",
        listener: Listener::Sync,
    },
    Client {
        name: "node_flagd_rpc",
        language: Language::JavaScript,
        kind: "rpc",
        listener: Listener::Evaluation,
    },
    Client {
        name: "node_ofrep",
        language: Language::JavaScript,
        kind: "ofrep",
        listener: Listener::Http,
    },
    Client {
        name: "web_flagd_by_connect",
        language: Language::JavaScript,
        kind: "flagd-web",
        listener: Listener::Evaluation,
    },
    Client {
        name: "web_ofrep_by_events",
        language: Language::JavaScript,
        kind: "web",
        listener: Listener::Http,
    },
];

pub fn trials() -> Vec<Trial> {
    CLIENTS
        .into_iter()
        .map(|client| {
            let has_tools = client.program().is_some();
            trial(format!("the_official_client_{}_sees_a_kill", client.name), move || sees_a_kill(client)).with_ignored_flag(is_skipped(has_tools))
        })
        .collect()
}

impl Client {
    /// The interpreter with the client's packages, where they are installed.
    fn program(self) -> Option<PathBuf> {
        match self.language {
            Language::Python => Some(tools().join("python-v3/bin/python")).filter(|python| python.is_file()),
            Language::JavaScript => tools()
                .join("node/node_modules/@openfeature/flagd-web-provider")
                .is_dir()
                .then(|| "node".into()),
        }
    }

    /// Runs it against a server; what it prints.
    fn start(self, node: &Node, key: &str) -> Result<(tokio::process::Child, Lines<BufReader<ChildStdout>>)> {
        let port = match self.listener {
            Listener::Http => node.server.port(),
            Listener::Sync => node.sync,
            Listener::Evaluation => node.evaluation,
        };
        let mut command = Command::new(self.program().context("not installed")?);
        command.arg(script(if self.language == Language::Python { "clients.py" } else { "clients.mjs" }));
        command.args([self.kind, &format!("127.0.0.1:{port}"), key]).arg(tools().join("node"));
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::inherit()).kill_on_drop(true).spawn()?;
        let lines = BufReader::new(child.stdout.take().context("its output")?).lines();
        Ok((child, lines))
    }
}

async fn sees_a_kill(client: Client) -> Result<()> {
    // Published clients cannot send metadata by gRPC: the listener has a key of its own, which must exist first.
    let mut node = Node::start().await?;
    node.api.put_flag("plain", &flags::boolean("on")).await?.ok()?;
    let key = node.api.role("sdk").await?.key().to_owned();
    tokio::task::block_in_place(|| node.server.stop())?;
    let listen = |port: u16| format!("127.0.0.1:{port}");
    let setup = Setup::embedded()
        .port(node.server.port())
        .argument("--grpc-sync-listen")
        .argument(listen(node.sync))
        .argument("--grpc-eval-listen")
        .argument(listen(node.evaluation))
        .argument("--grpc-key")
        .argument(&key);
    node.server.restart_as(setup).await?;
    let (_child, mut lines) = client.start(&node, &key)?;
    let first = until(&mut lines, "on").await?;
    ensure!(first.to_lowercase().starts_with("true on"), "{first}");
    node.api.kill_flag("plain").await?;
    let killed = until(&mut lines, "off").await?;
    ensure!(killed.to_lowercase().starts_with("false off") && killed.ends_with("DEFAULT"), "{killed}");
    println!("{}: {first}, then {killed}", client.name);
    Ok(())
}

/// The next line that tells of this variant.
async fn until(lines: &mut Lines<BufReader<ChildStdout>>, variant: &str) -> Result<String> {
    let found = async {
        loop {
            let line = lines.next_line().await?.context("the client has ended")?;
            if line.split(' ').nth(1) == Some(variant) {
                return Ok(line);
            }
        }
    };
    tokio::time::timeout(SOON, found)
        .await
        .with_context(|| format!("variant {variant} never came"))?
}
