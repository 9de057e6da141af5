//! The ready-made pipeline pieces: their scripts, run as a pipeline runs them, against a live server.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use anyhow::{Context as _, ensure};
use ripcord_tests::{Outcome, SOON, Server, Setup, eventually};
use serde_json::Value;

const FLAGS: &str = "flags:\n  checkout:\n    owner: payments\n    variants: {on: true, off: false}\n    default: off\n    safe: off\n";

fn pieces() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../server/pipelines")
}

const ROLLOUT: &str = "flag: checkout\nvariant: on\nsteps: [{to: 10%, hold: 1s}, {to: 100%, hold: 1s}]\nno_gates: true\n";

/// A checkout of a repository with flags, and what a runner gives its scripts.
struct Runner {
    folder: PathBuf,
    variables: BTreeMap<String, OsString>,
}

impl Runner {
    async fn new(server: &Server) -> anyhow::Result<Self> {
        let folder = server.scratch().join("repository");
        std::fs::create_dir_all(folder.join("flags"))?;
        std::fs::write(folder.join("flags/checkout.yaml"), FLAGS)?;
        std::fs::write(folder.join("rollout.yaml"), ROLLOUT)?;
        let program = PathBuf::from(server.command().get_program());
        let mut path = OsString::from(program.parent().context("the binary lies nowhere")?);
        path.push(":");
        path.push(std::env::var_os("PATH").unwrap_or_default());
        let key = server.admin().role("pipeline").await?.key().to_owned();
        let mut runner = Self {
            folder,
            variables: BTreeMap::new(),
        };
        runner.set("PATH", path);
        runner.set("RIPCORD_SERVER", server.url());
        runner.set("RIPCORD_KEY", key);
        Ok(runner)
    }

    fn set(&mut self, name: &str, value: impl Into<OsString>) {
        self.variables.insert(name.to_owned(), value.into());
    }

    fn change_flags(&self) -> anyhow::Result<()> {
        std::fs::write(self.folder.join("flags/checkout.yaml"), FLAGS.replace("default: off", "default: on"))?;
        Ok(())
    }

    fn run(&self, program: &str, arguments: &[&str]) -> anyhow::Result<Output> {
        let mut command = Command::new(program);
        command.args(arguments).current_dir(&self.folder).envs(&self.variables).env("NO_COLOR", "1");
        Ok(command.output()?)
    }
}

/// The strictest shell that there is.
fn posix_shell() -> &'static str {
    if Command::new("dash").args(["-c", ":"]).output().is_ok() {
        "dash"
    } else {
        "sh"
    }
}

fn ended(output: &Output, code: i32) -> Outcome {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    ensure!(
        output.status.code() == Some(code),
        "{:?} instead of {code}\n{}\n{}",
        output.status,
        text(&output.stdout),
        text(&output.stderr)
    );
    Ok(())
}

