//! What a command works with: the client, the environment, the output, and how it was called.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use ripcord_proto::EnvironmentKey;
use ripcord_proto::duration::HumanDuration;

use super::client::Client;
use super::config::{self, Profile};
use super::exit::Failure;
use super::global::Global;
use super::output::{Format, Output, note};
use super::rivals::{self, Purpose};
use super::target::{From, Target, setting};

/// The environment that exists from the first start.
const DEFAULT_ENVIRONMENT: &str = "production";

/// One call of the command line.
#[derive(Debug, Clone)]
pub(crate) struct Context {
    /// Talks to the server.
    pub(crate) client: Client,
    pub(crate) output: Output,
    /// How long to wait for a second person, if one is needed.
    pub(crate) await_approval: Option<HumanDuration>,
    environments: Vec<EnvironmentKey>,
    environment: EnvironmentKey,
    environment_from: From,
    /// As given on the command line.
    profile: Option<String>,
    /// Whether the output names the server.
    named: Arc<AtomicBool>,
}

impl Context {
    /// From the global options.
    pub(crate) fn new(global: &Global, output: Output, purpose: Purpose) -> Result<Self, Failure> {
        let profile = config::profile(setting(global.profile.clone(), "RIPCORD_PROFILE").map(|(name, _)| name).as_deref())?.unwrap_or_default();
        let client = Client::new(rivals::settled(Target::find(global, &profile)?, purpose)?)?;
        let (environment, environment_from) = environment(global, &profile)?;
        Ok(Self {
            client,
            output,
            await_approval: global.await_approval,
            environments: if global.environment.is_empty() {
                vec![environment.clone()]
            } else {
                global.environment.clone()
            },
            environment,
            environment_from,
            profile: global.profile.clone(),
            named: Arc::default(),
        })
    }

    /// Says which server was written to, if nothing has said so yet.
    pub(crate) fn name_server(&self) {
        if self.client.has_written() && !self.named.load(Ordering::Relaxed) && self.output.format() == Format::Text {
            note(&format!("(on {})", self.client.server()));
        }
    }

    /// The same, with this limit for each call to the server.
    pub(crate) fn hurried(&self, limit: Duration) -> Self {
        Self {
            client: self.client.hurried(limit),
            ..self.clone()
        }
    }

    /// The environments, if a command takes several.
    pub(crate) fn environments(&self) -> &[EnvironmentKey] {
        &self.environments
    }

    pub(crate) const fn environment(&self) -> &EnvironmentKey {
        &self.environment
    }

    /// The same call of the environment that a flags file names. If one was also named elsewhere, it must be the same.
    pub(crate) fn for_file(&self, file: &str, named: Option<&EnvironmentKey>) -> Result<EnvironmentKey, Failure> {
        match named {
            None => Ok(self.environment.clone()),
            Some(named) if self.environment_from == From::Default || *named == self.environment => Ok(named.clone()),
            Some(named) => Err(Failure::Usage(format!(
                "{file} is for environment {named}, but {} says {}. Remove one of them: a file without `environment` can be applied anywhere.",
                self.environment_from, self.environment
            ))),
        }
    }

    /// Where a write went: `production on http://127.0.0.1:8016`.
    pub(crate) fn place(&self) -> String {
        self.place_of(&self.environment)
    }

    /// The same for another environment.
    pub(crate) fn place_of(&self, environment: &EnvironmentKey) -> String {
        format!("{environment} on {}", self.server())
    }

    /// The server, for an output that names it.
    pub(crate) fn server(&self) -> &str {
        self.named.store(true, Ordering::Relaxed);
        self.client.server()
    }

    /// A path in the environment.
    pub(crate) fn path<'a>(&'a self, rest: &[&'a str]) -> Vec<&'a str> {
        path(&self.environment, rest)
    }

    /// A command line that reaches the same server and environment.
    pub(crate) fn command(&self, command: &str) -> String {
        let environment = Some(&self.environment).filter(|_| self.environment_from == From::CommandLine);
        self.typed(command, environment)
    }

    /// The same for another person, who may use a different environment.
    pub(crate) fn command_in(&self, environment: &EnvironmentKey, command: &str) -> String {
        self.typed(command, Some(environment))
    }

    fn typed(&self, command: &str, environment: Option<&EnvironmentKey>) -> String {
        let mut text = format!("ripcord {command}");
        if let Some(environment) = environment {
            text.push_str(" --env ");
            text.push_str(environment.as_str());
        }
        if let Some(profile) = &self.profile {
            text.push_str(" --profile ");
            text.push_str(profile);
        }
        let target = self.client.target();
        if target.server_from == From::CommandLine {
            text.push_str(" --server ");
            text.push_str(&target.server);
        }
        text
    }
}

/// A path in an environment.
pub(crate) fn path<'a>(environment: &'a EnvironmentKey, rest: &[&'a str]) -> Vec<&'a str> {
    let mut path = vec!["v1", "environments", environment.as_str()];
    path.extend(rest);
    path
}

fn environment(global: &Global, profile: &Profile) -> Result<(EnvironmentKey, From), Failure> {
    if let Some(environment) = global.environment.first() {
        return Ok((environment.clone(), From::CommandLine));
    }
    let variable = std::env::var("RIPCORD_ENV").ok().filter(|value| !value.is_empty());
    let (text, from) = match (&variable, &profile.environment) {
        (Some(text), _) => (text.as_str(), From::Variable("RIPCORD_ENV")),
        (None, Some(environment)) => return Ok((environment.clone(), From::Profile)),
        (None, None) => (DEFAULT_ENVIRONMENT, From::Default),
    };
    let environment = EnvironmentKey::new(text).map_err(|faults| Failure::Usage(format!("{from}: {faults}")))?;
    Ok((environment, from))
}
