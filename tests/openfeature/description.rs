//! The API's description, as programs of others read it: a public validator, clients that two generators make of it, and a tool that
//! calls every operation with every kind of input.

use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use libtest_mimic::Trial;
use ripcord_tests::server::Setup;
use ripcord_tests::{Api, Server, flags};
use tokio::process::Command;

use crate::node::{is_skipped, script, tools};
use crate::trial;

/// How long a generator may take, with the client that it makes.
const LONG: Duration = Duration::from_mins(3);
const ROLES: [&str; 7] = ["viewer", "sdk", "client", "oncall", "editor", "pipeline", "admin"];

pub fn trials() -> Vec<Trial> {
    let ignored = |has_tools: bool| is_skipped(has_tools);
    let mut trials = vec![
        trial("the_description_is_valid", valid).with_ignored_flag(ignored(python().is_some())),
        trial("a_client_generated_for_python_kills_and_rolls_back", python_client).with_ignored_flag(ignored(python().is_some())),
        trial("a_client_generated_for_typescript_kills_and_rolls_back", typescript_client).with_ignored_flag(ignored(typescript().is_some())),
    ];
    trials.extend(ROLES.into_iter().map(|role| {
        let name = format!("no_input_makes_the_server_fail_or_answer_what_is_not_described_{role}");
        trial(name, move || every_input(role)).with_ignored_flag(ignored(schemathesis().is_some()))
    }));
    trials
}

fn python() -> Option<PathBuf> {
    let folder = tools().join("python-description/bin");
    Some(folder.join("python")).filter(|_| folder.join("openapi-python-client").is_file())
}

fn schemathesis() -> Option<PathBuf> {
    Some(tools().join("python-description/bin/schemathesis")).filter(|program| program.is_file())
}

/// The folder of npm's packages.
fn typescript() -> Option<PathBuf> {
    let folder = tools().join("node-description");
    folder.join("node_modules/openapi-typescript").is_dir().then_some(folder)
}

/// A server with a flag, and a folder with its description.
async fn described() -> Result<(Server, Api, tempfile::TempDir)> {
    let server = Server::start(Setup::embedded()).await?;
    let admin = server.admin();
    admin.put_flag("checkout", &flags::tagged("on", &["payments"])).await?.ok()?;
    let folder = tempfile::tempdir()?;
    let document = admin.get_root("/openapi.json").await?.ok()?;
    std::fs::write(folder.path().join("openapi.json"), document.to_string())?;
    Ok((server, admin, folder))
}

/// Runs a command to its end; what it printed, if it failed.
async fn run(command: &mut Command) -> Result<String> {
    let output = tokio::time::timeout(LONG, command.kill_on_drop(true).output())
        .await
        .context("it took too long")??;
    let text = format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    ensure!(output.status.success(), "{}\n{text}", output.status);
    Ok(text)
}

async fn valid() -> Result<()> {
    let (_server, _admin, folder) = described().await?;
    let mut validate = Command::new(python().context("not installed")?);
    run(validate.arg(script("description.py")).arg("validate").arg(folder.path().join("openapi.json"))).await?;
    Ok(())
}

async fn python_client() -> Result<()> {
    let (_server, admin, folder) = described().await?;
    let mut client = Command::new(python().context("not installed")?);
    client
        .arg(script("description.py"))
        .arg("client")
        .arg(folder.path().join("openapi.json"))
        .arg(folder.path());
    run(client.args([admin.url(), admin.key()])).await?;
    Ok(())
}

async fn typescript_client() -> Result<()> {
    let (_server, admin, folder) = described().await?;
    let packages = typescript().context("not installed")?;
    // Packages are looked up from the folder of the program upwards.
    let own = tempfile::tempdir_in(&packages)?;
    std::fs::copy(script("description.ts"), own.path().join("description.ts"))?;
    std::fs::write(own.path().join("package.json"), r#"{"type": "module"}"#)?;
    let program = |name: &str| Command::new(packages.join("node_modules/.bin").join(name));
    let schema = own.path().join("schema.d.ts");
    run(program("openapi-typescript")
        .arg(folder.path().join("openapi.json"))
        .args(["--default-non-nullable", "false"])
        .arg("-o")
        .arg(&schema))
    .await?;
    let options = "--strict --target es2022 --module nodenext --moduleResolution nodenext --lib es2022,dom";
    run(program("tsc").args(options.split(' ')).arg(own.path().join("description.ts"))).await?;
    run(Command::new("node").arg(own.path().join("description.js")).args([admin.url(), admin.key()])).await?;
    Ok(())
}

/// Calls every operation with what the description allows and with what it does not: no server error, and no answer that is not
/// described.
async fn every_input(role: &str) -> Result<()> {
    let (_server, admin, folder) = described().await?;
    let caller = admin.role(role).await?;
    let mut command = Command::new(schemathesis().context("not installed")?);
    command.current_dir(folder.path());
    command.arg("run").arg(folder.path().join("openapi.json"));
    command.args(["--url", caller.url(), "--header", &format!("Authorization: Bearer {}", caller.key())]);
    // Streams do not end.
    command.args(["--exclude-path-regex", "^/v1/stream$|^/ofrep/v1/events$"]);
    command.args([
        "--checks",
        "not_a_server_error,status_code_conformance,content_type_conformance,response_schema_conformance",
    ]);
    command.args([
        "--phases",
        // Every case of every operation takes a minute: once, for the role that may do most.
        if role == "editor" { "coverage,fuzzing" } else { "fuzzing" },
        "--max-examples",
        "3",
        "--request-timeout",
        "10",
        "--workers",
        "2",
    ]);
    command.args(["--seed", "1", "--generation-database", "none", "--suppress-health-check", "all", "--no-color"]);
    run(&mut command).await?;
    ensure!(is_alive(&admin).await?, "the server has ended");
    Ok(())
}

async fn is_alive(admin: &Api) -> Result<bool> {
    Ok(admin.get_root("/healthz").await?.status == 200)
}