fn yaml(path: &Path) -> anyhow::Result<Value> {
    Ok(serde_saphyr::from_str(&std::fs::read_to_string(path)?)?)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_shell_recipe_plans_and_does_exactly_that() -> Outcome {
    let server = Server::start(Setup::embedded()).await?;
    let runner = Runner::new(&server).await?;
    let recipe = pieces().join("ripcord.sh").display().to_string();
    ended(&runner.run(posix_shell(), &[&recipe, "plan"])?, 0)?;
    ensure!(server.admin().revision().await? == 0, "a plan changes nothing");
    ended(&runner.run(posix_shell(), &[&recipe, "apply"])?, 0)?;
    ensure!(server.admin().revision().await? == 1);
    let followed = runner.run(posix_shell(), &[&recipe, "rollout"])?;
    ended(&followed, 0)?;
    let text = String::from_utf8_lossy(&followed.stdout).into_owned();
    ensure!(text.contains("ro_"), "{text}");
    ensure!(server.admin().value("checkout").await? == true);
    ended(&runner.run(posix_shell(), &[&recipe, "rollout"])?, 1)?;

    runner.change_flags()?;
    ended(&runner.run(posix_shell(), &[&recipe, "plan"])?, 0)?;
    server.admin().kill_flag("checkout").await?;
    ended(&runner.run(posix_shell(), &[&recipe, "apply"])?, 3)?;
    std::fs::write(runner.folder.join("ripcord-plan.json"), "{}")?;
    ended(&runner.run(posix_shell(), &[&recipe, "apply"])?, 2)?;
    ended(&runner.run(posix_shell(), &[&recipe, "launch"])?, 2)?;
    std::fs::write(runner.folder.join("flags/bad.yaml"), "flags: 7\n")?;
    ended(&runner.run(posix_shell(), &[&recipe, "plan"])?, 1)?;
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_shell_recipe_waits_for_a_second_person_where_it_is_told_to() -> Outcome {
    let server = Server::start(Setup::embedded()).await?;
    let mut runner = Runner::new(&server).await?;
    let recipe = pieces().join("ripcord.sh").display().to_string();
    let (admin, ben) = (server.admin(), server.admin().role("editor").await?);
    admin
        .put("policy", &serde_json::json!({"second_person": ["changes", "rollouts"]}))
        .await?
        .ok()?;
    ended(&runner.run(posix_shell(), &[&recipe, "plan"])?, 0)?;
    ended(&runner.run(posix_shell(), &[&recipe, "apply"])?, 3)?;
    ensure!(admin.revision().await? == 0, "it was done without an approval");
    // Else it could be approved before the recipe asks for the same again.
    let waits = ben.get("proposals?state=proposed").await?.ok()?["items"][0].clone();
    let path = format!("proposals/{}/decline", ripcord_tests::api::id_of(&waits)?);
    ben.post(&path, &serde_json::json!({"reason": "not needed any more"})).await?.ok()?;
    runner.set("RIPCORD_AWAIT_APPROVAL", "1m");
    let approver = tokio::spawn(async move {
        for _ in ["apply", "rollout"] {
            let waits = eventually(SOON, "something waits", || async {
                ben.get("proposals?state=proposed").await?.ok()?["items"].get(0).cloned().context("nothing")
            })
            .await?;
            let id = ripcord_tests::api::id_of(&waits)?;
            ben.post(&format!("proposals/{id}/approve"), &serde_json::json!({"reason": "seen"}))
                .await?
                .ok()?;
        }
        Outcome::Ok(())
    });
    ended(&runner.run(posix_shell(), &[&recipe, "apply"])?, 0)?;
    let followed = runner.run(posix_shell(), &[&recipe, "rollout"])?;
    ended(&followed, 0)?;
    let text = String::from_utf8_lossy(&followed.stdout).into_owned();
    ensure!(text.contains("ro_"), "{text}");
    approver.await?
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_github_action_plans_and_does_exactly_that() -> Outcome {
    let server = Server::start(Setup::embedded()).await?;
    let mut runner = Runner::new(&server).await?;
    let action = yaml(&pieces().join("github/action.yml"))?;
    let inputs = action["inputs"].as_object().context("no inputs")?;
    let given = BTreeMap::from([
        ("server", server.url()),
        ("key", runner.variables["RIPCORD_KEY"].to_string_lossy().into_owned()),
    ]);
    let outputs = runner.folder.join("outputs");
    for (name, path) in [("GITHUB_OUTPUT", &outputs), ("GITHUB_STEP_SUMMARY", &runner.folder.join("summary"))] {
        runner.set(name, path.as_os_str());
    }
    runner.set("RUNNER_TEMP", runner.folder.as_os_str().to_owned());
    runner.set("GITHUB_ACTION_PATH", pieces().join("github"));
    runner.set("GITHUB_SHA", "0123abc");
    for wanted in ["plan", "apply", "rollout"] {
        for step in action["runs"]["steps"].as_array().context("no steps")? {
            for (name, value) in step["env"].as_object().context("no env")? {
                let input = value
                    .as_str()
                    .and_then(|text| text.strip_prefix("${{ inputs.")?.strip_suffix(" }}"))
                    .context("no input")?;
                ensure!(inputs.contains_key(input), "unknown input {input}");
                let default = inputs[input]["default"].as_str().unwrap_or_default().to_owned();
                let value = if input == "step" {
                    wanted.to_owned()
                } else {
                    given.get(input).cloned().unwrap_or(default)
                };
                runner.set(name, value);
            }
            let script = step["run"].as_str().context("no script")?;
            ended(&runner.run("bash", &["--noprofile", "--norc", "-eo", "pipefail", "-c", script])?, 0)?;
        }
    }
    ensure!(server.admin().revision().await? == 3, "the flag and two steps");
    ensure!(std::fs::read_to_string(&outputs)?.starts_with("hash="), "no output");
    ensure!(std::fs::read_to_string(runner.folder.join("summary"))?.contains("checkout"));
    let log = server.admin().log().await?;
    ensure!(log.iter().any(|entry| entry["reason"] == "pipeline of commit 0123abc"), "{log:?}");
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_gitlab_template_plans_and_does_exactly_that() -> Outcome {
    let server = Server::start(Setup::embedded()).await?;
    let mut runner = Runner::new(&server).await?;
    let template = yaml(&pieces().join("gitlab/ripcord.yml"))?;
    for (name, value) in template["variables"].as_object().context("no variables")? {
        runner.set(name, value.as_str().unwrap_or_default().to_owned());
    }
    runner.set("CI_COMMIT_SHA", "0123abc");
    runner.set("RIPCORD_ROLLOUT", "rollout.yaml");
    for job in ["ripcord plan", "ripcord apply", "ripcord rollout"] {
        let lines: Vec<_> = template[job]["script"]
            .as_array()
            .context("no script")?
            .iter()
            .filter_map(Value::as_str)
            .collect();
        ended(&runner.run(posix_shell(), &["-ec", &lines.join("\n")])?, 0)?;
    }
    ensure!(server.admin().revision().await? == 3, "the flag and two steps");
    Ok(())
}
